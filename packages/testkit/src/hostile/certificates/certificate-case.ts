// One hostile certificate: what a peer presents, and what must become of it.

import type { LabCa, Presented } from "../certificate-lab.ts";

/** Who signs in a test. */
export interface HostileWorld {
  readonly trustDomain: string;
  /** Trusted for `trustDomain`. */
  readonly root: LabCa;
  /** Under `root`; signs leaves. */
  readonly intermediate: LabCa;
  /** Trusted for its own domain only; undefined where the tested side has no federation. */
  readonly federated: { readonly trustDomain: string; readonly root: LabCa; readonly intermediate: LabCa } | undefined;
}

/** One row. */
export interface CertificateCase {
  readonly group: "names" | "usages" | "chains" | "time" | "keys and signatures" | "encodings";
  readonly title: string;
  /** "accepted", or the reason of the refusal as the metric counts it. */
  readonly verdict: string;
  /** What the refusal must say. */
  readonly says?: RegExp;
  readonly needsFederation?: boolean;
  /** The trust domain that the peer says it is of: in the server name. Default: it does not say. */
  readonly claims?: "own" | "federated";
  /** The handshake is signed with this key, not the leaf's. */
  readonly stolen?: boolean;
  make(world: HostileWorld): Presented;
}

/**
 * The verdicts that a row may get. Of an extension that it cannot read OpenSSL says so or says that no issuer was found:
 * that depends on whether the certificate is read with what follows it in the handshake, or before.
 */
export function verdictsOf({ verdict }: Pick<CertificateCase, "verdict">): readonly string[] {
  return verdict === "malformed_certificate" ? [verdict, "untrusted_chain"] : [verdict];
}
