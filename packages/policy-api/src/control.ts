// The control side of a policy: a resource kind that compiles to data-plane config.

import type { Service, Workload } from "@ripstop/model";
import type { Kind, Resource } from "@ripstop/resources";

/** What a policy guards: chosen by the control plane from the policy's target. */
export interface WorkloadFacts {
  readonly id: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  /** "NAMESPACE/NAME" of every Service that selects it. */
  readonly services: readonly string[];
  /** "NAMESPACE/NAME" of the Gateways that it is the placement of; absent when of none. */
  readonly gateways?: readonly string[];
  /** Labels of a Namespace resource: its own, or that of the policy. Absent: no namespace has any. */
  namespaceLabels?(namespace: string): Readonly<Record<string, string>>;
}

/** What a policy folder exports to the control plane (`index.ts`). */
export interface PolicyKind<Spec = unknown> {
  /** Folder name, as in Policy.kind. */
  readonly name: string;
  readonly kind: Kind<Spec>;
  /** Whether this policy guards that workload. */
  appliesTo(policy: Resource<Spec>, workload: WorkloadFacts): boolean;
  /**
   * Where the workloads are that this policy can guard, so that it is not asked of every workload of the mesh: every
   * workload for which `appliesTo` says yes must be in there. Absent, or undefined: anywhere.
   */
  scope?(policy: Resource<Spec>): PolicyScope | undefined;
  /** Bytes of the policy's own config.proto; the policy is valid already. */
  compile(policy: Resource<Spec>, facts: CompileFacts): Uint8Array;
}

/** Where a policy applies: the workloads of some Services, or of Gateways, else those of a namespace with all of some labels. */
export interface PolicyScope {
  readonly namespace: string;
  /** "NAMESPACE/NAME" of Services that select the workloads. */
  readonly services?: readonly string[];
  /** "NAMESPACE/NAME" of Gateways whose placements they are; "*": of any Gateway of the mesh. */
  readonly gateways?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
}

/** What compile may know beside the policy itself. */
export interface CompileFacts {
  readonly trustDomain: string;
}

/**
 * What the folder of a policy that is attached to Services exports to the control plane (`index.ts`, as `servicePolicy`):
 * it changes how clients call the Services (balancing, time-outs, retries), so it compiles into the Service itself.
 */
export interface ServicePolicyKind<Spec = unknown> {
  /** Folder name. */
  readonly name: string;
  readonly kind: Kind<Spec>;
  /** "NAMESPACE/NAME" of every Service that it is attached to, each once. Only Services of its own namespace count. */
  targets(policy: Resource<Spec>): readonly string[];
  /**
   * The Service with this policy's part filled in. Of several policies of one kind on one Service only the oldest is
   * asked, of those of one age the first by name (GEP-713, conflict resolution).
   */
  apply(policy: Resource<Spec>, service: Service): Service;
  /** A workload of such a Service with this policy's part filled in; absent when its own proxy need not know of it. */
  applyToWorkload?(policy: Resource<Spec>, workload: Workload): Workload;
}
