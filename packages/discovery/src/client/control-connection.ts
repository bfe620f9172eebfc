// The proxy's connection to the control plane: HTTP/2 on TLS 1.3, both ends verified, made again for ever when lost.

import { randomInt } from "node:crypto";
import { connect as connectTls, type TLSSocket } from "node:tls";

import { Backoff, type Clock, type Timer } from "@ripstop/core";
import type { Logger } from "@ripstop/telemetry";

import { streamPeerRefused } from "../errors.ts";
import type { PeerVerifier } from "../peer-verifier.ts";
import { ClientCredentials, type CredentialFiles } from "./client-credentials.ts";
import { ControlSession } from "./control-session.ts";

/** Where the control plane is and who both ends are. */
export interface ControlConnectionOptions {
  /** "HOST:PORT" of each control plane; tried in an order of this proxy's own, so that proxies spread over them. */
  readonly addresses: readonly string[];
  /** SPIFFE id that the control plane must present, exactly. */
  readonly controlIdentity: string;
  /** PEM files, read at every connect; or credentials that several connections of this process share. */
  readonly files: CredentialFiles | ClientCredentials;
  readonly verifyPeer: PeerVerifier;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Source of jitter; default Math.random. */
  readonly random?: () => number;
}

/** Who uses the connection. */
export interface SessionUser {
  /** A verified session is up: open streams on it now. */
  onSession(session: ControlSession): void;
  /** The session is gone, and with it its streams. */
  onSessionLost(): void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Once TCP has connected the control plane is there: when all proxies come at once, one that starts over is served later. */
const HANDSHAKE_TIMEOUT_MS = 30_000;
/** With nowhere else to go it is no hurry to notice that a control plane went without a word. */
const ALONE = { connectMs: CONNECT_TIMEOUT_MS, handshakeMs: HANDSHAKE_TIMEOUT_MS, periodMs: 10_000, timeoutMs: 5_000 };
/** Among several, whoever is cut off is left within three seconds and a half. */
const AMONG_SEVERAL = { connectMs: 1_500, handshakeMs: 1_500, periodMs: 1_500, timeoutMs: 1_500 };
/** Before every other control plane was tried there is no reason to wait long. */
const NEXT_MS = 100;
/** Times and times again what it was, doubled each time that it was not enough: a control plane that all return to is slow, not away. */
const MAX_PATIENCE_FACTOR = 8;

/** In [0, 1). */
function randomShare(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

/** Keeps one session up until closed. */
export class ControlConnection {
  readonly #options: ControlConnectionOptions;
  readonly #credentials: ClientCredentials;
  readonly #users: SessionUser[] = [];
  readonly #backoff: Backoff;
  readonly #random: () => number;
  /** The addresses in this proxy's own order; the first is the one to try next. */
  #addresses: string[] = [];
  /** Connections that were lost or never made, in a row. */
  #failures = 0;
  #socket: TLSSocket | undefined;
  #session: ControlSession | undefined;
  #retry: Timer | undefined;
  #deadline: Timer | undefined;
  #ping: Timer | undefined;
  #isClosed = false;
  #lastProblem = "";
  #hasReported = false;
  #connectFactor = 1;
  #pingFactor = 1;
  #pingedMs = 0;

  constructor(options: ControlConnectionOptions) {
    this.#options = options;
    const { random, files } = options;
    this.#credentials = files instanceof ClientCredentials ? files : new ClientCredentials(files);
    this.#random = random ?? randomShare;
    this.setAddresses(options.addresses);
    this.#backoff = new Backoff({ initialMs: 100, maxMs: 10_000, ...(random ? { random } : {}) });
  }

  /** Adds a user; before `start`. */
  use(user: SessionUser): void {
    this.#users.push(user);
  }

  /** The control planes are these now. An open connection lives on, also to one that is not among them. */
  setAddresses(addresses: readonly string[]): void {
    const wanted = new Set(addresses);
    const order = this.#addresses.filter((address) => wanted.has(address));
    for (const address of order) wanted.delete(address);
    for (const address of wanted) order.splice(Math.floor(this.#random() * (order.length + 1)), 0, address);
    this.#addresses = order;
  }

  /** Connects, now and whenever the connection is lost. */
  start(): void {
    this.#connect();
  }

  /** The peer proved to be of use (it answered): the next loss is followed by a quick retry. */
  confirm(): void {
    this.#backoff.reset();
    this.#failures = 0;
    this.#connectFactor = 1;
    this.#lastProblem = "";
    this.#hasReported = false;
  }

  /** Ends the session and connects again after the backoff: a stream on it was refused. */
  fail(reason: string): void {
    if (this.#isClosed) return;
    this.#report(reason);
    const session = this.#session;
    // Later: this is called from within the session's own events.
    if (session) this.#options.clock.after(0, () => session.destroy());
  }

  /** Files were replaced: the next connection uses them. An open one lives on; a waiting one is made at once. */
  reload(): void {
    if (!this.#retry) return;
    this.#retry.clear();
    this.#retry = undefined;
    this.#backoff.reset();
    this.#connect();
  }

  /** True while a verified session is up. */
  get isUp(): boolean {
    return this.#session !== undefined;
  }

  /** Ends the session and does not come back. */
  close(): void {
    this.#isClosed = true;
    this.#retry?.clear();
    this.#deadline?.clear();
    if (this.#session) this.#session.destroy();
    else this.#socket?.destroy();
    this.#onLost();
  }

  #connect(): void {
    this.#hasReported = false;
    const address = this.#addresses.shift() ?? "";
    if (address !== "") this.#addresses.push(address);
    const { connectMs, handshakeMs } = this.#patience;
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    let socket: TLSSocket;
    try {
      socket = connectTls({
        host,
        port: Number(address.slice(colon + 1)),
        secureContext: this.#credentials.context(),
        ALPNProtocols: ["h2"],
        // The chain is checked by TLS; the name is a SPIFFE id, not a host, and is checked below before a byte is sent.
        checkServerIdentity: () => undefined,
      });
    } catch (error) {
      this.#report(error instanceof Error ? error.message : String(error));
      this.#retryLater();
      return;
    }
    this.#socket = socket;
    const atMost = (timeoutMs: number): void => {
      this.#deadline?.clear();
      this.#deadline = this.#options.clock.after(timeoutMs, () => {
        this.#connectFactor = Math.min(2 * this.#connectFactor, MAX_PATIENCE_FACTOR);
        socket.destroy(new Error(`no connection to ${address} within ${timeoutMs} ms`));
      });
    };
    const patienceMs = connectMs * this.#connectFactor;
    atMost(patienceMs);
    socket.on("connect", () => atMost(Math.max(handshakeMs, patienceMs)));
    socket.on("error", (error: Error) => this.#report(`${address}: ${error.message}`));
    socket.on("secureConnect", () => this.#onSecure(socket));
    socket.on("close", () => this.#onSocketClose(socket));
  }

  #onSecure(socket: TLSSocket): void {
    this.#deadline?.clear();
    const problem = this.#peerProblem(socket);
    if (problem !== undefined) {
      this.#report(`${streamPeerRefused.code} ${streamPeerRefused.title}: ${problem}`);
      socket.destroy();
      return;
    }
    const session: ControlSession = new ControlSession(socket, this.#options.clock, {
      onGoaway: () => this.fail("the control plane closes the connection"),
      onError: (message) => this.#report(message),
      onPong: () => {
        this.#ping?.clear();
        if (this.#options.clock.monotonicMs() - this.#pingedMs < this.#patience.timeoutMs) this.#pingFactor = 1;
        if (this.#session === session) this.#schedulePing(session);
      },
    });
    this.#session = session;
    this.#schedulePing(session);
    for (const user of this.#users) user.onSession(session);
  }

  #peerProblem(socket: TLSSocket): string | undefined {
    if (!socket.authorized) return "its certificate does not lead to a trusted root";
    if (socket.alpnProtocol !== "h2") return "it does not speak HTTP/2";
    const leaf = socket.getPeerX509Certificate();
    if (!leaf) return "it showed no certificate";
    const verdict = this.#options.verifyPeer(leaf);
    if (!verdict.ok) return verdict.message ?? verdict.reason;
    const { controlIdentity } = this.#options;
    return verdict.id === controlIdentity ? undefined : `it is ${verdict.id}, and not ${controlIdentity}`;
  }

  #schedulePing(session: ControlSession): void {
    const { clock } = this.#options;
    const { periodMs, timeoutMs } = this.#patience;
    this.#ping = clock.after(periodMs, () => {
      if (session.over) return;
      this.#pingedMs = clock.monotonicMs();
      this.#ping = clock.after(timeoutMs * this.#pingFactor, () => {
        // If it was this process that stood still, the answer lies in the socket: it is read in this turn.
        this.#ping = clock.after(0, () => {
          this.#pingFactor = Math.min(2 * this.#pingFactor, MAX_PATIENCE_FACTOR);
          this.#report("the control plane does not answer");
          session.destroy();
        });
      });
      session.ping();
    });
  }

  #onSocketClose(socket: TLSSocket): void {
    if (this.#socket !== socket) return;
    this.#deadline?.clear();
    // A server that refuses the client's certificate just closes: in TLS 1.3 the handshake is over by then.
    this.#report("the connection was closed; the control plane stopped, or refused the certificate of this proxy");
    this.#onLost();
    if (!this.#isClosed) this.#retryLater();
  }

  #onLost(): void {
    this.#ping?.clear();
    this.#socket = undefined;
    if (!this.#session) return;
    this.#session = undefined;
    for (const user of this.#users) user.onSessionLost();
  }

  get #patience(): typeof ALONE {
    return this.#addresses.length > 1 ? AMONG_SEVERAL : ALONE;
  }

  #retryLater(): void {
    const isNext = ++this.#failures < this.#addresses.length;
    const delayMs = isNext ? this.#random() * NEXT_MS : this.#backoff.next();
    this.#retry = this.#options.clock.after(delayMs, () => {
      this.#retry = undefined;
      this.#connect();
    });
  }

  /** Logs the first problem of an attempt, and only when it is another than that of the last attempt. */
  #report(problem: string): void {
    if (this.#isClosed || this.#hasReported) return;
    this.#hasReported = true;
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    this.#options.logger?.warn("no connection to the control plane", { cause: problem });
  }
}
