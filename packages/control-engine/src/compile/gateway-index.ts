// What belongs to Gateways, behind indices: their ListenerSets, grants, routes by parent and by backend, TLS policies of
// backends; and each Gateway judged once, so that a change of a route judges no listener again.

import type { BackendTlsPolicySpec } from "@ripstop/policies/backend-tls-policy";
import { policyTargets } from "@ripstop/policies/backend-tls-policy";
import {
  judgeGateway,
  type GatewaySpec,
  type GatewayView,
  type ListenerSetSpec,
  type RouteResource,
} from "@ripstop/policies/gateway";
import type { GatewayClassSpec } from "@ripstop/policies/gateway-class";
import type { StatusRoute } from "@ripstop/policies/http-route";
import type { ReferenceGrantSpec } from "@ripstop/policies/reference-grant";
import { resourceKey, type Resource } from "@ripstop/resources";

import type { Store } from "../store/store.ts";
import { DependencyMemo } from "./dependency-memo.ts";
import { MultiMap } from "./multi-map.ts";

/** Reads that concern Gateways, recorded as dependencies of what is being computed. */
export interface GatewayReads {
  /** The Gateway with its listeners judged; undefined when there is none. */
  gateway(namespace: string, name: string): GatewayView | undefined;
  /** The same, when only what routes attach by matters: not certificates, conditions, addresses. */
  gatewayShape(namespace: string, name: string): GatewayView | undefined;
  /** "NAMESPACE/NAME" of the Gateway that a ListenerSet adds to. */
  gatewayOfListenerSet(namespace: string, name: string): string | undefined;
  /**
   * Routes of one kind that name a parent: "Gateway NS/NAME", "ListenerSet NS/NAME", "Service NS/NAME"; in no order. What
   * they attach by is followed, not their rules.
   */
  routesAt(parent: string, kind: string): readonly RouteResource[];
  /** ReferenceGrants of a namespace. */
  grants(namespace: string): readonly Resource<ReferenceGrantSpec>[];
  namespaceLabels(namespace: string): Readonly<Record<string, string>>;
  /** BackendTLSPolicies that name the Service. */
  backendPolicies(namespace: string, name: string): readonly Resource<BackendTlsPolicySpec>[];
  /** Routes that name the Service as a backend. */
  routesTo(namespace: string, name: string): readonly RouteResource[];
}

const ROUTES: ReadonlySet<string> = new Set(["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"]);

/** Kinds that the index follows. */
export const gatewayIndexKinds: readonly string[] = [...ROUTES, "ListenerSet", "ReferenceGrant", "BackendTLSPolicy"];

type Read = (dependency: string) => void;

/** Indices over the store. */
export class GatewayIndex {
  readonly #store: Store;
  /** "KIND PARENT" → routes. */
  readonly #routes = new MultiMap<RouteResource>();
  /** "NS/SERVICE" → routes that name it as a backend. */
  readonly #routesTo = new MultiMap<RouteResource>();
  /** "NS/GATEWAY" → ListenerSets. */
  readonly #sets = new MultiMap<Resource<ListenerSetSpec>>();
  readonly #grants = new MultiMap<Resource<ReferenceGrantSpec>>();
  /** "NS/SERVICE" → policies. */
  readonly #policies = new MultiMap<Resource<BackendTlsPolicySpec>>();
  readonly #views = new DependencyMemo<GatewayView | undefined>(() => undefined);

  constructor(store: Store) {
    this.#store = store;
    for (const kind of gatewayIndexKinds) for (const resource of store.list(kind)) this.#index(resource, true);
  }

  /** How often a Gateway was judged. */
  get judged(): number {
    return this.#views.computed;
  }

  /** Reads that hand their names to `read`. */
  reads(read: Read): GatewayReads {
    return {
      gateway: (namespace, name) => {
        read(`gateway:${namespace}/${name}`);
        return this.#view(namespace, name);
      },
      gatewayShape: (namespace, name) => {
        read(`gateway-shape:${namespace}/${name}`);
        return this.#view(namespace, name);
      },
      gatewayOfListenerSet: (namespace, name) => {
        const key = `ListenerSet/${namespace}/${name}`;
        read(`resource:${key}`);
        const set = this.#store.get(key);
        return set === undefined ? undefined : gatewayOfSet(set as Resource<ListenerSetSpec>);
      },
      routesAt: (parent, kind) => {
        read(`routes-at:${kind} ${parent}`);
        return this.#routes.get(`${kind} ${parent}`);
      },
      grants: (namespace) => this.#grantsOf(namespace, read),
      namespaceLabels: (namespace) => this.#labelsOf(namespace, read),
      backendPolicies: (namespace, name) => {
        read(`backend-policies:${namespace}/${name}`);
        return this.#policies.sorted(`${namespace}/${name}`);
      },
      routesTo: (namespace, name) => {
        read(`routes-to:${namespace}/${name}`);
        return this.#routesTo.sorted(`${namespace}/${name}`);
      },
    };
  }

  /** Takes over a change; adds the names of the reads that it affects. */
  onChange(before: Resource | undefined, after: Resource | undefined, affected: Set<string>): void {
    const kind = (after ?? before)?.kind ?? "";
    if (!gatewayIndexKinds.includes(kind)) return;
    if (before !== undefined) this.#index(before, false);
    if (after !== undefined) this.#index(after, true);
    for (const one of [before, after]) {
      if (one === undefined) continue;
      const { namespace } = one.metadata;
      if (kind === "ReferenceGrant") affected.add(`grants:${namespace}`);
      else if (kind === "ListenerSet") affected.add(`sets:${gatewayOfSet(one as Resource<ListenerSetSpec>)}`);
      else if (kind === "BackendTLSPolicy") {
        for (const target of policyTargets(one as Resource<BackendTlsPolicySpec>))
          affected.add(`backend-policies:${target}`);
      } else this.#affectedByRoute(one as StatusRoute, affected, sameAttachment(before, after));
    }
  }

  /** Judges Gateways again that `affected` concerns, and adds the names of those that came out differently. */
  settle(affected: Set<string>): void {
    for (const { key, before, after } of this.#views.invalidate(affected)) {
      if (after === undefined) this.#views.delete(key);
      if (JSON.stringify(before) !== JSON.stringify(after)) affected.add(`gateway:${key}`);
      if (shapeOf(before) !== shapeOf(after)) affected.add(`gateway-shape:${key}`);
    }
  }

  #view(namespace: string, name: string): GatewayView | undefined {
    return this.#views.get(`${namespace}/${name}`, (read) => this.#judge(namespace, name, read));
  }

  #affectedByRoute(route: StatusRoute, affected: Set<string>, isSame: boolean): void {
    for (const target of backendsOf(route)) affected.add(`routes-to:${target}`);
    if (isSame) return;
    for (const parent of parentsOf(route)) affected.add(`routes-at:${route.kind} ${parent}`);
  }

  #judge(namespace: string, name: string, read: Read): GatewayView | undefined {
    const find = (kind: string, inNamespace: string, resourceName: string): Resource | undefined => {
      const key = inNamespace === "" ? `${kind}/${resourceName}` : `${kind}/${inNamespace}/${resourceName}`;
      read(`resource:${key}`);
      return this.#store.get(key);
    };
    const gateway = find("Gateway", namespace, name);
    if (gateway === undefined) return undefined;
    return judgeGateway(gateway as Resource<GatewaySpec>, {
      resource: find,
      gatewayClass: (className) => find("GatewayClass", "", className) as Resource<GatewayClassSpec> | undefined,
      grants: (other) => this.#grantsOf(other, read),
      namespaceLabels: (other) => this.#labelsOf(other, read),
      listenerSets: () => {
        read(`sets:${namespace}/${name}`);
        return this.#sets.sorted(`${namespace}/${name}`);
      },
    });
  }

  #grantsOf(namespace: string, read: Read): readonly Resource<ReferenceGrantSpec>[] {
    read(`grants:${namespace}`);
    return this.#grants.sorted(namespace);
  }

  /** Kubernetes gives every namespace a label with its name. */
  #labelsOf(namespace: string, read: Read): Readonly<Record<string, string>> {
    read(`resource:Namespace/${namespace}`);
    const labels = this.#store.get(`Namespace/${namespace}`)?.metadata.labels ?? {};
    return { ...labels, "kubernetes.io/metadata.name": namespace };
  }

  #index(resource: Resource, add: boolean): void {
    const key = resourceKey(resource);
    if (resource.kind === "ReferenceGrant") {
      const grant = resource as Resource<ReferenceGrantSpec>;
      this.#grants.set(grant.metadata.namespace, key, add ? grant : undefined);
    } else if (resource.kind === "ListenerSet") {
      const set = resource as Resource<ListenerSetSpec>;
      this.#sets.set(gatewayOfSet(set), key, add ? set : undefined);
    } else if (resource.kind === "BackendTLSPolicy") {
      const policy = resource as Resource<BackendTlsPolicySpec>;
      for (const target of policyTargets(policy)) this.#policies.set(target, key, add ? policy : undefined);
    } else {
      const route = resource as StatusRoute;
      for (const parent of parentsOf(route)) this.#routes.set(`${route.kind} ${parent}`, key, add ? route : undefined);
      for (const target of backendsOf(route)) this.#routesTo.set(target, key, add ? route : undefined);
    }
  }
}

/** What routes attach by, as text to compare. */
function shapeOf(view: GatewayView | undefined): string {
  if (view === undefined) return "";
  const { isOurs, listeners, listenerSets } = view;
  return JSON.stringify([
    isOurs,
    listeners.map(({ key, name, owner, port, hostname, supportedKinds, allowedNamespaces }) => [
      key,
      name,
      owner,
      port,
      hostname,
      supportedKinds,
      allowedNamespaces,
    ]),
    listenerSets.map(({ namespace, name }) => [namespace, name]),
  ]);
}

function gatewayOfSet({ metadata, spec }: Resource<ListenerSetSpec>): string {
  return `${spec.parentRef.namespace ?? metadata.namespace}/${spec.parentRef.name}`;
}

function parentsOf({ metadata, spec }: RouteResource): readonly string[] {
  const names = (spec.parentRefs ?? []).map(
    ({ kind, namespace = metadata.namespace, name }) => `${kind} ${namespace}/${name}`,
  );
  return [...new Set(names)];
}

function backendsOf({ metadata, spec }: StatusRoute): readonly string[] {
  const names = (spec.rules ?? []).flatMap(({ backendRefs = [], filters = [] }) =>
    [...backendRefs, ...filters.flatMap(({ requestMirror }) => (requestMirror ? [requestMirror.backendRef] : []))]
      .filter(({ group, kind }) => group === "" && kind === "Service")
      .map(({ namespace = metadata.namespace, name }) => `${namespace}/${name}`),
  );
  return [...new Set(names)];
}

/** Whether two versions of a route attach to the same in the same way. */
function sameAttachment(before: Resource | undefined, after: Resource | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  const what = ({ metadata, spec }: RouteResource): string =>
    JSON.stringify([spec.parentRefs, spec.hostnames, metadata.creationTimestamp]);
  return what(before as RouteResource) === what(after as RouteResource);
}
