// The REST API's listeners on this machine: everything on the Unix socket of the mesh home, which only its owner can
// open; and the GET routes with the dashboard on a loopback port, for browsers. api-tls.ts has the one for the network.

import { chmodSync, rmSync } from "node:fs";
import { createServer, Server, type IncomingMessage, type ServerResponse } from "node:http";
import { Server as TlsServer } from "node:https";
import type { AddressInfo, Server as NetServer } from "node:net";
import { userInfo } from "node:os";

import { err, ok, RipstopError, type Result } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import { accessDenied, foreignHost, internalError, listenFailed, methodNotAllowed, noSuchRoute } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { allows, dashboardViewer, nobody, owner, type ApiCaller } from "./access/api-caller.ts";
import { doorOf, type FrontDoor } from "./access/front-door.ts";
import type { CallAudit } from "./audit/call-audit.ts";
import { answerFailure } from "./http-answer.ts";
import { accessOf } from "./operations.ts";
import { Router, type CallFacts, type Match, type Route } from "./router.ts";
import type { StaticFiles } from "./static-files.ts";

/** How to serve. */
export interface ApiServerOptions {
  readonly routes: readonly Route[];
  readonly logger: Logger | undefined;
  /** Records writes and refusals. */
  readonly audit?: CallAudit;
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
  const door = doorOf({ ...owner, name: userName() });
  const server = createServer(
    (request, response) =>
      void serve(router, { request, response, readOnly: false, door, audit: options.audit }, options.logger),
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

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}

/** Serves the GET routes and the dashboard's files on 127.0.0.1; `port` 0 is a free one. */
export async function listenOnLoopback(
  port: number,
  files: StaticFiles | undefined,
  options: ApiServerOptions,
): Promise<Result<ApiListener, Failure>> {
  const router = new Router(options.routes.filter(({ method }) => method === "GET"));
  const door = doorOf(dashboardViewer);
  let ownPort = port;
  const server = createServer((request, response) => {
    // A page of another site that made its name resolve to 127.0.0.1 still sends its own name here.
    if (!isOwnHost(request.headers.host, ownPort)) {
      answerFailure(response, { kind: foreignHost, message: `this is 127.0.0.1:${ownPort}` });
      return;
    }
    void serve(router, { request, response, readOnly: true, files, door, audit: options.audit }, options.logger);
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
  /** Finds out who calls; absent on a listener whose routes do that themselves. */
  readonly door?: FrontDoor;
  readonly audit?: CallAudit | undefined;
}

/** Answers one request by its route; a bug is logged and answered as one. */
export async function serve(router: Router, exchange: Exchange, logger: Logger | undefined): Promise<void> {
  const { request, response, readOnly, files } = exchange;
  const [path, search] = splitTarget(request.url ?? "/");
  const method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
  response.on("error", () => undefined);
  const match = router.match(path);
  if (match === undefined) {
    if (files !== undefined && method === "GET" && files.serve(path, response)) return;
    refuse(exchange, { kind: noSuchRoute, message: `there is no ${path.slice(0, 200)}` });
    return;
  }
  const handler = match.handlers.get(method);
  if (handler === undefined) {
    response.setHeader("allow", [...match.handlers.keys()].join(", "));
    refuse(exchange, {
      kind: methodNotAllowed,
      message: `${path.slice(0, 200)} takes ${[...match.handlers.keys()].join(", ")}${readOnly ? " here" : ""}`,
    });
    return;
  }
  const call = { action: `${method} ${path}`, operation: `${method} ${match.path}` };
  let caller: ApiCaller = nobody;
  const facts: CallFacts = { revision: 0, resources: [], reason: "" };
  let failure: Failure | undefined;
  try {
    const admitted = await admit(exchange, match, method);
    failure = admitted.failure ?? exchange.audit?.mayBegin(call);
    ({ caller } = admitted);
    failure ??= await handler({
      request,
      response,
      params: match.params,
      query: new URLSearchParams(search),
      caller,
      facts,
    });
  } catch (error) {
    if (error instanceof RipstopError) {
      failure = { kind: error.kind, message: error.message };
    } else {
      logger?.error("request failed", {
        method,
        path,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      failure = { kind: internalError, message: `${method} ${path.slice(0, 200)} failed` };
    }
  }
  exchange.audit?.ended(call, { caller, facts, failure });
  if (failure !== undefined) refuse(exchange, failure);
}

/** Finds out who calls and whether the route as a whole is for them; the response's end is the end of the visit. */
async function admit(
  { door, request, response }: Exchange,
  match: Match,
  method: string,
): Promise<{ readonly caller: ApiCaller; readonly failure?: Failure }> {
  const access = accessOf(method, match.path);
  if (door === undefined || access === "public") return { caller: nobody };
  const identified = await door.identify(request);
  if (!identified.ok) {
    const from = request.socket.remoteAddress ?? "";
    return { caller: { ...nobody, from }, failure: identified.error };
  }
  const caller = identified.value;
  const entered = door.enter(caller);
  if (!entered.ok) return { caller, failure: entered.error };
  response.once("close", entered.value);
  if (access === "caller" || allows(caller, access, undefined)) return { caller };
  const message = `${method} ${match.path} needs the role ${access} in the whole mesh`;
  return { caller, failure: { kind: accessDenied, message } };
}

/** Most that is read over of a body that is of no use. */
const MAX_READ_OVER = 64 * 1024 * 1024;

function isShort({ headers }: IncomingMessage): boolean {
  return Number(headers["content-length"] ?? Infinity) <= MAX_READ_OVER;
}

function refuse({ request, response }: Exchange, failure: Failure): void {
  // The rest of a body is read over, so that its sender gets to the answer; what has no end in sight is cut off.
  if (!request.complete && isShort(request)) request.resume();
  else if (!request.complete && !response.headersSent) response.setHeader("connection", "close");
  if (failure.kind.status === 401 && !response.headersSent) response.setHeader("www-authenticate", "Bearer");
  answerFailure(response, failure);
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
  if (server instanceof Server || server instanceof TlsServer) {
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

/** Ends every connection and stops listening. */
export function closeServer(server: Pick<Server, "close" | "closeAllConnections">): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
