// The REST API's two listeners: everything on the Unix socket of the mesh home, which only its owner can open; and the
// GET routes with the dashboard on a loopback port, for browsers.

import { chmodSync, rmSync } from "node:fs";
import { createServer, Server, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Server as NetServer } from "node:net";

import { err, ok, RipstopError, type Result } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import { foreignHost, internalError, listenFailed, methodNotAllowed, noSuchRoute } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { answerFailure } from "./http-answer.ts";
import { Router, type Route } from "./router.ts";
import type { StaticFiles } from "./static-files.ts";

/** How to serve. */
export interface ApiServerOptions {
  readonly routes: readonly Route[];
  readonly logger: Logger | undefined;
}

/** A listener that can be closed. */
export interface ApiListener {
  /** Port of a loopback listener; 0 for a socket. */
  readonly port: number;
  /** Ends every connection and stops listening. */
  close(): Promise<void>;
}

// Longest path of a Unix socket on Linux (sun_path is 108 bytes with its end).
const MAX_SOCKET_PATH = 107;

/** Serves every route on a Unix socket (mode 0600). A socket file left by a dead process is replaced. */
export async function listenOnSocket(path: string, options: ApiServerOptions): Promise<Result<ApiListener, Failure>> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    return err({
      kind: listenFailed,
      message: `${path} is longer than ${MAX_SOCKET_PATH} bytes; choose a shorter --home`,
    });
  }
  rmSync(path, { force: true });
  const router = new Router(options.routes);
  const server = createServer(
    (request, response) => void serve(router, { request, response, readOnly: false }, options.logger),
  );
  // The file must not be open to others for a moment between its making and its mode.
  const mask = process.umask(0o177);
  const listening = listenOn(server, { path });
  process.umask(mask);
  const listened = await listening;
  if (!listened.ok) return listened;
  chmodSync(path, 0o600);
  return ok({
    port: 0,
    close: async () => {
      await closeServer(server);
      rmSync(path, { force: true });
    },
  });
}

/** Serves the GET routes and the dashboard's files on 127.0.0.1; `port` 0 is a free one. */
export async function listenOnLoopback(
  port: number,
  files: StaticFiles | undefined,
  options: ApiServerOptions,
): Promise<Result<ApiListener, Failure>> {
  const router = new Router(options.routes.filter(({ method }) => method === "GET"));
  let ownPort = port;
  const server = createServer((request, response) => {
    // A page of another site that made its name resolve to 127.0.0.1 still sends its own name here.
    if (!isOwnHost(request.headers.host, ownPort)) {
      answerFailure(response, { kind: foreignHost, message: `this is 127.0.0.1:${ownPort}` });
      return;
    }
    void serve(router, { request, response, readOnly: true, files }, options.logger);
  });
  const listened = await listenOn(server, { host: "127.0.0.1", port });
  if (!listened.ok) return listened;
  ownPort = (server.address() as AddressInfo).port;
  return ok({ port: ownPort, close: () => closeServer(server) });
}

/** One request on a listener. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly readOnly: boolean;
  readonly files?: StaticFiles | undefined;
}

/** Answers one request by its route; a bug is logged and answered as one. */
export async function serve(
  router: Router,
  { request, response, readOnly, files }: Exchange,
  logger: Logger | undefined,
): Promise<void> {
  const [path, search] = splitTarget(request.url ?? "/");
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  response.on("error", () => undefined);
  const match = router.match(path);
  if (match === undefined) {
    if (files !== undefined && method === "GET" && files.serve(path, response)) return;
    answerFailure(response, { kind: noSuchRoute, message: `there is no ${path.slice(0, 200)}` });
    return;
  }
  const handler = match.handlers.get(method);
  if (handler === undefined) {
    response.setHeader("allow", [...match.handlers.keys()].join(", "));
    answerFailure(response, {
      kind: methodNotAllowed,
      message: `${path.slice(0, 200)} takes ${[...match.handlers.keys()].join(", ")}${readOnly ? " here" : ""}`,
    });
    return;
  }
  try {
    const failure = await handler({ request, response, params: match.params, query: new URLSearchParams(search) });
    if (failure !== undefined) {
      // What was not read of the body is not waited for.
      if (!request.complete) response.setHeader("connection", "close");
      answerFailure(response, failure);
    }
  } catch (error) {
    if (error instanceof RipstopError) {
      answerFailure(response, { kind: error.kind, message: error.message });
      return;
    }
    logger?.error("request failed", {
      method,
      path,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    answerFailure(response, { kind: internalError, message: `${method} ${path.slice(0, 200)} failed` });
  }
}

function splitTarget(target: string): readonly [string, string] {
  const at = target.indexOf("?");
  return at < 0 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}

function isOwnHost(host: string | undefined, port: number): boolean {
  return host === `127.0.0.1:${port}` || host === `localhost:${port}` || host === `[::1]:${port}`;
}

/** Listens with the limits that every listener has. */
export function listenOn(
  server: NetServer,
  where: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<Result<undefined, Failure>> {
  if (server instanceof Server) {
    server.requestTimeout = 60_000;
    server.headersTimeout = 10_000;
  }
  server.maxConnections = 1_000;
  return new Promise((resolve) => {
    server.once("error", (error) => {
      resolve(
        err({
          kind: listenFailed,
          message: `${"path" in where ? where.path : `${where.host}:${where.port}`}: ${error.message}`,
        }),
      );
    });
    server.listen(where, () => resolve(ok(undefined)));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
