// Client of the control plane's REST API (packages/model/src/api.ts) over the mesh home's Unix socket.

import { request, type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { err, ok, type Result } from "@ripstop/core";
import type {
  ApiError,
  BundlesView,
  ControlInfo,
  HeartbeatResponse,
  JwtSvidRequest,
  JwtSvidResponse,
  RegisterRequest,
  RegisterResponse,
  SvidRequest,
  SvidResponse,
  WorkloadStatus,
} from "@ripstop/model";
import { controlUnreachable } from "./errors.ts";

/** Longest answer that is read (a list of a large mesh's resources). */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024;
/** Longest line of a stream. */
const MAX_LINE_CHARS = 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 10_000;

/** Why a call gave no answer of its kind. */
export interface ApiFailure {
  /** Of the answer; 0 when there was none. */
  readonly status: number;
  readonly error: ApiError["error"];
}

/** An SVID by which the caller of the API proves itself, and whom it trusts. */
export interface CallerIdentity {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly bundlePem: string;
}

/** A stream of lines that goes on until either side closes it. */
export interface LineStream {
  /** Stops reading; `done` is then kept with undefined. */
  close(): void;
  /** Kept when the stream ends: undefined for a regular end, else the failure. */
  readonly done: Promise<ApiFailure | undefined>;
}

/** What a call sets of a request. */
export interface ApiRequestOptions extends Pick<RequestOptions, "method" | "path" | "timeout"> {
  readonly headers?: Readonly<Record<string, string | number>>;
}

/** Calls the API; stateless, so that a restart of the control plane needs no reconnecting. */
export class ControlApi {
  readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  /** GET /v1/info. */
  info(): Promise<Result<ControlInfo, ApiFailure>> {
    return this.call("GET", "/v1/info");
  }

  /** Name of the mesh's trust domain. */
  async trustDomain(): Promise<Result<string, ApiFailure>> {
    const info = await this.info();
    return info.ok ? ok(info.value.trustDomain) : info;
  }

  /** A new SVID is in use; over the socket, the permission of its file is the proof of who calls. */
  useIdentity(_identity: CallerIdentity): void {}

  /** The roots to trust (PEM) have changed. */
  useBundle(_bundlePem: string): void {}

  /** POST /v1/workloads. */
  register(body: RegisterRequest): Promise<Result<RegisterResponse, ApiFailure>> {
    return this.call("POST", "/v1/workloads", body);
  }

  /** PUT /v1/workloads/ID: state and heartbeat. */
  report(workloadId: string, body: WorkloadStatus): Promise<Result<HeartbeatResponse, ApiFailure>> {
    return this.call("PUT", `/v1/workloads/${workloadId}`, body, 3_000);
  }

  /** POST /v1/workloads/ID/svid. */
  renew(workloadId: string, body: SvidRequest): Promise<Result<SvidResponse, ApiFailure>> {
    return this.call("POST", `/v1/workloads/${workloadId}/svid`, body);
  }

  /** POST /v1/workloads/ID/jwt-svid. */
  jwtSvid(workloadId: string, body: JwtSvidRequest): Promise<Result<JwtSvidResponse, ApiFailure>> {
    return this.call("POST", `/v1/workloads/${workloadId}/jwt-svid`, body);
  }

  /** GET /v1/identity/bundles: at once, or when they are other than `after`, at the latest after `waitMs`. */
  bundles(after: string, waitMs: number, signal?: AbortSignal): Promise<Result<BundlesView, ApiFailure>> {
    const query = `after=${encodeURIComponent(after)}&waitMs=${waitMs}`;
    return this.call("GET", `/v1/identity/bundles?${query}`, undefined, waitMs + 3_000, signal);
  }

  /** DELETE /v1/workloads/ID: a graceful leave. */
  leave(workloadId: string): Promise<Result<unknown, ApiFailure>> {
    return this.call("DELETE", `/v1/workloads/${workloadId}`, undefined, 2_000);
  }

  /** Any route. `Answer` is what the route is documented to answer; both sides are of one version or neighbouring ones. */
  call<Answer>(
    method: string,
    path: string,
    body?: unknown,
    timeoutMs: number = DEFAULT_TIMEOUT_MS,
    signal?: AbortSignal,
  ): Promise<Result<Answer, ApiFailure>> {
    return new Promise((resolve) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const outgoing = this.open({
        method,
        path,
        timeout: timeoutMs,
        ...(signal === undefined ? {} : { signal }),
        headers: {
          accept: "application/json",
          ...(text === undefined
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
        },
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      outgoing.on("error", (cause) => resolve(err(this.unreachable(cause))));
      outgoing.on("response", (incoming) => {
        readAll(incoming, (answer) =>
          resolve(answer.ok ? parseAnswer<Answer>(incoming.statusCode ?? 0, answer.value) : answer),
        );
      });
      outgoing.end(text);
    });
  }

  /** A route that takes or gives something other than JSON: the text of its answer. */
  text(
    method: string,
    path: string,
    body: { readonly type: string; readonly text: string },
    timeoutMs: number,
  ): Promise<Result<string, ApiFailure>> {
    return new Promise((resolve) => {
      const headers = { "content-type": body.type, "content-length": Buffer.byteLength(body.text) };
      const outgoing = this.open({ method, path, timeout: timeoutMs, headers });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      outgoing.on("error", (cause) => resolve(err(this.unreachable(cause))));
      outgoing.on("response", (incoming) => {
        readAll(incoming, (answer) => {
          if (!answer.ok) return resolve(answer);
          const status = incoming.statusCode ?? 0;
          if (status >= 200 && status < 300) return resolve(answer);
          const failed = parseAnswer(status, answer.value);
          return resolve(failed.ok ? err(malformed(status, `status ${status}`)) : failed);
        });
      });
      outgoing.end(body.text);
    });
  }

  /** A GET route that answers line by line. */
  lines(path: string, onLine: (line: string) => void): LineStream {
    const outgoing = this.open({ method: "GET", path });
    let closed = false;
    const done = new Promise<ApiFailure | undefined>((resolve) => {
      outgoing.on("error", (cause) => resolve(closed ? undefined : this.unreachable(cause)));
      outgoing.on("response", (incoming) => {
        if (incoming.statusCode !== 200) {
          readAll(incoming, (answer) => {
            const failed = answer.ok ? parseAnswer(incoming.statusCode ?? 0, answer.value) : answer;
            resolve(failed.ok ? undefined : failed.error);
          });
          return;
        }
        let rest = "";
        incoming.setEncoding("utf8");
        incoming.on("data", (text: string) => {
          const parts = (rest + text).split("\n");
          rest = parts.pop() ?? "";
          if (rest.length > MAX_LINE_CHARS) rest = "";
          for (const line of parts) if (line !== "") onLine(line);
        });
        incoming.on("error", (cause) => resolve(closed ? undefined : this.unreachable(cause)));
        incoming.on("end", () => resolve(undefined));
      });
      outgoing.end();
    });
    return {
      close() {
        closed = true;
        outgoing.destroy();
      },
      done,
    };
  }

  /** Begins a request. */
  protected open(options: ApiRequestOptions): ClientRequest {
    return request({
      ...options,
      socketPath: this.socketPath,
      agent: false,
      headers: { host: "ripstop.local", ...options.headers },
    });
  }

  /** What a request that got no answer means. */
  protected unreachable(cause: Error): ApiFailure {
    const reason =
      "code" in cause && (cause.code === "ENOENT" || cause.code === "ECONNREFUSED")
        ? `nothing listens on ${this.socketPath}`
        : "code" in cause && cause.code === "EACCES"
          ? `this user may not open ${this.socketPath}`
          : `${this.socketPath}: ${cause.message}`;
    return {
      status: 0,
      error: {
        code: controlUnreachable.code,
        title: controlUnreachable.title,
        message: reason,
        remedy: controlUnreachable.remedy,
      },
    };
  }
}

/** One line that tells the failure and what to do about it. */
export function describeFailure(failure: ApiFailure): string {
  const { code, title, message, remedy } = failure.error;
  return `${title} (${code}): ${message}. ${remedy}`.replaceAll("..", ".");
}

function readAll(incoming: IncomingMessage, done: (answer: Result<string, ApiFailure>) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  incoming.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) incoming.destroy(new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`));
    else chunks.push(chunk);
  });
  incoming.on("error", (cause) => done(err(malformed(incoming.statusCode ?? 0, cause.message))));
  incoming.on("end", () => done(ok(Buffer.concat(chunks).toString("utf8"))));
}

function parseAnswer<Answer>(status: number, text: string): Result<Answer, ApiFailure> {
  let value: unknown;
  try {
    value = text === "" ? {} : JSON.parse(text);
  } catch {
    return err(malformed(status, "the answer is not JSON"));
  }
  // The route documents this type; the version of the other side is the same or a neighbouring one.
  if (status >= 200 && status < 300) return ok(value as Answer);
  if (isApiError(value)) return err({ status, error: value.error });
  return err(malformed(status, `status ${status} without an error body`));
}

function isApiError(value: unknown): value is ApiError {
  return (
    typeof value === "object" &&
    value !== null &&
    "error" in value &&
    typeof value.error === "object" &&
    value.error !== null
  );
}

function malformed(status: number, message: string): ApiFailure {
  return {
    status,
    error: {
      code: controlUnreachable.code,
      title: "The control plane's answer could not be read",
      message,
      remedy: "Check that the program on the socket is Ripstop and of about this version.",
    },
  };
}
