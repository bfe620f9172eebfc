// Which resources a proxy may know.

import type { Subscriber } from "@ripstop/discovery/server";
import {
  gatewayOfRoute,
  gatewayRoutesType,
  gatewayRouteType,
  gatewayType,
  hostBindingType,
  parseBindingName,
  parseWorkerStreamId,
  workloadType,
} from "@ripstop/model";

import type { Registry } from "../registry/registry.ts";

const GATEWAY_TYPES: ReadonlySet<string> = new Set([
  gatewayType.typeUrl,
  gatewayRoutesType.typeUrl,
  gatewayRouteType.typeUrl,
]);

/**
 * A workload is for the proxy that hosts it; a Gateway, which holds private keys, its routes, and the hosts that it leads out
 * to are for the proxies that are its placement; everything else is for every authenticated proxy.
 */
export function maySee(
  registry: Pick<Registry, "get">,
  typeUrl: string,
  { name, subscriber }: { readonly name: string; readonly subscriber: Subscriber },
): boolean {
  const { proxyId } = parseWorkerStreamId(subscriber.proxyId);
  if (typeUrl === workloadType.typeUrl) return name === proxyId;
  const egress = typeUrl === hostBindingType.typeUrl ? (parseBindingName(name)?.gateway ?? "") : "";
  if (!GATEWAY_TYPES.has(typeUrl) && egress === "") return true;
  const workload = registry.get(proxyId);
  if (workload?.gateway === undefined) return false;
  const gateway = egress === "" ? gatewayOfRoute(name) : egress;
  return workload.gateway.names.some((own) => gateway === `${workload.namespace}/${own}`);
}
