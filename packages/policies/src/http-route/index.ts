// HTTPRoute on the control side: the kind, its compilation and its status.

import type { Kind } from "@ripstop/resources";

import { httpRouteSchema } from "./schema.ts";
import type { HttpRouteSpec } from "./spec.ts";
import { validateHttpRoute } from "./validate.ts";

export { compileGatewayRules, compileRoutes, compileStreamRules, type RouteView } from "./compile.ts";
export {
  grantedBackends,
  serviceBackends,
  type BackendProblem,
  type BackendReference,
  type FindService,
  type ResolveBackend,
  type ResolvedBackend,
  type RouteService,
} from "./references.ts";
export type { HttpRouteSpec } from "./spec.ts";
export { routeStatus, type RouteFacts, type RouteParentStatus, type StatusRoute } from "./status.ts";

/** The kind HTTPRoute. */
export const kind: Kind<HttpRouteSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1beta1"],
  kind: "HTTPRoute",
  plural: "httproutes",
  shortNames: [],
  namespaced: true,
  schema: httpRouteSchema,
  validate: validateHttpRoute,
};
