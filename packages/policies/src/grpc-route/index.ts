// GRPCRoute on the control side: the kind, and how it is compiled.

import type { Kind } from "@ripstop/resources";
import { grpcRouteSchema } from "@ripstop/resources/gateway-api";

import type { GrpcRouteSpec } from "./spec.ts";
import { validateGrpcRoute } from "./validate.ts";

export { asHttpRoute } from "./as-http-route.ts";
export type { GrpcRouteSpec } from "./spec.ts";

/** The kind GRPCRoute. */
export const kind: Kind<GrpcRouteSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "GRPCRoute",
  plural: "grpcroutes",
  shortNames: [],
  namespaced: true,
  schema: grpcRouteSchema,
  validate: validateGrpcRoute,
};
