// What a connection speaks, by its first bytes.

/** What the bytes so far say. "more" = they could still be several things. */
export type Detected = "http1" | "http2" | "tls" | "tcp" | "more";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// Methods of RFC 9110, RFC 5789 and the WebDAV family; one that is not here is not taken for HTTP unless declared.
const METHODS: readonly string[] = [
  "GET",
  "POST",
  "PUT",
  "DELETE",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "CONNECT",
  "TRACE",
  "PROPFIND",
  "PROPPATCH",
  "MKCOL",
  "COPY",
  "MOVE",
  "LOCK",
  "UNLOCK",
  "REPORT",
  "SEARCH",
  "PURGE",
];
const STARTS: readonly string[] = METHODS.map((method) => `${method} `);

function sharedLength(buf: Uint8Array, start: number, end: number, text: string): number {
  const length = Math.min(end - start, text.length);
  for (let at = 0; at < length; at++) if (buf[start + at] !== text.charCodeAt(at)) return -1;
  return length;
}

/** Classifies the first bytes `buf[start, end)` that a client sent. */
export function detectProtocol(buf: Uint8Array, start: number, end: number): Detected {
  if (end <= start) return "more";
  // A TLS record of type handshake, major version 3 (RFC 8446 §5.1).
  if (buf[start] === 0x16) return end - start < 2 ? "more" : buf[start + 1] === 3 ? "tls" : "tcp";
  const preface = sharedLength(buf, start, end, PREFACE);
  if (preface === PREFACE.length) return "http2";
  if (preface > 0) return "more";
  for (const text of STARTS) {
    const shared = sharedLength(buf, start, end, text);
    if (shared === text.length) return "http1";
    if (shared > 0) return "more";
  }
  return "tcp";
}
