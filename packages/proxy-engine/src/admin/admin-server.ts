// The proxy's own window: a Unix socket in its state directory that shows config, connections, metrics and health.
// Off the data path; loaded when it is asked for.

import { chmod } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { ADDRESS_TAKEN, LISTEN_FAILED } from "@ripstop/net";
import type { MetricRegistry } from "@ripstop/telemetry";
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
  const server = createServer((request, response) => answer(options, request, response));
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once("error", resolve);
    server.listen(options.path, () => resolve(undefined));
  });
  if (failure !== undefined) {
    const kind = failure.code === "EADDRINUSE" ? ADDRESS_TAKEN : LISTEN_FAILED;
    return err(new RipstopError(kind, `admin socket ${options.path}: ${failure.message}`, { path: options.path }));
  }
  await chmod(options.path, 0o600);
  server.unref();
  return ok({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function answer(options: AdminOptions, request: IncomingMessage, response: ServerResponse): void {
  const { proxy, metrics } = options;
  const path = request.url?.split("?")[0] ?? "/";
  if (request.method !== "GET") {
    send(response, 405, { error: "only GET" });
    return;
  }
  switch (path) {
    case "/config":
      send(response, 200, describeConfig(proxy));
      return;
    case "/connections":
      send(response, 200, describeConnections(proxy));
      return;
    case "/metrics":
      response.setHeader("content-type", "text/plain; version=0.0.4; charset=utf-8");
      response.end(metrics.render());
      return;
    case "/health":
      send(response, 200, { status: "alive" });
      return;
    case "/ready":
      if (proxy.ready && !proxy.draining) send(response, 200, { status: "ready" });
      else send(response, 503, { status: "not ready", missing: proxy.draining ? "the proxy is draining" : proxy.missing });
      return;
    default:
      send(response, 404, { error: "there is /config, /connections, /metrics, /health and /ready" });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status;
  response.setHeader("content-type", "application/json");
  response.end(`${JSON.stringify(body, null, 2)}\n`);
}
