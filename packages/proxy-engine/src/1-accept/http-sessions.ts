// A client's connection served as HTTP, whatever version it speaks: bytes to the codec, requests to an acceptor.

import type { Clock, ErrorKind } from "@ripstop/core";
import { StreamErrorCode, type RequestHead, type ServerStream, type ServerStreamHandler } from "@ripstop/http";
import { http1Errors, Http1ServerConnection, type Http1ServerHandler, type Http1Successor } from "@ripstop/http1";
import {
  Http2Connection,
  type Flushable,
  type Http2Error,
  type Http2Limits,
  type Http2Output,
  type Http2ServerHandler,
  type Http2Settings,
} from "@ripstop/http2";
import type { CloseCause, Conn, ConnHandler } from "@ripstop/net";
import type { Engine } from "../engine.ts";
import {
  BODY_MIN_BYTES,
  BODY_TIMEOUT_MS,
  DEAD_AFTER_MS,
  HEAD_TIMEOUT_MS,
  PING_AFTER_MS,
  SESSION_CHECK_MS,
  SESSION_IDLE_MS,
  SETTINGS_TIMEOUT_MS,
  STREAM_STALL_MS,
  WRITE_STALL_MS,
} from "../settings.ts";

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
  /** As `shutdown`, but never while a request may be on its way: an idle HTTP/1.1 client may still ask once. */
  retire(): void;
  /** Nothing is under way. */
  readonly idle: boolean;
  /** Ends what takes too long. Called every SESSION_CHECK_MS. */
  check(): void;
}

/** How often a connection that was ended is looked at; and how often it may be found with a client that still sends. */
const LINGER_MS = 1_000;
const MAX_LINGER_LOOKS = 30;

/** Checks that have to pass until `ms` are over for certain; what is timed began between two of them. */
const checks = (ms: number): number => Math.ceil(ms / SESSION_CHECK_MS);
const HEAD_CHECKS = checks(HEAD_TIMEOUT_MS);
const BODY_CHECKS = checks(BODY_TIMEOUT_MS);
const IDLE_CHECKS = checks(SESSION_IDLE_MS);
const WRITE_CHECKS = checks(WRITE_STALL_MS);
const SETTINGS_CHECKS = checks(SETTINGS_TIMEOUT_MS);
const PING_CHECKS = checks(PING_AFTER_MS);
const DEAD_CHECKS = checks(DEAD_AFTER_MS);
const STALL_LIMITS = {
  bodyLooks: BODY_CHECKS,
  bodyMinBytes: BODY_MIN_BYTES,
  sendLooks: checks(STREAM_STALL_MS),
} as const;

/** What a connection waits for; a deadline runs while the stage and the request stay the same. */
type Stage = "idle" | "head" | "body" | "answer";

/** Whether the peer leaves bytes unread: the queue did not shrink to nothing and did not change between checks. */
class WriteWatch {
  #queued = 0;
  #checks = 0;

  /** Looks once. True when nothing was taken for too long. */
  isStuck(conn: Conn): boolean {
    const queued = conn.queuedBytes;
    this.#checks = queued > 0 && queued === this.#queued ? this.#checks + 1 : 0;
    this.#queued = queued;
    return this.#checks >= WRITE_CHECKS;
  }
}

/** Sessions that are open. */
export type SessionRegistry = Set<HttpSession>;

/** What a session needs besides its connection. */
export interface SessionOptions {
  readonly engine: Engine;
  readonly acceptor: RequestAcceptor;
  readonly registry: SessionRegistry;
  readonly settings?: Partial<Http2Settings>;
  readonly limits?: Partial<Http2Limits>;
  /** HTTP/1.1 clients may go on in HTTP/2 (h2c). Not for TLS, where ALPN decides. */
  readonly upgrades?: boolean;
}

/** Serves HTTP/1.1. */
export class Http1Session implements HttpSession, Http1ServerHandler {
  readonly protocol = "http1" as const;
  readonly conn: Conn;
  readonly #http1: Http1ServerConnection;
  readonly #acceptor: RequestAcceptor;
  readonly #registry: SessionRegistry;
  readonly #clock: Clock;
  readonly #options: SessionOptions;
  /** Made when bytes wait for the client at a check. */
  #writes: WriteWatch | undefined = undefined;
  #requests = 0;
  #received = 0;
  // As of the last check.
  #stage: Stage = "idle";
  #checks = 0;
  #checkedRequests = 0;
  #bodyMark = 0;
  // While the client is given time to take the end of its last answer.
  #lingerMark = 0;
  #lingerLooks = 0;
  #isGone = false;

  constructor(conn: Conn, options: SessionOptions) {
    this.conn = conn;
    this.#acceptor = options.acceptor;
    this.#registry = options.registry;
    this.#clock = options.engine.clock;
    this.#options = options;
    this.#http1 = new Http1ServerConnection({
      output: conn,
      handler: this,
      clock: this.#clock,
      http2Upgrades: options.upgrades === true,
    });
    this.#registry.add(this);
    conn.handler = this;
  }

  get idle(): boolean {
    return this.#http1.isIdle;
  }

  shutdown(): void {
    this.#http1.shutdown();
  }

  retire(): void {
    this.#http1.retire();
  }

  check(): void {
    if (this.conn.queuedBytes > 0) {
      this.#writes ??= new WriteWatch();
      if (this.#writes.isStuck(this.conn)) {
        this.conn.destroy();
        return;
      }
    } else {
      this.#writes = undefined;
    }
    const stage = this.#stageNow();
    if (stage !== this.#stage || this.#requests !== this.#checkedRequests) {
      this.#stage = stage;
      this.#checkedRequests = this.#requests;
      this.#checks = 0;
      this.#bodyMark = this.#received;
      return;
    }
    this.#checks++;
    if (stage === "head") {
      if (this.#checks >= HEAD_CHECKS) this.#http1.refuse(http1Errors.requestTimeout);
    } else if (stage === "body") {
      if (this.#received - this.#bodyMark >= BODY_MIN_BYTES) {
        this.#checks = 0;
        this.#bodyMark = this.#received;
      } else if (this.#checks >= BODY_CHECKS) this.#http1.refuse(http1Errors.requestTimeout);
    } else if (stage === "idle" && this.#checks >= IDLE_CHECKS) {
      this.#http1.shutdown();
    }
  }

  #stageNow(): Stage {
    if (this.#http1.isIdle) return "idle";
    if (this.#http1.isReceivingHead) return "head";
    return this.#http1.isOwedBody ? "body" : "answer";
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    this.#received += end - start;
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
    this.#isGone = true;
    this.#http1.closed(cause.message);
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    this.#requests++;
    return this.#acceptor.onRequest(stream, head, end);
  }

  onUpgradeToHttp2(head: RequestHead, settings: Buffer): Http1Successor {
    this.#registry.delete(this);
    const session = new Http2Session(this.conn, this.#options);
    session.acceptUpgrade(head, settings);
    return session;
  }

  onIdle(): void {}

  onError(_error: ErrorKind): void {}

  onLinger(): void {
    this.#lingerMark = this.#received;
    this.#clock.after(LINGER_MS, () => this.#lookAtLinger());
  }

  /**
   * Closes once that harms no answer: what is queued would be lost, and a client that still sends would be answered with
   * an RST, which takes from it what it has not read (RFC 9112 section 9.6). One that takes nothing is cut by `check`.
   */
  #lookAtLinger(): void {
    if (this.#isGone) return;
    const isSending = this.#received !== this.#lingerMark;
    if (this.conn.queuedBytes > 0 || (isSending && ++this.#lingerLooks < MAX_LINGER_LOOKS)) this.onLinger();
    else this.conn.destroy();
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
