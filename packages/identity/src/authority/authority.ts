// The certificate authority's contract.

import type { Result } from "@ripstop/core";

import type { PastRotation, RotationRecord } from "./authority-state.ts";

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

/** A certificate of the authority, for people. */
export interface CaCertificate {
  readonly sha256: string;
  /** RFC 4514. */
  readonly subject: string;
  /** Hex. */
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** "signing", "next" (trusted, will sign), "retiring" (trusted, signs no more). */
  readonly use: "signing" | "next" | "retiring";
  readonly origin: "own" | "external";
}

/** An authority whose root can be exchanged. Each step is durable when its promise is kept, and done once only. */
export interface OpenAuthority extends Authority {
  /** Why nothing can be issued (the root has expired, the clock is wrong), or undefined when all is well. */
  readonly degraded: string | undefined;
  /** The rotation under way. */
  readonly rotation: RotationRecord | undefined;
  /** How the last rotation ended. */
  readonly lastRotation: PastRotation | undefined;
  /** Roots, the oldest first. */
  readonly roots: readonly CaCertificate[];
  /** The certificates that sign SVIDs; none while degraded. */
  readonly intermediates: readonly CaCertificate[];
  /** Makes a new root and trusts it beside the old one: phase "distribute". Fails with RS2012 while one is under way. */
  startRotation(): Promise<Result<undefined, IssueRefusal>>;
  /** From "distribute" to "move": the new root signs. `forced`: workloads that do not know it. */
  switchSigner(forced: readonly string[]): Promise<Result<undefined, IssueRefusal>>;
  /** From "move" to "withdraw": the old root is trusted no more and its key destroyed. `forced`: those not moved. */
  withdrawOldRoot(forced: readonly string[]): Promise<Result<undefined, IssueRefusal>>;
  /** The end of "withdraw". */
  finishRotation(forced: readonly string[]): Promise<Result<undefined, IssueRefusal>>;
  /** In "distribute" only: the new root is taken back. */
  abortRotation(): Promise<Result<undefined, IssueRefusal>>;
  /** A new root in place of all others. Only when the present one has expired, unless forced (RS2014). */
  recover(force: boolean): Promise<Result<undefined, IssueRefusal>>;
  /** Looks at the files of an external intermediate now; kept when what it found is dealt with. */
  lookAtFiles(): Promise<void>;
  close(): Promise<void>;
}
