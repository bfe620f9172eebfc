// Instances that registries outside the mesh name: reached in plain bytes, as those of EndpointSlices.

import { Endpoint_Reach, type Endpoint } from "@ripstop/model";

import { importedKey } from "../damping/damping-key.ts";
import type { DampedEndpoint } from "../damping/damp-endpoints.ts";
import { instanceId } from "../imports/import-source.ts";
import type { ImportedSet } from "../imports/imports.ts";
import { localityOf } from "./locality.ts";
import type { ServiceView } from "./service-view.ts";

/** Tiers of priority that the data plane tells apart; further ones are in the last. */
const MAX_PRIORITY = 7;

/** The endpoints of a service by what its sources name. An instance of several sources is one. */
export function importedEndpoints(
  service: ServiceView,
  sets: readonly ImportedSet[],
  { penaltyOf, subsetLabel }: { readonly penaltyOf: (key: string) => number; readonly subsetLabel: string | undefined },
): readonly DampedEndpoint[] {
  const byId = new Map<string, DampedEndpoint>();
  for (const { source, port, instances } of sets) {
    const ports = service.ports.filter((one) => port === undefined || one.port === port);
    if (ports.length === 0) continue;
    const priorities = [...new Set(instances.map(({ priority }) => priority))].sort((a, b) => a - b);
    for (const instance of instances) {
      const id = instanceId(instance);
      const known = byId.get(id);
      const { labels } = instance;
      const targetPorts = Object.fromEntries(ports.map((one) => [one.port, instance.port]));
      const priority = Math.min(MAX_PRIORITY, priorities.indexOf(instance.priority));
      const subset = subsetLabel === undefined || !Object.hasOwn(labels, subsetLabel) ? undefined : labels[subsetLabel];
      const endpoint: Endpoint = {
        id,
        reach: Endpoint_Reach.PLAIN,
        address: id,
        spiffeId: "",
        weight: instance.weight,
        healthy: true,
        locality: localityOf(instance),
        targetPorts: { ...known?.endpoint.targetPorts, ...targetPorts },
        version: labels["version"] ?? "",
        ...(subset === undefined ? {} : { subset }),
        ...(priority === 0 ? {} : { priority }),
      };
      byId.set(id, { endpoint, penalty: Math.max(known?.penalty ?? 0, penaltyOf(importedKey(source, id))) });
    }
  }
  return [...byId.values()];
}
