// Accepts mutual TLS through node:tls' own server and sockets.

import { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import type { Timer } from "@ripstop/core";
import { currentTier } from "../current-tier.ts";
import type { Acceptor, TierName } from "../tiers/tier.ts";
import { handshakeTimeoutMs, maxHandshakes, type AcceptTlsOptions } from "./accept-options.ts";
import { acceptPeer } from "./accept-peer.ts";
import { handshakeProblem, UnknownServerName } from "./handshake-problem.ts";
import { socketHandshake } from "./handshake.ts";
import { parseMeshServerName } from "./mesh-server-name.ts";
import { secureConn } from "./secure-conn.ts";

interface Pending {
  readonly key: string;
  readonly socket: Socket;
  readonly timer: Timer;
  readonly peer: string;
  /** Set once an outcome was reported. */
  settled: boolean;
}

/** Handshakes driven by node:tls: works with every tier, and costs more than `RawHandshakes`. */
export class SocketHandshakes {
  readonly #options: AcceptTlsOptions;
  readonly #acceptor: Acceptor;
  readonly #alpn: string;
  readonly #tierName: TierName;
  readonly #server: Server;
  readonly #stopListening: () => void;
  /** By local and remote address: node:tls does not say which socket a handshake belongs to. */
  readonly #pending = new Map<string, Pending>();
  readonly #bySocket = new WeakMap<Socket, Pending>();
  readonly #helloQueue: Pending[] = [];
  #startScheduled = false;

  constructor(options: AcceptTlsOptions, acceptor: Acceptor) {
    this.#options = options;
    this.#acceptor = acceptor;
    this.#alpn = options.alpn ?? "h2";
    this.#tierName = options.tierName ?? currentTier().name;
    this.#server = createServer({
      ...options.identities.baseContextOptions(),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: [this.#alpn],
      // Ours is the timer that counts; this one is only above it.
      handshakeTimeout: 2 * this.#handshakeTimeoutMs + 60_000,
      SNICallback: (name, done) => this.#chooseWorkload(name, done),
    });
    this.#server.on("secureConnection", (socket) => this.#secured(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
    this.#stopListening = options.identities.onChange(() =>
      this.#server.setSecureContext(options.identities.baseContextOptions()),
    );
  }

  get #handshakeTimeoutMs(): number {
    return handshakeTimeoutMs(this.#options);
  }

  start(socket: Socket): void {
    const peer = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
    const limit = maxHandshakes(this.#options);
    socket.on("error", () => undefined);
    if (this.#pending.size >= limit || !this.#acceptor.admit()) {
      this.#refuse({ peer }, "too_many_handshakes", `more than ${limit} handshakes under way, or too many connections`);
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    const timer = this.#options.clock.after(this.#handshakeTimeoutMs, () => {
      this.#refuse(pending, "timeout", `no complete handshake within ${this.#handshakeTimeoutMs} ms`);
      socket.destroy();
    });
    const pending: Pending = { key, socket, timer, peer, settled: false };
    this.#pending.set(key, pending);
    this.#bySocket.set(socket, pending);
    socket.once("close", () => {
      timer.clear();
      // node:tls tells its own, better reason after this event.
      setImmediate(() => {
        this.#refuse(pending, "connection_lost", "the peer closed before the handshake was complete");
        if (this.#pending.get(key) === pending) this.#pending.delete(key);
      });
    });
    // A silent peer costs a plain socket only; the TLS state is made once it has spoken.
    socket.once("readable", () => {
      this.#helloQueue.push(pending);
      this.#scheduleStart();
    });
  }

  close(): void {
    this.#stopListening();
    for (const pending of this.#pending.values()) pending.socket.destroy();
  }

  #scheduleStart(): void {
    if (this.#startScheduled) return;
    this.#startScheduled = true;
    setImmediate(() => {
      this.#startScheduled = false;
      for (const pending of this.#helloQueue.splice(0, this.#options.handshakesPerTurn ?? 4)) {
        if (!pending.socket.destroyed) this.#server.emit("connection", pending.socket);
      }
      if (this.#helloQueue.length > 0) this.#scheduleStart();
    });
  }

  #chooseWorkload(serverName: string, done: (error: Error | null, context?: SecureContext) => void): void {
    let context: SecureContext | undefined;
    try {
      const name = parseMeshServerName(serverName);
      context = name && this.#options.identities.serverContext(name.workloadId);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (context) done(null, context);
    else done(new UnknownServerName());
  }

  #secured(socket: TLSSocket): void {
    const pending = this.#settle(socket);
    if (!pending) {
      socket.destroy();
      return;
    }
    const serverName: unknown = Reflect.get(socket, "servername");
    const name = typeof serverName === "string" ? serverName : "";
    const workload = parseMeshServerName(name);
    const outcome =
      workload && this.#options.identities.serverContext(workload.workloadId)
        ? acceptPeer(socketHandshake(socket), { ...this.#options, alpn: this.#alpn }, name)
        : { reason: "unknown_server_name", message: "the peer asks for a workload that is not served here" };
    if ("reason" in outcome) {
      this.#refuse(pending, outcome.reason, outcome.message);
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    pending.settled = true;
    this.#options.observer.accepted("server", outcome.info.resumed);
    this.#acceptor.onConn(
      secureConn(socket, this.#tierName, { tls: outcome.info, onGone: () => this.#acceptor.onGone() }),
    );
  }

  #failed(error: Error, socket: TLSSocket): void {
    const pending = this.#settle(socket);
    const problem: unknown = socket.authorizationError;
    if (pending && problem) {
      const refusal = acceptPeer(socketHandshake(socket), { ...this.#options, alpn: this.#alpn }, "");
      if ("reason" in refusal) this.#refuse(pending, refusal.reason, refusal.message);
    } else if (pending) {
      const [reason, message] = handshakeProblem(error);
      this.#refuse(pending, reason, message);
    }
    socket.on("error", () => undefined);
    socket.destroy();
    pending?.socket.destroy();
  }

  #settle(socket: TLSSocket): Pending | undefined {
    // After a failure the addresses are gone; the socket below is in an undocumented field that has always been there.
    const below: unknown = Reflect.get(socket, "_parent");
    const pending =
      (below instanceof Socket ? this.#bySocket.get(below) : undefined) ?? this.#pending.get(keyOf(socket));
    if (!pending || this.#pending.get(pending.key) !== pending) return undefined;
    this.#pending.delete(pending.key);
    pending.timer.clear();
    return pending;
  }

  #refuse(pending: { readonly peer: string; settled?: boolean }, reason: string, message: string): void {
    if (pending.settled === true) return;
    pending.settled = true;
    this.#options.observer.refused({ reason, message, side: "server", peer: pending.peer });
  }
}

/** Address pair of a live socket. */
function keyOf(socket: Socket): string {
  return `${socket.localAddress ?? ""}:${socket.localPort ?? 0} ${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
}
