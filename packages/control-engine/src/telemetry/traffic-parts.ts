// What one control plane knows of the traffic, in sums that can be added to those of the others: the two sides of an edge
// may report at two control planes, and so may the workers of one proxy.

import type { Graph } from "@ripstop/model";

import { quantileMs, WINDOW_S, type WindowSums } from "./edge-window.ts";

/** Counters of one side of an edge: of the last ten seconds, and totals. */
export interface SidePart extends WindowSums {
  readonly requestsTotal: number;
  /** Of the newest traffic. */
  readonly mutualTls: boolean;
  readonly byVersion: Readonly<Record<string, number>>;
}

/** Both sides of one edge. */
export interface EdgePart {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly atSource: SidePart;
  readonly atDestination: SidePart;
}

/** Traffic of one workload. */
export interface WorkloadPart {
  readonly id: string;
  /** Its proxy has a config stream there. */
  readonly connected: boolean;
  /** Inbound, since the control plane started. */
  readonly requests: number;
  /** In the last minute there was inbound traffic in plain text, and over mutual TLS. */
  readonly isPlain: boolean;
  readonly isMutual: boolean;
  /** What each process of the proxy last said, and how many seconds ago. */
  readonly processes: readonly {
    readonly slot: number;
    readonly residentBytes: number;
    readonly pid: number;
    readonly ageS: number;
  }[];
}

/** Traffic of one workload. */
export interface WorkloadTraffic {
  /** Inbound, since the control plane started. */
  readonly requests: number;
  /** All inbound traffic of the last minute was mutual TLS; undefined without traffic. */
  readonly mutualTls: boolean | undefined;
  readonly residentBytes: number;
  readonly pid: number;
}

/** A worker reports every second. */
const WORKER_SILENT_S = 5;

/** Edges of the same ends and protocol put together, by their names. */
export function mergeEdges(parts: Iterable<EdgePart>): Graph["edges"] {
  const merged = new Map<string, EdgePart>();
  for (const part of parts) {
    const key = JSON.stringify([part.source, part.destination, part.protocol]);
    const before = merged.get(key);
    merged.set(
      key,
      before === undefined
        ? part
        : {
            ...part,
            atSource: addSides(before.atSource, part.atSource),
            atDestination: addSides(before.atDestination, part.atDestination),
          },
    );
  }
  return [...merged.values()].map(describeEdge).sort((a, b) => (edgeOrder(a) < edgeOrder(b) ? -1 : 1));
}

/** What all know of one workload: its workers together, those aside that are silent while another one reports. */
export function mergeTraffic(parts: readonly WorkloadPart[]): WorkloadTraffic {
  const isPlain = parts.some((part) => part.isPlain);
  const isMutual = parts.some((part) => part.isMutual);
  const newest = new Map<number, WorkloadPart["processes"][number]>();
  for (const one of parts.flatMap(({ processes }) => processes))
    if (one.ageS < (newest.get(one.slot)?.ageS ?? Number.POSITIVE_INFINITY)) newest.set(one.slot, one);
  const youngest = Math.min(...[...newest.values()].map(({ ageS }) => ageS));
  const living = [...newest.values()].filter(({ ageS }) => ageS <= youngest + WORKER_SILENT_S);
  const lowest = living.toSorted((a, b) => a.slot - b.slot)[0];
  return {
    requests: parts.reduce((sum, { requests }) => sum + requests, 0),
    mutualTls: isPlain || isMutual ? !isPlain : undefined,
    residentBytes: living.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
    pid: lowest?.pid ?? 0,
  };
}

function addSides(a: SidePart, b: SidePart): SidePart {
  const byVersion: Record<string, number> = { ...a.byVersion };
  for (const [version, count] of Object.entries(b.byVersion)) byVersion[version] = (byVersion[version] ?? 0) + count;
  return {
    requests: a.requests + b.requests,
    failures: a.failures + b.failures,
    denied: a.denied + b.denied,
    bytes: a.bytes + b.bytes,
    latencyCounts: a.latencyCounts.map((count, at) => count + (b.latencyCounts[at] ?? 0)),
    requestsTotal: a.requestsTotal + b.requestsTotal,
    mutualTls: [a, b].every((side) => side.requestsTotal === 0 || side.mutualTls),
    byVersion,
  };
}

/** Both ends report the same requests: the source's count holds, as it saw those that never arrived too; refusals are the destination's. */
function describeEdge({ source, destination, protocol, atSource, atDestination }: EdgePart): Graph["edges"][number] {
  const main = atSource.requestsTotal > 0 ? atSource : atDestination;
  const denied = Math.max(main.denied, atDestination.denied);
  const asked = main.requests - denied;
  const mutualTls = [atSource, atDestination].every((side) => side.requestsTotal === 0 || side.mutualTls);
  return {
    source,
    destination,
    protocol,
    mutualTls,
    requestsPerSecond: main.requests / WINDOW_S,
    successRate: asked > 0 ? Math.max(0, Math.min(1, (asked - main.failures) / asked)) : 1,
    deniedPerSecond: denied / WINDOW_S,
    p50Ms: quantileMs(main.latencyCounts, 0.5),
    p99Ms: quantileMs(main.latencyCounts, 0.99),
    requestsTotal: main.requestsTotal,
    bytesPerSecond: main.bytes / WINDOW_S,
    byVersion: Object.keys(main.byVersion).length > 0 ? main.byVersion : atDestination.byVersion,
  };
}

function edgeOrder({ source, destination, protocol }: Graph["edges"][number]): string {
  return `${source} ${destination} ${protocol}`;
}
