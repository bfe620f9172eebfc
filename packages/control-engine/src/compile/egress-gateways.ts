// Gateways by which workloads leave the mesh: which one a host is reached through, and where its proxies are.

import type { ExternalServiceSpec } from "@ripstop/policies/external-service";
import { egressListener, type NoWayOut, type WantedWayOut } from "@ripstop/policies/gateway";
import { RESERVED_NAMESPACE, type Resource } from "@ripstop/resources";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import type { WorldView } from "./world-view.ts";

/** Label of a Namespace: "NAME.NAMESPACE" of the Gateway that its workloads reach hosts outside through, or NO_GATEWAY. */
export const EGRESS_GATEWAY_LABEL = "ripstop.mesh/egress-gateway";

/** Value of the label for a namespace whose workloads go directly, whatever holds for the mesh. */
export const NO_GATEWAY = "none";

/** The proxies of a Gateway that lead out. */
export interface WaysOut {
  readonly instances: readonly {
    readonly workload: RegisteredWorkload;
    /** "HOST:PORT" of its egress listener. */
    readonly address: string;
  }[];
  /** Why there are none; "" when there are some. */
  readonly problem: string;
}

/**
 * "NAMESPACE/NAME" of the Gateway through which callers of a namespace reach the hosts of an ExternalService: the one that it
 * names, else that of the callers' Namespace, else that of the mesh. "" for none.
 */
export function gatewayOf(
  view: WorldView,
  { metadata, spec }: Resource<ExternalServiceSpec>,
  clientNamespace: string,
): string {
  if (spec.gateway !== undefined) return `${spec.gateway.namespace ?? metadata.namespace}/${spec.gateway.name}`;
  for (const namespace of [clientNamespace, RESERVED_NAMESPACE]) {
    const label = view.resource(`Namespace/${namespace}`)?.metadata.labels[EGRESS_GATEWAY_LABEL];
    if (label === undefined) continue;
    if (label === NO_GATEWAY) return "";
    // A name may have dots, a namespace has none. One without any names no Gateway that there could be: nothing goes out.
    const dot = label.lastIndexOf(".");
    return `${label.slice(dot + 1)}/${label.slice(0, Math.max(0, dot))}`;
  }
  return "";
}

/** Why a Gateway does not lead callers out to a host; undefined when it does. Who names the Gateway must be let. */
export function refusedBy(
  view: WorldView,
  { metadata, spec }: Resource<ExternalServiceSpec>,
  wanted: WantedWayOut,
): NoWayOut | undefined {
  const namespace = spec.gateway === undefined ? wanted.namespace : metadata.namespace;
  const found = egressListener(gatewayView(view, wanted.gateway), { ...wanted, namespace }, view);
  return "reason" in found ? found : undefined;
}

/** The proxies of a Gateway that lead out to a host. */
export function instancesOf(view: WorldView, gateway: string, host: string): WaysOut {
  const judged = gatewayView(view, gateway);
  const listener = egressListener(judged, { gateway, namespace: "", host }, view);
  if ("reason" in listener) return { instances: [], problem: listener.message };
  const [namespace = "", name = ""] = gateway.split("/");
  const placements = view.placements(namespace, name);
  const wanted = (judged?.addresses ?? []).map(({ value }) => value);
  const instances = placements.flatMap((workload) => {
    const { gateway: placed, closedPorts = [] } = workload;
    if (placed === undefined) return [];
    const address = (wanted.length > 0 ? wanted : [placed.address]).find(
      (one) =>
        !WILDCARDS.has(one) &&
        !closedPorts.some((port) => port.gateway === name && port.address === one && port.port === listener.port),
    );
    if (address === undefined) return [];
    const port = listener.port + placed.portOffset;
    return [{ workload, address: `${address.includes(":") ? `[${address}]` : address}:${port}` }];
  });
  if (instances.length > 0) return { instances, problem: "" };
  const problem =
    placements.length === 0
      ? `no proxy of Gateway ${gateway} is ready; start one: ripstop gateway ${name} --namespace ${namespace}`
      : `no proxy of Gateway ${gateway} listens on an address that callers can name: give one with --address`;
  return { instances, problem };
}

/** Listened on, but nowhere to be called. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "::", ""]);

function gatewayView(view: WorldView, gateway: string): ReturnType<WorldView["gateway"]> {
  const [namespace = "", name = ""] = gateway.split("/");
  return view.gateway(namespace, name);
}
