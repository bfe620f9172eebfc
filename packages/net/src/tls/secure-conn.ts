// Makes a connection of a TLS socket whose peer was accepted, by the tier that the process uses.

import type { TLSSocket } from "node:tls";
import type { Conn } from "../conn.ts";
import type { StreamHandle } from "../tiers/libuv.ts";
import type { TierName } from "../tiers/tier.ts";
import { SocketConn } from "../tiers/socket-conn.ts";
import { RawTlsConn, type SecureConnOptions, type TlsCarrier, type TlsCarrierOwner } from "./raw-tls-conn.ts";

/** Queued bytes up to which a TLS connection accepts more: its writes always complete in a later turn. */
const TLS_HIGH_WATER_BYTES = 64 * 1024;

/** Call it in the turn in which the handshake ended. */
export function secureConn(socket: TLSSocket, tier: TierName, options: SecureConnOptions): Conn {
  // Bytes that a stream holds already would be lost to the handle.
  const handle = tier === "raw" && socket.readableLength === 0 ? tlsHandle(socket) : undefined;
  return handle
    ? new RawTlsConn(new SocketCarrier(socket, handle), options)
    : new SocketConn(socket, { ...options, highWaterBytes: TLS_HIGH_WATER_BYTES });
}

/** The handle of a TLS socket, when it has what a RawTlsConn needs. */
function tlsHandle(socket: TLSSocket): StreamHandle | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  if (typeof handle !== "object" || handle === null) return undefined;
  const able = ["useUserBuffer", "readStart", "readStop", "writeBuffer", "shutdown"].every(
    (name) => typeof Reflect.get(handle, name) === "function",
  );
  return able ? (handle as StreamHandle) : undefined;
}

/** A socket of node:tls below a connection. */
class SocketCarrier implements TlsCarrier {
  readonly handle: StreamHandle;
  owner: TlsCarrierOwner | undefined = undefined;
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket, handle: StreamHandle) {
    this.#socket = socket;
    this.handle = handle;
    socket.on("error", (error: Error) => this.owner?.onCarrierError(error));
    socket.on("close", () => this.owner?.onCarrierGone());
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? "";
  }

  get remotePort(): number {
    return this.#socket.remotePort ?? 0;
  }

  get localAddress(): string {
    return this.#socket.localAddress ?? "";
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
