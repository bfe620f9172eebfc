// What a peer may make the codec hold or do.

/** Bounds of one connection; sizes in bytes. */
export interface Http1Limits {
  /** Start line and header section together, up to and including the empty line. */
  readonly maxHeadBytes: number;
  /** The request target; more gets 414. Must be less than `maxHeadBytes`. */
  readonly maxTargetBytes: number;
  /** Fields of one header or trailer section (1 … 1024). */
  readonly maxFields: number;
  /** The trailer section. */
  readonly maxTrailerBytes: number;
  /** All chunk extensions of one message together. */
  readonly maxChunkExtensionBytes: number;
  /** Body of one message, by declaration or by count; more gets 413. */
  readonly maxBodyBytes: number;
  /** Interim (1xx) responses to one request. */
  readonly maxInformational: number;
  /** Received body bytes that the handler has not consumed before reading pauses. */
  readonly maxUnconsumedBytes: number;
  /** Bytes of a next request kept while the current one is answered; more closes the connection. */
  readonly maxPipelinedBytes: number;
  /** Body bytes thrown away after an early response, to keep the connection. */
  readonly maxDrainBytes: number;
  /** Bytes thrown away after our last one, so that no RST destroys a response on its way; more cuts the connection. */
  readonly maxLingerBytes: number;
}

/** Room for real clients, close to what Envoy and HAProxy allow. */
export const DEFAULT_HTTP1_LIMITS: Http1Limits = {
  maxHeadBytes: 64 * 1024,
  maxTargetBytes: 16 * 1024,
  maxFields: 128,
  maxTrailerBytes: 16 * 1024,
  maxChunkExtensionBytes: 4 * 1024,
  maxBodyBytes: Number.MAX_SAFE_INTEGER,
  maxInformational: 32,
  maxUnconsumedBytes: 64 * 1024,
  maxPipelinedBytes: 256 * 1024,
  maxDrainBytes: 1024 * 1024,
  maxLingerBytes: 64 * 1024 * 1024,
};

/** The longest method that is looked at (RFC 9112 §3 asks for 501 beyond what is known). */
export const MAX_METHOD_BYTES = 32;

/** Upper bound of `maxFields`, whatever the settings say. */
export const FIELD_CAPACITY = 1024;
