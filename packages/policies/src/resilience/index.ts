// Control side of ResiliencePolicy.

import type { ServicePolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { applyResilience, resilienceTargets, shedOn } from "./apply.ts";
import { resilienceSchema, type ResiliencePolicySpec } from "./schema.ts";
import { validateResilience } from "./validate.ts";

/** The kind ResiliencePolicy. */
export const kind: Kind<ResiliencePolicySpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "ResiliencePolicy",
  plural: "resiliencepolicies",
  shortNames: ["resilience"],
  namespaced: true,
  schema: resilienceSchema,
  validate: validateResilience,
};

/** The policy as the control plane uses it. */
export const servicePolicy: ServicePolicyKind<ResiliencePolicySpec> = {
  name: "resilience",
  kind,
  targets: resilienceTargets,
  apply: applyResilience,
  applyToWorkload: shedOn,
};
