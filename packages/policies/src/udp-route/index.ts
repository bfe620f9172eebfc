// UDPRoute (gateway.networking.k8s.io/v1): where whole UDP flows of a Gateway go.

import type { Kind } from "@ripstop/resources";
import { udpRouteSchema } from "@ripstop/resources/gateway-api";

import type { StreamRouteSpec } from "../gateway/stream-route.ts";

/** The kind UDPRoute. */
export const kind: Kind<StreamRouteSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1alpha2"],
  kind: "UDPRoute",
  plural: "udproutes",
  shortNames: [],
  namespaced: true,
  schema: udpRouteSchema,
  validate: () => [],
};
