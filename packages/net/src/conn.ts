// One byte connection, plain or TLS, whatever tier of the transport carries it.

/** How a connection ended. */
export interface CloseCause {
  /** System or TLS error code ("ECONNRESET", "ERR_TLS_…"), or "" after a clean close. */
  readonly code: string;
  /** In plain words. */
  readonly message: string;
}

/** What the owner of a connection hears. Set `conn.handler` in the same turn in which the connection is received. */
export interface ConnHandler {
  /** Received bytes `buf[start, end)`: valid only during the call, in memory shared by all connections. */
  onBytes(buf: Buffer, start: number, end: number): void;
  /** The peer sent FIN (or close_notify); writing is still possible. */
  onEnd(): void;
  /** `queuedBytes` is 0 again after a write that returned false. */
  onDrain(): void;
  /** The connection is gone; nothing follows. Always called exactly once, never from within a call to `conn`. */
  onClose(cause: CloseCause): void;
}

/** A connected byte stream. Reading starts when `handler` is set; it may be replaced at any time. */
export interface Conn {
  handler: ConnHandler | undefined;
  /**
   * Writes `buf[start, end)`. The caller may reuse `buf` on return: what the kernel did not take at once is copied.
   * Returns false when bytes are queued: write no more than must be until `onDrain`. (TLS completes every write in a
   * later turn, so there "queued" means more than 64 KiB.) After `end` or `destroy` it does nothing and returns true.
   */
  write(buf: Buffer, start: number, end: number): boolean;
  /**
   * Writes all of `bytes` without copying them; a transport that can only copy has no such method. True: the kernel took
   * them all, the memory is the caller's again. False: as `write`, and the memory is the connection's for good.
   */
  give?(bytes: Buffer): boolean;
  /**
   * As `write`, but without a copy where it can: when it returns false, the memory must stay as it is until `onDrain` or
   * `onClose`. For bytes of a connection that `readsAlone`, whose owner pauses it then.
   */
  lend?(buf: Buffer, start: number, end: number): boolean;
  /**
   * Lets the connection read into large memory of its own while bytes come in bulk, as far as there is any. The owner
   * pauses it whenever it has not used up what `onBytes` brought.
   */
  allowBulk?(): void;
  /** Nothing has come for a while: gives up memory for bulk. */
  rest?(): void;
  /** What `onBytes` brings is in memory that only this connection reads into: after `pause` it stays until `resume`. */
  readonly readsAlone?: boolean;
  /** Bytes accepted by `write` and not yet taken by the kernel. */
  readonly queuedBytes: number;
  /** Stops `onBytes` (back-pressure). Bytes may still arrive once. */
  pause(): void;
  resume(): void;
  /** Sends FIN after the queued bytes. */
  end(): void;
  /** Closes at once; with `reset`, by RST. */
  destroy(reset?: boolean): void;
  /** "" for Unix sockets. */
  readonly remoteAddress: string;
  /** 0 for Unix sockets. */
  readonly remotePort: number;
  /** The address of this side; "" for Unix sockets. */
  readonly localAddress: string;
  readonly localPort: number;
  /** True when the addresses are those that a PROXY protocol header told: of the client behind a load balancer. */
  readonly proxied?: boolean;
  /** Present on TLS connections, complete before the connection is handed out. */
  readonly tls: TlsInfo | undefined;
}

/** What the handshake established. */
export interface TlsInfo {
  /** "TLSv1.3". */
  readonly version: string;
  readonly cipher: string;
  /** "" when none was negotiated. */
  readonly alpn: string;
  /** Server name that the client sent; "" when none. */
  readonly serverName: string;
  /** The peer's SPIFFE id, verified; "" when the connection asked for none. */
  readonly peerId: string;
  /** Serial number of the peer's certificate, hex. */
  readonly peerSerial: string;
  readonly resumed: boolean;
}
