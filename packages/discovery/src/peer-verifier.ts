// How both ends of the config stream learn who the other is. The check itself is identity's: given by the role that
// wires the parts.

import type { X509Certificate } from "node:crypto";

/** What a peer's certificate proves. `reason` is short, as in a metric label; `message` says it in words. */
export type PeerVerdict =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly reason: string; readonly message?: string };

/**
 * Gives the SPIFFE id of a leaf whose chain TLS has verified already against the roots, or why it proves none.
 * Must not throw.
 */
export type PeerVerifier = (leaf: X509Certificate) => PeerVerdict;
