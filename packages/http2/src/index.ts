// HTTP/2 codec: bytes to events and back, no sockets (RFC 9113, RFC 7541).

export { Http2Connection } from "./connection.ts";
export {
  type Flushable,
  type Http2ConnectionHandler,
  type Http2Options,
  type Http2Output,
  type Http2ServerHandler,
} from "./connection-types.ts";
export { HTTP2_ERRORS, Http2Error } from "./errors.ts";
export { CLIENT_PREFACE } from "./frames.ts";
export { HpackDecoder, type FieldSink } from "./hpack/decoder.ts";
export { HpackEncoder } from "./hpack/encoder.ts";
export type { StallLimits } from "./stall-watch.ts";
export { DEFAULT_LIMITS, DEFAULT_SETTINGS, type Budget, type Http2Limits, type Http2Settings } from "./limits.ts";
