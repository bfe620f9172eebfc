// Every limit of a connection in one place: what a peer can make grow, and how fast it may do things that cost us.

/** How often something may happen: a leaky bucket. */
export interface Budget {
  /** How many at once (≥ 1). */
  readonly burst: number;
  /** How many a second in the long run (≥ 0). */
  readonly perSecond: number;
}

/** Limits on the peer; all have defaults in DEFAULT_LIMITS. */
export interface Http2Limits {
  /** Decoded header section: names, values and 32 bytes a field (RFC 9113 §6.5.2). Also the compressed block's limit. */
  readonly maxHeaderListBytes: number;
  /** Fields in a header section, cookie crumbs counted one by one. */
  readonly maxHeaderFields: number;
  /** CONTINUATION frames after one HEADERS frame. */
  readonly maxContinuations: number;
  /** 1xx responses to one request. */
  readonly maxInformational: number;
  /** Bytes other than DATA that wait for a peer that does not read. */
  readonly maxQueuedControlBytes: number;
  /** Body bytes queued on all streams together before every stream is held back early. */
  readonly maxQueuedBodyBytes: number;
  /**
   * Streams that end before their time by the peer's doing: RST_STREAM received, errors that made us reset, refused
   * streams. Each exchange that both sides finish makes up for one, so a busy honest peer may cancel half of its requests.
   */
  readonly resets: Budget;
  /**
   * PING, SETTINGS, PRIORITY, PRIORITY_UPDATE, GOAWAY, unknown frames, frames for closed streams. DATA in either
   * direction and finished exchanges make up for them: receivers that measure the path send a PING with every few frames.
   */
  readonly control: Budget;
  /** Frames without content: empty DATA, HEADERS or CONTINUATION that end nothing. */
  readonly empty: Budget;
  /** WINDOW_UPDATE beyond those that DATA sent by us explains. */
  readonly windowUpdates: Budget;
}

/** Limits in force where none are given. */
export const DEFAULT_LIMITS: Http2Limits = {
  maxHeaderListBytes: 64 * 1024,
  maxHeaderFields: 256,
  maxContinuations: 32,
  maxInformational: 32,
  maxQueuedControlBytes: 1024 * 1024,
  maxQueuedBodyBytes: 1024 * 1024,
  resets: { burst: 1000, perSecond: 100 },
  control: { burst: 1000, perSecond: 100 },
  empty: { burst: 200, perSecond: 50 },
  windowUpdates: { burst: 2000, perSecond: 200 },
};

/** What we tell the peer; all have defaults in DEFAULT_SETTINGS. */
export interface Http2Settings {
  /** Our HPACK decoder's table (bytes). */
  readonly headerTableBytes: number;
  /** Streams that the peer may have open. */
  readonly maxConcurrentStreams: number;
  /** Window of each stream (bytes, 0 … 2³¹−1). */
  readonly initialWindowBytes: number;
  /** Window of the connection (bytes, 65,535 … 2³¹−1). */
  readonly connectionWindowBytes: number;
  /** Largest frame that we take (16,384 … 16,777,215). */
  readonly maxFrameBytes: number;
  /** Server: allow extended CONNECT (RFC 8441). */
  readonly extendedConnect: boolean;
  /** Server: send more urgent responses first as the client asks (RFC 9218). Off where many parties share the connection. */
  readonly priorities: boolean;
}

/** Settings in force where none are given. */
export const DEFAULT_SETTINGS: Http2Settings = {
  headerTableBytes: 4096,
  maxConcurrentStreams: 256,
  initialWindowBytes: 256 * 1024,
  connectionWindowBytes: 1024 * 1024,
  maxFrameBytes: 16_384,
  extendedConnect: true,
  priorities: true,
};
