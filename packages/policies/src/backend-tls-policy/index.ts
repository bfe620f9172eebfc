// BackendTLSPolicy (gateway.networking.k8s.io/v1): how Gateways speak TLS to a Service outside the mesh (GEP-1897).

import type { Kind, Resource } from "@ripstop/resources";
import { backendTlsPolicySchema } from "@ripstop/resources/gateway-api";

import type { BackendTlsPolicySpec } from "./spec.ts";

export { backendTlsOf, policyTargets, winner } from "./compile.ts";
export { backendTlsPolicyStatus, type PolicyAncestorStatus } from "./status.ts";
export type { BackendTlsPolicySpec } from "./spec.ts";

/** The kind BackendTLSPolicy. */
export const kind: Kind<BackendTlsPolicySpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1alpha3"],
  kind: "BackendTLSPolicy",
  plural: "backendtlspolicies",
  shortNames: ["btlspolicy"],
  namespaced: true,
  schema: backendTlsPolicySchema,
  validate: ({ spec }: Resource<BackendTlsPolicySpec>) => [
    ...spec.targetRefs.flatMap(({ group, kind: target }, at) =>
      group === "" && target === "Service"
        ? []
        : [
            {
              path: `spec.targetRefs[${at}].kind`,
              message: `a BackendTLSPolicy cannot be attached to a ${target}`,
              remedy: 'name a Service: `group: ""` and `kind: Service`',
            },
          ],
    ),
    ...(Object.keys(spec.options ?? {}).length === 0
      ? []
      : [{ path: "spec.options", message: "no option is known", remedy: "remove options" }]),
  ],
};
