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
import { compileGatewayRules, compileStreamRules, grantedBackends } from "@ripstop/policies/http-route";
import { resourceName, type Resource } from "@ripstop/resources";

import { asHttp, finder } from "./route-views.ts";
import type { WorldView } from "./world-view.ts";

/** Kinds of routes that a Gateway may have. */
export const routeKinds = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"] as const;

/** The Gateway "NAMESPACE/NAME" with the listeners that can be opened; undefined when there is none of ours. */
export function compileGatewayResource(view: WorldView, namespace: string, name: string): Gateway | undefined {
  const gateway = view.gateway(namespace, name);
  return gateway === undefined || !gateway.isOurs ? undefined : compileGateway(gateway);
}

/** Names of the routes that are attached to a Gateway; undefined when there is no such Gateway of ours. */
export function compileGatewayRoutes(view: WorldView, namespace: string, name: string): GatewayRoutes | undefined {
  const gateway = view.gatewayShape(namespace, name);
  if (gateway === undefined || !gateway.isOurs) return undefined;
  const own = `${namespace}/${name}`;
  const routes = allAttached(view, gateway).map(({ route }) => gatewayRouteName(own, route.kind, resourceName(route)));
  return { gateway: own, routes: routes.sort() };
}

/** One route as one Gateway sees it, by its name in the model. Undefined when it is not attached there. */
export function compileGatewayRoute(view: WorldView, name: string): GatewayRoute | undefined {
  const [gatewayNamespace = "", gatewayName = "", kind = "", namespace = "", routeName = "", ...more] = name.split("/");
  if (more.length > 0 || !routeKinds.some((known) => known === kind)) return undefined;
  const route = view.resource(`${kind}/${namespace}/${routeName}`);
  const gateway = view.gatewayShape(gatewayNamespace, gatewayName);
  if (route === undefined || gateway === undefined || !gateway.isOurs) return undefined;
  const attached = attachedTo(view, gateway, { route: route as RouteResource, routes: routesOf(view, gateway) });
  if (attached.length === 0) return undefined;
  const resolve = grantedBackends(finder(view), (target) => view.grants(target));
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
  const rival = olderRival(view, gateway, { route, attached: judged.attached, routes: routesOf(view, gateway) });
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
  for (const { attached } of allAttached(view, gateway))
    for (const { listener } of attached) counts.set(listener.key, (counts.get(listener.key) ?? 0) + 1);
  return counts;
}

type Parent = NonNullable<RouteResource["spec"]["parentRefs"]>[number];

/** Routes of a kind that name the Gateway or one of its ListenerSets as a parent. */
type RoutesOf = (kind: string) => readonly RouteResource[];

/** A route, and the others that it may have to give way to. */
interface Candidate {
  readonly route: RouteResource;
  readonly routes: RoutesOf;
}

/** Every route with the listeners that it is attached to; those that are attached to none are left out. */
function allAttached(
  view: WorldView,
  gateway: GatewayView,
): readonly { readonly route: RouteResource; readonly attached: readonly AttachedListener[] }[] {
  const routes = routesOf(view, gateway);
  return routeKinds.flatMap((kind) =>
    routes(kind)
      .map((route) => ({ route, attached: attachedTo(view, gateway, { route, routes }) }))
      .filter(({ attached }) => attached.length > 0),
  );
}

/** Reads each kind once. */
function routesOf(view: WorldView, gateway: GatewayView): RoutesOf {
  const known = new Map<string, readonly RouteResource[]>();
  return (kind) => {
    const before = known.get(kind);
    if (before !== undefined) return before;
    const parents = parentsOf(gateway);
    const [first = ""] = parents;
    const routes =
      parents.length === 1
        ? view.routesAt(first, kind)
        : [...new Set(parents.flatMap((parent) => view.routesAt(parent, kind)))];
    known.set(kind, routes);
    return routes;
  };
}

/** The listeners that a route is attached to by any of its parentRefs, each once; none when it gives way to another kind. */
function attachedTo(view: WorldView, gateway: GatewayView, { route, routes }: Candidate): readonly AttachedListener[] {
  const attached = listenersOf(view, gateway, route);
  if (attached.length === 0) return attached;
  return olderRival(view, gateway, { route, attached, routes }) === undefined ? attached : [];
}

/** By route and Gateway, which are never changed but replaced: the same listeners every time. */
const remembered = new WeakMap<RouteResource, WeakMap<GatewayView, readonly AttachedListener[]>>();

function listenersOf(view: WorldView, gateway: GatewayView, route: RouteResource): readonly AttachedListener[] {
  // Labels of namespaces are read anew, so that their change is noticed.
  if (gateway.listeners.some(({ allowedNamespaces }) => allowedNamespaces.from === "Selector"))
    return findListeners(view, gateway, route);
  let byGateway = remembered.get(route);
  if (byGateway === undefined) remembered.set(route, (byGateway = new WeakMap()));
  let found = byGateway.get(gateway);
  if (found === undefined) byGateway.set(gateway, (found = findListeners(view, gateway, route)));
  return found;
}

function findListeners(view: WorldView, gateway: GatewayView, route: RouteResource): readonly AttachedListener[] {
  const own = new Set(parentsOf(gateway));
  const byListener = new Map<string, AttachedListener>();
  for (const parent of route.spec.parentRefs ?? []) {
    const named = gatewayParent(route, parent);
    if (named === undefined || !own.has(`${named.kind} ${named.namespace}/${named.name}`)) continue;
    for (const one of attachRoute(route, parent, { view: gateway, facts: view }).attached)
      byListener.set(one.listener.key, one);
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
  const gateway = view.gatewayShape(namespace, name);
  return gateway === undefined || gateway.isOurs ? gateway : "other";
}

/**
 * An older route of the other HTTP kind on a listener that the route is attached to, with host names in common: of the two
 * only one is accepted (GRPCRoute, "hostnames").
 */
function olderRival(
  view: WorldView,
  gateway: GatewayView,
  { route, attached, routes }: Candidate & { readonly attached: readonly AttachedListener[] },
): RouteResource | undefined {
  const other = route.kind === "HTTPRoute" ? "GRPCRoute" : route.kind === "GRPCRoute" ? "HTTPRoute" : undefined;
  const rivals = other === undefined ? [] : routes(other);
  if (rivals.length === 0) return undefined;
  const mine = new Map(attached.map((one) => [one.listener.key, one]));
  const older = rivals.filter(
    (rival) =>
      isOlder(rival, route) &&
      listenersOf(view, gateway, rival).some((one) => overlap(mine.get(one.listener.key), one)),
  );
  // Which one is named may not depend on the order in which routes came.
  return older.reduce<RouteResource | undefined>(
    (oldest, rival) => (oldest === undefined || isOlder(rival, oldest) ? rival : oldest),
    undefined,
  );
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

/** The older, then the first by "NAMESPACE/NAME", then by kind. */
function isOlder(a: Resource, b: Resource): boolean {
  const key = (one: Resource): string => `${one.metadata.creationTimestamp} ${resourceName(one)} ${one.kind}`;
  return key(a) < key(b);
}
