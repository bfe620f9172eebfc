// The status of every kind that has one, without the times of its conditions.

import { backendTlsPolicyStatus, policyTargets, type BackendTlsPolicySpec } from "@ripstop/policies/backend-tls-policy";
import {
  condition,
  gatewayParent,
  gatewayStatus,
  listenerSetStatus,
  type Condition,
  type GatewayView,
  type ListenerStatus,
} from "@ripstop/policies/gateway";
import type { ExternalServiceSpec } from "@ripstop/policies/external-service";
import { gatewayClassStatus, type GatewayClassSpec } from "@ripstop/policies/gateway-class";
import type { Resource } from "@ripstop/resources";

import { countAttached, judgeParent, referenceFacts, routeKinds } from "./compile-gateway.ts";
import { compileRouteStatus } from "./compile-routes.ts";
import { externalServiceStatus } from "./external-status.ts";
import { finder } from "./route-views.ts";
import type { WorldView } from "./world-view.ts";

/** Kinds that have a status with conditions. */
export const statusKinds: readonly string[] = [
  ...routeKinds,
  "GatewayClass",
  "Gateway",
  "ListenerSet",
  "BackendTLSPolicy",
  "ExternalService",
];

/** The status of the resource with that key; undefined when there is no such resource, or it is not ours to judge. */
export function compileStatus(view: WorldView, key: string): object | undefined {
  const resource = view.resource(key);
  if (resource === undefined) return undefined;
  const { namespace, name } = resource.metadata;
  switch (resource.kind) {
    case "GatewayClass":
      return gatewayClassStatus(resource as Resource<GatewayClassSpec>);
    case "Gateway": {
      const gateway = view.gateway(namespace, name);
      if (gateway === undefined || !gateway.isOurs) return undefined;
      return withPlacements(resource, gateway, { view, status: gatewayStatus(gateway, countAttached(view, gateway)) });
    }
    case "ListenerSet":
      return ofListenerSet(view, resource);
    case "BackendTLSPolicy":
      return ofBackendTlsPolicy(view, resource as Resource<BackendTlsPolicySpec>);
    case "ExternalService":
      return externalServiceStatus(view, resource as Resource<ExternalServiceSpec>);
    default:
      return { parents: compileRouteStatus(view, key) ?? [] };
  }
}

interface Judged {
  readonly view: WorldView;
  readonly status: ReturnType<typeof gatewayStatus>;
}

/**
 * A Gateway that asks for no address has those of its proxies; without a proxy it is not programmed, nor when its proxies
 * cannot open a port of it on an address of it.
 */
function withPlacements(resource: Resource, gateway: GatewayView, { view, status }: Judged): object {
  const { namespace, name } = gateway;
  const closed = closedPortsOf(view, gateway);
  if (closed === undefined) {
    const message = `no proxy serves it; start one: ripstop gateway ${name} --namespace ${namespace}`;
    const missing = condition(resource)("Programmed", false, "AddressNotAssigned", message);
    return { ...status, addresses: [], conditions: instead(status.conditions, missing) };
  }
  const addresses = closed.usable.map((value) => ({ type: "IPAddress", value }));
  const [first] = closed.problems;
  if (first === undefined) return { ...status, addresses };
  const unusable = condition(resource)("Programmed", false, "AddressNotUsable", first);
  return {
    ...status,
    addresses,
    conditions: instead(status.conditions, unusable),
    listeners: withClosed(resource, status.listeners, { closed, all: gateway.listeners }),
  };
}

/** Where the proxies of a Gateway could not open its ports. */
interface ClosedPorts {
  /** Addresses on which at least one port is open, in the order of the Gateway, else sorted. */
  readonly usable: readonly string[];
  /** In plain words, one for each port of an address. */
  readonly problems: readonly string[];
  /** Listener port → why it is open nowhere. */
  readonly ports: ReadonlyMap<number, string>;
}

/** Undefined when no proxy serves the Gateway. */
function closedPortsOf(
  view: WorldView,
  { namespace, name, addresses, listeners }: GatewayView,
): ClosedPorts | undefined {
  const placements = view.placements(namespace, name);
  if (placements.length === 0) return undefined;
  const bound = placements.map(({ gateway }) => gateway?.address ?? "").filter((address) => address !== "");
  const wanted = addresses.length > 0 ? addresses.map(({ value }) => value) : [...new Set(bound)].sort();
  if (placements.every(({ closedPorts }) => closedPorts === undefined))
    return { usable: wanted, problems: [], ports: new Map() };
  // An address counts as closed when no proxy that is to listen there can.
  const causeOf = (address: string, port: number): string | undefined => {
    const causes = placements
      .filter(({ gateway }) => addresses.length > 0 || gateway?.address === address)
      .map(({ closedPorts = [] }) =>
        closedPorts.find((one) => one.gateway === name && one.address === address && one.port === port),
      );
    return causes.includes(undefined) ? undefined : causes[0]?.cause;
  };
  const ports = [...new Set(listeners.filter(({ isProgrammed }) => isProgrammed).map(({ port }) => port))];
  const usable = wanted.filter(
    (address) => ports.length === 0 || ports.some((port) => causeOf(address, port) === undefined),
  );
  const problems = wanted.flatMap((address) =>
    ports.flatMap((port) => {
      const cause = causeOf(address, port);
      return cause === undefined ? [] : [`port ${port} cannot be opened on ${address}: ${cause}`];
    }),
  );
  const nowhere = ports.flatMap((port): [number, string][] => {
    const [cause, ...more] = wanted.map((address) => causeOf(address, port));
    return cause === undefined || more.includes(undefined) ? [] : [[port, cause]];
  });
  return { usable, problems, ports: new Map(nowhere) };
}

/** Listeners whose port is open nowhere are not programmed; their proxies go on trying. */
function withClosed(
  resource: Resource,
  statuses: readonly ListenerStatus[],
  { closed, all }: { readonly closed: ClosedPorts; readonly all: GatewayView["listeners"] },
): readonly ListenerStatus[] {
  const { kind, metadata } = resource;
  return statuses.map((status) => {
    const listener = all.find(
      ({ owner, name }) =>
        name === status.name &&
        owner.kind === kind &&
        owner.namespace === metadata.namespace &&
        owner.name === metadata.name,
    );
    const cause = closed.ports.get(listener?.port ?? 0);
    if (listener === undefined || cause === undefined) return status;
    const message = `port ${listener.port} cannot be opened: ${cause}; the proxy tries again`;
    const pending = condition(resource)("Programmed", false, "Pending", message);
    return { ...status, conditions: instead(status.conditions, pending) };
  });
}

/** The conditions with one in place of that of its type, where that is True. */
function instead(conditions: readonly Condition[], by: Condition): readonly Condition[] {
  return conditions.map((one) => (one.type === by.type && one.status === "True" ? by : one));
}

function ofListenerSet(view: WorldView, set: Resource): object | undefined {
  const { namespace, name } = set.metadata;
  const target = view.gatewayOfListenerSet(namespace, name) ?? "";
  const [gatewayNamespace = "", gatewayName = ""] = target.split("/");
  const gateway = view.gateway(gatewayNamespace, gatewayName);
  if (gateway !== undefined && !gateway.isOurs) return undefined;
  const found =
    gateway === undefined ? undefined : listenerSetStatus(gateway, { namespace, name }, countAttached(view, gateway));
  if (found !== undefined && gateway !== undefined) {
    const closed = closedPortsOf(view, gateway);
    if (closed === undefined || closed.ports.size === 0) return found;
    return { ...found, listeners: withClosed(set, found.listeners, { closed, all: gateway.listeners }) };
  }
  const at = condition(set);
  const message = gateway === undefined ? `there is no Gateway ${target}` : "the Gateway is not accepted";
  return {
    conditions: ["Accepted", "Programmed"].map((type) => at(type, false, "ParentNotAccepted", message)),
    listeners: [],
  };
}

function ofBackendTlsPolicy(view: WorldView, policy: Resource<BackendTlsPolicySpec>): object {
  const ancestors = backendTlsPolicyStatus(policy, {
    ...referenceFacts(view),
    findService: finder(view),
    policiesOf: (namespace, name) => view.backendPolicies(namespace, name),
    gateways: () => gatewaysTo(view, policyTargets(policy)),
  });
  return { ancestors };
}

/** "NAMESPACE/NAME" of the Gateways with an accepted route to one of the Services, sorted. */
function gatewaysTo(view: WorldView, services: readonly string[]): readonly string[] {
  const gateways = new Set<string>();
  for (const service of services) {
    const [namespace = "", name = ""] = service.split("/");
    for (const route of view.routesTo(namespace, name)) {
      for (const parent of route.spec.parentRefs ?? []) {
        const named = gatewayParent(route, parent);
        if (named === undefined || (judgeParent(view, route, parent)?.attached.length ?? 0) === 0) continue;
        const gateway =
          named.kind === "Gateway"
            ? `${named.namespace}/${named.name}`
            : view.gatewayOfListenerSet(named.namespace, named.name);
        if (gateway !== undefined) gateways.add(gateway);
      }
    }
  }
  return [...gateways].sort();
}
