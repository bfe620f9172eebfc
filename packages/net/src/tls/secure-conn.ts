// Makes a connection of a TLS socket whose peer was accepted, by the tier that the process uses.

import type { TLSSocket } from "node:tls";
import type { ProxyAddresses } from "../proxy-protocol/proxy-header.ts";
import type { Conn, TlsInfo } from "../conn.ts";
import type { TierName } from "../tiers/tier.ts";
import { SocketConn } from "../tiers/socket-conn.ts";
import { RawTlsConn, tlsHandle } from "./raw-tls-conn.ts";

/** Queued bytes up to which a TLS connection accepts more: its writes always complete in a later turn. */
const TLS_HIGH_WATER_BYTES = 64 * 1024;

/** Facts of the connection. */
export interface SecureConnOptions {
  readonly tls: TlsInfo;
  readonly onGone?: () => void;
  /** What a PROXY protocol header told; default the socket's own addresses. */
  readonly addresses?: ProxyAddresses | undefined;
}

/** Call it in the turn in which the handshake ended. */
export function secureConn(socket: TLSSocket, tier: TierName, options: SecureConnOptions): Conn {
  // Bytes that a stream holds already would be lost to the handle.
  const handle = tier === "raw" && socket.readableLength === 0 ? tlsHandle(socket) : undefined;
  return handle
    ? new RawTlsConn(socket, handle, options)
    : new SocketConn(socket, { ...options, highWaterBytes: TLS_HIGH_WATER_BYTES });
}
