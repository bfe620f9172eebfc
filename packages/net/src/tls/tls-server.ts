// The accepting side of mutual TLS: one listener, many workloads, chosen by server name.

import { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import type { Clock, Result, RipstopError, Timer } from "@ripstop/core";
import { causeOf } from "../close-cause.ts";
import { currentTier } from "../current-tier.ts";
import { listen, type Listener, type ListenOptions } from "../listen.ts";
import { publicTier } from "../tiers/public-tier.ts";
import type { Acceptor, Tier, TierName } from "../tiers/tier.ts";
import { acceptPeer } from "./accept-peer.ts";
import type { IdentityTable } from "./identity-table.ts";
import { parseMeshServerName } from "./mesh-server-name.ts";
import type { VerifyPeer } from "./peer-verdict.ts";
import { secureConn } from "./secure-conn.ts";
import type { TlsObserver } from "./tls-observer.ts";

/** How to accept. */
export interface ListenTlsOptions extends Omit<ListenOptions, "tier"> {
  readonly identities: IdentityTable;
  readonly verifyPeer: VerifyPeer;
  readonly observer: TlsObserver;
  readonly clock: Clock;
  /** For tests; default the process's tier. */
  readonly tierName?: TierName;
  /** Default "h2". */
  readonly alpn?: string;
  /** From accept to the verified peer; default 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** Handshakes under way, silent peers included; default 1,024. Above, new connections are closed. */
  readonly maxHandshakes?: number;
  /** Handshakes started per turn of the event loop, so that a burst does not stall traffic; default 4. */
  readonly handshakesPerTurn?: number;
}

/**
 * Listens for mutual TLS 1.3. `onConn` gets connections whose peer is verified, `conn.tls` complete. Peers without an
 * acceptable certificate, or that ask for a workload which is not served here, are closed before any byte passes.
 */
export function listenTls(options: ListenTlsOptions): Promise<Result<Listener, RipstopError>> {
  const { host, port, path, socket, backlog, maxConnections, onConn } = options;
  return listen({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
    ...(socket === undefined ? {} : { socket }),
    ...(backlog === undefined ? {} : { backlog }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    onConn,
    tier: tlsServerTier(options),
  });
}

function tlsServerTier(options: ListenTlsOptions): Tier {
  return {
    name: publicTier.name,
    attach(server, acceptor) {
      const handshakes = new Handshakes(options, acceptor);
      server.on("connection", (socket) => handshakes.start(socket));
      server.on("close", () => handshakes.close());
    },
    connect: publicTier.connect,
  };
}

interface Pending {
  readonly key: string;
  readonly socket: Socket;
  readonly timer: Timer;
  readonly peer: string;
  /** Set once an outcome was reported. */
  settled: boolean;
}

class Handshakes {
  readonly #options: ListenTlsOptions;
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

  constructor(options: ListenTlsOptions, acceptor: Acceptor) {
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
    return this.#options.handshakeTimeoutMs ?? 10_000;
  }

  start(socket: Socket): void {
    const peer = `${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
    const limit = this.#options.maxHandshakes ?? 1_024;
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
        ? acceptPeer(socket, { ...this.#options, alpn: this.#alpn }, name)
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
      const refusal = acceptPeer(socket, { ...this.#options, alpn: this.#alpn }, "");
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

class UnknownServerName extends Error {
  readonly code = "RIPSTOP_UNKNOWN_SERVER_NAME";
}

/** Address pair of a live socket. */
function keyOf(socket: Socket): string {
  return `${socket.localAddress ?? ""}:${socket.localPort ?? 0} ${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
}

const PROBLEMS: Readonly<Record<string, readonly [reason: string, message: string]>> = {
  RIPSTOP_UNKNOWN_SERVER_NAME: ["unknown_server_name", "the peer asks for a workload that is not served here"],
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: ["no_certificate", "the peer presented no certificate"],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ["protocol_version", "the peer does not speak TLS 1.3"],
  ERR_SSL_NO_SHARED_CIPHER: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_APPLICATION_PROTOCOL: ["alpn", "the peer does not speak the protocol of the mesh"],
  ERR_SSL_HTTP_REQUEST: ["not_tls", "the peer sent plain HTTP"],
  ERR_SSL_WRONG_VERSION_NUMBER: ["not_tls", "the peer's bytes are not TLS"],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ["not_tls", "the peer's bytes are not TLS"],
  ECONNRESET: ["connection_lost", "the peer closed before the handshake was complete"],
};

/** Metric reason and plain words for a failed handshake. */
export function handshakeProblem(error: unknown): readonly [reason: string, message: string] {
  const { code, message } = causeOf(error);
  return (
    PROBLEMS[code] ??
    (/ALERT/.test(code) ? ["refused_by_peer", `the peer refused: ${message}`] : ["handshake", message])
  );
}
