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

/** A running admin server. */
export interface AdminServer {
  close(): Promise<void>;
}

/**
 * Serves GET /config, /connections, /metrics, /health, /ready on a Unix socket. `/ready` is 503 with what is missing
 * until the first complete config is in force, and while draining.
 */
export async function startAdmin(options: AdminOptions): Promise<Result<AdminServer, RipstopError>> {
  const registry: SessionRegistry = new Set();
  const acceptor = new AdminAcceptor(options);
  const { engine } = options.proxy;
  const listener = await listen({
    path: options.path,
    maxConnections: MAX_CONNECTIONS,
    onConn: (conn) => void new Http1Session(conn, { engine, acceptor, registry }),
  });
  if (!listener.ok) return listener;
  await chmod(options.path, 0o600);
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

class AdminAcceptor implements RequestAcceptor {
  readonly #options: AdminOptions;

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  onRequest(stream: ServerStream, request: RequestHead, _end: boolean): ServerStreamHandler {
    const { status, type, body } = this.#reply(request);
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

  #reply(request: RequestHead): Reply {
    const { proxy, metrics } = this.#options;
    if (request.method !== "GET" && request.method !== "HEAD") return json(405, { error: "only GET" });
    switch (request.path.split("?")[0]) {
      case "/config":
        return json(200, describeConfig(proxy));
      case "/connections":
        return json(200, describeConnections(proxy));
      case "/metrics":
        return { status: 200, type: "text/plain; version=0.0.4; charset=utf-8", body: metrics.render() };
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
