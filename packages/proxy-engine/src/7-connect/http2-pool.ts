// A few long-lived HTTP/2 connections to one destination, shared by all requests to it.

import type { Clock, Timer } from "@ripstop/core";
import type { RequestHead } from "@ripstop/http";
import {
  Http2Connection,
  type Flushable,
  type Http2ConnectionHandler,
  type Http2Error,
  type Http2Output,
} from "@ripstop/http2";
import type { CloseCause, Conn, ConnHandler, Connecting, DialEvents, FlushScheduler, TlsInfo } from "@ripstop/net";
import { AGE_SPREAD, POOL_WAIT_MS, SETTINGS_TIMEOUT_MS } from "../settings.ts";
import type { HttpPool, PoolLimits, StreamWaiter, UpstreamConnection } from "./http-pool.ts";
import { WaitQueue } from "./wait-queue.ts";

/** How a pool makes connections. */
export interface PoolDialer {
  /** "HOST:PORT" for messages. */
  readonly address: string;
  /** After which a dial fails. */
  readonly timeoutMs: number;
  dial(events: DialEvents): Connecting;
}

/** What an HTTP/2 pool needs. */
export interface Http2PoolOptions {
  readonly dialer: PoolDialer;
  readonly clock: Clock;
  readonly flush: FlushScheduler;
  /** Idle connections close after this time. */
  readonly idleMs: number;
  /** In place of idleMs and of the usual number of connections where it says something. */
  readonly limits?: PoolLimits;
  /** Connections are replaced at this age, give or take AGE_SPREAD; default never. */
  readonly maxAgeMs?: number;
  /** Seconds of silence until a peer is asked for a sign of life; default PING_AFTER_S. */
  readonly pingAfterS?: number;
  /** Numbers in [0, 1), for the spread of ages. */
  readonly random: () => number;
}

const MAX_CONNECTIONS = 8;
/** Connections besides those that take no more requests and wait for the end of the ones they have. */
const MAX_LEAVING = 64;
/**
 * Requests of many clients share a connection: its window is that of so many streams, and again as much for those that
 * grow, so clients that do not read use up their streams' windows and not everybody's. With more, another is opened.
 */
const EASY_STREAMS = 256;
const INITIAL_WINDOW_BYTES = 256 * 1024;
const SETTINGS = {
  initialWindowBytes: INITIAL_WINDOW_BYTES,
  connectionWindowBytes: 2 * EASY_STREAMS * INITIAL_WINDOW_BYTES,
} as const;
/** Seconds of silence until a peer is asked for a sign of life, and from there until it is given up. */
const PING_AFTER_S = 15;
const NO_ANSWER_S = 10;
/** Seconds until a connection whose codec has ended is cut, when the peer does not close it. */
const LINGER_S = 5;
/** A connection that is too old is tried to be replaced this often. */
const REPLACE_RETRY_MS = 10_000;
/** One that is too old and was not used for so long needs no successor. */
const REPLACE_IDLE_MS = 30_000;

/** Multiplexed connections to one destination. */
export class Http2Pool implements HttpPool, DialEvents {
  readonly options: Http2PoolOptions;
  readonly #open: Http2Upstream[] = [];
  readonly #waiting = new WaitQueue();
  #dialing: Connecting | undefined = undefined;
  #retired = false;
  #draining = false;

  constructor(options: Http2PoolOptions) {
    this.options = options;
  }

  get address(): string {
    return this.options.dialer.address;
  }

  get connections(): number {
    return this.#open.length;
  }

  get active(): number {
    let active = 0;
    for (const connection of this.#open) active += connection.http2.activeStreams;
    return active;
  }

  /** Takes no new requests any more. */
  get isRetired(): boolean {
    return this.#retired;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  acquire(waiter: StreamWaiter): void {
    if (this.#waiting.length === 0 && this.#give(waiter)) return;
    if (this.#waiting.add(waiter, this.options.clock.monotonicMs())) this.#dialIfNeeded();
  }

  cancel(waiter: StreamWaiter): void {
    this.#waiting.delete(waiter);
  }

  retire(): void {
    this.#retired = true;
    for (const connection of [...this.#open]) connection.closeWhenIdle();
  }

  destroy(): void {
    this.#retired = true;
    this.#dialing?.cancel();
    this.#dialing = undefined;
    for (const connection of [...this.#open]) connection.conn.destroy();
    this.#waiting.fail("the proxy is closing");
  }

  /** Closes at once the connections whose peer is refused now; how many. */
  cut(isRefused: (tls: TlsInfo) => boolean): number {
    let cut = 0;
    for (const connection of [...this.#open]) {
      const { tls } = connection.conn;
      if (tls === undefined || !isRefused(tls)) continue;
      connection.cut();
      cut++;
    }
    return cut;
  }

  /**
   * Closes connections that nobody used for long or whose peer is gone without a word, replaces those that are too old,
   * and sends away who waited for long. Called once a second.
   */
  closeIdle(nowMs: number): void {
    this.#waiting.expire(nowMs, Math.max(POOL_WAIT_MS, this.options.dialer.timeoutMs));
    this.drain();
    const idleMs = this.options.limits?.idleMs || this.options.idleMs;
    for (const connection of [...this.#open]) {
      connection.checkPeer();
      if (connection.http2.activeStreams === 0 && nowMs - connection.lastUsedMs > idleMs) connection.closeWhenIdle();
      else if (connection.usable && nowMs >= connection.replaceAtMs) this.#replace(connection, nowMs);
    }
  }

  /** Opens the successor first; the old connection ends when its exchanges have, once there is a newer one. */
  #replace(old: Http2Upstream, nowMs: number): void {
    const isUnused = old.http2.activeStreams === 0 && nowMs - old.lastUsedMs > REPLACE_IDLE_MS;
    if (isUnused || this.#open.some((other) => other.usable && other.openedMs > old.openedMs)) {
      old.closeWhenIdle();
      return;
    }
    // The successor is there at the next look, or the next try follows.
    this.#dialing ??= this.options.dialer.dial(this);
    old.replaceAtMs = nowMs + REPLACE_RETRY_MS;
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    const upstream = new Http2Upstream(this, conn);
    this.#open.push(upstream);
    this.drain();
    if (this.#retired) upstream.closeWhenIdle();
  }

  onFailed(cause: CloseCause): void {
    this.#dialing = undefined;
    this.failWithoutHope(cause.message);
  }

  /** Gives streams to those who wait, as far as there are any. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    while (this.#waiting.length > 0) {
      const connection = this.#leastBusy();
      if (connection === undefined) break;
      // Taken out first: the waiter may start other requests from its callback.
      const waiter = this.#waiting.shift();
      if (waiter !== undefined && !connection.give(waiter)) waiter.onNoStream("the connection takes no more", false);
    }
    this.#draining = false;
    if (this.#waiting.length > 0) this.#dialIfNeeded();
  }

  /** @internal */
  connectionGone(connection: Http2Upstream, cause: string): void {
    const at = this.#open.indexOf(connection);
    if (at >= 0) this.#open.splice(at, 1);
    // A peer that closes before it has taken anything would do the same again: the next dial is one of the next look.
    if (connection.isUnused) this.failWithoutHope(cause);
    else if (this.#waiting.length > 0) this.drain();
  }

  /** @internal Those who wait get their turn on a live connection; when there is none, they are told that nothing comes. */
  failWithoutHope(cause: string): void {
    if (!this.#open.some((connection) => connection.isStaying)) this.#waiting.fail(cause);
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  #give(waiter: StreamWaiter): boolean {
    const connection = this.#leastBusy();
    if (connection === undefined) return false;
    if (connection.http2.activeStreams >= EASY_STREAMS) this.#dialIfNeeded();
    return connection.give(waiter);
  }

  #leastBusy(): Http2Upstream | undefined {
    let best: Http2Upstream | undefined;
    for (const connection of this.#open) {
      if (!connection.usable) continue;
      if (best === undefined || connection.http2.activeStreams < best.http2.activeStreams) best = connection;
    }
    return best;
  }

  /** One dial at a time, and none while a connection is empty: it is about to take more, or its peer takes nothing. */
  #dialIfNeeded(): void {
    const most = this.options.limits?.maxConnections || MAX_CONNECTIONS;
    if (this.#dialing !== undefined || this.#open.length >= most + MAX_LEAVING) return;
    let staying = 0;
    for (const connection of this.#open) {
      if (!connection.isStaying) continue;
      if (connection.http2.activeStreams === 0) return;
      staying++;
    }
    if (staying >= most) return;
    this.#dialing = this.options.dialer.dial(this);
  }
}

class Http2Upstream implements ConnHandler, Http2Output, Http2ConnectionHandler, UpstreamConnection {
  readonly conn: Conn;
  readonly http2: Http2Connection;
  readonly tlsVersion: string;
  /** Says something only while no stream is open: set when the last one ends. */
  lastUsedMs: number;
  readonly openedMs: number;
  /** A newer connection is wanted from then on. */
  replaceAtMs: number;
  /** Owned by the flush scheduler. */
  flushPending = false;
  readonly #pool: Http2Pool;
  readonly #flush: FlushScheduler;
  readonly #settingsTimer: Timer;
  #served = 0;
  #heard = true;
  #silentChecks = 0;
  #lingerChecks = 0;
  #leaving = false;
  #gone = false;

  constructor(pool: Http2Pool, conn: Conn) {
    this.#pool = pool;
    this.#flush = pool.options.flush;
    this.conn = conn;
    this.tlsVersion = conn.tls?.version ?? "";
    const { clock, maxAgeMs = Infinity, random } = pool.options;
    this.lastUsedMs = clock.monotonicMs();
    this.openedMs = this.lastUsedMs;
    this.replaceAtMs = this.openedMs + maxAgeMs * (1 + AGE_SPREAD * (2 * random() - 1));
    this.http2 = new Http2Connection({
      role: "client",
      output: this,
      handler: this,
      clock: pool.options.clock,
      settings: SETTINGS,
    });
    this.#settingsTimer = pool.options.clock.after(SETTINGS_TIMEOUT_MS, () => {
      if (!this.http2.peerSettingsReceived) conn.destroy();
    });
    conn.handler = this;
  }

  get usable(): boolean {
    return (
      this.isStaying && this.http2.peerSettingsReceived && this.http2.activeStreams < this.http2.maxConcurrentStreams
    );
  }

  /** It takes requests, if not now, then when others have ended. */
  get isStaying(): boolean {
    return !this.#leaving && !this.#gone && !this.http2.draining;
  }

  /** It has not taken a request. */
  get isUnused(): boolean {
    return this.#served === 0;
  }

  give(waiter: StreamWaiter): boolean {
    const stream = this.http2.open(waiter);
    if (stream === undefined) {
      // Stream ids are used up.
      this.closeWhenIdle();
      return false;
    }
    waiter.onStream(stream, this, this.#served++ > 0);
    return true;
  }

  /** A peer that is silent for long is asked, and given up when it does not answer. */
  checkPeer(): void {
    if (this.http2.dead) {
      if (++this.#lingerChecks >= LINGER_S) this.cut();
      return;
    }
    if (this.#heard) {
      this.#heard = false;
      this.#silentChecks = 0;
      return;
    }
    const pingAfterS = this.#pool.options.pingAfterS ?? PING_AFTER_S;
    this.#silentChecks++;
    if (this.#silentChecks === pingAfterS) this.http2.ping(0);
    else if (this.#silentChecks >= pingAfterS + NO_ANSWER_S) this.cut();
  }

  /** Closes it at once, and takes no request from now on: a connection tells of its close in a later turn. */
  cut(): void {
    this.#leaving = true;
    this.conn.destroy();
  }

  closeWhenIdle(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.http2.shutdown();
  }

  scheduleFlush(_connection: Flushable): void {
    this.#flush.mark(this);
  }

  flush(): void {
    this.http2.flush();
  }

  write(buf: Buffer, start: number, end: number): boolean {
    return this.conn.write(buf, start, end);
  }

  close(): void {
    this.conn.end();
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.#heard = true;
    this.http2.receive(buf, start, end);
    if (this.#pool.hasWaiting) this.#pool.drain();
  }

  onEnd(): void {
    this.http2.receivedEnd();
    this.conn.end();
  }

  onDrain(): void {
    this.http2.writable();
  }

  onClose(cause: CloseCause): void {
    this.#gone = true;
    this.#settingsTimer.clear();
    this.http2.closed(cause.message);
    this.#pool.connectionGone(this, cause.message);
  }

  onSettings(): void {
    this.#pool.drain();
  }

  onIdle(): void {
    this.lastUsedMs = this.#pool.options.clock.monotonicMs();
  }

  onGoaway(_lastStreamId: number, _code: number, _debug: string): void {
    this.#leaving = true;
    if (this.isUnused) this.#pool.failWithoutHope("the peer takes no requests");
  }

  onPong(_value: number): void {}

  onStreamError(_error: Http2Error): void {}

  onError(_error: Http2Error): void {
    this.#leaving = true;
  }
}

/** A tunnel request (plain CONNECT) to `authority`. */
export function writeConnect(head: RequestHead, authority: string): void {
  head.clear();
  head.method = "CONNECT";
  head.authority = authority;
  head.path = "";
}
