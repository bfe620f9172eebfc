// TCPRoute (gateway.networking.k8s.io/v1): where whole TCP connections of a Gateway go.

import type { Kind } from "@ripstop/resources";
import { tcpRouteSchema } from "@ripstop/resources/gateway-api";

import type { StreamRouteSpec } from "../gateway/stream-route.ts";

/** The kind TCPRoute. */
export const kind: Kind<StreamRouteSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1alpha2"],
  kind: "TCPRoute",
  plural: "tcproutes",
  shortNames: [],
  namespaced: true,
  schema: tcpRouteSchema,
  validate: () => [],
};
