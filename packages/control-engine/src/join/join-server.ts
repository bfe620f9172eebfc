// The join listener: TLS 1.3 under the control plane's own SVID. The chain is sent with its root, so that a joiner that
// knows only the hash of the root can check it. A client certificate is asked for and never required here: routes do.

import { constants } from "node:crypto";
import { createServer, type Server } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";

import { ok, type Result } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import { listenOn, serve } from "../api/api-server.ts";
import { Router, type Route } from "../api/router.ts";
import type { Failure } from "../failure.ts";

/** Certificate, key and the roots that clients are checked against, PEM. */
export interface JoinTls {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly rootsPem: string;
}

/** How to serve. */
export interface JoinServerOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: JoinTls;
  readonly routes: readonly Route[];
  readonly logger: Logger | undefined;
}

/** The listener. */
export interface JoinServer {
  readonly port: number;
  /** New connections get the new certificate and are checked against the new roots. */
  setTls(tls: JoinTls): void;
  close(): Promise<void>;
}

const MAX_CONNECTIONS = 4_000;
const MAX_HANDSHAKES = 16;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Heartbeats come every few seconds on one connection. */
const KEEP_ALIVE_MS = 30_000;

/** Listens; fails when the address cannot be had. */
export async function startJoinServer(options: JoinServerOptions): Promise<Result<JoinServer, Failure>> {
  const router = new Router(options.routes);
  const server: Server = createServer(
    {
      ...contextOf(options.tls),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    },
    (request, response) => void serve(router, { request, response, readOnly: false }, options.logger),
  );
  // Bytes that are no TLS, or a handshake that fails: the peer's affair.
  server.on("tlsClientError", (_, socket) => socket.destroy());
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = 60_000;
  server.headersTimeout = 10_000;
  const queue = new HandshakeQueue(server);
  const tcp = createTcpServer((socket) => queue.add(socket));
  const listened = await listenOn(tcp, { host: options.host, port: options.port });
  if (!listened.ok) return listened;
  tcp.maxConnections = MAX_CONNECTIONS;
  return ok({
    port: (tcp.address() as AddressInfo).port,
    setTls: (tls) => server.setSecureContext(contextOf(tls)),
    close: async () => {
      const closed = new Promise<void>((resolve) => tcp.close(() => resolve()));
      queue.close();
      server.closeAllConnections();
      await closed;
    },
  });
}

/**
 * Lets so many connections shake hands at a time. When a whole mesh restarts at once, all handshakes side by side would
 * each take as long as all of them, and time out together; in order, each is short.
 */
class HandshakeQueue {
  readonly #server: Server;
  readonly #waiting = new Set<Socket>();
  readonly #open = new Set<Socket>();
  #running = 0;

  constructor(server: Server) {
    this.#server = server;
    server.setMaxListeners(0);
  }

  add(socket: Socket): void {
    this.#open.add(socket);
    this.#waiting.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#waiting.delete(socket);
    });
    this.#next();
  }

  /** Ends every connection. */
  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #next(): void {
    for (const socket of this.#waiting) {
      if (this.#running >= MAX_HANDSHAKES) return;
      this.#waiting.delete(socket);
      this.#running++;
      let isDone = false;
      const done = (): void => {
        if (isDone) return;
        isDone = true;
        this.#running--;
        this.#next();
      };
      socket.once("close", done);
      this.#shakeHands(socket, done);
    }
  }

  #shakeHands(socket: Socket, done: () => void): void {
    const { remoteAddress, remotePort } = socket;
    const onSecure = (secure: { readonly remoteAddress?: string; readonly remotePort?: number }): void => {
      if (secure.remoteAddress !== remoteAddress || secure.remotePort !== remotePort) return;
      this.#server.off("secureConnection", onSecure);
      done();
    };
    this.#server.on("secureConnection", onSecure);
    socket.once("close", () => this.#server.off("secureConnection", onSecure));
    this.#server.emit("connection", socket);
  }
}

function contextOf({ chainPem, keyPem, rootsPem }: JoinTls): Parameters<Server["setSecureContext"]>[0] {
  return {
    cert: chainPem + rootsPem,
    key: keyPem,
    ca: rootsPem,
    minVersion: "TLSv1.3",
    // Every connection proves its key anew.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
