// One health check of one endpoint, over the same pooled connections that requests take: a TCP connection to the
// application, an HTTP request, or a call of grpc.health.v1.Health/Check (gRPC health checking protocol).

import { RequestHead, StreamErrorCode, type ClientStream, type HeaderList, type ResponseHead } from "@ripstop/http";
import type { HealthCheck, Protocol } from "@ripstop/model";
import type { CloseCause, Conn, Connecting, DialEvents } from "@ripstop/net";
import type { HttpPool, StreamWaiter } from "../7-connect/http-pool.ts";
import type { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** What is checked. */
export interface ProbeTarget {
  readonly endpoint: UpstreamEndpoint;
  /** Port of the service, and what is spoken there. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  /** Host name for requests. */
  readonly host: string;
  readonly timeoutMs: number;
  readonly check: NonNullable<HealthCheck["check"]>;
}

/** Says whether the endpoint is well; called once, unless the probe was cancelled. Why not, in plain words; "" when it is. */
export type ProbeDone = (problem: string) => void;

/** A check under way. */
export interface Probe {
  /** Ends it; nothing is told any more. */
  cancel(): void;
}

/** Begins a check. Never calls `done` before it returns. */
export function startProbe(target: ProbeTarget, done: ProbeDone): Probe {
  return target.check.$case === "tcp" ? new TcpProbe(target, done) : new RequestProbe(target, done);
}

class TcpProbe implements Probe, DialEvents {
  readonly #done: ProbeDone;
  readonly #dialing: Connecting;
  #over = false;

  constructor({ endpoint, servicePort, protocol, timeoutMs }: ProbeTarget, done: ProbeDone) {
    this.#done = done;
    this.#dialing = endpoint.dialApplication({ servicePort, protocol, timeoutMs }, this);
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.#dialing.cancel();
  }

  onConnected(conn: Conn): void {
    conn.destroy();
    this.#end("");
  }

  onFailed(cause: CloseCause): void {
    this.#end(cause.message);
  }

  #end(problem: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(problem);
  }
}

/** What is read of an answer. */
const MAX_BODY = 64 * 1024;
const MAX_MESSAGE = 64;
const SERVING = 1;
const GRPC_OK = "0";

class RequestProbe implements Probe, StreamWaiter {
  readonly #target: ProbeTarget;
  readonly #done: ProbeDone;
  readonly #pool: HttpPool;
  #stream: ClientStream | undefined = undefined;
  #status = 0;
  #message = Buffer.alloc(0);
  #received = 0;
  #over = false;

  constructor(target: ProbeTarget, done: ProbeDone) {
    this.#target = target;
    this.#done = done;
    const { endpoint, servicePort, protocol, check } = target;
    this.#pool = endpoint.pool(servicePort, protocol, check.$case === "grpc");
    // Later, because nothing may be told within the call that starts a probe.
    queueMicrotask(() => {
      if (!this.#over) this.#pool.acquire(this);
    });
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#stream === undefined) this.#pool.cancel(this);
    else this.#stream.reset(StreamErrorCode.CANCEL);
  }

  onStream(stream: ClientStream): void {
    if (this.#over) {
      stream.reset(StreamErrorCode.CANCEL);
      return;
    }
    this.#stream = stream;
    const { check, host } = this.#target;
    const head = new RequestHead();
    head.scheme = "http";
    head.authority = host;
    head.headers.append("user-agent", "ripstop-health-check");
    if (check.$case !== "grpc") {
      head.path = check.$case === "http" ? check.value.path : "/";
      stream.sendRequest(head, true);
      return;
    }
    head.method = "POST";
    head.path = "/grpc.health.v1.Health/Check";
    head.headers.append("content-type", "application/grpc");
    head.headers.append("te", "trailers");
    const message = healthRequest(check.value.service);
    stream.sendRequest(head, false);
    stream.sendBody(message, 0, message.length);
    stream.sendEnd();
  }

  onNoStream(cause: string): void {
    this.#end(cause);
  }

  onInformational(): void {}

  onResponse(head: ResponseHead, end: boolean): void {
    this.#status = head.status;
    const { check } = this.#target;
    if (check.$case === "http") {
      const { minStatus, maxStatus } = check.value;
      const isWell = head.status >= minStatus && head.status <= maxStatus;
      // The rest of the answer is read, so that the connection can be used again.
      this.#end(isWell ? "" : `answered ${head.status}`);
    } else if (head.status !== 200 || end) this.#end(grpcProblem(head.status, head.headers));
  }

  onBody(buf: Buffer, start: number, end: number): void {
    const count = end - start;
    this.#received += count;
    if (this.#received > MAX_BODY) {
      this.#stream?.reset(StreamErrorCode.CANCEL);
      this.#end("answered without end");
      return;
    }
    if (!this.#over && this.#message.length + count <= MAX_MESSAGE)
      this.#message = Buffer.concat([this.#message, buf.subarray(start, end)]);
    this.#stream?.consumed(count);
  }

  onTrailers(trailers: HeaderList): void {
    const problem = grpcProblem(this.#status, trailers);
    this.#end(problem === "" && !isServing(this.#message) ? "does not say SERVING" : problem);
  }

  onEnd(): void {
    this.#end("ended without a gRPC status");
  }

  onWritable(): void {}

  onReset(_code: number, cause: string): void {
    this.#end(cause);
  }

  #end(problem: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#done(problem);
  }
}

function grpcProblem(status: number, headers: HeaderList): string {
  if (status !== 200) return `answered ${status}`;
  const grpcStatus = headers.get("grpc-status") ?? "";
  return grpcStatus === GRPC_OK ? "" : `answered gRPC status ${grpcStatus === "" ? "none" : grpcStatus}`;
}

/** HealthCheckRequest { string service = 1 } as one gRPC message. Service names are short: the length is one byte, or two. */
function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const length = name.length < 0x80 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  const body = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(body.length, 1);
  return Buffer.concat([prefix, body]);
}

/** HealthCheckResponse { ServingStatus status = 1 } in one uncompressed gRPC message. */
function isServing(message: Buffer): boolean {
  return message.length >= 7 && message[0] === 0 && message[5] === 0x08 && message[6] === SERVING;
}
