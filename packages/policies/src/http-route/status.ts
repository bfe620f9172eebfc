// Status of routes: for each parent of ours the conditions Accepted and ResolvedRefs (Gateway API, RouteStatus).

import type { Resource } from "@ripstop/resources";

import { condition, CONTROLLER_NAME, GATEWAY_GROUP, type Condition } from "../gateway/condition.ts";
import {
  attachedPorts,
  backendReference,
  parentNamespace,
  type FindService,
  type ResolveBackend,
  type RouteService,
} from "./references.ts";
import type { HttpRouteFilterSpec, ObjectReference, ParentRef } from "./spec.ts";

/** A route of any kind, as far as its status goes. */
export type StatusRoute = Resource<{
  readonly parentRefs?: readonly ParentRef[];
  readonly rules: readonly {
    readonly backendRefs?: readonly (ObjectReference & { readonly filters?: readonly HttpRouteFilterSpec[] })[];
    readonly filters?: readonly HttpRouteFilterSpec[];
  }[];
}>;

/** What the status of a route is judged by. */
export interface RouteFacts {
  readonly findService: FindService;
  /** For parents of kind Service. */
  readonly resolveBackend: ResolveBackend;
  /** For Gateways and ListenerSets; default: as for Services. */
  readonly resolveFromGateway?: ResolveBackend;
  /** The condition Accepted for a Gateway or ListenerSet; undefined when that is not ours. Default: there is none of ours. */
  acceptedByGateway?(parent: ParentRef): Condition | undefined;
  /** Routes of a kind that name the Service as a parent; default none. */
  routesOf?(
    namespace: string,
    name: string,
    kind: string,
  ): readonly Resource<{ readonly parentRefs?: readonly ParentRef[] }>[];
}

/** Kinds of routes of a Service: of several on one port the first holds (GEP-1294, "Route types"). */
export const SPECIFICITY: readonly string[] = ["GRPCRoute", "HTTPRoute", "TCPRoute"];

/** What became of one parentRef. */
export interface RouteParentStatus {
  readonly controllerName: string;
  /** As the route has it, with its defaults. */
  readonly parentRef: ParentRef;
  readonly conditions: readonly Condition[];
}

/**
 * One entry for each parentRef that is ours to judge, in their order. Accepted and ResolvedRefs are independent: a route
 * with an unknown backend is still accepted.
 */
export function routeStatus(route: StatusRoute, facts: RouteFacts): RouteParentStatus[] {
  const { resolveBackend, resolveFromGateway = resolveBackend } = facts;
  return (route.spec.parentRefs ?? []).flatMap((parentRef) => {
    const { group, kind } = parentRef;
    const base = { controllerName: CONTROLLER_NAME, parentRef };
    if (group === "" && kind === "Service") {
      const accepted = judgeService(route, parentRef, facts);
      return [{ ...base, conditions: [accepted, judgeReferences(route, resolveBackend)] }];
    }
    if (group !== GATEWAY_GROUP || (kind !== "Gateway" && kind !== "ListenerSet")) return [];
    const accepted = facts.acceptedByGateway?.(parentRef);
    if (accepted === undefined) return [];
    return [{ ...base, conditions: [accepted, judgeReferences(route, resolveFromGateway)] }];
  });
}

function judgeService(route: StatusRoute, parent: ParentRef, facts: RouteFacts): Condition {
  const at = condition(route);
  const namespace = parentNamespace(route, parent);
  const what = `Service ${namespace}/${parent.name}`;
  const service = facts.findService(namespace, parent.name);
  if (service === undefined) return at("Accepted", false, "NoMatchingParent", `there is no ${what}`);
  if (attachedPorts(parent, service)?.length === 0) {
    const ports = service.ports.map(({ port, name }) => (name === "" ? String(port) : `${port} (${name})`)).join(", ");
    const wanted = [parent.port, parent.sectionName].filter((part) => part !== undefined).join(" ");
    const message = `${what} has no port ${wanted}; it has ${ports === "" ? "none" : ports}`;
    return at("Accepted", false, "NoMatchingParent", message);
  }
  if (!SPECIFICITY.includes(route.kind)) {
    const message = `a ${route.kind} cannot be attached to a Service; a TCPRoute carries TLS as it is`;
    return at("Accepted", false, "UnsupportedValue", message);
  }
  const stronger = strongerRoute(route, parent, { service, facts });
  if (stronger !== undefined) {
    const message = `${stronger} is attached to the same ports; GRPCRoutes go before HTTPRoutes, those before TCPRoutes (GEP-1294)`;
    return at("Accepted", false, "Conflicted", message);
  }
  const scope =
    namespace === route.metadata.namespace ? "all clients" : `clients in namespace ${route.metadata.namespace} only`;
  const carried = route.kind === "TCPRoute" ? "connections" : "requests";
  return at("Accepted", true, "Accepted", `routes ${carried} of ${scope}`);
}

/** Routes of more specific kinds that together take every port which the route asks for, from clients of the same namespaces. */
function strongerRoute(
  route: StatusRoute,
  parent: ParentRef,
  { service, facts }: { readonly service: RouteService; readonly facts: RouteFacts },
): string | undefined {
  const kinds = SPECIFICITY.slice(0, SPECIFICITY.indexOf(route.kind));
  const rivals = kinds
    .flatMap((kind) => facts.routesOf?.(service.namespace, service.name, kind) ?? [])
    .filter(({ metadata }) => metadata.namespace === route.metadata.namespace);
  if (rivals.length === 0) return undefined;
  const all = service.ports.map(({ port }) => port);
  const taken = new Set(
    rivals.flatMap((rival) =>
      (rival.spec.parentRefs ?? [])
        .filter(({ group, kind, name }) => group === "" && kind === "Service" && name === service.name)
        .filter((other) => parentNamespace(rival, other) === service.namespace)
        .flatMap((other) => attachedPorts(other, service) ?? all),
    ),
  );
  const wanted = attachedPorts(parent, service) ?? all;
  // Which one is named may not depend on the order in which routes came.
  const [first] = rivals.toSorted(
    (a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || (a.metadata.name < b.metadata.name ? -1 : 1),
  );
  if (first === undefined || !wanted.every((port) => taken.has(port))) return undefined;
  return `${first.kind} ${first.metadata.namespace}/${first.metadata.name}`;
}

function judgeReferences(route: StatusRoute, resolveBackend: ResolveBackend): Condition {
  const at = condition(route);
  for (const [path, reference] of references(route.spec)) {
    const resolved = resolveBackend(backendReference(route, reference));
    if (resolved.ok) continue;
    const { reason, message } = resolved.error;
    return at("ResolvedRefs", false, reason, `${path}: ${message}`);
  }
  return at("ResolvedRefs", true, "ResolvedRefs", "every backend is there");
}

/** Everything that the route names as a backend or to mirror to, with its place. */
function* references({ rules }: StatusRoute["spec"]): Generator<readonly [string, ObjectReference]> {
  for (const [at, { backendRefs = [], filters = [] }] of rules.entries()) {
    yield* mirrors(filters, `spec.rules[${at}].filters`);
    for (const [entry, backend] of backendRefs.entries()) {
      const path = `spec.rules[${at}].backendRefs[${entry}]`;
      yield [path, backend];
      yield* mirrors(backend.filters ?? [], `${path}.filters`);
    }
  }
}

function* mirrors(
  filters: readonly HttpRouteFilterSpec[],
  path: string,
): Generator<readonly [string, ObjectReference]> {
  for (const [at, { requestMirror }] of filters.entries()) {
    if (requestMirror !== undefined) yield [`${path}[${at}].requestMirror.backendRef`, requestMirror.backendRef];
  }
}
