// Routes of the data-plane model, and the status of routes of any kind.

import type { Routes } from "@ripstop/model";
import {
  compileRoutes as compileHttpRoutes,
  grantedBackends,
  routeStatus,
  serviceBackends,
  type RouteParentStatus,
  type StatusRoute,
} from "@ripstop/policies/http-route";
import { judgeParent } from "./compile-gateway.ts";
import { asHttp, finder } from "./route-views.ts";
import type { WorldView } from "./world-view.ts";

/** How clients of a namespace reach a service; present, maybe without rules, for every service that exists. */
export function compileRoutes(
  view: WorldView,
  service: { readonly namespace: string; readonly name: string },
  clientNamespace: string,
): Routes | undefined {
  const { namespace, name } = service;
  const found = view.service(namespace, name);
  if (found === undefined) return undefined;
  const routes = view.routesOf(namespace, name).map(asHttp);
  const ports = compileHttpRoutes(routes, { service: found, clientNamespace }, serviceBackends(finder(view)));
  return { service: `${namespace}/${name}`, ports };
}

/** The parents' conditions of the route with that key; undefined when there is none. */
export function compileRouteStatus(view: WorldView, key: string): readonly RouteParentStatus[] | undefined {
  const route = view.resource(key);
  if (route === undefined) return undefined;
  const resolveBackend = serviceBackends(finder(view));
  return routeStatus(route as StatusRoute, {
    findService: finder(view),
    resolveBackend,
    resolveFromGateway: grantedBackends(finder(view), (namespace) => view.grants(namespace)),
    acceptedByGateway: (parent) => judgeParent(view, route as StatusRoute, parent)?.accepted,
    routesOf: (namespace, name, kind) => view.routesAt(`Service ${namespace}/${name}`, kind),
  });
}
