// What one config stream may make the server hold.

/** Bounds on what one stream can make the server hold. */
export interface StreamLimits {
  /** Names in one request; default 5 000. */
  readonly namesPerRequest: number;
  /** Subscribed names over all types; default 20 000. */
  readonly subscriptions: number;
  /** Characters of one name; default 512. */
  readonly nameLength: number;
  /** Bytes of resources after which a response is sent and the rest waits for its acknowledgement; default 256 KiB. */
  readonly responseBytes: number;
  /** Names that are looked at, and maybe compiled, for one response; the rest waits likewise. Default 250. */
  readonly namesPerResponse: number;
}

/** Sensible bounds. */
export const defaultStreamLimits: StreamLimits = {
  namesPerRequest: 5_000,
  subscriptions: 20_000,
  nameLength: 512,
  responseBytes: 256 * 1024,
  namesPerResponse: 250,
};
