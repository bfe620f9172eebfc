// Accepts mutual TLS on raw handles, without node:tls' sockets: half the JavaScript of a handshake, and no streams
// for the life of the connection. Same rules and outcomes as socket-handshakes.ts.

import { createSecureContext, type SecureContext } from "node:tls";
import type { Timer } from "@ripstop/core";
import type { X509Certificate } from "node:crypto";
import { libuv, type SocketAddress, type StreamHandle, type StreamOwner } from "../tiers/libuv.ts";
import type { Acceptor } from "../tiers/tier.ts";
import { handshakeTimeoutMs, maxHandshakes, type AcceptTlsOptions } from "./accept-options.ts";
import { handshakeProblem } from "./handshake-problem.ts";
import { makeRoom, type PendingHandshake } from "./handshake-room.ts";
import { issuersAbove, type Handshake } from "./handshake.ts";
import { InboundChoice } from "./inbound-choice.ts";
import { PeerLeaves } from "./peer-leaves.ts";
import { RawTlsConn, type TlsCarrier, type TlsCarrierOwner } from "./raw-tls-conn.ts";
import { wrapServer, type CertificateRequest, type TlsHandle, type TlsHandshakeOwner } from "./tls-binding.ts";

const KEEP_ALIVE_SECONDS = 60;
/** A first flight is a ClientHello; what is longer comes in further reads. */
const HELLO_BYTES = 64 * 1024;

/** All handshakes of one listener. */
export class RawHandshakes {
  readonly options: AcceptTlsOptions;
  readonly acceptor: Acceptor;
  readonly choice: InboundChoice;
  readonly alpnWire: Buffer;
  readonly leaves: PeerLeaves = new PeerLeaves();
  /** Everything in it is copied before the read returns. */
  readonly helloBuffer: Buffer = Buffer.allocUnsafeSlow(HELLO_BYTES);
  readonly pending: Set<RawHandshake> = new Set();
  readonly #helloQueue: RawHandshake[] = [];
  readonly #stopListening: () => void;
  #context: SecureContext | undefined = undefined;
  #startScheduled = false;

  constructor(options: AcceptTlsOptions, acceptor: Acceptor) {
    this.options = options;
    this.acceptor = acceptor;
    this.choice = new InboundChoice(options);
    const { alpn } = this.choice;
    this.alpnWire = Buffer.concat([Buffer.from([alpn.length]), Buffer.from(alpn, "latin1")]);
    this.#stopListening = options.identities.onChange(() => (this.#context = undefined));
  }

  /** For a handshake before its workload is known. */
  get baseContext(): SecureContext {
    return (this.#context ??= createSecureContext(
      this.options.identities.baseContextOptions(this.options.namelessWorkloadId),
    ));
  }

  /** Takes an accepted handle. */
  start(handle: StreamHandle): void {
    const limit = maxHandshakes(this.options);
    if (this.pending.size >= limit) makeRoom(this.pending, this.options.clock.monotonicMs());
    if (this.pending.size >= limit || !this.acceptor.admit()) {
      this.refuse(
        addressOf(handle).peer,
        "too_many_handshakes",
        `more than ${limit} handshakes under way, or too many connections`,
      );
      handle.close();
      return;
    }
    const handshake = new RawHandshake(this, handle);
    this.pending.add(handshake);
    handshake.listen();
  }

  /** Gives up what is under way. */
  close(): void {
    this.#stopListening();
    for (const handshake of this.pending) handshake.destroy();
  }

  refuse(peer: string, reason: string, message: string): void {
    this.options.observer.refused({ reason, message, side: "server", peer });
  }

  /** A few at a turn, so that a burst does not stall traffic. */
  queueHello(handshake: RawHandshake): void {
    this.#helloQueue.push(handshake);
    if (this.#startScheduled) return;
    this.#startScheduled = true;
    setImmediate(() => this.#startSome());
  }

  #startSome(): void {
    for (const handshake of this.#helloQueue.splice(0, this.options.handshakesPerTurn ?? 4)) handshake.begin();
    this.#startScheduled = this.#helloQueue.length > 0;
    if (this.#startScheduled) setImmediate(() => this.#startSome());
  }
}

/** One accepted handle: first waiting for its ClientHello, then in its handshake, then the ground of a connection. */
class RawHandshake implements StreamOwner, TlsCarrier, TlsHandshakeOwner, PendingHandshake {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  owner: TlsCarrierOwner | undefined = undefined;
  readonly sinceMs: number;
  readonly #all: RawHandshakes;
  readonly #tcp: StreamHandle;
  #tls: TlsHandle | undefined = undefined;
  #hello: Buffer | undefined = undefined;
  #timer: Timer | undefined;
  /** An outcome was reported. */
  #settled = false;
  #closing = false;

  constructor(all: RawHandshakes, tcp: StreamHandle) {
    this.#all = all;
    this.#tcp = tcp;
    this.sinceMs = all.options.clock.monotonicMs();
    const { address, port, localAddress, localPort } = addressOf(tcp);
    this.remoteAddress = address;
    this.remotePort = port;
    this.localAddress = localAddress;
    this.localPort = localPort;
    const limitMs = handshakeTimeoutMs(all.options);
    this.#timer = all.options.clock.after(limitMs, () =>
      this.#refuse("timeout", `no complete handshake within ${limitMs} ms`),
    );
    tcp.setNoDelay?.(true);
    tcp.setKeepAlive?.(true, KEEP_ALIVE_SECONDS);
    tcp.ripstopOwner = this;
    tcp.onread = onTcpRead;
    tcp.useUserBuffer(all.helloBuffer);
  }

  /** Waits for the first bytes. */
  listen(): void {
    if (this.#tcp.readStart() !== 0) this.#lost();
  }

  get handle(): StreamHandle {
    return this.#tls ?? this.#tcp;
  }

  get isQueued(): boolean {
    return this.#hello !== undefined;
  }

  giveUp(): void {
    this.#refuse("too_many_handshakes", "its peer was the slowest of too many under way");
  }

  /** The first bytes, or the end, of a peer that has no TLS state yet. */
  onRead(result: number): undefined {
    if (this.#closing || result === 0) return;
    if (result < 0) {
      this.#lost();
      return;
    }
    // A silent peer costs a plain handle only; the TLS state is made once it has spoken.
    this.#hello = Buffer.from(this.#all.helloBuffer.subarray(0, result));
    this.#tcp.readStop();
    this.#all.queueHello(this);
  }

  /** Makes the TLS state and hands it the first bytes. */
  begin(): void {
    const hello = this.#hello;
    if (this.#closing || !hello) return;
    this.#hello = undefined;
    let tls: TlsHandle;
    try {
      tls = wrapServer(this.#tcp, this.#all.baseContext);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#tls = tls;
    tls.ripstopHandshake = this;
    tls.onread = onTlsRead;
    tls.onhandshakedone = onHandshakeDone;
    tls.oncertcb = onCertificateRequest;
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a native handle is no event target
    tls.onerror = onTlsError;
    tls.setVerifyMode(true, true);
    tls.setALPNProtocols(this.#all.alpnWire);
    tls.enableCertCb();
    tls.receive(hello);
    if (this.#closing) return;
    if (tls.readStart() !== 0) this.#lost();
  }

  /** The client has said which workload it wants. */
  onCertificateRequest(serverName: string | undefined): void {
    const tls = this.#tls;
    if (!tls || this.#closing) return;
    try {
      if (serverName !== undefined && serverName !== "") {
        tls.sni_context = this.#all.choice.contextOf(serverName).context;
      }
      tls.certCbDone();
    } catch (error) {
      this.#failed(error);
    }
  }

  onHandshakeDone(): void {
    const tls = this.#tls;
    if (!tls || this.#settled || this.#closing) return;
    const servername = tls.getServername();
    const serverName = typeof servername === "string" ? servername : "";
    const { options, choice, acceptor } = this.#all;
    const outcome = choice.judge(new RawHandshakeFacts(tls, this.#all.leaves), serverName);
    if ("reason" in outcome) {
      this.#refuse(outcome.reason, outcome.message);
      return;
    }
    this.#settle();
    options.observer.accepted("server", outcome.info.resumed);
    acceptor.onConn(new RawTlsConn(this, { tls: outcome.info, onGone: () => acceptor.onGone() }));
  }

  /** OpenSSL's complaint, during the handshake or after it. */
  onTlsError(error: Error): void {
    if (this.#settled) this.owner?.onCarrierError(error);
    else this.#failed(error);
  }

  /** A read during the handshake can only tell its end. */
  onTlsRead(result: number): void {
    if (result < 0 && !this.#settled) this.#lost();
  }

  destroy(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#settle();
    this.#closeNow();
  }

  #lost(): void {
    this.#refuse("connection_lost", "the peer closed before the handshake was complete");
  }

  /**
   * OpenSSL's alert tells the peer why. When the peer was quicker than our turn, the alert waits until Node counts our
   * flight as written, which it does at the end of the turn: closing before that loses it.
   */
  #failed(error: unknown): void {
    const [reason, message] = handshakeProblem(error);
    this.#report(reason, message);
    if (this.#closing) return;
    this.#closing = true;
    this.#tls?.readStop();
    setImmediate(() => this.#closeNow());
  }

  #refuse(reason: string, message: string): void {
    this.#report(reason, message);
    this.destroy();
  }

  #report(reason: string, message: string): void {
    if (this.#settled) return;
    this.#settle();
    this.#all.refuse(`${this.remoteAddress}:${this.remotePort}`, reason, message);
  }

  #closeNow(): void {
    this.#tcp.close(() => this.#gone());
  }

  #settle(): void {
    this.#settled = true;
    this.#timer?.clear();
    this.#timer = undefined;
    this.#all.pending.delete(this);
  }

  #gone(): void {
    this.#tcp.ripstopOwner = undefined;
    const tls = this.#tls;
    if (tls) {
      tls.ripstopHandshake = undefined;
      tls.destroySSL();
    }
    this.owner?.onCarrierGone();
  }
}

/** What the handle says about its finished handshake. */
class RawHandshakeFacts implements Handshake {
  readonly authorized: boolean;
  readonly problem: unknown;
  readonly #tls: TlsHandle;
  readonly #leaves: PeerLeaves;

  constructor(tls: TlsHandle, leaves: PeerLeaves) {
    this.#tls = tls;
    this.#leaves = leaves;
    const problem = tls.verifyError();
    this.authorized = !problem;
    this.problem = problem?.code;
  }

  get version(): string | undefined {
    return this.#tls.getProtocol() ?? undefined;
  }

  get alpn(): string {
    return this.#tls.getALPNNegotiatedProtocol() || "";
  }

  get cipher(): string {
    return this.#tls.getCipher().name;
  }

  get resumed(): boolean {
    return this.#tls.isSessionReused();
  }

  leaf(): X509Certificate | undefined {
    const session = this.#tls.getSession();
    return session && this.#leaves.ofSession(session);
  }

  issuers(): readonly X509Certificate[] {
    const leaf = this.#tls.getPeerCertificate(true);
    return leaf ? issuersAbove(leaf) : [];
  }
}

function onTcpRead(this: StreamHandle): undefined {
  const uv = libuv();
  this.ripstopOwner?.onRead(uv.state[uv.readResult] ?? 0);
}

function onTlsRead(this: StreamHandle & Pick<TlsHandle, "ripstopHandshake">): undefined {
  const uv = libuv();
  this.ripstopHandshake?.onTlsRead(uv.state[uv.readResult] ?? 0);
}

function onHandshakeDone(this: TlsHandle): void {
  this.ripstopHandshake?.onHandshakeDone();
}

function onCertificateRequest(this: TlsHandle, request: CertificateRequest): void {
  this.ripstopHandshake?.onCertificateRequest(request.servername);
}

function onTlsError(this: TlsHandle, error: Error): void {
  this.ripstopHandshake?.onTlsError(error);
}

function addressOf(handle: StreamHandle): {
  readonly address: string;
  readonly port: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly peer: string;
} {
  const remote: SocketAddress = {};
  const local: SocketAddress = {};
  handle.getpeername?.(remote);
  handle.getsockname?.(local);
  const { address = "", port = 0 } = remote;
  const { address: localAddress = "", port: localPort = 0 } = local;
  return { address, port, localAddress, localPort, peer: `${address}:${port}` };
}
