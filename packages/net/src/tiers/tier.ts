// What a tier of the transport does: turn sockets into connections. Listening and dialling are built on it.

import type { Server } from "node:net";
import type { CloseCause, Conn } from "../conn.ts";

/** From fast to portable: raw libuv handles, sockets with a shared read buffer, plain public sockets. */
export type TierName = "raw" | "onread" | "public";

/** Where to connect: an IP address and port, or the path of a Unix socket. */
export type ConnectTarget =
  | { readonly address: string; readonly family: 4 | 6; readonly port: number }
  | { readonly path: string };

/** How a connection attempt ends: exactly one of these is called, later, unless it was cancelled. */
export interface ConnectEvents {
  onConnected(conn: Conn): void;
  onFailed(cause: CloseCause): void;
}

/** A connection attempt under way. */
export interface Connecting {
  /** Gives it up; no event follows. */
  cancel(): void;
}

/** Who takes the connections of a listening socket. */
export interface Acceptor {
  /** May another connection come in? Otherwise it is closed at once. */
  admit(): boolean;
  onConn(conn: Conn): void;
  /** A connection that was handed out is gone. */
  onGone(): void;
}

/** One way to drive sockets. */
export interface Tier {
  readonly name: TierName;
  /** Makes `server`, which listens already, hand its connections to `acceptor`. */
  readonly attach: (server: Server, acceptor: Acceptor) => void;
  /** Starts one connection attempt. */
  readonly connect: (target: ConnectTarget, events: ConnectEvents) => Connecting;
}
