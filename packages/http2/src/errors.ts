// The errors of this codec that a user can meet, and the value that carries one occurrence.

import { defineError, type ErrorKind } from "@ripstop/core";

/** The peer broke a rule of framing, stream states or settings (RFC 9113). */
export const HTTP2_PROTOCOL_ERROR: ErrorKind = defineError({
  code: "RS5201",
  name: "http2_protocol_error",
  status: 502,
  grpcStatus: 13,
  title: "The peer broke a rule of HTTP/2",
  cause: "A faulty or hostile HTTP/2 implementation, or a port that carries another protocol",
  remedy: "Look at the rule that the message names; check that the peer really speaks HTTP/2 on this port",
});

/** The peer sent more than its window allows, or overflowed ours (RFC 9113 §5.2, §6.9). */
export const HTTP2_FLOW_CONTROL_ERROR: ErrorKind = defineError({
  code: "RS5202",
  name: "http2_flow_control_error",
  status: 502,
  grpcStatus: 13,
  title: "The peer broke HTTP/2 flow control",
  cause: "A faulty or hostile HTTP/2 implementation",
  remedy: "Update the peer's HTTP library",
});

/** A header block could not be decoded (RFC 7541). */
export const HTTP2_COMPRESSION_ERROR: ErrorKind = defineError({
  code: "RS5203",
  name: "http2_compression_error",
  status: 502,
  grpcStatus: 13,
  title: "A header block could not be decoded",
  cause: "A faulty or hostile HPACK encoder",
  remedy: "Update the peer's HTTP library",
});

/** A frame has a length that its type does not allow (RFC 9113 §4.2). */
export const HTTP2_FRAME_SIZE_ERROR: ErrorKind = defineError({
  code: "RS5204",
  name: "http2_frame_size_error",
  status: 502,
  grpcStatus: 13,
  title: "A frame has a wrong size",
  cause: "A faulty HTTP/2 implementation, or a port that carries another protocol",
  remedy: "Check that the peer really speaks HTTP/2 on this port",
});

/** A request or response is malformed (RFC 9113 §8.1.1): only its stream ends. */
export const HTTP2_MALFORMED_MESSAGE: ErrorKind = defineError({
  code: "RS5205",
  name: "http2_malformed_message",
  status: 400,
  grpcStatus: 13,
  title: "An HTTP/2 message is malformed",
  cause: "A header field or body that RFC 9113 does not allow",
  remedy: "Correct what the message names in the sender",
});

/** A header section is larger than the limit. */
export const HTTP2_HEADERS_TOO_LARGE: ErrorKind = defineError({
  code: "RS5206",
  name: "http2_headers_too_large",
  status: 431,
  grpcStatus: 8,
  title: "A header section is larger than the limit",
  cause: "Very large cookies or metadata, or an attack",
  remedy: "Send smaller headers, or raise the limit",
});

/** The peer used up a budget against floods (RFC 9113 §10.5). */
export const HTTP2_FLOOD: ErrorKind = defineError({
  code: "RS5207",
  name: "http2_flood",
  status: 429,
  grpcStatus: 8,
  title: "The peer sends more work than it lets be useful",
  cause: "An attack (rapid reset, ping or settings flood …), or a client that cancels very often",
  remedy: "Block the peer; if it is honest, raise the limit that the message names",
});

/** The bytes at the start of the connection are not the HTTP/2 preface (RFC 9113 §3.4). */
export const HTTP2_BAD_PREFACE: ErrorKind = defineError({
  code: "RS5208",
  name: "http2_bad_preface",
  status: 400,
  grpcStatus: 13,
  title: "The connection did not begin with the HTTP/2 preface",
  cause: "The client speaks another protocol on this port",
  remedy: "Declare the protocol that the port really carries",
});

/** The connection ended while exchanges were open. */
export const HTTP2_CONNECTION_LOST: ErrorKind = defineError({
  code: "RS5209",
  name: "http2_connection_lost",
  status: 503,
  grpcStatus: 14,
  title: "The HTTP/2 connection was lost",
  cause: "The peer or something between went away",
  remedy: "Retry if the request is safe to repeat; look at the peer's logs",
});

/** The peer lets a stream stand still for longer than is waited (RFC 9113 §10.5). */
export const HTTP2_STALLED: ErrorKind = defineError({
  code: "RS5210",
  name: "http2_stalled",
  status: 408,
  grpcStatus: 4,
  title: "A stream stood still for too long",
  cause: "The peer hangs, or keeps streams open on purpose to use up memory",
  remedy: "Look at the peer; the message says what did not move",
});

/** All error kinds of this package. */
export const HTTP2_ERRORS: readonly ErrorKind[] = [
  HTTP2_PROTOCOL_ERROR,
  HTTP2_FLOW_CONTROL_ERROR,
  HTTP2_COMPRESSION_ERROR,
  HTTP2_FRAME_SIZE_ERROR,
  HTTP2_MALFORMED_MESSAGE,
  HTTP2_HEADERS_TOO_LARGE,
  HTTP2_FLOOD,
  HTTP2_BAD_PREFACE,
  HTTP2_CONNECTION_LOST,
  HTTP2_STALLED,
];

/** One occurrence of an error on a connection. A value: it is handed out, never thrown. */
export class Http2Error {
  readonly kind: ErrorKind;
  /** HTTP/2 error code (RFC 9113 §7). */
  readonly code: number;
  /** The rule that was broken, as "RFC 9113 §6.5". */
  readonly section: string;
  /** What happened, in plain words. */
  readonly message: string;

  constructor(kind: ErrorKind, code: number, rule: { readonly section: string; readonly message: string }) {
    this.kind = kind;
    this.code = code;
    this.section = rule.section;
    this.message = rule.message;
  }

  /** Code, message and rule in one line. */
  toString(): string {
    return `${this.kind.code} ${this.message} (${this.section})`;
  }
}
