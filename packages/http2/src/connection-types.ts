// What a connection needs from its owner and tells it.

import type { Clock } from "@ripstop/core";
import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import type { Http2Error } from "./errors.ts";
import type { Http2Limits, Http2Settings } from "./limits.ts";

/** What a connection asks its owner to flush. */
export interface Flushable {
  /** Composes what is due and writes it. */
  flush(): void;
}

/** The transport under a connection. */
export interface Http2Output {
  /**
   * The connection has bytes to send: call its `flush` once, at the end of this turn of the event loop.
   * Asked at most once until that `flush`; the first time from the constructor.
   */
  scheduleFlush(connection: Flushable): void;
  /** Writes `buf[start, end)`, whose memory is reused on return. False: call `writable` when there is room again. */
  write(buf: Buffer, start: number, end: number): boolean;
  /** All has been said: end the transport after the bytes written. Called once at most. */
  close(): void;
}

/** What happens on the connection as a whole, on either side. */
export interface Http2ConnectionHandler {
  /** The peer's SETTINGS have come or changed: `maxConcurrentStreams` and `extendedConnect` may be different. */
  onSettings(): void;
  /** No stream is open any more. */
  onIdle(): void;
  /** The peer takes no stream above `lastStreamId`; ours above it have just been reset with REFUSED_STREAM. */
  onGoaway(lastStreamId: number, code: number, debug: string): void;
  /** The answer to `ping(value)`. */
  onPong(value: number): void;
  /** The peer's message was malformed or over a limit: its stream was reset. For the log; the stream's handler hears too. */
  onStreamError(error: Http2Error): void;
  /** The connection is over by the peer's fault: GOAWAY is written, streams have heard `onReset`, `close` follows. */
  onError(error: Http2Error): void;
}

/** The same on the server side, and requests. */
export interface Http2ServerHandler extends Http2ConnectionHandler {
  /**
   * A request; with `end` it has no body. `head` is valid only during the call.
   * Returns who hears the rest of it. A response may be sent at once.
   */
  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler;
}

interface CommonOptions {
  readonly output: Http2Output;
  readonly clock: Clock;
  /** Differences from DEFAULT_LIMITS. */
  readonly limits?: Partial<Http2Limits>;
  /** Differences from DEFAULT_SETTINGS. */
  readonly settings?: Partial<Http2Settings>;
}

/** How to make a connection. */
export type Http2Options =
  | (CommonOptions & { readonly role: "server"; readonly handler: Http2ServerHandler })
  | (CommonOptions & { readonly role: "client"; readonly handler: Http2ConnectionHandler });
