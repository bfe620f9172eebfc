// Control side of LoadBalancingPolicy.

import type { ServicePolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { applyLoadBalancing, loadBalancingTargets } from "./apply.ts";
import { loadBalancingSchema, type LoadBalancingPolicySpec } from "./schema.ts";
import { validateLoadBalancing } from "./validate.ts";

/** The kind LoadBalancingPolicy. */
export const kind: Kind<LoadBalancingPolicySpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "LoadBalancingPolicy",
  plural: "loadbalancingpolicies",
  shortNames: ["lbp"],
  namespaced: true,
  schema: loadBalancingSchema,
  validate: validateLoadBalancing,
};

/** The policy as the control plane uses it. */
export const servicePolicy: ServicePolicyKind<LoadBalancingPolicySpec> = {
  name: "load-balancing",
  kind,
  targets: loadBalancingTargets,
  apply: applyLoadBalancing,
};
