// Labels and annotations of a Gateway's `spec.infrastructure` on what runs for it (Gateway API, GEP-1867 and GEP-1762): off
// Kubernetes the workloads of `ripstop gateway`.

import { CONTROLLER_NAME, type GatewaySpec } from "@ripstop/policies/gateway";
import type { GatewayClassSpec } from "@ripstop/policies/gateway-class";
import type { Resource } from "@ripstop/resources";

import type { Store } from "../store/store.ts";
import type { Infrastructure, RegisteredWorkload } from "./registered-workload.ts";
import type { Registry } from "./registry.ts";

/** Labels by which what belongs to one Gateway is found (GEP-1762). */
const GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name";
const GATEWAY_CLASS_NAME = "gateway.networking.k8s.io/gateway-class-name";

/** What the Gateways `names` of a namespace say; of several, the one that was named first decides. */
export function infrastructureOf(store: Store, namespace: string, names: readonly string[]): Infrastructure {
  const gateways = names.flatMap((name) => {
    const gateway = store.get(`Gateway/${namespace}/${name}`) as Resource<GatewaySpec> | undefined;
    return gateway === undefined || !isOurs(store, gateway) ? [] : [gateway];
  });
  const [only] = gateways;
  const known =
    only === undefined || names.length > 1
      ? {}
      : { [GATEWAY_NAME]: only.metadata.name, [GATEWAY_CLASS_NAME]: only.spec.gatewayClassName };
  // The later assignment wins: the first Gateway comes last.
  const said = gateways.toReversed().map(({ spec }) => spec.infrastructure);
  return {
    labels: merged([...said.map((one) => one?.labels), known]),
    annotations: merged(said.map((one) => one?.annotations)),
  };
}

/** The workload with these labels and annotations in place of those that it had of its Gateways; its own labels stay. */
export function withInfrastructure(workload: RegisteredWorkload, found: Infrastructure): RegisteredWorkload {
  const { infrastructure: before, ...rest } = workload;
  const own = without(workload.labels, before?.labels ?? {});
  const labels = without(found.labels, own);
  const isEmpty = Object.keys(labels).length === 0 && Object.keys(found.annotations).length === 0;
  if (isEmpty && before === undefined) return workload;
  return {
    ...rest,
    labels: { ...labels, ...own },
    ...(isEmpty ? {} : { infrastructure: { labels, annotations: found.annotations } }),
  };
}

/** Keeps the workloads as their Gateways say, from now on; returns how to stop. */
export function followGateways(store: Store, registry: Registry): () => void {
  registry.refreshGateways();
  const watching = store.watch(store.revision, ({ changes }) => {
    const concerns = changes.some((change) => {
      const { kind } = change.type === "put" ? change.resource : change.before;
      return kind === "Gateway" || kind === "GatewayClass";
    });
    if (concerns) registry.refreshGateways();
  });
  return watching.ok ? watching.value : () => undefined;
}

function isOurs(store: Store, { spec }: Resource<GatewaySpec>): boolean {
  const found = store.get(`GatewayClass/${spec.gatewayClassName}`) as Resource<GatewayClassSpec> | undefined;
  return found === undefined || found.spec.controllerName === CONTROLLER_NAME;
}

function merged(all: readonly (Readonly<Record<string, string>> | undefined)[]): Readonly<Record<string, string>> {
  return Object.fromEntries(all.flatMap((one) => Object.entries(one ?? {})));
}

function without(
  labels: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(labels).filter(([key]) => !Object.hasOwn(others, key)));
}
