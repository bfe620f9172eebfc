// What a route names: parents and backends, looked up among the Services there are.

import type { Result } from "@ripstop/core";
import type { Resource } from "@ripstop/resources";

import { GATEWAY_GROUP } from "../gateway/condition.ts";
import { isGranted, type ReferenceGrantSpec } from "../reference-grant/index.ts";
import type { ObjectReference, ParentRef } from "./spec.ts";

/** A Service as routes see it; declared by a resource, or implied by a registered workload. */
export interface RouteService {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly {
    readonly port: number;
    readonly name: string;
    readonly appProtocol?: string | undefined;
  }[];
}

/** A reference to a backend with its namespace filled in. */
export interface BackendReference {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly port: number | undefined;
  /** The route that refers. */
  readonly from: { readonly kind: string; readonly namespace: string };
}

/** A Service that can take requests. */
export interface ResolvedBackend {
  /** "NAMESPACE/NAME". */
  readonly service: string;
  readonly port: number;
}

/** Why a reference cannot be used: the reason of the condition ResolvedRefs, and a plain sentence. */
export interface BackendProblem {
  readonly reason: "InvalidKind" | "BackendNotFound" | "RefNotPermitted" | "UnsupportedProtocol";
  readonly message: string;
}

/** Finds the Service that a reference names. */
export type ResolveBackend = (reference: BackendReference) => Result<ResolvedBackend, BackendProblem>;

/** Finds a Service by namespace and name. */
export type FindService = (namespace: string, name: string) => RouteService | undefined;

/**
 * The usual ResolveBackend: a Service of any namespace that has the port. Between the services of a mesh no
 * ReferenceGrant is needed (GEP-1294).
 */
export function serviceBackends(findService: FindService): ResolveBackend {
  return ({ group, kind, namespace, name, port }) => {
    if (group !== "" || kind !== "Service") {
      const what = group === "" ? kind : `${kind}.${group}`;
      return { ok: false, error: { reason: "InvalidKind", message: `a backend of kind ${what} is not known` } };
    }
    const service = findService(namespace, name);
    if (service === undefined) {
      return { ok: false, error: { reason: "BackendNotFound", message: `there is no Service ${namespace}/${name}` } };
    }
    if (port === undefined || !service.ports.some((candidate) => candidate.port === port)) {
      const ports = service.ports.map((candidate) => candidate.port).join(", ");
      const message = `Service ${namespace}/${name} has no port ${port ?? ""}; it has ${ports === "" ? "none" : ports}`;
      return { ok: false, error: { reason: "BackendNotFound", message } };
    }
    return { ok: true, value: { service: `${namespace}/${name}`, port } };
  };
}

/** Values of appProtocol that HTTP can be carried to (KEP-3726 names too). */
const HTTP_PROTOCOLS: ReadonlySet<string> = new Set([
  "http",
  "http1",
  "http2",
  "h2c",
  "grpc",
  "https",
  "kubernetes.io/h2c",
  "kubernetes.io/ws",
  "kubernetes.io/wss",
]);

/**
 * The ResolveBackend of routes of a Gateway: Services of other namespaces need a ReferenceGrant there, and ports that declare
 * a protocol must declare one that the route can carry.
 */
export function grantedBackends(
  findService: FindService,
  grantsOf: (namespace: string) => readonly Resource<ReferenceGrantSpec>[],
): ResolveBackend {
  const find = serviceBackends(findService);
  const resolve: ResolveBackend = (reference) => {
    const { namespace, name, port, from } = reference;
    const found = find(reference);
    if (!found.ok || (from.kind !== "HTTPRoute" && from.kind !== "GRPCRoute")) return found;
    const declared = findService(namespace, name)?.ports.find((one) => one.port === port)?.appProtocol;
    if (declared === undefined || HTTP_PROTOCOLS.has(declared.toLowerCase())) return found;
    const message = `port ${port ?? ""} of Service ${namespace}/${name} declares ${declared}, which is not HTTP`;
    return { ok: false, error: { reason: "UnsupportedProtocol", message } };
  };
  return (reference) => {
    const { group, kind, namespace, name, from } = reference;
    if (namespace === from.namespace || group !== "" || kind !== "Service") return resolve(reference);
    const cross = { from: { group: GATEWAY_GROUP, ...from }, to: { group, kind, name } };
    if (isGranted(cross, grantsOf(namespace))) return resolve(reference);
    const message = `no ReferenceGrant in ${namespace} lets a ${from.kind} of ${from.namespace} use Service ${namespace}/${name}`;
    return { ok: false, error: { reason: "RefNotPermitted", message } };
  };
}

/** `backend` with the namespace filled in from its route. */
export function backendReference(route: Resource, backend: ObjectReference): BackendReference {
  const { group, kind, name, port } = backend;
  const { namespace } = route.metadata;
  return { group, kind, name, port, namespace: backend.namespace ?? namespace, from: { kind: route.kind, namespace } };
}

/** The namespace of a parent. */
export function parentNamespace(route: Resource, parent: ParentRef): string {
  return parent.namespace ?? route.metadata.namespace;
}

/**
 * The ports of `service` that `parent` attaches to; undefined means all of them, empty means that it names a port
 * that is not there. `parent` must name `service`.
 */
export function attachedPorts(parent: ParentRef, service: RouteService): readonly number[] | undefined {
  if (parent.port === undefined && parent.sectionName === undefined) return undefined;
  return service.ports
    .filter(({ port }) => parent.port === undefined || parent.port === port)
    .filter(({ name }) => parent.sectionName === undefined || parent.sectionName === name)
    .map(({ port }) => port);
}
