// What a pool of HTTP connections to one destination offers, whatever version it speaks.

import type { ClientStream, ClientStreamHandler } from "@ripstop/http";

/** Facts of the connection that carries a stream. */
export interface UpstreamConnection {
  /** "" on a plain connection. */
  readonly tlsVersion: string;
}

/** Asks for one stream, then hears its events. */
export interface StreamWaiter extends ClientStreamHandler {
  /**
   * The stream is open: send the request before this returns. `reused` says that the connection carried an exchange before.
   */
  onStream(stream: ClientStream, connection: UpstreamConnection, reused: boolean): void;
  /** There will be no stream; nothing was sent. `overloaded` when too many wait already. */
  onNoStream(cause: string, overloaded: boolean): void;
}

/** Limits of a pool that may change while it lives; 0 stands for the pool's own. */
export interface PoolLimits {
  /** Unused connections close after this time, in milliseconds. */
  readonly idleMs: number;
  readonly maxConnections: number;
}

/** Connections to one destination under one identity. */
export interface HttpPool {
  /** Opens a stream now or when a connection is free; exactly one of `onStream` and `onNoStream` follows, maybe at once. */
  acquire(waiter: StreamWaiter): void;
  /** `waiter` does not want a stream any more; only before `onStream`. */
  cancel(waiter: StreamWaiter): void;
  /** Takes no new requests; connections end when idle. */
  retire(): void;
  /** Closes everything at once. */
  destroy(): void;
  /** "HOST:PORT" for messages. */
  readonly address: string;
  readonly connections: number;
  /** Streams under way. */
  readonly active: number;
  readonly waiting: number;
}
