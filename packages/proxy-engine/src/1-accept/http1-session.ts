// A client's connection served as HTTP/1.1: bytes to the codec, requests to an acceptor.

import type { Clock, ErrorKind } from "@ripstop/core";
import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import { http1Errors, Http1ServerConnection, type Http1ServerHandler, type Http1Successor } from "@ripstop/http1";
import type { CloseCause, Conn } from "@ripstop/net";
import { BODY_MIN_BYTES, BODY_TIMEOUT_MS } from "../settings.ts";
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
import { Http2Session } from "./http2-session.ts";

/** How often a connection that was ended is looked at; and how often it may be found with a client that still sends. */
const LINGER_MS = 1_000;
const MAX_LINGER_LOOKS = 30;

const BODY_CHECKS = checks(BODY_TIMEOUT_MS);

/** What a connection waits for; a deadline runs while the stage and the request stay the same. */
type Stage = "idle" | "head" | "body" | "answer";

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
