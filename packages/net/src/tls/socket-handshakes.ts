// Accepts mutual TLS through node:tls' own server and sockets.

import { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import type { Timer } from "@ripstop/core";
import { currentTier } from "../current-tier.ts";
import { MAX_PROXY_HEADER_BYTES, readProxyHeader, type ProxyAddresses } from "../proxy-protocol/proxy-header.ts";
import type { Acceptor, TierName } from "../tiers/tier.ts";
import { handshakeTimeoutMs, maxHandshakes, type AcceptTlsOptions } from "./accept-options.ts";
import { acceptPeer } from "./accept-peer.ts";
import { handshakeProblem } from "./handshake-problem.ts";
import { makeRoom, type PendingHandshake } from "./handshake-room.ts";
import { socketHandshake } from "./handshake.ts";
import { InboundChoice } from "./inbound-choice.ts";
import { secureConn } from "./secure-conn.ts";

interface Pending extends PendingHandshake {
  isQueued: boolean;
  readonly key: string;
  readonly socket: Socket;
  readonly timer: Timer;
  peer: string;
  /** What a PROXY protocol header told. */
  addresses: ProxyAddresses | undefined;
  /** Set once an outcome was reported. */
  settled: boolean;
}

/** Handshakes driven by node:tls: works with every tier, and costs more than `RawHandshakes`. */
export class SocketHandshakes {
  readonly #options: AcceptTlsOptions;
  readonly #acceptor: Acceptor;
  readonly #choice: InboundChoice;
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
    this.#choice = new InboundChoice(options);
    this.#tierName = options.tierName ?? currentTier().name;
    this.#server = createServer({
      ...options.identities.baseContextOptions(options.namelessWorkloadId),
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: [this.#choice.alpn],
      // Ours is the timer that counts; this one is only above it.
      handshakeTimeout: 2 * this.#handshakeTimeoutMs + 60_000,
      SNICallback: (name, done) => this.#chooseWorkload(name, done),
    });
    this.#server.on("secureConnection", (socket) => this.#secured(socket));
    this.#server.on("tlsClientError", (error, socket) => this.#failed(error, socket));
    this.#stopListening = options.identities.onChange(() =>
      this.#server.setSecureContext(options.identities.baseContextOptions(options.namelessWorkloadId)),
    );
  }

  get #handshakeTimeoutMs(): number {
    return handshakeTimeoutMs(this.#options);
  }

  start(socket: Socket): void {
    const peer = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
    const limit = maxHandshakes(this.#options);
    socket.on("error", () => undefined);
    if (this.#pending.size >= limit) makeRoom(this.#pending.values(), this.#options.clock.monotonicMs());
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
    const giveUp = (): void => {
      this.#refuse(pending, "too_many_handshakes", "its peer was the slowest of too many under way");
      this.#pending.delete(key);
      socket.destroy();
    };
    const sinceMs = this.#options.clock.monotonicMs();
    const pending: Pending = {
      key,
      socket,
      timer,
      peer,
      addresses: undefined,
      settled: false,
      sinceMs,
      isQueued: false,
      giveUp,
    };
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
    const start = (): void => {
      pending.isQueued = true;
      this.#helloQueue.push(pending);
      this.#scheduleStart();
    };
    if (this.#options.proxyProtocol === true) this.#readProxyHeader(pending, start);
    else socket.once("readable", start);
  }

  /** Takes the header off the socket and calls `done` when the peer has sent more than that. */
  #readProxyHeader(pending: Pending, done: () => void): void {
    const { socket } = pending;
    let held: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      for (;;) {
        const chunk: unknown = socket.read();
        if (!Buffer.isBuffer(chunk)) return;
        const before = held.length;
        held = Buffer.concat([held, chunk]);
        const read = readProxyHeader(held, 0, Math.min(held.length, MAX_PROXY_HEADER_BYTES));
        if (read.state === "more" && before < MAX_PROXY_HEADER_BYTES) continue;
        socket.off("readable", onReadable);
        if (read.state !== "complete") {
          const cause = read.state === "invalid" ? read.cause : "the PROXY protocol header is too long";
          this.#refuse(pending, "proxy_header", cause);
          socket.destroy();
          return;
        }
        const { addresses } = read.header;
        pending.addresses = addresses;
        if (addresses !== undefined) pending.peer = `${addresses.source.address}:${addresses.source.port}`;
        const rest = held.subarray(read.length);
        if (rest.length === 0) socket.once("readable", done);
        else {
          socket.unshift(rest);
          done();
        }
        return;
      }
    };
    socket.on("readable", onReadable);
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
        pending.isQueued = false;
        if (!pending.socket.destroyed) this.#server.emit("connection", pending.socket);
      }
      if (this.#helloQueue.length > 0) this.#scheduleStart();
    });
  }

  #chooseWorkload(serverName: string, done: (error: Error | null, context?: SecureContext) => void): void {
    let context: SecureContext;
    try {
      context = this.#choice.contextOf(serverName);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done(null, context);
  }

  #secured(socket: TLSSocket): void {
    const pending = this.#settle(socket);
    if (!pending) {
      socket.destroy();
      return;
    }
    const serverName: unknown = Reflect.get(socket, "servername");
    const name = typeof serverName === "string" ? serverName : "";
    const outcome = this.#choice.judge(socketHandshake(socket), name);
    if ("reason" in outcome) {
      this.#refuse(pending, outcome.reason, outcome.message);
      socket.on("error", () => undefined);
      socket.destroy();
      return;
    }
    pending.settled = true;
    this.#options.observer.accepted("server", outcome.info.resumed);
    this.#acceptor.onConn(
      secureConn(socket, this.#tierName, {
        tls: outcome.info,
        onGone: () => this.#acceptor.onGone(),
        addresses: pending.addresses,
      }),
    );
  }

  #failed(error: Error, socket: TLSSocket): void {
    const pending = this.#settle(socket);
    const problem: unknown = socket.authorizationError;
    if (pending && problem) {
      const refusal = acceptPeer(socketHandshake(socket), { ...this.#options, alpn: this.#choice.alpn }, "");
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
