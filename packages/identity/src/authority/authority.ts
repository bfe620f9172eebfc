// The certificate authority's contract.

import type { Result } from "@ripstop/core";

/** An issued X.509-SVID. */
export interface IssuedSvid {
  readonly spiffeId: string;
  /** Leaf first, then intermediates, PEM. */
  readonly chainPem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Hex. */
  readonly serialNumber: string;
  /** SHA-256 of the root certificate (DER) that the chain leads to, hex. */
  readonly rootSha256: string;
}

/** Why a CSR was refused, in plain words with the remedy. */
export interface IssueRefusal {
  readonly code: `RS${number}`;
  readonly message: string;
}

/** Issues SVIDs of one trust domain. */
export interface Authority {
  readonly trustDomain: string;
  /** Signs for `spiffeId` the key in `csrPem`, provided that the CSR asks for exactly that identity or for none. */
  issue(csrPem: string, spiffeId: string, ttlMs?: number): Promise<Result<IssuedSvid, IssueRefusal>>;
  /** The roots to trust, PEM, and a number that grows with every change. */
  bundle(): { readonly pem: string; readonly der: readonly Uint8Array[]; readonly sequence: number };
  /** SHA-256 of the root certificate (DER) that new SVIDs lead to, hex. */
  readonly signingRootSha256: string;
  /** Calls `listener` after the roots to trust, or the root that signs, have changed; returns how to stop. */
  onBundleChange(listener: () => void): () => void;
}
