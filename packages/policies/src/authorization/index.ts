// Control side of the authorization policy.

import type { PolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { appliesToWorkload, compileAuthorization, scopeOfAuthorization } from "./compile.ts";
import { authorizationSchema, type AuthorizationPolicySpec } from "./schema.ts";
import { validateAuthorization } from "./validate.ts";

/** The kind AuthorizationPolicy. */
export const kind: Kind<AuthorizationPolicySpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "AuthorizationPolicy",
  plural: "authorizationpolicies",
  shortNames: ["authz"],
  namespaced: true,
  schema: authorizationSchema,
  validate: validateAuthorization,
};

/** The policy as the control plane uses it. */
export const policy: PolicyKind<AuthorizationPolicySpec> = {
  name: "authorization",
  kind,
  appliesTo: appliesToWorkload,
  scope: scopeOfAuthorization,
  compile: compileAuthorization,
};
