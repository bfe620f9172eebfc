// L1: HTTP/1.1 codec, bytes to events and back, no sockets (RFC 9110, RFC 9112).

export { canonicalAuthority } from "@ripstop/http";
export { Http1ClientConnection, type Http1ClientHandler, type Http1ClientOptions } from "./client-connection.ts";
export { http1Errors, type Http1ErrorName } from "./errors.ts";
export { encodeRequestHead, encodeResponseHead, encodeTrailers, HeadFlag } from "./head-encoder.ts";
export { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./limits.ts";
export { type Http1BodySink } from "./message-decoder.ts";
export { callbackEndScheduler, type Flushable, type FlushScheduler, type Http1Output } from "./message-sender.ts";
export { Http1RequestDecoder, type Http1RequestSink } from "./request-decoder.ts";
export { Http1ResponseDecoder, type Http1ResponseSink } from "./response-decoder.ts";
export {
  Http1ServerConnection,
  type Http1ServerHandler,
  type Http1ServerOptions,
  type Http1Successor,
} from "./server-connection.ts";
