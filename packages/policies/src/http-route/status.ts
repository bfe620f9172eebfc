// Status of an HTTPRoute: for each parent of ours the conditions Accepted and ResolvedRefs (Gateway API, RouteStatus).

import type { Resource } from "@ripstop/resources";

import {
  attachedPorts,
  backendReference,
  parentNamespace,
  type FindService,
  type ResolveBackend,
} from "./references.ts";
import type { HttpRouteFilterSpec, HttpRouteSpec, ObjectReference, ParentRef } from "./spec.ts";

/** Written as status.parents[].controllerName. */
export const CONTROLLER_NAME = "ripstop.mesh/control";

/** A condition but for lastTransitionTime, which the writer sets when `status` changes. */
export interface RouteCondition {
  readonly type: "Accepted" | "ResolvedRefs";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  /** The generation of the route that this was judged by. */
  readonly observedGeneration: number;
}

/** What became of one parentRef. */
export interface RouteParentStatus {
  readonly controllerName: string;
  /** As the route has it, with its defaults. */
  readonly parentRef: ParentRef;
  readonly conditions: readonly RouteCondition[];
}

/**
 * One entry for each parentRef of kind Service, in their order. Accepted and ResolvedRefs are independent: a route
 * with an unknown backend is still accepted.
 */
export function httpRouteStatus(
  route: Resource<HttpRouteSpec>,
  findService: FindService,
  resolveBackend: ResolveBackend,
): RouteParentStatus[] {
  const resolvedRefs = judgeReferences(route, resolveBackend);
  return (route.spec.parentRefs ?? [])
    .filter((parent) => parent.group === "" && parent.kind === "Service")
    .map((parentRef) => ({
      controllerName: CONTROLLER_NAME,
      parentRef,
      conditions: [judgeParent(route, parentRef, findService), resolvedRefs],
    }));
}

function judgeParent(route: Resource<HttpRouteSpec>, parent: ParentRef, findService: FindService): RouteCondition {
  const observedGeneration = route.metadata.generation;
  const namespace = parentNamespace(route, parent);
  const service = findService(namespace, parent.name);
  const base = { type: "Accepted", observedGeneration } as const;
  if (service === undefined) {
    const message = `there is no Service ${namespace}/${parent.name}`;
    return { ...base, status: "False", reason: "NoMatchingParent", message };
  }
  if (attachedPorts(parent, service)?.length === 0) {
    const ports = service.ports.map(({ port, name }) => (name === "" ? String(port) : `${port} (${name})`)).join(", ");
    const wanted = [parent.port, parent.sectionName].filter((part) => part !== undefined).join(" ");
    const message = `Service ${namespace}/${parent.name} has no port ${wanted}; it has ${ports === "" ? "none" : ports}`;
    return { ...base, status: "False", reason: "NoMatchingParent", message };
  }
  const scope =
    namespace === route.metadata.namespace ? "all clients" : `clients in namespace ${route.metadata.namespace} only`;
  return { ...base, status: "True", reason: "Accepted", message: `routes requests of ${scope}` };
}

function judgeReferences(route: Resource<HttpRouteSpec>, resolveBackend: ResolveBackend): RouteCondition {
  const base = { type: "ResolvedRefs", observedGeneration: route.metadata.generation } as const;
  for (const [path, reference] of references(route.spec)) {
    const resolved = resolveBackend(backendReference(route, reference));
    if (resolved.ok) continue;
    const { reason, message } = resolved.error;
    return { ...base, status: "False", reason, message: `${path}: ${message}` };
  }
  return { ...base, status: "True", reason: "ResolvedRefs", message: "every backend is there" };
}

/** Everything that the route names as a backend or to mirror to, with its place. */
function* references({ rules }: HttpRouteSpec): Generator<readonly [string, ObjectReference]> {
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
