// One HTTP exchange as the engine sees it, whatever version carries it. An HTTP/1.1 exchange, an HTTP/2 stream,
// server side or client side, all have this one shape, so bridges between versions need no code of their own.

import type { HeaderList } from "./header-list.ts";
import type { RequestHead, ResponseHead } from "./heads.ts";

/**
 * Why an exchange ended early; the values are the HTTP/2 error codes (RFC 9113 §7) so that they pass through
 * unchanged between HTTP/2 peers.
 */
export const StreamErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;

/** What both sides of an exchange can do: send a body, and be told that received bytes were used. */
export interface HttpStream {
  /**
   * Sends body bytes `buf[start, end)`; what cannot leave at once is copied, so the caller may reuse `buf` on return.
   * Returns false when more than the high-water mark is queued: send no more until `onWritable`.
   */
  sendBody(buf: Buffer, start: number, end: number): boolean;
  /** Sends trailers and ends the message. Queued body bytes leave first. */
  sendTrailers(trailers: HeaderList): void;
  /** Ends the message. Queued body bytes leave first. */
  sendEnd(): void;
  /** Ends the exchange at once in both directions: RST_STREAM, or the connection is closed under HTTP/1.1. */
  reset(code: number): void;
  /**
   * `count` received body bytes were passed on: the peer may send as many more.
   * Until then the receiver's window (HTTP/2) or socket (HTTP/1.1) holds the peer back.
   */
  consumed(count: number): void;
}

/** The downstream side: receives a request, sends a response. */
export interface ServerStream extends HttpStream {
  /** Sends a 1xx response other than 101. */
  sendInformational(head: ResponseHead): void;
  /**
   * Sends the final response head; with `end` there is no body. The head may be reused on return.
   * A 101 (HTTP/1.1) or the 2xx of an extended CONNECT opens the tunnel: bodies are then raw bytes in both directions.
   * An HTTP/2 upgrade answered 101 by the upstream is presented as 200 to the client, and the other way round.
   */
  sendResponse(head: ResponseHead, end: boolean): void;
}

/** The upstream side: sends a request, receives a response. */
export interface ClientStream extends HttpStream {
  /** Sends the request head; with `end` there is no body. The head may be reused on return. */
  sendRequest(head: RequestHead, end: boolean): void;
}

/** What either side hears. Bytes and heads are valid only during the call. */
export interface HttpStreamHandler {
  onBody(buf: Buffer, start: number, end: number): void;
  /** Trailers; the message has ended, `onEnd` does not follow. */
  onTrailers(trailers: HeaderList): void;
  /** The message has ended without trailers. Not called when the head already said `end`. */
  onEnd(): void;
  /** The send queue is below the low-water mark again. */
  onWritable(): void;
  /** The exchange ended early: peer reset, connection lost, protocol error. Nothing follows. `cause` is in plain words. */
  onReset(code: number, cause: string): void;
}

/** What the downstream side hears. The request itself arrives through the connection's `onRequest`. */
export interface ServerStreamHandler extends HttpStreamHandler {
  /**
   * The client need not go on with its request now: it was not told to continue yet (RFC 9110 §10.1.1), or it calls a
   * method that streams at its own pace. Asked seldom, of requests whose body comes slowly; default false.
   */
  readonly mayPause?: boolean;
}

/** What the upstream side hears. */
export interface ClientStreamHandler extends HttpStreamHandler {
  onInformational(head: ResponseHead): void;
  onResponse(head: ResponseHead, end: boolean): void;
}
