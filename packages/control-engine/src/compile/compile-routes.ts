// Routes of the data-plane model, and the status of HTTPRoutes.

import type { Routes } from "@ripstop/model";
import {
  compileRoutes as compileHttpRoutes,
  httpRouteStatus,
  serviceBackends,
  type FindService,
  type HttpRouteSpec,
  type RouteParentStatus,
} from "@ripstop/policies/http-route";
import type { Resource } from "@ripstop/resources";

import type { WorldView } from "./world.ts";

/** How clients of a namespace reach a service; present, maybe without rules, for every service that exists. */
export function compileRoutes(
  view: WorldView,
  service: { readonly namespace: string; readonly name: string },
  clientNamespace: string,
): Routes | undefined {
  const { namespace, name } = service;
  const found = view.service(namespace, name);
  if (found === undefined) return undefined;
  const routes = view.routesOf(namespace, name);
  const ports = compileHttpRoutes(routes, { service: found, clientNamespace }, serviceBackends(finder(view)));
  return { service: `${namespace}/${name}`, ports };
}

/** The parents' conditions of the HTTPRoute with that key; undefined when there is none. */
export function compileRouteStatus(view: WorldView, key: string): readonly RouteParentStatus[] | undefined {
  const route = view.resource(key);
  if (route === undefined) return undefined;
  return httpRouteStatus(route as Resource<HttpRouteSpec>, finder(view), serviceBackends(finder(view)));
}

function finder(view: WorldView): FindService {
  return (namespace, name) => view.service(namespace, name);
}
