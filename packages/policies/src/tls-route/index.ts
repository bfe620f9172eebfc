// TLSRoute (gateway.networking.k8s.io/v1): where whole TLS connections of a Gateway go.

import type { Kind } from "@ripstop/resources";
import { tlsRouteSchema } from "@ripstop/resources/gateway-api";

import type { StreamRouteSpec } from "../gateway/stream-route.ts";

/** The kind TLSRoute. */
export const kind: Kind<StreamRouteSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1alpha3"],
  kind: "TLSRoute",
  plural: "tlsroutes",
  shortNames: [],
  namespaced: true,
  schema: tlsRouteSchema,
  validate: () => [],
};
