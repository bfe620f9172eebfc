// The proxy's own window: a Unix socket in its state directory that shows config, connections, metrics and health.
// It uses the proxy's own HTTP, so that looking inside loads nothing that the data path does not have already.

import { chmod } from "node:fs/promises";
import { ok, type Result, type RipstopError } from "@ripstop/core";
import { ResponseHead, type RequestHead, type ServerStream, type ServerStreamHandler } from "@ripstop/http";
import { listen } from "@ripstop/net";
import type { MetricRegistry } from "@ripstop/telemetry";
import { Http1Session, type RequestAcceptor, type SessionRegistry } from "../1-accept/http-sessions.ts";
import type { Proxy } from "../proxy.ts";
import { describeConfig, describeConnections } from "./describe.ts";

/** What the admin server shows. */
export interface AdminOptions {
  readonly proxy: Proxy;
  readonly metrics: MetricRegistry;
  /** Where the Unix socket is made; mode 0600. */
  readonly path: string;
}

/** What the metrics endpoint shows, and where. */
export interface MetricsOptions {
  readonly proxy: Proxy;
  readonly metrics: MetricRegistry;
  /** Port on 127.0.0.1. */
  readonly port: number;
}

/** A running admin server. */
export interface AdminServer {
  close(): Promise<void>;
}

/**
 * Serves GET /config, /connections, /metrics, /health, /ready on a Unix socket. `/ready` is 503 with what is missing
 * until the first complete config is in force, and while draining.
 */
export async function startAdmin(options: AdminOptions): Promise<Result<AdminServer, RipstopError>> {
  const started = await serve(options.proxy, { path: options.path }, new AdminAcceptor(options));
  if (started.ok) await chmod(options.path, 0o600);
  return started;
}

/** Serves GET /metrics, and nothing else, on a loopback port: for Prometheus, which reads no Unix sockets. */
export function startMetrics(options: MetricsOptions): Promise<Result<AdminServer, RipstopError>> {
  return serve(options.proxy, { host: "127.0.0.1", port: options.port }, new MetricsAcceptor(options.metrics));
}

async function serve(
  { engine }: Proxy,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
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

const deaf: ServerStreamHandler = {
  onBody: () => undefined,
  onTrailers: () => undefined,
  onEnd: () => undefined,
  onWritable: () => undefined,
  onReset: () => undefined,
};

abstract class ReplyAcceptor implements RequestAcceptor {
  protected abstract reply(path: string): Reply;

  onRequest(stream: ServerStream, request: RequestHead, _end: boolean): ServerStreamHandler {
    const readOnly = request.method === "GET" || request.method === "HEAD";
    const { status, type, body } = readOnly
      ? this.reply(request.path.split("?")[0] ?? "")
      : json(405, { error: "only GET" });
    const bytes = Buffer.from(body, "utf8");
    const head = new ResponseHead();
    head.status = status;
    head.contentLength = bytes.length;
    head.headers.append("content-type", type);
    stream.sendResponse(head, request.method === "HEAD");
    if (request.method === "HEAD") return deaf;
    stream.sendBody(bytes, 0, bytes.length);
    stream.sendEnd();
    return deaf;
  }
}

class MetricsAcceptor extends ReplyAcceptor {
  readonly #metrics: MetricRegistry;

  constructor(metrics: MetricRegistry) {
    super();
    this.#metrics = metrics;
  }

  protected override reply(path: string): Reply {
    return path === "/metrics" ? prometheus(this.#metrics) : json(404, { error: "only /metrics is here" });
  }
}

class AdminAcceptor extends ReplyAcceptor {
  readonly #options: AdminOptions;

  constructor(options: AdminOptions) {
    super();
    this.#options = options;
  }

  protected override reply(path: string): Reply {
    const { proxy, metrics } = this.#options;
    switch (path) {
      case "/config":
        return json(200, describeConfig(proxy));
      case "/connections":
        return json(200, describeConnections(proxy));
      case "/metrics":
        return prometheus(metrics);
      case "/health":
        return json(200, { status: "alive" });
      case "/ready":
        if (proxy.ready && !proxy.draining) return json(200, { status: "ready" });
        return json(503, { status: "not ready", missing: proxy.draining ? "the proxy is draining" : proxy.missing });
      default:
        return json(404, { error: "there is /config, /connections, /metrics, /health and /ready" });
    }
  }
}

function json(status: number, value: unknown): Reply {
  return { status, type: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

function prometheus(metrics: MetricRegistry): Reply {
  return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: metrics.render() };
}
