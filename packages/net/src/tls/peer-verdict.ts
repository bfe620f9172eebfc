// Who decides whether a peer's certificate names an acceptable identity. The rules live in packages/identity.

import type { X509Certificate } from "node:crypto";

/** What the check of one leaf found. */
export type PeerVerdict =
  | {
      readonly ok: true;
      /** The SPIFFE id. */
      readonly id: string;
      /** Its trust domain; the chain must end in a root of that domain's bundle. */
      readonly trustDomain: string;
    }
  | {
      readonly ok: false;
      /** snake_case, of a small fixed set: it becomes a metric label. */
      readonly reason: string;
      /** In plain words. */
      readonly message: string;
    };

/** Checks a leaf by itself (the chain is checked apart). Must not throw. */
export type VerifyPeer = (leaf: X509Certificate) => PeerVerdict;
