// Control side of the rate limits.

import type { PolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { isTargeted, scopeOfTargets } from "../match/targets.ts";
import { compileRateLimit } from "./compile.ts";
import { rateLimitSchema, type RateLimitPolicySpec } from "./schema.ts";
import { validateRateLimit } from "./validate.ts";

/** The kind RateLimitPolicy. */
export const kind: Kind<RateLimitPolicySpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "RateLimitPolicy",
  plural: "ratelimitpolicies",
  shortNames: ["ratelimit", "rl"],
  namespaced: true,
  schema: rateLimitSchema,
  validate: validateRateLimit,
};

/** The policy as the control plane uses it. */
export const policy: PolicyKind<RateLimitPolicySpec> = {
  name: "rate-limit",
  kind,
  appliesTo: isTargeted,
  scope: scopeOfTargets,
  compile: compileRateLimit,
};
