// The accepting side of mutual TLS: one listener, many workloads, chosen by server name.

import { Socket } from "node:net";
import { createServer, type SecureContext, type Server, type TLSSocket } from "node:tls";
import type { Clock, Result, RipstopError, Timer } from "@ripstop/core";
import { causeOf } from "../close-cause.ts";
import { currentTier } from "../current-tier.ts";
import { listen, type Listener, type ListenOptions } from "../listen.ts";
import { MAX_PROXY_HEADER_BYTES, readProxyHeader, type ProxyAddresses } from "../proxy-protocol/proxy-header.ts";
import { publicTier } from "../tiers/public-tier.ts";
import type { Acceptor, Tier, TierName } from "../tiers/tier.ts";
import { acceptPeer } from "./accept-peer.ts";
import type { IdentityTable } from "./identity-table.ts";
import { parseMeshServerName, type MeshServerName } from "./mesh-server-name.ts";
import type { VerifyPeer } from "./peer-verdict.ts";
import { revocationText } from "./revocation-list.ts";
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
  /**
   * The workload that peers get which send no server name: proxies of other meshes. Default none, and they are refused.
   */
  readonly namelessWorkloadId?: string;
  /** From accept to the verified peer; default 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** Connections begin with a PROXY protocol header; one without is closed. Default false. */
  readonly proxyProtocol?: boolean;
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
  const { host, port, path, backlog, maxConnections, onConn } = options;
  return listen({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(path === undefined ? {} : { path }),
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
  peer: string;
  /** What a PROXY protocol header told. */
  addresses: ProxyAddresses | undefined;
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
      ...options.identities.baseContextOptions(options.namelessWorkloadId),
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
      this.#server.setSecureContext(options.identities.baseContextOptions(options.namelessWorkloadId)),
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
    const pending: Pending = { key, socket, timer, peer, addresses: undefined, settled: false };
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
        if (!pending.socket.destroyed) this.#server.emit("connection", pending.socket);
      }
      if (this.#helloQueue.length > 0) this.#scheduleStart();
    });
  }

  #chooseWorkload(serverName: string, done: (error: Error | null, context?: SecureContext) => void): void {
    let context: SecureContext | undefined;
    try {
      const name = parseMeshServerName(serverName);
      const { identities } = this.#options;
      if (name) {
        context =
          name.caller === ""
            ? identities.serverContext(name.workloadId)
            : identities.serverContextFor(name.workloadId, name.caller);
        if (!context && identities.serverContext(name.workloadId)) {
          done(new UnknownCaller());
          return;
        }
      }
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
    const workload = name === "" ? this.#nameless() : parseMeshServerName(name);
    const own = workload && this.#options.identities.ownRevocation(workload.workloadId);
    const outcome = own
      ? { reason: "own_identity_revoked", message: `the own ${revocationText(own.spiffeId, own.by)}` }
      : workload && this.#options.identities.serverContext(workload.workloadId)
        ? acceptPeer(
            socket,
            { ...this.#options, alpn: this.#alpn, provenTrustDomain: this.#provenBy(socket, workload) },
            name,
          )
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
      secureConn(socket, this.#tierName, {
        tls: outcome.info,
        onGone: () => this.#acceptor.onGone(),
        addresses: pending.addresses,
      }),
    );
  }

  /** Proxies of other meshes (HBONE) send no server name: they mean the one workload that is served to them. */
  #nameless(): Pick<MeshServerName, "workloadId" | "caller"> | undefined {
    const workloadId = this.#options.namelessWorkloadId;
    return workloadId === undefined ? undefined : { workloadId, caller: "" };
  }

  /** A resumed session proves nothing about the domain that its server name claims: the table remembers who was proven. */
  #provenBy(socket: TLSSocket, { caller }: Pick<MeshServerName, "caller">): string | undefined {
    return caller === "" || socket.isSessionReused() ? undefined : this.#options.identities.trustDomainOf(caller);
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

class UnknownCaller extends Error {
  readonly code = "RIPSTOP_UNKNOWN_CALLER";
}

/** Address pair of a live socket. */
function keyOf(socket: Socket): string {
  return `${socket.localAddress ?? ""}:${socket.localPort ?? 0} ${socket.remoteAddress ?? ""}:${socket.remotePort ?? 0}`;
}

type Problem = readonly [reason: string, message: string];

// From OpenSSL 3.5 on it does not say which of the two it was.
const BAD_SIGNATURE: Problem = [
  "bad_signature",
  "the peer does not have the key of its certificate, or a certificate of its chain is not signed by the issuer it names",
];

const PROBLEMS: Readonly<Record<string, Problem>> = {
  RIPSTOP_UNKNOWN_CALLER: ["unknown_trust_domain", "there is no trust bundle for the trust domain of the caller"],
  RIPSTOP_UNKNOWN_SERVER_NAME: ["unknown_server_name", "the peer asks for a workload that is not served here"],
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: ["no_certificate", "the peer presented no certificate"],
  ERR_SSL_UNSUPPORTED_PROTOCOL: ["protocol_version", "the peer does not speak TLS 1.3"],
  ERR_SSL_NO_SHARED_CIPHER: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: ["no_server_name", "the peer sent no server name"],
  ERR_SSL_NO_APPLICATION_PROTOCOL: ["alpn", "the peer does not speak the protocol of the mesh"],
  ERR_SSL_HTTP_REQUEST: ["not_tls", "the peer sent plain HTTP"],
  ERR_SSL_WRONG_VERSION_NUMBER: ["not_tls", "the peer's bytes are not TLS"],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ["not_tls", "the peer's bytes are not TLS"],
  ERR_SSL_INVALID_CERTIFICATE: [
    "malformed_certificate",
    "an extension of the peer's certificate is malformed, or it is there twice",
  ],
  ERR_SSL_CERT_LENGTH_MISMATCH: ["malformed_certificate", "there are bytes after the peer's certificate"],
  ERR_SSL_EXCESSIVE_MESSAGE_SIZE: ["certificate_too_large", "the peer's certificates are larger than any real ones"],
  ERR_SSL_WRONG_CURVE: ["weak_key", "the peer's key is on a curve that is not accepted"],
  ERR_SSL_WRONG_SIGNATURE_TYPE: ["weak_key", "the peer signs with an algorithm that is not accepted"],
  ERR_SSL_BAD_SIGNATURE: BAD_SIGNATURE,
  ERR_SSL_EVP_LIB: BAD_SIGNATURE,
  ERR_SSL_PROVIDER_SIGNATURE_FAILURE: BAD_SIGNATURE,
  ECONNRESET: ["connection_lost", "the peer closed before the handshake was complete"],
};

/** Metric reason and plain words for a failed handshake. */
export function handshakeProblem(error: unknown): readonly [reason: string, message: string] {
  const { code, message } = causeOf(error);
  const known = PROBLEMS[code];
  if (known) return known;
  const words = opensslWords(message);
  if (message.includes(":asn1 encoding routines:") || message.includes(":X509 V3 routines:")) {
    return ["malformed_certificate", `the peer's certificate is not well-formed: ${words}`];
  }
  return code.includes("ALERT") ? ["refused_by_peer", `the peer refused: ${words}`] : ["handshake", words];
}

/** OpenSSL's "ID:error:NUMBER:LIBRARY:FUNCTION:REASON:FILE:LINE:" cut down to library and reason; one line of ASCII. */
function opensslWords(message: string): string {
  const [, mark, , library = "", , reason = ""] = message.split(":");
  return (mark === "error" ? `${reason} (${library})` : message).replaceAll(/[^\x20-\x7e]+/g, " ").trim();
}
