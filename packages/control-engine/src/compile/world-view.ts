// What compiling may read of the world, and which kinds of policy the world knows.

import type { PolicyKind, ServicePolicyKind } from "@ripstop/policy-api/control";
import type { ExternalServiceSpec } from "@ripstop/policies/external-service";
import type { HttpRouteSpec } from "@ripstop/policies/http-route";
import type { EndpointSliceSpec, Resource } from "@ripstop/resources";

import type { ImportedSet } from "../imports/imports.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import type { GatewayReads } from "./gateway-index.ts";
import type { ServiceView } from "./service-view.ts";

/** Reads that are recorded as dependencies of what is being computed. */
export interface WorldView extends GatewayReads {
  service(namespace: string, name: string): ServiceView | undefined;
  /** The Service that has a virtual address; of several the oldest, of those of one age the first by key. */
  serviceAt(address: string): { readonly namespace: string; readonly name: string } | undefined;
  /** "NAMESPACE/NAME" of the services of a namespace, in order; a name that only clients registered for is among them. */
  servicesIn(namespace: string): readonly string[];
  workload(id: string): RegisteredWorkload | undefined;
  /** Workloads that a service selects, in the order of their ids. `withState`: readiness and address matter too. */
  members(service: ServiceView, withState: boolean): readonly RegisteredWorkload[];
  /** EndpointSlices of the Service, sorted by key; none when it selects workloads. */
  slicesOf(service: ServiceView): readonly Resource<EndpointSliceSpec>[];
  /** What EndpointSources give the Service; none when it selects workloads. */
  importsOf(service: ServiceView): readonly ImportedSet[];
  /** The penalty that an instance is held down for, by its damping key; 0 for none. */
  penaltyOf(key: string): number;
  /** The penalty that a workload is held down for; 0 for none. */
  penaltyOfWorkload(workload: RegisteredWorkload): number;
  /** HTTPRoutes, GRPCRoutes and TCPRoutes that name the service as a parent. */
  routesOf(namespace: string, name: string): readonly Resource<HttpRouteSpec>[];
  /** Keys of the policies that guard a workload, in the order of kinds, then keys. */
  policiesGuarding(workload: RegisteredWorkload): readonly string[];
  /** "NAMESPACE/NAME" of every service that selects a workload, in order. */
  servicesOf(workload: RegisteredWorkload): readonly string[];
  /** The policy of each kind that is attached to a service and wins there (GEP-713), in the order of kinds. */
  attachedTo(namespace: string, name: string): readonly AttachedPolicy[];
  /** The ExternalService that is for a host when callers of a namespace name it. */
  externalFor(clientNamespace: string, host: string): Resource<ExternalServiceSpec> | undefined;
  /** Addresses of a host outside, as far as they are known. */
  addressesOf(host: string): readonly string[];
  /** A resource by its key. */
  resource(key: string): Resource | undefined;
  /** Workloads that host the Gateway and are ready. */
  placements(namespace: string, name: string): readonly RegisteredWorkload[];
}

/** A policy attached to a service, with its kind. */
export interface AttachedPolicy {
  readonly policyKind: ServicePolicyKind;
  readonly policy: Resource;
}

/** The kinds of policy that the world knows. */
export interface KnownPolicies {
  /** Those that guard workloads. */
  readonly policyKinds: readonly PolicyKind[];
  /** Those that are attached to services; default none. */
  readonly servicePolicyKinds?: readonly ServicePolicyKind[];
  /** Addresses of a host outside, as far as they are known; default: none are. */
  addressesOf?(host: string): readonly string[];
  /** Instances that registries outside name; default: none do. */
  readonly imports?: { of(namespace: string, name: string): readonly ImportedSet[] };
  /** Who is held down; default nobody. */
  readonly damper?: { readonly size: number; penaltyOf(key: string): number };
}
