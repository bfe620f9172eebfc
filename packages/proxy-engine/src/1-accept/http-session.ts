// What connections that serve HTTP have in common, whatever its version.

import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import type { Http2Limits, Http2Settings } from "@ripstop/http2";
import type { Conn, ConnHandler } from "@ripstop/net";
import type { Engine } from "../engine.ts";
import { HEAD_TIMEOUT_MS, SESSION_CHECK_MS, SESSION_IDLE_MS, WRITE_STALL_MS } from "../settings.ts";

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

/** Checks that have to pass until `ms` are over for certain; what is timed began between two of them. */
export const checks = (ms: number): number => Math.ceil(ms / SESSION_CHECK_MS);
/** Checks that a head may take. */
export const HEAD_CHECKS: number = checks(HEAD_TIMEOUT_MS);
/** Checks that a connection may be idle. */
export const IDLE_CHECKS: number = checks(SESSION_IDLE_MS);
const WRITE_CHECKS = checks(WRITE_STALL_MS);

/** Whether the peer leaves bytes unread: the queue did not shrink to nothing and did not change between checks. */
export class WriteWatch {
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
