// Listening sockets: TCP and Unix.

import type { SendHandle } from "node:child_process";
import { chmodSync, promises } from "node:fs";
import { connect, createServer, type ListenOptions as NodeListenOptions, type Server } from "node:net";
import { err, ok, RipstopError, type Result } from "@ripstop/core";
import { causeOf } from "./close-cause.ts";
import type { Conn } from "./conn.ts";
import { ADDRESS_FORBIDDEN, ADDRESS_TAKEN, ADDRESS_UNAVAILABLE, LISTEN_FAILED } from "./errors.ts";
import type { Tier } from "./tiers/tier.ts";
import { currentTier } from "./current-tier.ts";

/** Where and how to listen: `host` and `port`, or `path` for a Unix socket. */
export interface ListenOptions {
  /** IP address or name; default 127.0.0.1. */
  readonly host?: string;
  /** 0 lets the system choose. */
  readonly port?: number;
  readonly path?: string;
  /** Mode of the Unix socket's file, set before anything is accepted; default as the umask says. */
  readonly mode?: number;
  /** A listening socket of another process, instead of an address (`Listener.socket`, sent over an IPC channel). */
  readonly socket?: ListeningSocket;
  /** Connections that wait to be accepted; default 4096, capped by the system. */
  readonly backlog?: number;
  /** Above so many live connections, new ones are closed at once; default 65,536. */
  readonly maxConnections?: number;
  /** Takes each accepted connection; it must set `conn.handler` before it returns. */
  readonly onConn: (conn: Conn) => void;
  /** For tests; default the process's tier. */
  readonly tier?: Tier;
}

/** A listening socket as node:child_process sends it from process to process. */
export type ListeningSocket = NonNullable<SendHandle>;

/** A listening socket. */
export interface Listener {
  /** 0 for Unix sockets. */
  readonly port: number;
  /** "127.0.0.1:8080", "[::1]:8080" or the path. */
  readonly address: string;
  /** Live connections that it accepted. */
  readonly connections: number;
  /**
   * The socket itself, to be sent to another process, which then accepts from the same queue. Undefined after `close`,
   * and on a Node that does not show it.
   */
  readonly socket: ListeningSocket | undefined;
  /** Stops accepting; live connections stay. A second call does nothing. */
  close(): void;
}

/** Listens, or says in plain words why that is not possible. */
export function listen(options: ListenOptions): Promise<Result<Listener, RipstopError>> {
  return open(options, true);
}

async function open(options: ListenOptions, mayReplace: boolean): Promise<Result<Listener, RipstopError>> {
  const tier = options.tier ?? currentTier();
  const bound = await bind(options);
  if (!bound.ok) {
    // A Unix socket whose process is gone stays in the file system: nobody answers there, so it is ours to replace.
    if (
      mayReplace &&
      options.path !== undefined &&
      codeOf(bound.error) === "EADDRINUSE" &&
      (await isStale(options.path))
    ) {
      // One that cannot be removed is found in use again, which is then the answer.
      await promises.unlink(options.path).catch(() => undefined);
      return open(options, false);
    }
    return err(explain(bound.error, options));
  }
  const closed = setMode(options);
  if (closed !== undefined) {
    bound.value.close();
    return err(closed);
  }
  try {
    return ok(new OpenListener(bound.value, tier, options));
  } catch (error) {
    bound.value.close();
    return err(explain(error, options));
  }
}

/** Sets the mode of a Unix socket's file; what is wrong when that cannot be done. */
function setMode({ path, mode }: ListenOptions): RipstopError | undefined {
  if (path === undefined || mode === undefined) return undefined;
  try {
    chmodSync(path, mode);
    return undefined;
  } catch (error) {
    const { code, message } = causeOf(error);
    const details = { address: path, cause: code };
    return new RipstopError(LISTEN_FAILED, `cannot set who may use ${path}: ${message}`, details);
  }
}

class OpenListener implements Listener {
  readonly port: number;
  readonly address: string;
  readonly #server: Server;
  #connections = 0;

  constructor(server: Server, tier: Tier, options: ListenOptions) {
    this.#server = server;
    const bound = server.address();
    this.port = typeof bound === "object" && bound !== null ? bound.port : 0;
    this.address = typeof bound === "object" && bound !== null ? hostPort(bound.address, bound.port) : (bound ?? "");
    const maxConnections = options.maxConnections ?? 65_536;
    tier.attach(server, {
      admit: () => this.#connections < maxConnections,
      onConn: (conn) => {
        this.#connections++;
        options.onConn(conn);
      },
      onGone: () => {
        this.#connections--;
      },
    });
  }

  get connections(): number {
    return this.#connections;
  }

  get socket(): ListeningSocket | undefined {
    // Not a Server, which would begin to accept where it arrives: the handle below, as node:cluster sends it.
    const handle: unknown = Reflect.get(this.#server, "_handle");
    return isListeningSocket(handle) ? handle : undefined;
  }

  close(): void {
    this.#server.close();
  }
}

function bind(options: ListenOptions): Promise<Result<Server, unknown>> {
  return new Promise((resolve) => {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true });
    const backlog = options.backlog ?? 4096;
    const onListening = (): void => {
      server.removeAllListeners("error");
      // Later errors are failed accepts (EMFILE): the connection is lost, the listener lives.
      server.on("error", () => undefined);
      resolve(ok(server));
    };
    server.once("error", (error) => resolve(err(error)));
    if (options.socket !== undefined) {
      server.listen(options.socket, backlog, onListening);
      return;
    }
    const where: NodeListenOptions =
      options.path === undefined
        ? { host: options.host ?? "127.0.0.1", port: options.port ?? 0 }
        : { path: options.path };
    server.listen({ ...where, backlog }, onListening);
  });
}

function isListeningSocket(handle: unknown): handle is ListeningSocket {
  return typeof handle === "object" && handle !== null && "getsockname" in handle;
}

/** True when `path` is a socket that nobody answers. */
async function isStale(path: string): Promise<boolean> {
  const found = await promises.stat(path).catch(() => undefined);
  if (!found?.isSocket()) return false;
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => resolve(codeOf(error) === "ECONNREFUSED"));
  });
}

function explain(error: unknown, options: ListenOptions): RipstopError {
  const at = options.path ?? hostPort(options.host ?? "127.0.0.1", options.port ?? 0);
  const details = { address: at, cause: codeOf(error) };
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new RipstopError(ADDRESS_TAKEN, `${at} is taken by another process`, details);
    case "EACCES":
    case "EPERM":
      return new RipstopError(ADDRESS_FORBIDDEN, `not allowed to listen on ${at}`, details);
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "ENOTFOUND":
      return new RipstopError(ADDRESS_UNAVAILABLE, `${at} is not an address of this machine`, details);
    default:
      return new RipstopError(LISTEN_FAILED, `cannot listen on ${at}: ${causeOf(error).message}`, details);
  }
}

function codeOf(error: unknown): string {
  return causeOf(error).code;
}

/** "host:port", with brackets around an IPv6 address. */
function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
