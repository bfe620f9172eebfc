// Gateways of the data-plane model: their listeners, which routes are attached to them, and each route as a Gateway sees it.

import {
  gatewayRouteName,
  type Gateway,
  type GatewayRoute,
  type GatewayRoutes,
  type RouteAttachment,
} from "@ripstop/model";
import {
  attachRoute,
  compileGateway,
  condition,
  gatewayParent,
  intersection,
  type AttachedListener,
  type GatewayView,
  type ParentJudgement,
  type ReferenceFacts,
  type RouteResource,
  type StreamRouteSpec,
} from "@ripstop/policies/gateway";
import {
  compileGatewayRules,
  compileStreamRules,
  grantedBackends,
  serviceBackends,
} from "@ripstop/policies/http-route";
import { resourceName, type Resource } from "@ripstop/resources";

import { asHttp, finder } from "./route-views.ts";
import type { WorldView } from "./world.ts";

/** Kinds of routes that a Gateway may have. */
export const routeKinds = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"] as const;

/** The Gateway "NAMESPACE/NAME" with the listeners that can be opened; undefined when there is none of ours. */
export function compileGatewayResource(view: WorldView, namespace: string, name: string): Gateway | undefined {
  const gateway = view.gateway(namespace, name);
  return gateway === undefined || !gateway.isOurs ? undefined : compileGateway(gateway);
}

/** Names of the routes that are attached to a Gateway; undefined when there is no such Gateway of ours. */
export function compileGatewayRoutes(view: WorldView, namespace: string, name: string): GatewayRoutes | undefined {
  const gateway = view.gateway(namespace, name);
  if (gateway === undefined || !gateway.isOurs) return undefined;
  const own = `${namespace}/${name}`;
  const routes = routesOfGateway(view, gateway)
    .filter((route) => attachments(view, route, gateway).length > 0)
    .map((route) => gatewayRouteName(own, route.kind, resourceName(route)));
  return { gateway: own, routes: routes.sort() };
}

/** One route as one Gateway sees it, by its name in the model. Undefined when it is not attached there. */
export function compileGatewayRoute(view: WorldView, name: string): GatewayRoute | undefined {
  const [gatewayNamespace = "", gatewayName = "", kind = "", namespace = "", routeName = "", ...more] = name.split("/");
  if (more.length > 0 || !routeKinds.some((known) => known === kind)) return undefined;
  const route = view.resource(`${kind}/${namespace}/${routeName}`);
  const gateway = view.gateway(gatewayNamespace, gatewayName);
  if (route === undefined || gateway === undefined || !gateway.isOurs) return undefined;
  const attached = attachments(view, route as RouteResource, gateway);
  if (attached.length === 0) return undefined;
  const resolve = grantedBackends(serviceBackends(finder(view)), (target) => view.grants(target));
  const isHttp = kind === "HTTPRoute" || kind === "GRPCRoute";
  return {
    name,
    created: route.metadata.creationTimestamp,
    attachments: attached.map(({ listener, hostnames }): RouteAttachment => ({
      listener: listener.key,
      hostnames: [...hostnames],
    })),
    http: isHttp ? compileGatewayRules(asHttp(route), resolve) : [],
    streams: isHttp ? [] : compileStreamRules(route as Resource<StreamRouteSpec>, resolve),
  };
}

/**
 * What became of a parentRef that names a Gateway or a ListenerSet; undefined when it names neither, or one that is not ours.
 */
export function judgeParent(view: WorldView, route: RouteResource, parent: Parent): ParentJudgement | undefined {
  const gateway = gatewayOf(view, route, parent);
  if (gateway === "other") return undefined;
  const judged = attachRoute(route, parent, { view: gateway, facts: view });
  if (gateway === undefined || judged.attached.length === 0) return judged;
  const rival = olderRival(view, gateway, { route, attached: judged.attached });
  if (rival === undefined) return judged;
  const message = `${rival.kind} ${resourceName(rival)} is older and has host names in common; the two kinds do not mix`;
  return { accepted: condition(route)("Accepted", false, "Conflicted", message), attached: [] };
}

/** What references to Secrets and ConfigMaps are found by. */
export function referenceFacts(view: WorldView): ReferenceFacts {
  return {
    resource: (kind, namespace, name) => view.resource(`${kind}/${namespace}/${name}`),
    grants: (namespace) => view.grants(namespace),
  };
}

/** How many routes are attached to each listener, by the listener's key. */
export function countAttached(view: WorldView, gateway: GatewayView): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const route of routesOfGateway(view, gateway)) {
    for (const { listener } of attachments(view, route, gateway))
      counts.set(listener.key, (counts.get(listener.key) ?? 0) + 1);
  }
  return counts;
}

/** Every route that names the Gateway, or one of its ListenerSets, as a parent; each once. */
export function routesOfGateway(view: WorldView, gateway: GatewayView): readonly RouteResource[] {
  const routes = new Set<RouteResource>();
  for (const parent of parentsOf(gateway))
    for (const kind of routeKinds) for (const route of view.routesAt(parent, kind)) routes.add(route);
  return [...routes];
}

type Parent = NonNullable<RouteResource["spec"]["parentRefs"]>[number];

/** The listeners that a route is attached to by any of its parentRefs, each once. */
function attachments(view: WorldView, route: RouteResource, gateway: GatewayView): readonly AttachedListener[] {
  const byListener = new Map<string, AttachedListener>();
  for (const parent of route.spec.parentRefs ?? []) {
    const target = gatewayOf(view, route, parent);
    if (target === "other" || target?.namespace !== gateway.namespace || target.name !== gateway.name) continue;
    for (const one of judgeParent(view, route, parent)?.attached ?? []) byListener.set(one.listener.key, one);
  }
  return [...byListener.values()];
}

/** The Gateway that a parentRef stands for; "other" when it stands for none, or for one of another controller. */
function gatewayOf(view: WorldView, route: RouteResource, parent: Parent): GatewayView | undefined | "other" {
  const named = gatewayParent(route, parent);
  if (named === undefined) return "other";
  let { namespace, name } = named;
  if (named.kind === "ListenerSet") {
    const target = view.gatewayOfListenerSet(namespace, name);
    if (target === undefined) return undefined;
    [namespace = "", name = ""] = target.split("/");
  }
  const gateway = view.gateway(namespace, name);
  return gateway === undefined || gateway.isOurs ? gateway : "other";
}

/**
 * An older route of the other HTTP kind on a listener that the route is attached to, with host names in common: of the two
 * only one is accepted (GRPCRoute, "hostnames").
 */
function olderRival(
  view: WorldView,
  gateway: GatewayView,
  { route, attached }: { readonly route: RouteResource; readonly attached: readonly AttachedListener[] },
): RouteResource | undefined {
  const other = route.kind === "HTTPRoute" ? "GRPCRoute" : route.kind === "GRPCRoute" ? "HTTPRoute" : undefined;
  if (other === undefined) return undefined;
  const mine = new Map(attached.map((one) => [one.listener.key, one]));
  for (const parent of parentsOf(gateway)) {
    for (const rival of view.routesAt(parent, other)) {
      if (!isOlder(rival, route)) continue;
      for (const ref of rival.spec.parentRefs ?? []) {
        const target = gatewayOf(view, rival, ref);
        if (target !== gateway) continue;
        const theirs = attachRoute(rival, ref, { view: gateway, facts: view }).attached;
        if (theirs.some((one) => overlap(mine.get(one.listener.key), one))) return rival;
      }
    }
  }
  return undefined;
}

function overlap(a: AttachedListener | undefined, b: AttachedListener): boolean {
  if (a === undefined) return false;
  const [mine, theirs] = [a, b].map(({ hostnames }) => (hostnames.length === 0 ? [""] : hostnames));
  return (mine ?? []).some((one) => (theirs ?? []).some((another) => intersection(one, another) !== undefined));
}

/** Keys by which routes name the Gateway and its ListenerSets. */
function parentsOf({ namespace, name, listenerSets }: GatewayView): readonly string[] {
  return [`Gateway ${namespace}/${name}`, ...listenerSets.map((set) => `ListenerSet ${set.namespace}/${set.name}`)];
}

/** The older, then the first by "NAMESPACE/NAME". */
function isOlder(a: Resource, b: Resource): boolean {
  const key = (one: Resource): string => `${one.metadata.creationTimestamp} ${resourceName(one)} ${one.kind}`;
  return key(a) < key(b);
}
