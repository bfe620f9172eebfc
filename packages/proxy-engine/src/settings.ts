// Every time-out and limit of the engine in one place, with its default. Deadlines of connections are checked every
// SESSION_CHECK_MS by one sweep, so they are met late by up to that much and cost nothing per request.

/** How often connections are looked at. */
export const SESSION_CHECK_MS = 5_000;

/** From the first byte of a request head (or of an HTTP/2 header block) to its last. */
export const HEAD_TIMEOUT_MS = 15_000;
/** From connecting to the HTTP proxy to the first byte, and from there to a known protocol. */
export const FIRST_BYTE_TIMEOUT_MS = 60_000;
/** From a connection to its whole PROXY protocol header, on a port that expects one. */
export const PROXY_HEADER_TIMEOUT_MS = 5_000;
/** A client that is silent for so long may be waiting for the server to speak. */
export const SILENCE_MS = 2;
/**
 * While a request body is awaited and nothing was answered, each stretch of this length must bring at least
 * BODY_MIN_BYTES or the end; of several bodies on one HTTP/2 connection, it is enough when all together bring so much for
 * each. Time in which the proxy itself holds the client back does not count.
 */
export const BODY_TIMEOUT_MS = 60_000;
export const BODY_MIN_BYTES = 1_024;
/** How long a peer may leave bytes for it unread: on the connection (no room in its socket), or on one HTTP/2 stream. */
export const WRITE_STALL_MS = 120_000;
export const STREAM_STALL_MS = 300_000;
/** Client connections without an exchange close after this; longer than proxies keep theirs, so that the caller decides. */
export const SESSION_IDLE_MS = 600_000;
/**
 * A tunnel of which one side has ended, and through which nothing passes in the other direction. A client that is gone
 * without a reset looks so, and nothing else would ever tell.
 */
export const HALF_CLOSED_IDLE_MS = 300_000;
/** A raw connection through which nothing passes, by default: longer than TCP keep-alive takes on most systems to find a dead peer. */
export const TUNNEL_IDLE_MS = 3_600_000;
/** The peer's SETTINGS acknowledgement (RFC 9113 §6.5.3). */
export const SETTINGS_TIMEOUT_MS = 10_000;
/** Silence with streams open, until an HTTP/2 client is asked for a sign of life, and until it is given up. */
export const PING_AFTER_MS = 60_000;
export const DEAD_AFTER_MS = 90_000;

/**
 * Body bytes of all connections together that may wait for slow readers. Above, every stream is granted a small window only
 * (16 KiB), in place of 256 KiB and more, and the queues are kept shorter, until half of this is free again.
 */
export const QUEUED_BODIES_BYTES: number = 64 * 1024 * 1024;

/** Live connections per listener; more are closed at once. */
export const MAX_LISTENER_CONNECTIONS = 16_384;

/** Connections to one destination. */
export const CONNECT_TIMEOUT_MS = 5_000;
/** A request waits so long for a connection to a destination whose connections are all busy. */
export const POOL_WAIT_MS = 10_000;
/** Requests that wait for a connection to one destination. */
export const POOL_MAX_WAITING = 4_096;
export const MESH_IDLE_MS = 300_000;
/** Below the 5 s after which a Node server closes idle connections. */
export const PLAIN_IDLE_MS = 4_000;
/**
 * Plain connections end after this age, give or take AGE_SPREAD, and after so many requests: what a destination keeps for
 * each of its connections is given back now and then, and instances behind one address get their share.
 */
export const PLAIN_MAX_AGE_MS = 1_800_000;
export const PLAIN_MAX_REQUESTS = 1_000_000;
/**
 * Seconds of silence until an HTTP/2 server outside the mesh is sent a PING. gRPC servers end connections that send one
 * more often than every five minutes while nothing else passes ("too_many_pings", gRPC A8).
 */
export const PLAIN_PING_AFTER_S = 310;
/**
 * Connections to peers are replaced at this age, give or take AGE_SPREAD, so that load spreads again over what is behind
 * an address, and no connection outlives the certificates it was made with for long. The new one is opened first.
 */
export const MESH_MAX_AGE_MS = 1_800_000;
export const AGE_SPREAD = 0.2;

/**
 * What a peer's proxy may do on a connection that carries many clients' requests: their cancellations add up. Four
 * thousand at once is every stream four times over; the applications' own connections have the codec's defaults.
 */
export const MESH_HTTP2_LIMITS = {
  resets: { burst: 4_000, perSecond: 1_000 },
  control: { burst: 2_000, perSecond: 200 },
} as const;
