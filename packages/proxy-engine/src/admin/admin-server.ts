// The proxy's own window: a Unix socket in its state directory that shows config, connections, metrics and health, takes
// profiles, and sets the log level. With several workers it shows all of them as one.
// It uses the proxy's own HTTP, so that looking inside loads nothing that the data path does not have already.

import { ok, type Result, type RipstopError } from "@ripstop/core";
import { ResponseHead, type RequestHead, type ServerStream, type ServerStreamHandler } from "@ripstop/http";
import { listen } from "@ripstop/net";
import { sumMetrics, type MetricRegistry } from "@ripstop/telemetry";
import type { RequestAcceptor, SessionRegistry } from "../1-accept/http-session.ts";
import { Http1Session } from "../1-accept/http1-session.ts";
import type { Proxy } from "../proxy.ts";
import { mergeConnections, type Connections } from "./describe.ts";
import type { ProfileKind } from "./profiles.ts";
import { answerQuestion, parseLogLevel, type AskOthers } from "./worker-answers.ts";

/** What the admin server shows. */
export interface AdminOptions {
  readonly proxy: Proxy;
  readonly metrics: MetricRegistry;
  /** Where the Unix socket is made; mode 0600. */
  readonly path: string;
  /** Default: there are no others. */
  readonly askOthers?: AskOthers;
}

/** What the metrics endpoint shows, and where. */
export interface MetricsOptions {
  readonly proxy: Proxy;
  readonly metrics: MetricRegistry;
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** Default: there are no others. */
  readonly askOthers?: AskOthers;
}

/** A running admin server. */
export interface AdminServer {
  close(): Promise<void>;
}

/**
 * Serves on a Unix socket: GET /config, /connections, /pools, /metrics, /health, /ready, /log-level; POST
 * /log-level?level=L, /drain?deadline-ms=N, /profile/cpu?seconds=N, /profile/heap?seconds=N, /profile/snapshot. `/ready`
 * is 503 with what is missing until the first complete config is in force, and while draining.
 */
export function startAdmin(options: AdminOptions): Promise<Result<AdminServer, RipstopError>> {
  return serve(options.proxy, { path: options.path, mode: 0o600 }, new AdminAcceptor(options));
}

/** Serves GET /metrics, and nothing else, on a loopback port: for Prometheus, which reads no Unix sockets. */
export function startMetrics(options: MetricsOptions): Promise<Result<AdminServer, RipstopError>> {
  return serve(options.proxy, { host: "127.0.0.1", port: options.port }, new MetricsAcceptor(options));
}

async function serve(
  { engine }: Proxy,
  where: { readonly path: string; readonly mode: number } | { readonly host: string; readonly port: number },
  acceptor: RequestAcceptor,
): Promise<Result<AdminServer, RipstopError>> {
  const registry: SessionRegistry = new Set();
  const listener = await listen({
    ...where,
    maxConnections: MAX_CONNECTIONS,
    onConn: (conn) => void new Http1Session(conn, { engine, acceptor, registry }),
  });
  if (!listener.ok) return listener;
  return ok({
    close: async () => {
      listener.value.close();
      for (const session of registry) session.conn.destroy();
    },
  });
}

const MAX_CONNECTIONS = 64;

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/** Sends the reply when it is there, if the client still is. */
class PendingReply implements ServerStreamHandler {
  readonly #stream: ServerStream;
  readonly #isHead: boolean;
  #gone = false;

  constructor(stream: ServerStream, isHead: boolean) {
    this.#stream = stream;
    this.#isHead = isHead;
  }

  send({ status, type, body }: Reply): void {
    if (this.#gone) return;
    const bytes = Buffer.from(body, "utf8");
    const head = new ResponseHead();
    head.status = status;
    head.contentLength = bytes.length;
    head.headers.append("content-type", type);
    this.#stream.sendResponse(head, this.#isHead);
    if (this.#isHead) return;
    this.#stream.sendBody(bytes, 0, bytes.length);
    this.#stream.sendEnd();
  }

  onBody(): void {}

  onTrailers(): void {}

  onEnd(): void {}

  onWritable(): void {}

  onReset(): void {
    this.#gone = true;
  }
}

abstract class ReplyAcceptor implements RequestAcceptor {
  protected abstract reply(request: AdminRequest): Promise<Reply>;

  onRequest(stream: ServerStream, request: RequestHead, _end: boolean): ServerStreamHandler {
    const isHead = request.method === "HEAD";
    const pending = new PendingReply(stream, isHead);
    const at = request.path.indexOf("?");
    const path = at < 0 ? request.path : request.path.slice(0, at);
    const query = new URLSearchParams(at < 0 ? "" : request.path.slice(at + 1));
    this.reply({ method: isHead ? "GET" : request.method, path, query }).then(
      (reply) => pending.send(reply),
      (cause: unknown) => pending.send(json(500, { error: String(cause) })),
    );
    return pending;
  }
}

async function allMetrics(metrics: MetricRegistry, askOthers: AskOthers | undefined): Promise<Reply> {
  const others = (await askOthers?.({ what: "metrics" })) ?? [];
  const own = metrics.render();
  const pages = others.flatMap(({ answer }) => (typeof answer === "string" ? [answer] : []));
  const body = pages.length === 0 ? own : sumMetrics([own, ...pages]);
  return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body };
}

class MetricsAcceptor extends ReplyAcceptor {
  readonly #options: MetricsOptions;

  constructor(options: MetricsOptions) {
    super();
    this.#options = options;
  }

  protected override reply({ method, path }: AdminRequest): Promise<Reply> {
    if (method !== "GET") return Promise.resolve(json(405, { error: "only GET" }));
    if (path === "/metrics") return allMetrics(this.#options.metrics, this.#options.askOthers);
    return Promise.resolve(json(404, { error: "only /metrics is here" }));
  }
}

const PROFILES: Readonly<Record<string, ProfileKind>> = {
  "/profile/cpu": "cpu",
  "/profile/heap": "heap",
  "/profile/snapshot": "snapshot",
};
const DEFAULT_DRAIN_MS = 30_000;
const MAX_DRAIN_MS = 3_600_000;

class AdminAcceptor extends ReplyAcceptor {
  readonly #options: AdminOptions;

  constructor(options: AdminOptions) {
    super();
    this.#options = options;
  }

  protected override reply(request: AdminRequest): Promise<Reply> {
    if (request.method === "GET") return this.#show(request.path);
    if (request.method === "POST") return this.#act(request);
    return Promise.resolve(json(405, { error: "only GET and POST" }));
  }

  async #show(path: string): Promise<Reply> {
    const { proxy, metrics, askOthers } = this.#options;
    switch (path) {
      case "/config": {
        const others = (await askOthers?.({ what: "log-level" })) ?? [];
        const workers = [process.pid, ...others.map(({ pid }) => pid)];
        const config = await answerQuestion(this.#options, { what: "config" });
        return json(200, { ...asRecord(config), workers });
      }
      case "/connections":
        return json(200, await this.#connections());
      case "/pools": {
        const { workloads } = await this.#connections();
        return json(200, { workloads: workloads.map(({ id, pools }) => ({ id, pools })) });
      }
      case "/metrics":
        return allMetrics(metrics, askOthers);
      case "/health":
        return json(200, { status: "alive", pid: process.pid });
      case "/ready":
        if (proxy.ready && !proxy.draining) return json(200, { status: "ready" });
        return json(503, { status: "not ready", missing: proxy.draining ? "the proxy is draining" : proxy.missing });
      case "/log-level":
        return json(200, { level: proxy.engine.log.level });
      default:
        return json(path in PROFILES || path === "/drain" ? 405 : 404, {
          error:
            "there is GET /config, /connections, /pools, /metrics, /health, /ready and /log-level; POST /log-level, /drain, /profile/cpu, /profile/heap and /profile/snapshot",
        });
    }
  }

  async #connections(): Promise<Connections> {
    const own = await answerQuestion(this.#options, { what: "connections" });
    const others = (await this.#options.askOthers?.({ what: "connections" })) ?? [];
    return mergeConnections([{ pid: process.pid, answer: own }, ...others]);
  }

  async #act({ path, query }: AdminRequest): Promise<Reply> {
    const { proxy, askOthers } = this.#options;
    const kind = PROFILES[path];
    if (kind !== undefined) {
      const seconds = query.get("seconds");
      const { takeProfile } = await import("./profiles.ts");
      const taken = await takeProfile(kind, proxy.engine.clock, seconds === null ? undefined : Number(seconds));
      if (!taken.ok) return json(409, { error: taken.error });
      return { status: 200, type: "application/json", body: taken.value };
    }
    if (path === "/log-level") {
      const level = parseLogLevel(query.get("level") ?? "");
      if (level === undefined) return json(400, { error: "level must be debug, info, warn or error" });
      await answerQuestion(this.#options, { what: "set-log-level", level });
      await askOthers?.({ what: "set-log-level", level });
      return json(200, { level });
    }
    if (path === "/drain") {
      const deadlineMs = Number(query.get("deadline-ms") ?? DEFAULT_DRAIN_MS);
      if (!(deadlineMs >= 0 && deadlineMs <= MAX_DRAIN_MS))
        return json(400, { error: `deadline-ms must be 0 to ${MAX_DRAIN_MS}` });
      const question = { what: "drain", deadlineMs } as const;
      await Promise.all([answerQuestion(this.#options, question), askOthers?.(question)]);
      return json(200, { status: "drained" });
    }
    return json(404, { error: "there is POST /log-level, /drain, /profile/cpu, /profile/heap and /profile/snapshot" });
  }
}

function asRecord(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

function json(status: number, value: unknown): Reply {
  return { status, type: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}
