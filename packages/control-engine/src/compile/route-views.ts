// Routes and Services as the compilation of routes sees them.

import { asHttpRoute, type GrpcRouteSpec } from "@ripstop/policies/grpc-route";
import type { FindService, HttpRouteSpec } from "@ripstop/policies/http-route";
import type { Resource } from "@ripstop/resources";

import type { WorldView } from "./world.ts";

/** A GRPCRoute in the words of an HTTPRoute; an HTTPRoute as it is. */
export function asHttp(route: Resource): Resource<HttpRouteSpec> {
  return route.kind === "GRPCRoute"
    ? asHttpRoute(route as Resource<GrpcRouteSpec>)
    : (route as Resource<HttpRouteSpec>);
}

/** Finds Services as routes see them. */
export function finder(view: WorldView): FindService {
  return (namespace, name) => view.service(namespace, name);
}
