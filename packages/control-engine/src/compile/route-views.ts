// Routes and Services as the compilation of routes sees them.

import { asHttpRoute, type GrpcRouteSpec } from "@ripstop/policies/grpc-route";
import type { StreamRouteSpec } from "@ripstop/policies/gateway";
import type { FindService, HttpRouteSpec } from "@ripstop/policies/http-route";
import { tcpAsHttpRoute } from "@ripstop/policies/tcp-route";
import type { Resource } from "@ripstop/resources";

import type { WorldView } from "./world-view.ts";

/** A GRPCRoute or TCPRoute in the words of an HTTPRoute; an HTTPRoute as it is. */
export function asHttp(route: Resource): Resource<HttpRouteSpec> {
  switch (route.kind) {
    case "GRPCRoute":
      return asHttpRoute(route as Resource<GrpcRouteSpec>);
    case "TCPRoute":
      return tcpAsHttpRoute(route as Resource<StreamRouteSpec>);
    default:
      return route as Resource<HttpRouteSpec>;
  }
}

/** Finds Services as routes see them. */
export function finder(view: WorldView): FindService {
  return (namespace, name) => view.service(namespace, name);
}
