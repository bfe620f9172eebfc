// What a rule matches, to its config; and which workloads a policy with targetRefs is for.

import type { PolicyScope, WorkloadFacts } from "@ripstop/policy-api/control";
import type { Resource } from "@ripstop/resources";

import { compileFrom, compileTo } from "../authorization/compile.ts";
import { HeaderMatch_Type, type Match } from "./config.gen.ts";
import type { HeaderMatchSpec, RequestMatch, TargetRef } from "./spec.ts";

const TYPES: Readonly<Record<HeaderMatchSpec["type"], HeaderMatch_Type>> = {
  Present: HeaderMatch_Type.PRESENT,
  Exact: HeaderMatch_Type.EXACT,
  Prefix: HeaderMatch_Type.PREFIX,
};

/** Config of a valid match of a policy in `namespace`. */
export function compileMatch(match: RequestMatch, namespace: string, trustDomain: string): Match {
  return {
    from: (match.from ?? []).map((from) => compileFrom(from, namespace, trustDomain)),
    to: (match.to ?? []).map(compileTo),
    headers: (match.headers ?? []).map(({ name, type, value = "" }) => ({
      name: name.toLowerCase(),
      type: TYPES[type],
      value,
    })),
  };
}

/** Whether the policy is for that workload: same namespace, and one of its Services when it names any. */
export function isTargeted(
  policy: Resource<{ readonly targetRefs?: readonly TargetRef[] }>,
  workload: WorkloadFacts,
): boolean {
  const { namespace } = policy.metadata;
  if (namespace !== workload.namespace) return false;
  const { targetRefs } = policy.spec;
  return (
    targetRefs === undefined || targetRefs.some((target) => workload.services.includes(`${namespace}/${target.name}`))
  );
}

/** Where the workloads of `isTargeted` are. */
export function scopeOfTargets(policy: Resource<{ readonly targetRefs?: readonly TargetRef[] }>): PolicyScope {
  const { namespace } = policy.metadata;
  const { targetRefs } = policy.spec;
  if (targetRefs === undefined) return { namespace };
  return { namespace, services: targetRefs.map(({ name }) => `${namespace}/${name}`) };
}
