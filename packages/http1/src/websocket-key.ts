// The handshake fields that only HTTP/1.1 WebSockets have (RFC 6455 §1.3); HTTP/2 leaves them out (RFC 8441 §5), so a
// bridge between the versions makes and checks them here.

import { createHash, randomBytes } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** A fresh sec-websocket-key. */
export function makeWebsocketKey(): string {
  return randomBytes(16).toString("base64");
}

/** The sec-websocket-accept that answers `key`. */
export function websocketAccept(key: string): string {
  return createHash("sha1").update(key, "latin1").update(GUID).digest("base64");
}
