// What the proxies report, kept as bounded aggregates: the live graph and the traffic of each workload.

import type { Clock } from "@ripstop/core";
import { telemetry, type Graph } from "@ripstop/model";

import { serviceOf, type RegisteredWorkload } from "../registry/registered-workload.ts";
import { EdgeWindow } from "./edge-window.ts";
import { TapHub } from "./tap-hub.ts";
import { mergeEdges, type EdgePart, type SidePart, type WorkloadPart } from "./traffic-parts.ts";

/** What the collector asks. */
export interface CollectorOptions {
  readonly clock: Clock;
  workload(id: string): RegisteredWorkload | undefined;
  workloads(): readonly RegisteredWorkload[];
  /** The service that a name stands for in the graph: one that only selects another's workloads stands for that. */
  canonicalService(name: string): string;
  /** Most edges; default 10 000. Beyond, the one that was silent longest is dropped. */
  readonly maxEdges?: number;
}

interface Edge {
  readonly source: string;
  readonly destination: string;
  readonly protocol: string;
  readonly atSource: EdgeWindow;
  readonly atDestination: EdgeWindow;
  lastSecond: number;
}

interface Inbound {
  requests: number;
  /** Second of the last traffic in plain text, and of the last over mutual TLS. */
  plainSecond: number;
  mutualSecond: number;
  /** What each worker of the proxy last said, by slot. */
  readonly stats: Map<number, { readonly stats: telemetry.ProxyStats; readonly second: number }>;
}

const MINUTE_S = 60;
const MAX_NAME = 130;
const MAX_EDGES_PER_REPORT = 2_000;
/** A process that said nothing for so long is gone. */
const PROCESS_GONE_S = 3_600;
const OUTSIDE = "outside";

/** Collects reports. */
export class Collector {
  readonly taps: TapHub;
  readonly #options: CollectorOptions;
  readonly #edges = new Map<string, Edge>();
  readonly #inbound = new Map<string, Inbound>();
  #edgesDropped = 0;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.taps = new TapHub();
  }

  /** Edges that were dropped because there were too many. */
  get edgesDropped(): number {
    return this.#edgesDropped;
  }

  /** Takes a report of an authenticated proxy. A proxy speaks for its own workload alone: its side of an edge is filled in here. */
  onReport(proxyId: string, report: telemetry.ProxyReport, slot: number = 0): void {
    const workload = this.#options.workload(proxyId);
    if (workload === undefined) return;
    const second = this.#second();
    const own = serviceOf(workload);
    const inbound = this.#inboundOf(proxyId);
    if (report.proxy !== undefined) inbound.stats.set(slot, { stats: report.proxy, second });
    for (const stats of report.edges.slice(0, MAX_EDGES_PER_REPORT)) {
      const atDestination = stats.reporter === telemetry.EdgeStats_Reporter.DESTINATION;
      const other = this.#named(atDestination ? stats.sourceService : stats.destinationService);
      const edge = this.#edge(atDestination ? other : own, atDestination ? own : other, stats.protocol.slice(0, 16));
      edge.lastSecond = second;
      (atDestination ? edge.atDestination : edge.atSource).add(stats, second);
      const requests = stats.requests + stats.connections;
      if (!atDestination || !(requests > 0)) continue;
      inbound.requests += requests;
      if (stats.mutualTls) inbound.mutualSecond = second;
      else inbound.plainSecond = second;
    }
    for (const event of report.taps) this.taps.offer(event);
    if (report.tapsDropped > 0) this.taps.droppedByProxies += report.tapsDropped;
  }

  /** Forgets a workload that went. */
  forget(workloadId: string): void {
    this.#inbound.delete(workloadId);
  }

  /** Traffic of a workload; `connected`: its proxy has a config stream here. */
  workload(id: string, connected: boolean): WorkloadPart {
    const inbound = this.#inbound.get(id);
    if (inbound === undefined) return { id, connected, requests: 0, isPlain: false, isMutual: false, processes: [] };
    const second = this.#second();
    for (const [slot, one] of inbound.stats) if (second - one.second > PROCESS_GONE_S) inbound.stats.delete(slot);
    return {
      id,
      connected,
      requests: inbound.requests,
      isPlain: inbound.plainSecond > second - MINUTE_S,
      isMutual: inbound.mutualSecond > second - MINUTE_S,
      processes: [...inbound.stats].map(([slot, { stats, second: saidSecond }]) => ({
        slot,
        residentBytes: stats.residentBytes,
        pid: stats.pid,
        ageS: second - saidSecond,
      })),
    };
  }

  /** Every edge that carried something. */
  edges(): readonly EdgePart[] {
    const second = this.#second();
    return [...this.#edges.values()]
      .filter(({ atSource, atDestination }) => atSource.requestsTotal + atDestination.requestsTotal > 0)
      .map(({ source, destination, protocol, atSource, atDestination }) => ({
        source,
        destination,
        protocol,
        atSource: sideOf(atSource, second),
        atDestination: sideOf(atDestination, second),
      }));
  }

  /** The live graph: every registered service, and these edges; default those that are known here. */
  graph(parts: Iterable<EdgePart> = this.edges()): Graph {
    const services = new Map<string, { versions: Set<string>; workloads: number; ready: number }>();
    const node = (name: string): { versions: Set<string>; workloads: number; ready: number } => {
      let found = services.get(name);
      if (found === undefined) services.set(name, (found = { versions: new Set(), workloads: 0, ready: 0 }));
      return found;
    };
    for (const workload of this.#options.workloads()) {
      const found = node(serviceOf(workload));
      found.workloads++;
      if (workload.ready) found.ready++;
      const version = workload.labels["version"];
      if (version !== undefined && version !== "") found.versions.add(version);
    }
    const edges = mergeEdges(parts);
    for (const { source, destination } of edges) {
      node(source);
      node(destination);
    }
    return {
      timeMs: this.#options.clock.nowMs(),
      nodes: [...services]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([service, { versions, workloads, ready }]) => ({
          service,
          versions: [...versions].sort(),
          workloads,
          ready,
        })),
      edges,
    };
  }

  #named(service: string): string {
    return service === "" || service.length > MAX_NAME ? OUTSIDE : this.#options.canonicalService(service);
  }

  #edge(source: string, destination: string, protocol: string): Edge {
    const key = JSON.stringify([source, destination, protocol]);
    const known = this.#edges.get(key);
    if (known !== undefined) return known;
    if (this.#edges.size >= (this.#options.maxEdges ?? 10_000)) this.#dropSilent();
    const edge: Edge = {
      source,
      destination,
      protocol,
      atSource: new EdgeWindow(),
      atDestination: new EdgeWindow(),
      lastSecond: 0,
    };
    this.#edges.set(key, edge);
    return edge;
  }

  #dropSilent(): void {
    let oldest: string | undefined;
    let oldestSecond = Number.POSITIVE_INFINITY;
    for (const [key, { lastSecond }] of this.#edges) {
      if (lastSecond >= oldestSecond) continue;
      oldest = key;
      oldestSecond = lastSecond;
    }
    if (oldest !== undefined) this.#edges.delete(oldest);
    this.#edgesDropped++;
  }

  #inboundOf(workloadId: string): Inbound {
    let found = this.#inbound.get(workloadId);
    if (found === undefined) {
      found = {
        requests: 0,
        plainSecond: Number.NEGATIVE_INFINITY,
        mutualSecond: Number.NEGATIVE_INFINITY,
        stats: new Map(),
      };
      this.#inbound.set(workloadId, found);
    }
    return found;
  }

  #second(): number {
    return Math.floor(this.#options.clock.monotonicMs() / 1000);
  }
}

function sideOf(window: EdgeWindow, second: number): SidePart {
  const { requestsTotal, mutualTls, byVersion } = window;
  return { ...window.sums(second), requestsTotal, mutualTls, byVersion: Object.fromEntries(byVersion) };
}
