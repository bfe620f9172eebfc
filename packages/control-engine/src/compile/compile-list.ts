// What the wildcard of a type stands for: what a proxy may learn of without naming it. Its own workload and what guards
// that, the services of its namespace, the Gateways that it hosts. Of other namespaces it knows what it can name.

import {
  endpointsType,
  gatewayRoutesType,
  gatewayRouteType,
  gatewayType,
  policyType,
  routesName,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
} from "@ripstop/model";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { compileGatewayRoutes } from "./compile-gateway.ts";
import { compileWorkload } from "./compile-workload.ts";
import type { WorldView } from "./world-view.ts";

interface Listing {
  /** Whom a list is for: proxies of one scope share it. */
  scope(workload: RegisteredWorkload): string;
  names(view: WorldView, scope: string, trustDomains: () => readonly string[]): readonly string[];
}

const ofWorkload = ({ id }: RegisteredWorkload): string => id;
const ofNamespace = ({ namespace }: RegisteredWorkload): string => namespace;
const ofMesh = (): string => "";

const services: Listing = { scope: ofNamespace, names: (view, namespace) => view.servicesIn(namespace) };
const gateways: Listing = { scope: ofWorkload, names: gatewaysOf };

/** HostBindings have none: a host may have any number of names. */
const listings: ReadonlyMap<string, Listing> = new Map<string, Listing>([
  [workloadType.typeUrl, { scope: ofWorkload, names: (_view, id) => [id] }],
  [
    policyType.typeUrl,
    { scope: ofWorkload, names: (view, id) => compileWorkload(view, id)?.policies.map(({ name }) => name) ?? [] },
  ],
  [serviceType.typeUrl, services],
  [endpointsType.typeUrl, services],
  [
    routesType.typeUrl,
    {
      scope: ofNamespace,
      names: (view, namespace) => view.servicesIn(namespace).map((service) => routesName(service, namespace)),
    },
  ],
  [gatewayType.typeUrl, gateways],
  [gatewayRoutesType.typeUrl, gateways],
  [
    gatewayRouteType.typeUrl,
    {
      scope: ofWorkload,
      names: (view, id) =>
        gatewaysOf(view, id).flatMap((gateway) => {
          const [namespace = "", name = ""] = gateway.split("/");
          return compileGatewayRoutes(view, namespace, name)?.routes ?? [];
        }),
    },
  ],
  [trustBundleType.typeUrl, { scope: ofMesh, names: (_view, _scope, trustDomains) => trustDomains() }],
  [telemetryType.typeUrl, { scope: ofMesh, names: () => ["default"] }],
]);

/** For whom the wildcard of a type is what it is for a proxy of `workload`; undefined for a type that has none. */
export function listScope(typeUrl: string, workload: RegisteredWorkload): string | undefined {
  return listings.get(typeUrl)?.scope(workload);
}

/** The names of the list, some of which may not exist. `trustDomains`: those that the mesh trusts. */
export function compileList(
  view: WorldView,
  { typeUrl, scope }: { readonly typeUrl: string; readonly scope: string },
  trustDomains: () => readonly string[],
): readonly string[] {
  return listings.get(typeUrl)?.names(view, scope, trustDomains) ?? [];
}

function gatewaysOf(view: WorldView, id: string): readonly string[] {
  const workload = view.workload(id);
  return (workload?.gateway?.names ?? []).map((name) => `${workload?.namespace}/${name}`);
}
