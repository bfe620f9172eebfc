// Namespace (core/v1): a scope of names. Namespaces also exist without a resource; the resource gives labels.

import type { Kind } from "../../kind.ts";

/** Nothing but what Kubernetes writes. */
export interface NamespaceSpec {
  readonly finalizers?: readonly string[];
}

/** The kind Namespace. */
export const namespaceKind: Kind<NamespaceSpec> = {
  apiVersion: "v1",
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  namespaced: false,
  schema: {
    type: "object",
    properties: { finalizers: { type: "array", items: { type: "string" } } },
  },
  validate: () => [],
};
