// Certificates of peers, read once. Making an X509Certificate of every handshake's peer costs a tenth of the handshake:
// OpenSSL copies and decodes the whole chain again. The session holds the leaf's bytes, and those are known mostly.

import { X509Certificate } from "node:crypto";

const MAX_LEAVES = 1_024;
const SEQUENCE = 0x30;
/** `peer [3] EXPLICIT Certificate` in OpenSSL's SSL_SESSION. */
const PEER = 0xa3;

/** The certificates that were seen lately, by their bytes. */
export class PeerLeaves {
  readonly #known = new Map<string, X509Certificate>();

  /** The peer's certificate in an OpenSSL session; undefined when there is none. Throws when it is no certificate. */
  ofSession(session: Buffer): X509Certificate | undefined {
    const leaf = peerOf(session);
    if (!leaf) return undefined;
    const key = leaf.latin1Slice(0, leaf.length);
    const known = this.#known.get(key);
    if (known) return known;
    const fresh = new X509Certificate(leaf);
    if (this.#known.size >= MAX_LEAVES) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(key, fresh);
    return fresh;
  }
}

/** The bytes of the peer's certificate in OpenSSL's DER form of a session (ssl_asn1.c); undefined when there are none. */
export function peerOf(session: Buffer): Buffer | undefined {
  const whole = elementAt(session, 0);
  if (!whole || session[0] !== SEQUENCE) return undefined;
  for (let at = whole.start; at < whole.end;) {
    const element = elementAt(session, at);
    if (!element || element.end > whole.end) return undefined;
    if (session[at] === PEER) return session.subarray(element.start, element.end);
    at = element.end;
  }
  return undefined;
}

/** Where the content of the DER element at `at` starts and ends; undefined when it does not fit. */
function elementAt(bytes: Buffer, at: number): { readonly start: number; readonly end: number } | undefined {
  const first = bytes[at + 1] ?? 0x80;
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first - 0x80;
    if (count === 0 || count > 3 || start + count > bytes.length) return undefined;
    length = bytes.readUIntBE(start, count);
    start += count;
  }
  const end = start + length;
  return end <= bytes.length ? { start, end } : undefined;
}
