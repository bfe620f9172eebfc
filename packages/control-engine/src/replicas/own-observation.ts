// What this control plane sees, from the parts that saw it.

import type { DiscoveryServer } from "@ripstop/discovery/server";

import type { EgressLog } from "../egress/egress-log.ts";
import type { EventLog } from "../events/event-log.ts";
import type { MirrorLog } from "../mirror/mirror-log.ts";
import type { Registry } from "../registry/registry.ts";
import type { Collector } from "../telemetry/collector.ts";
import type { OwnObservation } from "./mesh-observation.ts";

/** The parts. */
export interface ObservedParts {
  readonly registry: Registry;
  readonly discovery: Pick<DiscoveryServer, "isConnected">;
  readonly collector: Collector;
  readonly egress: EgressLog;
  readonly mirrors: MirrorLog;
  readonly events: EventLog;
}

/** Puts it together. Workloads of which nothing is known here are left out. */
export function ownObservation({
  registry,
  discovery,
  collector,
  egress,
  mirrors,
  events,
}: ObservedParts): OwnObservation {
  return {
    traffic: () => ({
      edges: collector.edges(),
      workloads: registry
        .list()
        .map(({ id }) => collector.workload(id, discovery.isConnected(id)))
        .filter(({ connected, requests, processes }) => connected || requests > 0 || processes.length > 0),
      mirrors: mirrors.pairs(),
    }),
    events: (after) => events.list(after),
    egress: () => egress.list(),
    graph: (edges) => collector.graph(edges),
  };
}
