// The control side of a policy: a resource kind that compiles to data-plane config.

import type { Kind, Resource } from "@ripstop/resources";

/** What a policy guards: chosen by the control plane from the policy's target. */
export interface WorkloadFacts {
  readonly id: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** "NAMESPACE/NAME" of every Service that selects it. */
  readonly services: readonly string[];
}

/** What a policy folder exports to the control plane (`index.ts`). */
export interface PolicyKind<Spec = unknown> {
  /** Folder name, as in Policy.kind. */
  readonly name: string;
  readonly kind: Kind<Spec>;
  /** Whether this policy guards that workload. */
  appliesTo(policy: Resource<Spec>, workload: WorkloadFacts): boolean;
  /** Bytes of the policy's own config.proto; the policy is valid already. */
  compile(policy: Resource<Spec>, facts: CompileFacts): Uint8Array;
}

/** What compile may know beside the policy itself. */
export interface CompileFacts {
  readonly trustDomain: string;
}
