// A client's connection served as HTTP, whatever version it speaks: bytes to the codec, requests to an acceptor.

import type { Clock, ErrorKind } from "@ripstop/core";
import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import { Http1ServerConnection, type Http1ServerHandler } from "@ripstop/http1";
import {
  Http2Connection,
  type Flushable,
  type Http2Error,
  type Http2Output,
  type Http2ServerHandler,
  type Http2Settings,
} from "@ripstop/http2";
import type { CloseCause, Conn, ConnHandler } from "@ripstop/net";
import type { Engine } from "../engine.ts";

/** Takes the requests of a connection. */
export interface RequestAcceptor {
  /** The head is valid only during the call. Returns who hears the rest. */
  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler;
}

/** A served connection. */
export interface HttpSession extends ConnHandler {
  readonly conn: Conn;
  readonly protocol: "http1" | "http2";
  /** Ends when the exchanges under way have finished; takes no new ones. */
  shutdown(): void;
  /** Nothing is under way. */
  readonly idle: boolean;
}

const LINGER_MS = 1_000;

/** Sessions that are open. */
export type SessionRegistry = Set<HttpSession>;

/** What a session needs besides its connection. */
export interface SessionOptions {
  readonly engine: Engine;
  readonly acceptor: RequestAcceptor;
  readonly registry: SessionRegistry;
  readonly settings?: Partial<Http2Settings>;
}

/** Serves HTTP/1.1. */
export class Http1Session implements HttpSession, Http1ServerHandler {
  readonly protocol = "http1" as const;
  readonly conn: Conn;
  readonly #http1: Http1ServerConnection;
  readonly #acceptor: RequestAcceptor;
  readonly #registry: SessionRegistry;
  readonly #clock: Clock;

  constructor(conn: Conn, options: SessionOptions) {
    this.conn = conn;
    this.#acceptor = options.acceptor;
    this.#registry = options.registry;
    this.#clock = options.engine.clock;
    this.#http1 = new Http1ServerConnection({ output: conn, handler: this, clock: this.#clock });
    this.#registry.add(this);
    conn.handler = this;
  }

  get idle(): boolean {
    return this.#http1.isIdle;
  }

  shutdown(): void {
    this.#http1.shutdown();
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.#http1.receive(buf, start, end);
  }

  onEnd(): void {
    this.#http1.receivedEnd();
  }

  onDrain(): void {
    this.#http1.writable();
  }

  onClose(cause: CloseCause): void {
    this.#registry.delete(this);
    this.#http1.closed(cause.message);
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    return this.#acceptor.onRequest(stream, head, end);
  }

  onIdle(): void {}

  onError(_error: ErrorKind): void {}

  onLinger(): void {
    this.#clock.after(LINGER_MS, () => this.conn.destroy());
  }
}

/** Serves HTTP/2. */
export class Http2Session implements HttpSession, Http2Output, Http2ServerHandler {
  readonly protocol = "http2" as const;
  readonly conn: Conn;
  /** Owned by the flush scheduler. */
  flushPending = false;
  readonly #http2: Http2Connection;
  readonly #acceptor: RequestAcceptor;
  readonly #registry: SessionRegistry;
  readonly #engine: Engine;

  constructor(conn: Conn, options: SessionOptions) {
    this.conn = conn;
    this.#acceptor = options.acceptor;
    this.#registry = options.registry;
    this.#engine = options.engine;
    this.#http2 = new Http2Connection({
      role: "server",
      output: this,
      handler: this,
      clock: options.engine.clock,
      ...(options.settings === undefined ? {} : { settings: options.settings }),
    });
    this.#registry.add(this);
    conn.handler = this;
  }

  get idle(): boolean {
    return this.#http2.activeStreams === 0;
  }

  shutdown(): void {
    this.#http2.shutdown();
  }

  scheduleFlush(_connection: Flushable): void {
    this.#engine.flush.mark(this);
  }

  flush(): void {
    this.#http2.flush();
  }

  write(buf: Buffer, start: number, end: number): boolean {
    return this.conn.write(buf, start, end);
  }

  close(): void {
    this.conn.end();
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.#http2.receive(buf, start, end);
  }

  onEnd(): void {
    this.#http2.receivedEnd();
  }

  onDrain(): void {
    this.#http2.writable();
  }

  onClose(cause: CloseCause): void {
    this.#registry.delete(this);
    this.#http2.closed(cause.message);
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    return this.#acceptor.onRequest(stream, head, end);
  }

  onSettings(): void {}

  onIdle(): void {}

  onGoaway(_lastStreamId: number, _code: number, _debug: string): void {}

  onPong(_value: number): void {}

  onStreamError(_error: Http2Error): void {}

  onError(error: Http2Error): void {
    this.#engine.log.warn("HTTP/2 connection broken by the peer", {
      peer: this.conn.remoteAddress,
      cause: error.toString(),
    });
  }
}
