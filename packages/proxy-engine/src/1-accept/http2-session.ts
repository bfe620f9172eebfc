// A client's connection served as HTTP/2: bytes to the codec, requests to an acceptor.

import { StreamErrorCode, type RequestHead, type ServerStream, type ServerStreamHandler } from "@ripstop/http";
import {
  Http2Connection,
  type Flushable,
  type Http2Error,
  type Http2Output,
  type Http2ServerHandler,
} from "@ripstop/http2";
import type { CloseCause, Conn } from "@ripstop/net";
import type { Engine } from "../engine.ts";
import {
  BODY_MIN_BYTES,
  BODY_TIMEOUT_MS,
  DEAD_AFTER_MS,
  PING_AFTER_MS,
  SETTINGS_TIMEOUT_MS,
  STREAM_STALL_MS,
} from "../settings.ts";
import {
  checks,
  HEAD_CHECKS,
  IDLE_CHECKS,
  WriteWatch,
  type HttpSession,
  type RequestAcceptor,
  type SessionOptions,
  type SessionRegistry,
} from "./http-session.ts";

const SETTINGS_CHECKS = checks(SETTINGS_TIMEOUT_MS);
const PING_CHECKS = checks(PING_AFTER_MS);
const DEAD_CHECKS = checks(DEAD_AFTER_MS);
const STALL_LIMITS = {
  bodyLooks: checks(BODY_TIMEOUT_MS),
  bodyMinBytes: BODY_MIN_BYTES,
  sendLooks: checks(STREAM_STALL_MS),
} as const;

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
  /** Made when bytes wait for the client at a check. */
  #writes: WriteWatch | undefined = undefined;
  #requests = 0;
  #retired = false;
  #heard = true;
  // As of the last check.
  #checkedRequests = 0;
  #headChecks = 0;
  #idleChecks = 0;
  #silentChecks = 0;
  #settingsChecks = 0;
  #lingerChecks = 0;

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
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    this.#registry.add(this);
    conn.handler = this;
  }

  get idle(): boolean {
    return this.#http2.activeStreams === 0;
  }

  /** The client came in HTTP/1.1 and was answered 101: its request is stream 1. See Http2Connection.acceptUpgrade. */
  acceptUpgrade(head: RequestHead, settings: Buffer): void {
    head.version = 20;
    this.#http2.acceptUpgrade(head, settings);
  }

  shutdown(): void {
    this.#http2.shutdown();
  }

  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#http2.shutdown();
  }

  check(): void {
    const http2 = this.#http2;
    if (this.conn.queuedBytes > 0) {
      this.#writes ??= new WriteWatch();
      if (this.#writes.isStuck(this.conn)) {
        this.conn.destroy();
        return;
      }
    } else {
      this.#writes = undefined;
    }
    if (http2.dead) {
      // Goodbye is said; a client that takes it and does not close is cut.
      if (this.#writes === undefined && ++this.#lingerChecks > HEAD_CHECKS) this.conn.destroy();
      return;
    }
    const requests = this.#requests;
    this.#headChecks = http2.isReceivingHead && requests === this.#checkedRequests ? this.#headChecks + 1 : 0;
    this.#idleChecks = http2.activeStreams === 0 && requests === this.#checkedRequests ? this.#idleChecks + 1 : 0;
    this.#checkedRequests = requests;
    if (this.#headChecks > HEAD_CHECKS) {
      http2.abort(StreamErrorCode.ENHANCE_YOUR_CALM, "a header block or frame was not completed in time");
      return;
    }
    if (!http2.settingsAcknowledged && ++this.#settingsChecks > SETTINGS_CHECKS) {
      http2.abort(StreamErrorCode.SETTINGS_TIMEOUT, "the SETTINGS were not acknowledged in time");
      return;
    }
    if (http2.activeStreams === 0) {
      this.#silentChecks = 0;
      if (this.#idleChecks >= IDLE_CHECKS) this.#closeIdle();
      return;
    }
    http2.resetStalled(STALL_LIMITS);
    this.#checkPeer();
  }

  /** Streams are open: a client that is silent for long is asked, and given up when it does not answer. */
  #checkPeer(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#silentChecks = 0;
      return;
    }
    this.#silentChecks++;
    if (this.#silentChecks === PING_CHECKS) this.#http2.ping(0);
    else if (this.#silentChecks >= DEAD_CHECKS) this.conn.destroy();
  }

  /** Says goodbye; a client that does not hear it is cut some checks later. */
  #closeIdle(): void {
    if (this.#idleChecks >= IDLE_CHECKS + HEAD_CHECKS) this.conn.destroy();
    else this.#http2.shutdown();
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
    this.#heard = true;
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
    this.#requests++;
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
