// How the resources of each type are compiled: which names a type has, and what becomes of one.

import {
  endpointsType,
  gatewayRoutesType,
  gatewayRouteType,
  gatewayType,
  hostBindingType,
  parseBindingName,
  policyType,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
  type ResourceType,
  type TrustBundle,
} from "@ripstop/model";
import type { PolicyKind } from "@ripstop/policy-api/control";
import { isDnsLabel, isDnsSubdomain } from "@ripstop/resources";

import { compileExternalEndpoints, compileExternalService, parseExternalServiceName } from "./compile-external.ts";
import { compileGatewayResource, compileGatewayRoute, compileGatewayRoutes } from "./compile-gateway.ts";
import { compileRoutes } from "./compile-routes.ts";
import { compileEgressBinding, compileEndpoints, compileHostBinding, compileService } from "./compile-service.ts";
import { compilePolicy, compileWorkload } from "./compile-workload.ts";
import type { WorldView } from "./world-view.ts";

type FederatedRoots = ReadonlyMap<
  string,
  { readonly x509Authorities: readonly Uint8Array[]; readonly sequence: number | undefined }
>;

/** What compiling reads beside the world. */
export interface MeshFacts {
  readonly policyKinds: readonly PolicyKind[];
  readonly trustDomain: string;
  /** The roots to trust. */
  bundle(): { readonly der: readonly Uint8Array[]; readonly sequence: number };
  /** Who is refused although a root vouches for it; default nobody. */
  revocations?(): readonly { readonly spiffeId: string; readonly serialNumber: string; readonly reason: string }[];
  /** Roots of the federated trust domains, by trust domain. */
  federated?(): FederatedRoots;
}

/** The bytes of a resource; undefined when there is none of that name. */
export type Compile = (view: WorldView, name: string, mesh: MeshFacts) => Uint8Array | undefined;

/** What compiles the resources of a type, by type URL. */
export const compilations: ReadonlyMap<string, Compile> = new Map([
  define(workloadType, (view, name) => compileWorkload(view, name)),
  define(policyType, (view, name, mesh) => compilePolicy(view, name, mesh)),
  define(serviceType, (view, name) => {
    const external = parseExternalServiceName(name);
    if (external !== undefined) return compileExternalService(view, external);
    return withService(name, (namespace, service) => compileService(view, namespace, service));
  }),
  define(endpointsType, (view, name) => {
    const external = parseExternalServiceName(name);
    if (external !== undefined) return compileExternalEndpoints(view, external);
    return withService(name, (namespace, service) => compileEndpoints(view, namespace, service));
  }),
  define(hostBindingType, (view, name) => {
    const asked = parseBindingName(name);
    if (asked === undefined || !isDnsLabel(asked.clientNamespace)) return undefined;
    if (asked.gateway !== "") return compileEgressBinding(view, asked);
    return compileHostBinding(view, asked.clientNamespace, asked.host);
  }),
  define(routesType, (view, name) => {
    const [target = "", clientNamespace = "", ...more] = name.split("@");
    if (more.length > 0 || !isDnsLabel(clientNamespace)) return undefined;
    const external = parseExternalServiceName(target);
    if (external !== undefined) return compileExternalService(view, external) && { service: target, ports: [] };
    return withService(target, (namespace, service) =>
      compileRoutes(view, { namespace, name: service }, clientNamespace),
    );
  }),
  define(gatewayType, (view, name) =>
    withGateway(name, (namespace, gateway) => compileGatewayResource(view, namespace, gateway)),
  ),
  define(gatewayRoutesType, (view, name) =>
    withGateway(name, (namespace, gateway) => compileGatewayRoutes(view, namespace, gateway)),
  ),
  define(gatewayRouteType, (view, name) => compileGatewayRoute(view, name)),
  define(trustBundleType, (_view, name, mesh) => compileTrustBundle(name, mesh)),
  define(telemetryType, (_view, name) => (name === "default" ? { reportIntervalMs: 1_000 } : undefined)),
]);

/** The own bundle names the federated ones, so that proxies ask for them. One that trusts nobody is none. */
function compileTrustBundle(name: string, mesh: MeshFacts): TrustBundle | undefined {
  const federated: FederatedRoots = mesh.federated?.() ?? new Map<string, never>();
  if (name === mesh.trustDomain) {
    const { der, sequence } = mesh.bundle();
    const federatesWith = [...federated].filter(([, { x509Authorities }]) => x509Authorities.length > 0);
    return {
      trustDomain: name,
      sequence,
      x509Authorities: der.map((root) => Buffer.from(root)),
      federatesWith: federatesWith.map(([trustDomain]) => trustDomain).sort(),
      revocations: (mesh.revocations?.() ?? []).map(({ spiffeId, serialNumber, reason }) => ({
        spiffeId,
        serialNumber,
        reason,
      })),
    };
  }
  const bundle = federated.get(name);
  if (bundle === undefined || bundle.x509Authorities.length === 0) return undefined;
  return {
    trustDomain: name,
    sequence: bundle.sequence ?? 0,
    x509Authorities: bundle.x509Authorities.map((root) => Buffer.from(root)),
    federatesWith: [],
    revocations: [],
  };
}

function define<T>(
  type: ResourceType<T>,
  compile: (view: WorldView, name: string, mesh: MeshFacts) => T | undefined,
): readonly [string, Compile] {
  return [
    type.typeUrl,
    (view, name, mesh) => {
      const resource = compile(view, name, mesh);
      return resource === undefined ? undefined : type.encode(resource);
    },
  ];
}

function withService<T>(name: string, compile: (namespace: string, service: string) => T): T | undefined {
  const [namespace = "", service = "", ...more] = name.split("/");
  return more.length > 0 || !isDnsLabel(namespace) || !isDnsLabel(service) ? undefined : compile(namespace, service);
}

function withGateway<T>(name: string, compile: (namespace: string, gateway: string) => T): T | undefined {
  const [namespace = "", gateway = "", ...more] = name.split("/");
  return more.length > 0 || !isDnsLabel(namespace) || !isDnsSubdomain(gateway)
    ? undefined
    : compile(namespace, gateway);
}
