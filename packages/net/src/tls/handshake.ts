// What a finished handshake says about the peer, whoever drove it: node:tls' socket or the handle below it.

import { X509Certificate } from "node:crypto";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";

/** A finished handshake. */
export interface Handshake {
  /** True when OpenSSL found a chain from the peer's certificate to a trusted root. */
  readonly authorized: boolean;
  /** OpenSSL's code when not `authorized`. */
  readonly problem: unknown;
  /** "TLSv1.3"; undefined when nothing was negotiated. */
  readonly version: string | undefined;
  /** "" when none was negotiated. */
  readonly alpn: string;
  readonly cipher: string;
  readonly resumed: boolean;
  /** The peer's own certificate; undefined when it sent none. */
  leaf(): X509Certificate | undefined;
  /** What the peer sent above its leaf, as far as Node tells. Ask before `leaf`. */
  issuers(): readonly X509Certificate[];
}

/** The handshake of a TLS socket. `sessionLeaf`: for a client that resumes, the leaf of the handshake before. */
export function socketHandshake(socket: TLSSocket, sessionLeaf?: X509Certificate): Handshake {
  const resumed = socket.isSessionReused();
  return {
    authorized: socket.authorized,
    problem: socket.authorizationError,
    version: socket.getProtocol() ?? undefined,
    alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
    cipher: socket.authorized ? socket.getCipher().name : "",
    resumed,
    // getPeerX509Certificate takes the first certificate out of OpenSSL's chain (the leaf itself on a client): ask once.
    // A resumed session carries the leaf of the handshake that it came from; without one nobody is identified.
    leaf: () => socket.getPeerX509Certificate() ?? (resumed ? sessionLeaf : undefined),
    issuers: () => issuersAbove(socket.getPeerCertificate(true)),
  };
}

const MAX_ISSUERS = 8;

/** The certificates above one in the form of node:tls. (X509Certificate.issuerCertificate is empty on some versions.) */
export function issuersAbove(leaf: DetailedPeerCertificate): readonly X509Certificate[] {
  const found: X509Certificate[] = [];
  let current = leaf;
  while (found.length < MAX_ISSUERS) {
    const issuer: DetailedPeerCertificate | undefined = current.issuerCertificate;
    if (issuer === undefined || issuer === current || !Buffer.isBuffer(issuer.raw)) break;
    found.push(new X509Certificate(issuer.raw));
    current = issuer;
  }
  return found;
}
