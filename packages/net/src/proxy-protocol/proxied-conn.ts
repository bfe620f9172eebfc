// Connections that begin with a PROXY protocol header: it is read before anybody else hears of the connection, which then
// bears the client's addresses. What is not exactly a header ends the connection.

import type { Clock, Timer } from "@ripstop/core";
import type { CloseCause, Conn, ConnHandler, TlsInfo } from "../conn.ts";
import { MAX_PROXY_HEADER_BYTES, readProxyHeader, type ProxyAddresses } from "./proxy-header.ts";

/** What to do with connections that begin with a header. */
export interface ProxyHeaderRules {
  readonly clock: Clock;
  /** From the connection to its whole header. */
  readonly timeoutMs: number;
  /** Takes the connection; it must set `conn.handler` before it returns. */
  readonly onConn: (conn: Conn) => void;
  /** The connection is closed without a byte: `cause` is in plain words. */
  readonly onRefused: (cause: string, conn: Conn) => void;
}

/** Reads the header of `conn`, which has no handler yet. */
export function awaitProxyHeader(conn: Conn, rules: ProxyHeaderRules): void {
  new AwaitedHeader(conn, rules);
}

class AwaitedHeader implements ConnHandler {
  readonly #conn: Conn;
  readonly #rules: ProxyHeaderRules;
  readonly #timer: Timer;
  #held: Buffer = Buffer.alloc(0);
  #over = false;

  constructor(conn: Conn, rules: ProxyHeaderRules) {
    this.#conn = conn;
    this.#rules = rules;
    this.#timer = rules.clock.after(rules.timeoutMs, () => this.#refuse("no PROXY protocol header came in time"));
    conn.handler = this;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    if (this.#over) return;
    const room = MAX_PROXY_HEADER_BYTES - this.#held.length;
    // Only a header is looked at: what follows it in the same read is kept apart.
    const looked = Math.min(end, start + room);
    const bytes = Buffer.concat([this.#held, buf.subarray(start, looked)]);
    const read = readProxyHeader(bytes, 0, bytes.length);
    if (read.state === "invalid") {
      this.#refuse(read.cause);
      return;
    }
    if (read.state === "more") {
      this.#held = bytes;
      return;
    }
    this.#over = true;
    this.#timer.clear();
    const rest = Buffer.concat([bytes.subarray(read.length), buf.subarray(looked, end)]);
    this.#rules.onConn(new ProxiedConn(this.#conn, read.header.addresses, rest));
  }

  onEnd(): void {
    this.#refuse("the connection ended before its PROXY protocol header");
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#over = true;
    this.#timer.clear();
  }

  #refuse(cause: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer.clear();
    this.#rules.onRefused(cause, this.#conn);
    this.#conn.destroy(true);
  }
}

/** A connection with other addresses, and with bytes that were read from it already. */
class ProxiedConn implements Conn, ConnHandler {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly proxied = true;
  readonly #inner: Conn;
  #handler: ConnHandler | undefined = undefined;
  #rest: Buffer;
  #ended = false;
  #paused = false;
  #scheduled = false;

  constructor(inner: Conn, addresses: ProxyAddresses | undefined, rest: Buffer) {
    this.#inner = inner;
    this.#rest = rest;
    this.remoteAddress = addresses?.source.address ?? inner.remoteAddress;
    this.remotePort = addresses?.source.port ?? inner.remotePort;
    this.localAddress = addresses?.destination.address ?? inner.localAddress;
    this.localPort = addresses?.destination.port ?? inner.localPort;
  }

  get tls(): TlsInfo | undefined {
    return this.#inner.tls;
  }

  get handler(): ConnHandler | undefined {
    return this.#handler;
  }

  set handler(handler: ConnHandler | undefined) {
    this.#handler = handler;
    if (this.#rest.length === 0 && !this.#ended) {
      this.#inner.handler = handler;
      return;
    }
    this.#inner.handler = this;
    this.#schedule();
  }

  get queuedBytes(): number {
    return this.#inner.queuedBytes;
  }

  write(buf: Buffer, start: number, end: number): boolean {
    return this.#inner.write(buf, start, end);
  }

  lend(buf: Buffer, start: number, end: number): boolean {
    return this.#inner.lend?.(buf, start, end) ?? this.#inner.write(buf, start, end);
  }

  allowBulk(): void {
    this.#inner.allowBulk?.();
  }

  rest(): void {
    this.#inner.rest?.();
  }

  get readsAlone(): boolean {
    return this.#inner.readsAlone === true;
  }

  pause(): void {
    this.#paused = true;
    this.#inner.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#inner.resume();
    if (this.#rest.length > 0 || this.#ended) this.#schedule();
  }

  end(): void {
    this.#inner.end();
  }

  destroy(reset?: boolean): void {
    this.#rest = Buffer.alloc(0);
    this.#inner.destroy(reset);
  }

  /** @internal While there is something to deliver first. */
  onBytes(buf: Buffer, start: number, end: number): void {
    this.#deliver();
    if (this.#rest.length > 0) this.#rest = Buffer.concat([this.#rest, buf.subarray(start, end)]);
    else this.#handler?.onBytes(buf, start, end);
  }

  /** @internal */
  onEnd(): void {
    this.#ended = true;
    this.#deliver();
  }

  /** @internal */
  onDrain(): void {
    this.#handler?.onDrain();
  }

  /** @internal */
  onClose(cause: CloseCause): void {
    this.#rest = Buffer.alloc(0);
    this.#ended = false;
    this.#handler?.onClose(cause);
  }

  /** Not within the call that sets the handler: a handler expects bytes in a later turn. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#paused) return;
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    if (rest.length > 0) this.#handler?.onBytes(rest, 0, rest.length);
    if (this.#ended && this.#rest.length === 0 && !this.#isPaused()) {
      this.#ended = false;
      this.#handler?.onEnd();
    }
    if (this.#rest.length === 0 && !this.#ended) this.#inner.handler = this.#handler;
  }

  /** For the compiler: calls between two reads of the field change it. */
  #isPaused(): boolean {
    return this.#paused;
  }
}
