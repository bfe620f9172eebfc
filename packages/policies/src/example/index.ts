// Control side of the example policy.

import type { PolicyKind } from "@ripstop/policy-api/control";
import type { Kind } from "@ripstop/resources";

import { appliesToWorkload, compileExample } from "./compile.ts";
import { exampleSchema, type ExampleSpec } from "./schema.ts";
import { validateExample } from "./validate.ts";

/** The kind Example. */
export const kind: Kind<ExampleSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "Example",
  plural: "examples",
  shortNames: [],
  namespaced: true,
  schema: exampleSchema,
  validate: validateExample,
};

/** The policy as the control plane uses it. */
export const policy: PolicyKind<ExampleSpec> = {
  name: "example",
  kind,
  appliesTo: appliesToWorkload,
  scope: ({ metadata }) => ({ namespace: metadata.namespace }),
  compile: compileExample,
};
