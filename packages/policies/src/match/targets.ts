// What a policy with targetRefs is for: the workloads of Services, or the requests and connections that come in by Gateways.

import type { PolicyScope, WorkloadFacts } from "@ripstop/policy-api/control";
import type { Resource } from "@ripstop/resources";

import type { Found } from "../authorization/validate.ts";
import type { Target } from "./config.gen.ts";
import type { TargetRef } from "./spec.ts";

/** A policy with targetRefs. */
export type Targeting = Resource<{ readonly targetRefs?: readonly TargetRef[] }>;

const GATEWAY_GROUP = "gateway.networking.k8s.io";
/** The placement of any Gateway, in a PolicyScope. */
const ANY_GATEWAY = "*";
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * Whether the policy is for that workload: one that its Services select, or the placement of its Gateway. A route may be
 * attached to any Gateway: each placement gets its policies, and the config says for which requests. Without targetRefs:
 * every workload of the namespace.
 */
export function isTargeted({ metadata, spec }: Targeting, workload: WorkloadFacts): boolean {
  const { namespace } = metadata;
  const { gateways = [] } = workload;
  if (spec.targetRefs === undefined) return namespace === workload.namespace;
  return spec.targetRefs.some(({ kind, name }) => {
    if (kind === "Service")
      return namespace === workload.namespace && workload.services.includes(`${namespace}/${name}`);
    return kind === "Gateway" ? gateways.includes(`${namespace}/${name}`) : gateways.length > 0;
  });
}

/** Where the workloads of `isTargeted` are. */
export function scopeOfTargets({ metadata, spec }: Targeting): PolicyScope {
  const { namespace } = metadata;
  const { targetRefs } = spec;
  if (targetRefs === undefined) return { namespace };
  if (targetRefs.every(({ kind }) => kind === "Service"))
    return { namespace, services: targetRefs.map(({ name }) => `${namespace}/${name}`) };
  const gateways = targetRefs.map(({ kind, name }) => (kind === "Gateway" ? `${namespace}/${name}` : ANY_GATEWAY));
  return { namespace, gateways: [...new Set(gateways)] };
}

/** For which requests of a gateway the policy is; none when it is for workloads. */
export function compileTargets({ metadata, spec }: Targeting): Target[] {
  const { namespace } = metadata;
  return (spec.targetRefs ?? [])
    .filter(({ kind }) => kind !== "Service")
    .map(({ kind, name, sectionName = "" }) =>
      kind === "Gateway"
        ? { gateway: `${namespace}/${name}`, listener: sectionName, route: "" }
        : { gateway: "", listener: "", route: `${kind} ${namespace}/${name}` },
    );
}

/** Adds every violation of the targets. */
export function checkTargets(policy: Targeting, found: Found[]): void {
  const { targetRefs = [] } = policy.spec;
  for (const [at, { group, kind, name, sectionName }] of targetRefs.entries()) {
    const path = `spec.targetRefs[${at}]`;
    const own = kind === "Service" ? "" : GATEWAY_GROUP;
    if (group !== undefined && group !== own) {
      const remedy = `write "${own}", or leave the group out`;
      found.push({ path: `${path}.group`, message: `${kind} is of the group "${own}"`, remedy });
    }
    if (kind === "Service" && !LABEL.test(name)) {
      const remedy = "write lower-case letters, digits and -, at most 63";
      found.push({ path: `${path}.name`, message: `"${name}" is no name of a Service`, remedy });
    }
    if (kind !== "Gateway" && sectionName !== undefined) {
      const remedy = "leave it out, or name the Gateway whose listener it is";
      found.push({ path: `${path}.sectionName`, message: `${kind} has no listeners`, remedy });
    }
  }
  const [first] = targetRefs;
  const mixed = targetRefs.findIndex(({ kind }) => (kind === "Service") !== (first?.kind === "Service"));
  if (mixed < 0) return;
  found.push({
    path: `spec.targetRefs[${mixed}].kind`,
    message: "Services are named together with Gateways or routes",
    remedy: "give Services a policy of their own: what holds at a gateway and at a workload is counted and drawn apart",
  });
}
