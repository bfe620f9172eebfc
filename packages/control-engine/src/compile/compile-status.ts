// The status of every kind that has one, without the times of its conditions.

import { backendTlsPolicyStatus, policyTargets, type BackendTlsPolicySpec } from "@ripstop/policies/backend-tls-policy";
import {
  condition,
  gatewayParent,
  gatewayStatus,
  listenerSetStatus,
  type Condition,
  type GatewayView,
} from "@ripstop/policies/gateway";
import { gatewayClassStatus, type GatewayClassSpec } from "@ripstop/policies/gateway-class";
import type { Resource } from "@ripstop/resources";

import { countAttached, judgeParent, referenceFacts, routeKinds } from "./compile-gateway.ts";
import { compileRouteStatus } from "./compile-routes.ts";
import { finder } from "./route-views.ts";
import type { WorldView } from "./world.ts";

/** Kinds that have a status with conditions. */
export const statusKinds: readonly string[] = [
  ...routeKinds,
  "GatewayClass",
  "Gateway",
  "ListenerSet",
  "BackendTLSPolicy",
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
    default:
      return { parents: compileRouteStatus(view, key) ?? [] };
  }
}

interface Judged {
  readonly view: WorldView;
  readonly status: ReturnType<typeof gatewayStatus>;
}

/** A Gateway that asks for no address has those of its proxies; without a proxy it is not programmed. */
function withPlacements(resource: Resource, { namespace, name }: GatewayView, { view, status }: Judged): object {
  const placements = view.placements(namespace, name);
  const bound = new Set(placements.map(({ gateway }) => gateway?.address ?? "").filter((address) => address !== ""));
  const addresses =
    status.addresses.length > 0 ? status.addresses : [...bound].sort().map((value) => ({ type: "IPAddress", value }));
  if (placements.length > 0) return { ...status, addresses };
  const message = `no proxy serves it; start one: ripstop gateway ${name} --namespace ${namespace}`;
  const missing = condition(resource)("Programmed", false, "AddressNotAssigned", message);
  const conditions = status.conditions.map((one: Condition) =>
    one.type === "Programmed" && one.status === "True" ? missing : one,
  );
  return { ...status, addresses: [], conditions };
}

function ofListenerSet(view: WorldView, set: Resource): object | undefined {
  const { namespace, name } = set.metadata;
  const target = view.gatewayOfListenerSet(namespace, name) ?? "";
  const [gatewayNamespace = "", gatewayName = ""] = target.split("/");
  const gateway = view.gateway(gatewayNamespace, gatewayName);
  if (gateway !== undefined && !gateway.isOurs) return undefined;
  const found =
    gateway === undefined ? undefined : listenerSetStatus(gateway, { namespace, name }, countAttached(view, gateway));
  if (found !== undefined) return found;
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
