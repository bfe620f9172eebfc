// HTTPRoute on the control side: the kind, its compilation and its status.

import type { Kind } from "@ripstop/resources";

import { httpRouteSchema } from "./schema.ts";
import type { HttpRouteSpec } from "./spec.ts";
import { validateHttpRoute } from "./validate.ts";

export { compileRoutes, type RouteView } from "./compile.ts";
export {
  serviceBackends,
  type BackendProblem,
  type BackendReference,
  type FindService,
  type ResolveBackend,
  type ResolvedBackend,
  type RouteService,
} from "./references.ts";
export type { HttpRouteSpec } from "./spec.ts";
export { CONTROLLER_NAME, httpRouteStatus, type RouteCondition, type RouteParentStatus } from "./status.ts";

/** The kind HTTPRoute. */
export const kind: Kind<HttpRouteSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  plural: "httproutes",
  shortNames: [],
  namespaced: true,
  schema: httpRouteSchema,
  validate: validateHttpRoute,
};
