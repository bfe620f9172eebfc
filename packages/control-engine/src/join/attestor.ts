// What every proof of identity implements on the control side.

import type { Result } from "@ripstop/core";
import type { JoinEvidence } from "@ripstop/model";

import type { Failure } from "../failure.ts";

/** Who somebody wants to be. */
export type Wanted =
  | { readonly kind: "workload"; readonly namespace: string; readonly serviceAccount: string }
  | { readonly kind: "node"; readonly name: string };

/** A proof that holds. */
export interface Attested {
  /** For the log and the tables: "token 3f2a9c", "jwt https://issuer subject". */
  readonly method: string;
  /** Lifetime that the registration entry wants. */
  readonly ttlMs?: number;
  /** Takes the use of the proof back, because nothing came of it. */
  release(): Promise<void>;
}

/** One kind of proof. A workload can obtain only the identity that its proof is for. */
export interface Attestor {
  readonly type: JoinEvidence["type"];
  /** Checks the proof of somebody who wants to be `wanted` and holds the key with this hash (of its SPKI, hex). */
  attest(evidence: string, wanted: Wanted, keySha256: string): Promise<Result<Attested, Failure>>;
}

/** "NAMESPACE/SERVICE-ACCOUNT", or "node NAME". */
export function describeWanted(wanted: Wanted): string {
  return wanted.kind === "node" ? `node ${wanted.name}` : `${wanted.namespace}/${wanted.serviceAccount}`;
}
