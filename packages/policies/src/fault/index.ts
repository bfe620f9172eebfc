// Control side of fault injection.

import type { PolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { scopeOfTargets } from "../match/targets.ts";
import { appliesToWorkload, compileFault } from "./compile.ts";
import { faultSchema, type FaultInjectionSpec } from "./schema.ts";
import { validateFault, validateFaultPlace } from "./validate.ts";

export { faultExpiryMs } from "./compile.ts";
export type { FaultInjectionSpec, FaultRuleSpec } from "./schema.ts";
export type { TargetRef } from "../match/spec.ts";

/** The kind FaultInjection. */
export const kind: Kind<FaultInjectionSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "FaultInjection",
  plural: "faultinjections",
  shortNames: ["fault"],
  namespaced: true,
  schema: faultSchema,
  validate: validateFault,
  validateReferences: validateFaultPlace,
};

/** The policy as the control plane uses it. */
export const policy: PolicyKind<FaultInjectionSpec> = {
  name: "fault",
  kind,
  appliesTo: appliesToWorkload,
  scope: scopeOfTargets,
  compile: compileFault,
};
