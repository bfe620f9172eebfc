// What the compiler reads: the store and the registry behind indices, with every read named, so that a change of either
// can be turned into the names of the reads that it affects.

import type { PolicyKind, ServicePolicyKind, WorkloadFacts } from "@ripstop/policy-api/control";
import type { ExternalServiceSpec } from "@ripstop/policies/external-service";
import type { HttpRouteSpec } from "@ripstop/policies/http-route";
import {
  resourceKey,
  SERVICE_NAME_LABEL,
  type EndpointSliceSpec,
  type Resource,
  type ServiceSpec,
} from "@ripstop/resources";

import { ownerOfKey, workloadKey } from "../damping/damping-key.ts";
import { serviceOf, type RegisteredWorkload } from "../registry/registered-workload.ts";
import type { Registry, WorkloadChange } from "../registry/registry.ts";
import type { Change, Store } from "../store/store.ts";
import { GatewayIndex } from "./gateway-index.ts";
import { MultiMap } from "./multi-map.ts";
import { PolicyIndex } from "./policy-index.ts";
import { ServiceNames } from "./service-names.ts";
import { declaredService, impliedService, selects, type ServiceView } from "./service-view.ts";
import { ANY_GATEWAY, hostedBy, labelKey, labelKeys, WorkloadIndex } from "./workload-index.ts";
import type { KnownPolicies, WorldView } from "./world-view.ts";

/** Routes that can be attached to a Service. */
const meshRouteKinds: ReadonlySet<string> = new Set(["HTTPRoute", "GRPCRoute", "TCPRoute"]);

/** Indices over store and registry. */
export class World {
  readonly #store: Store;
  readonly #registry: Registry;
  readonly #policyKinds: readonly PolicyKind[];
  /** One label that a declared Service selects by ("NS/KEY=VALUE") → such Services. */
  readonly #servicesByLabel = new MultiMap<Resource<ServiceSpec>>();
  /** "NS/SERVICE" → EndpointSlices that name it. */
  readonly #slices = new MultiMap<Resource<EndpointSliceSpec>>();
  /** Virtual address → Services that declare it. */
  readonly #byAddress = new MultiMap<Resource<ServiceSpec>>();
  readonly #servicePolicyKinds: readonly ServicePolicyKind[];
  /** Host, or "*.DOMAIN" → ExternalServices that have it. */
  readonly #external = new MultiMap<Resource<ExternalServiceSpec>>();
  readonly #known: KnownPolicies;
  /** "KIND NS/SERVICE" → policies of that kind that are attached to it. */
  readonly #attached = new MultiMap<Resource>();
  readonly #policies: PolicyIndex;
  /** "NS/SERVICE" → HTTPRoutes, GRPCRoutes and TCPRoutes that name it as a parent. */
  readonly #routes = new MultiMap<Resource<HttpRouteSpec>>();
  readonly #workloads = new WorkloadIndex();
  readonly #gateways: GatewayIndex;
  readonly #serviceNames = new ServiceNames();

  constructor(store: Store, registry: Registry, known: KnownPolicies) {
    const { policyKinds, servicePolicyKinds = [] } = known;
    this.#known = known;
    this.#store = store;
    this.#registry = registry;
    this.#policyKinds = policyKinds;
    this.#servicePolicyKinds = servicePolicyKinds;
    this.#gateways = new GatewayIndex(store);
    this.#policies = new PolicyIndex(policyKinds);
    for (const kind of [
      "Service",
      "EndpointSlice",
      ...meshRouteKinds,
      "ExternalService",
      ...[...servicePolicyKinds, ...policyKinds].map(({ kind }) => kind.kind),
    ]) {
      for (const resource of store.list(kind)) this.#indexResource(resource, true);
    }
    for (const workload of registry.values()) this.#indexWorkload(workload, true);
    this.#serviceNames.settle(new Set());
  }

  /**
   * The registered service that a name stands for: itself when workloads registered for it; for a Service whose
   * workloads all registered for one other name (a version of it, say), that name.
   */
  canonicalService(serviceName: string): string {
    if (this.#workloads.byService.count(serviceName) > 0) return serviceName;
    const [namespace = "", name = ""] = serviceName.split("/");
    const service = this.#service(namespace, name);
    if (service === undefined) return serviceName;
    const members = new Set(this.#workloads.members(service, false, () => {}).map(serviceOf));
    const [only = serviceName] = members;
    return members.size === 1 ? only : serviceName;
  }

  /** How often a Gateway was judged. */
  get judged(): number {
    return this.#gateways.judged;
  }

  /** A view that hands the name of each read to `read`. */
  view(read: (dependency: string) => void): WorldView {
    return {
      ...this.#gateways.reads(read),
      placements: (namespace, name) => {
        read(`placements:${namespace}/${name}`);
        return this.#workloads.placements.sorted(`${namespace}/${name}`).filter(({ ready }) => ready);
      },
      service: (namespace, name) => {
        read(`service:${namespace}/${name}`);
        return this.#service(namespace, name);
      },
      serviceAt: (address) => {
        read(`address:${address}`);
        return this.#byAddress.sorted(address).toSorted(byAge)[0]?.metadata;
      },
      servicesIn: (namespace) => this.#serviceNames.in(namespace, read),
      workload: (id) => {
        read(`workload:${id}`);
        return this.#registry.get(id);
      },
      members: (service, withState) => this.#workloads.members(service, withState, read),
      slicesOf: ({ namespace, name, selector }) => {
        if (Object.keys(selector).length > 0) return [];
        read(`slices:${namespace}/${name}`);
        return this.#slices.sorted(`${namespace}/${name}`);
      },
      importsOf: ({ namespace, name, selector }) => {
        if (Object.keys(selector).length > 0) return [];
        read(`imports:${namespace}/${name}`);
        return this.#known.imports?.of(namespace, name) ?? [];
      },
      // Reads of their own are not needed: who is held down is told under the names of `members` and `importsOf`.
      penaltyOf: (key) => this.#known.damper?.penaltyOf(key) ?? 0,
      penaltyOfWorkload: (workload) => {
        const { damper } = this.#known;
        return damper === undefined || damper.size === 0 ? 0 : damper.penaltyOf(workloadKey(workload));
      },
      routesOf: (namespace, name) => {
        read(`routes:${namespace}/${name}`);
        return this.#routes.sorted(`${namespace}/${name}`);
      },
      policiesGuarding: (workload) => {
        read(`guards:${workload.id}`);
        return this.#policies.guarding(this.#facts(workload));
      },
      servicesOf: (workload) => {
        read(`guards:${workload.id}`);
        return this.#servicesSelecting(workload);
      },
      attachedTo: (namespace, name) => {
        read(`attached:${namespace}/${name}`);
        return this.#servicePolicyKinds.flatMap((policyKind) => {
          const candidates = this.#attached.sorted(`${policyKind.kind.kind} ${namespace}/${name}`);
          const policy = candidates.toSorted(byAge)[0];
          return policy === undefined ? [] : [{ policyKind, policy }];
        });
      },
      externalFor: (clientNamespace, host) => {
        const names = hostPatterns(host);
        for (const name of names) read(`external:${name}`);
        return this.#externalFor(clientNamespace, names);
      },
      addressesOf: (host) => {
        read(`dns:${host}`);
        return this.#known.addressesOf?.(host) ?? [];
      },
      resource: (key) => {
        read(`resource:${key}`);
        return this.#store.get(key);
      },
    };
  }

  /** Takes over a change of a revision; adds the names of the reads it affects. After the last one call `settle`. */
  onChange(change: Change, affected: Set<string>): void {
    const { before } = change;
    const after = change.type === "put" ? change.resource : undefined;
    if (before !== undefined) this.#indexResource(before, false);
    if (after !== undefined) this.#indexResource(after, true);
    for (const resource of [before, after]) if (resource !== undefined) this.#affectedByResource(resource, affected);
    this.#gateways.onChange(before, after, affected);
  }

  /** Judges what the names in `affected` concern beyond their readers, and adds the names of what came out differently. */
  settle(affected: Set<string>): void {
    this.#gateways.settle(affected);
    this.#serviceNames.settle(affected);
  }

  /** Takes over changes of workloads; returns the names of the reads they affect. */
  onWorkloads(changes: readonly WorkloadChange[]): ReadonlySet<string> {
    const affected = new Set<string>();
    for (const { before, after } of changes) {
      if (before !== undefined) this.#indexWorkload(before, false);
      if (after !== undefined) this.#indexWorkload(after, true);
      this.#workloads.affectedBy({ before, after }, affected);
    }
    this.#serviceNames.settle(affected);
    return affected;
  }

  /** Instances were held down or let go; returns the names of the reads that this affects. `serviceOfSource`: "NS/SERVICE". */
  onDamping(keys: readonly string[], serviceOfSource: (source: string) => string | undefined): ReadonlySet<string> {
    const affected = new Set<string>();
    for (const key of keys) {
      const owner = ownerOfKey(key);
      if ("source" in owner) {
        affected.add(`imports:${serviceOfSource(owner.source) ?? ""}`);
        continue;
      }
      for (const workload of this.#workloads.byService.get(owner.service)) {
        if (workloadKey(workload) !== key) continue;
        for (const label of labelKeys(workload)) affected.add(`state:${label}`);
      }
    }
    return affected;
  }

  /** The most exact name decides, then the own namespace, then age, then the key. */
  #externalFor(clientNamespace: string, names: readonly string[]): Resource<ExternalServiceSpec> | undefined {
    for (const name of names) {
      const found = this.#external.sorted(name).toSorted(byAge);
      const own = found.find(({ metadata }) => metadata.namespace === clientNamespace);
      const usable = own ?? found.find(({ spec }) => spec.visibility === "Mesh");
      if (usable !== undefined) return usable;
    }
    return undefined;
  }

  #service(namespace: string, name: string): ServiceView | undefined {
    const declared = this.#store.get(`Service/${namespace}/${name}`);
    if (declared !== undefined) return declaredService(declared as Resource<ServiceSpec>);
    return impliedService(namespace, name, this.#workloads.byService.get(`${namespace}/${name}`));
  }

  #facts(workload: RegisteredWorkload): WorkloadFacts {
    const { id, namespace, serviceAccount, labels } = workload;
    const services = this.#servicesSelecting(workload);
    const namespaceLabels = (name: string): Readonly<Record<string, string>> =>
      this.#store.get(`Namespace/${name}`)?.metadata.labels ?? {};
    const gateways = hostedBy(workload);
    const facts = { id, namespace, serviceAccount, labels, services, namespaceLabels };
    return gateways.length === 0 ? facts : { ...facts, gateways };
  }

  /** "NAMESPACE/NAME" of every service that selects the workload, sorted. */
  #servicesSelecting(workload: RegisteredWorkload): readonly string[] {
    const { namespace, service, labels } = workload;
    const names = labelKeys(workload)
      .flatMap((label) => this.#servicesByLabel.get(label))
      .filter(({ spec }) => selects(spec.selector, labels))
      .map(({ metadata }) => `${namespace}/${metadata.name}`);
    const own = `${namespace}/${service}`;
    // Implied services select by the registered name.
    if (this.#store.get(`Service/${own}`) === undefined) names.push(own);
    return names.sort();
  }

  #affectedByResource(resource: Resource, affected: Set<string>): void {
    const { namespace, name } = resource.metadata;
    affected.add(`resource:${resourceKey(resource)}`);
    if (resource.kind === "Service") {
      affected.add(`service:${namespace}/${name}`);
      for (const address of declaredService(resource as Resource<ServiceSpec>).addresses)
        affected.add(`address:${address}`);
      const { selector } = (resource as Resource<ServiceSpec>).spec;
      const label = firstLabel(resource as Resource<ServiceSpec>);
      const selected = label === undefined ? [] : this.#workloads.byLabel.get(label);
      for (const { id, labels } of selected) if (selects(selector, labels)) affected.add(`guards:${id}`);
      for (const { id } of this.#workloads.byService.get(`${namespace}/${name}`)) affected.add(`guards:${id}`);
      return;
    }
    if (resource.kind === "EndpointSlice") {
      affected.add(`slices:${serviceOfSlice(resource)}`);
      return;
    }
    if (resource.kind === "ExternalService") {
      for (const host of (resource as Resource<ExternalServiceSpec>).spec.hosts) affected.add(`external:${host}`);
      return;
    }
    if (resource.kind === "Namespace") {
      // Its labels may switch policies on and off.
      for (const { id } of this.#workloads.byNamespace.get(name)) affected.add(`guards:${id}`);
      for (const { id } of this.#workloads.placements.get(ANY_GATEWAY)) affected.add(`guards:${id}`);
      return;
    }
    if (meshRouteKinds.has(resource.kind)) {
      for (const parent of parentsOf(resource as Resource<HttpRouteSpec>)) affected.add(`routes:${parent}`);
      return;
    }
    const servicePolicy = this.#servicePolicyKinds.find(({ kind }) => kind.kind === resource.kind);
    if (servicePolicy !== undefined) {
      for (const target of servicePolicy.targets(resource)) affected.add(`attached:${target}`);
      return;
    }
    const policyKind = this.#policyKinds.find(({ kind }) => kind.kind === resource.kind);
    if (policyKind === undefined) return;
    for (const workload of this.#mayGuard(policyKind, resource)) {
      if (policyKind.appliesTo(resource, this.#facts(workload))) affected.add(`guards:${workload.id}`);
    }
  }

  /** The workloads that a policy may guard: few beyond those that it does. */
  #mayGuard(policyKind: PolicyKind, policy: Resource): readonly RegisteredWorkload[] {
    const scope = policyKind.scope?.(policy);
    if (scope === undefined) return this.#registry.values();
    const { namespace, services, gateways, labels } = scope;
    if (gateways !== undefined)
      return [...new Set(gateways.flatMap((gateway) => [...this.#workloads.placements.get(gateway)]))];
    if (services !== undefined) {
      const found = new Set<RegisteredWorkload>();
      for (const name of services) {
        for (const workload of this.#workloads.byService.get(name)) found.add(workload);
        const declared = this.#store.get(`Service/${name}`);
        const label = declared === undefined ? undefined : firstLabel(declared as Resource<ServiceSpec>);
        if (label !== undefined) for (const workload of this.#workloads.byLabel.get(label)) found.add(workload);
      }
      return [...found];
    }
    const [first] = Object.entries(labels ?? {});
    return first === undefined
      ? this.#workloads.byNamespace.get(namespace)
      : this.#workloads.byLabel.get(labelKey(namespace, ...first));
  }

  #indexWorkload(workload: RegisteredWorkload, add: boolean): void {
    this.#serviceNames.count(workload.namespace, workload.service, add);
    this.#workloads.index(workload, add);
  }

  #indexResource(resource: Resource, add: boolean): void {
    const key = resourceKey(resource);
    if (resource.kind === "Service") {
      const declared = resource as Resource<ServiceSpec>;
      this.#serviceNames.count(resource.metadata.namespace, resource.metadata.name, add);
      const label = firstLabel(declared);
      if (label !== undefined) this.#servicesByLabel.set(label, key, add ? declared : undefined);
      for (const address of declaredService(declared).addresses)
        this.#byAddress.set(address, key, add ? declared : undefined);
    } else if (meshRouteKinds.has(resource.kind)) {
      const route = resource as Resource<HttpRouteSpec>;
      for (const parent of parentsOf(route)) this.#routes.set(parent, key, add ? route : undefined);
    } else if (resource.kind === "EndpointSlice") {
      const slice = resource as Resource<EndpointSliceSpec>;
      this.#slices.set(serviceOfSlice(slice), key, add ? slice : undefined);
    } else if (resource.kind === "ExternalService") {
      const external = resource as Resource<ExternalServiceSpec>;
      for (const host of external.spec.hosts) this.#external.set(host, key, add ? external : undefined);
    } else {
      this.#policies.index(resource, add);
      const servicePolicy = this.#servicePolicyKinds.find(({ kind }) => kind.kind === resource.kind);
      for (const target of servicePolicy?.targets(resource) ?? [])
        this.#attached.set(`${resource.kind} ${target}`, key, add ? resource : undefined);
    }
  }
}

/** A host, and the wildcards above it, the most exact first. */
function hostPatterns(host: string): readonly string[] {
  const patterns = [host];
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) patterns.push(`*${host.slice(dot)}`);
  return patterns;
}

/** The oldest first; sorting is stable, so those of one age stay in the order of their keys. */
function byAge(a: Resource, b: Resource): number {
  return Date.parse(a.metadata.creationTimestamp) - Date.parse(b.metadata.creationTimestamp);
}

/** A label that every workload which the Service selects has; undefined when it selects none. */
function firstLabel({ metadata, spec }: Resource<ServiceSpec>): string | undefined {
  const [first] = Object.entries(spec.selector);
  return first === undefined ? undefined : labelKey(metadata.namespace, first[0], first[1]);
}

/** "NAMESPACE/NAME" of the Service that an EndpointSlice names. */
function serviceOfSlice({ metadata }: Resource): string {
  return `${metadata.namespace}/${metadata.labels[SERVICE_NAME_LABEL] ?? ""}`;
}

function parentsOf(route: Resource<HttpRouteSpec>): readonly string[] {
  const parents = new Set<string>();
  for (const { group, kind, namespace, name } of route.spec.parentRefs ?? []) {
    if (group === "" && kind === "Service") parents.add(`${namespace ?? route.metadata.namespace}/${name}`);
  }
  return [...parents];
}
