// Keep-alive HTTP/1.1 connections to one destination: one exchange at a time each, first come first served.

import type { Clock, ErrorKind } from "@ripstop/core";
import { Http1ClientConnection, type Http1ClientHandler } from "@ripstop/http1";
import {
  CLOSED_HERE,
  type CloseCause,
  type Conn,
  type ConnHandler,
  type Connecting,
  type DialEvents,
} from "@ripstop/net";
import { AGE_SPREAD, POOL_WAIT_MS } from "../settings.ts";
import type { HttpPool, PoolLimits, StreamWaiter, UpstreamConnection } from "./http-pool.ts";
import type { PoolDialer } from "./http2-pool.ts";
import { WaitQueue } from "./wait-queue.ts";

/** What an HTTP/1.1 pool needs. */
export interface Http1PoolOptions {
  readonly dialer: PoolDialer;
  readonly clock: Clock;
  /**
   * Idle connections close after this time. It goes down when the peer closes idle connections sooner, so that a
   * connection is rarely used at the moment in which the peer closes it.
   */
  readonly idleMs: number;
  /** Default 8,192. */
  readonly maxConnections?: number;
  /** In place of idleMs and maxConnections where it says something. */
  readonly limits?: PoolLimits;
  /** A connection ends after its exchange at this age, give or take AGE_SPREAD; default never. */
  readonly maxAgeMs?: number;
  /** A connection ends after so many exchanges; default never. */
  readonly maxRequests?: number;
  /** Numbers from 0 up to 1. */
  readonly random: () => number;
}

const MAX_CONNECTIONS = 8192;
const LEARNED_SHARE = 0.8;
/** A peer that closes sooner was restarted rather than idle for too long. */
const MIN_LEARNED_MS = 500;
/** What was learned is forgotten slowly, a little every second: the peer may have another setting now. */
const FORGET_FACTOR = 1.01;

/** Connections to one destination. */
export class Http1Pool implements HttpPool {
  readonly options: Http1PoolOptions;
  readonly #all = new Set<Http1Upstream>();
  /** Last used last: the newest is used first, the oldest closes first. */
  readonly #idle: Http1Upstream[] = [];
  readonly #dialing = new Set<Dialing>();
  readonly #waiting = new WaitQueue();
  #retired = false;
  #idleMs: number;

  constructor(options: Http1PoolOptions) {
    this.options = options;
    this.#idleMs = options.limits?.idleMs || options.idleMs;
  }

  get #maxConnections(): number {
    return this.options.limits?.maxConnections || (this.options.maxConnections ?? MAX_CONNECTIONS);
  }

  get #longestIdleMs(): number {
    return this.options.limits?.idleMs || this.options.idleMs;
  }

  get address(): string {
    return this.options.dialer.address;
  }

  get connections(): number {
    return this.#all.size;
  }

  get active(): number {
    return this.#all.size - this.#idle.length;
  }

  /** Takes no new requests any more. */
  get isRetired(): boolean {
    return this.#retired;
  }

  /** Idle connections close after this time, as learned from the peer. */
  get idleMs(): number {
    return this.#idleMs;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  acquire(waiter: StreamWaiter): void {
    if (this.#waiting.length === 0 && this.#give(waiter)) return;
    if (!this.#waiting.add(waiter, this.options.clock.monotonicMs())) return;
    if (this.#dialing.size < this.#waiting.length && this.#all.size + this.#dialing.size < this.#maxConnections)
      this.#dial();
  }

  cancel(waiter: StreamWaiter): void {
    this.#waiting.delete(waiter);
  }

  retire(): void {
    this.#retired = true;
    this.#closeOldest(this.#idle.length);
  }

  destroy(): void {
    this.#retired = true;
    for (const dialing of this.#dialing) dialing.cancel();
    this.#dialing.clear();
    for (const connection of [...this.#all]) connection.conn.destroy();
    this.#waiting.fail("the proxy is closing");
  }

  /** Closes connections that nobody used for long, and sends away who waited for long. Called once a second. */
  closeIdle(nowMs: number): void {
    this.#waiting.expire(nowMs, Math.max(POOL_WAIT_MS, this.options.dialer.timeoutMs));
    this.#idleMs = Math.min(this.#longestIdleMs, this.#idleMs * FORGET_FACTOR);
    const young = this.#idle.findIndex(({ idleSinceMs }) => nowMs - idleSinceMs < this.#idleMs);
    this.#closeOldest(young < 0 ? this.#idle.length : young);
  }

  /** Out of the list at once: a connection tells of its close in a later turn, and a request may come before that. */
  #closeOldest(count: number): void {
    for (const connection of this.#idle.splice(0, count)) connection.conn.destroy();
  }

  /** @internal */
  connected(dialing: Dialing, conn: Conn): void {
    this.#dialing.delete(dialing);
    const connection = new Http1Upstream(this, conn);
    this.#all.add(connection);
    this.becameIdle(connection);
  }

  /** @internal */
  failed(dialing: Dialing, cause: CloseCause): void {
    this.#dialing.delete(dialing);
    // One dial was made for one request; without any connection the others would fare no better.
    const others = this.#all.size > 0 || this.#dialing.size > 0;
    this.#waiting.fail(cause.message, others ? 1 : undefined);
  }

  /** @internal */
  becameIdle(connection: Http1Upstream): void {
    if (!connection.http1.isIdle) return;
    const nowMs = this.options.clock.monotonicMs();
    if (connection.isWorn(nowMs)) {
      connection.conn.destroy();
      return;
    }
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) {
      connection.give(waiter);
      return;
    }
    if (this.#retired) {
      connection.conn.destroy();
      return;
    }
    connection.idleSinceMs = nowMs;
    this.#idle.push(connection);
  }

  /** @internal */
  becameUnusable(connection: Http1Upstream): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** @internal */
  gone(connection: Http1Upstream, byPeer: boolean): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      if (byPeer && connection.http1.exchanges > 0) {
        const idleFor = this.options.clock.monotonicMs() - connection.idleSinceMs;
        if (idleFor >= MIN_LEARNED_MS) this.#idleMs = Math.min(this.#idleMs, idleFor * LEARNED_SHARE);
      }
    }
    if (this.#waiting.length > this.#dialing.size && this.#all.size + this.#dialing.size < this.#maxConnections)
      this.#dial();
  }

  #give(waiter: StreamWaiter): boolean {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.give(waiter)) return true;
    }
    return false;
  }

  #dial(): void {
    const dialing = new Dialing(this);
    this.#dialing.add(dialing);
    dialing.start(this.options.dialer);
  }
}

class Dialing implements DialEvents {
  readonly #pool: Http1Pool;
  #connecting: Connecting | undefined = undefined;

  constructor(pool: Http1Pool) {
    this.#pool = pool;
  }

  start(dialer: PoolDialer): void {
    this.#connecting = dialer.dial(this);
  }

  cancel(): void {
    this.#connecting?.cancel();
  }

  onConnected(conn: Conn): void {
    this.#pool.connected(this, conn);
  }

  onFailed(cause: CloseCause): void {
    this.#pool.failed(this, cause);
  }
}

class Http1Upstream implements ConnHandler, Http1ClientHandler, UpstreamConnection {
  readonly conn: Conn;
  readonly http1: Http1ClientConnection;
  readonly tlsVersion = "";
  idleSinceMs = 0;
  readonly #pool: Http1Pool;
  readonly #endsAtMs: number;

  constructor(pool: Http1Pool, conn: Conn) {
    this.#pool = pool;
    this.conn = conn;
    const { clock, maxAgeMs = Infinity, random } = pool.options;
    this.#endsAtMs = clock.monotonicMs() + maxAgeMs * (1 + AGE_SPREAD * (2 * random() - 1));
    this.http1 = new Http1ClientConnection({ output: conn, handler: this });
    conn.handler = this;
  }

  /** It has served long enough, by age or by requests. */
  isWorn(nowMs: number): boolean {
    const { maxRequests = Infinity } = this.#pool.options;
    return this.http1.exchanges >= maxRequests || (this.http1.exchanges > 0 && nowMs >= this.#endsAtMs);
  }

  give(waiter: StreamWaiter): boolean {
    const reused = this.http1.exchanges > 0;
    const stream = this.http1.open(waiter);
    if (stream === undefined) return false;
    waiter.onStream(stream, this, reused);
    return true;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.http1.receive(buf, start, end);
  }

  onEnd(): void {
    this.http1.receivedEnd();
  }

  onDrain(): void {
    this.http1.writable();
  }

  onClose(cause: CloseCause): void {
    this.#pool.gone(this, cause !== CLOSED_HERE);
    this.http1.closed(cause.message);
  }

  onIdle(): void {
    this.#pool.becameIdle(this);
  }

  onUnusable(): void {
    this.#pool.becameUnusable(this);
  }

  onError(_error: ErrorKind): void {}
}
