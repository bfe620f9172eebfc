// The state of a proxy as plain data, for operators.

import { queuedBodies } from "@ripstop/http";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { LiveCounts } from "../engine.ts";
import type { Proxy } from "../proxy.ts";

/** The config in force: workloads, hosts in use, services with their endpoints. */
export function describeConfig(proxy: Proxy): unknown {
  return {
    ready: proxy.ready,
    missing: proxy.missing,
    draining: proxy.draining,
    ports: proxy.ports,
    workloads: [...proxy.workloads.values()].map((workload) => ({
      id: workload.id,
      config: workload.view.workload ?? null,
      policiesInForce: workload.view.chain !== undefined,
      gateways: workload.gateways.map(({ gateway, ready, addresses, routes }) => ({
        gateway,
        ready,
        addresses,
        routes,
      })),
      hosts: [...workload.hosts.hosts.values()].map((host) => ({
        host: host.host,
        service: host.frontend?.service ?? null,
        outside: host.outside,
        ready: host.ready,
        waiting: host.waiting.size,
      })),
      services: clustersOf(workload).map((cluster) => ({
        service: cluster.service,
        config: cluster.config ?? null,
        balancing: {
          /** Shares of the levels of localities that have endpoints, nearest first. */
          localityShares: cluster.endpoints.shares,
          /** So few endpoints are usable that all healthy ones are used. */
          panicking: cluster.endpoints.panicking,
        },
        endpoints: cluster.endpoints.all.map((endpoint) => ({
          id: endpoint.id,
          address: endpoint.model.address,
          mesh: endpoint.mesh,
          hbone: endpoint.hbone,
          weight: endpoint.weight,
          effectiveWeight: Math.round(endpoint.effectiveWeight * 1000) / 1000,
          ...(endpoint.priority === 0 ? {} : { priority: endpoint.priority }),
          region: endpoint.region,
          zone: endpoint.zone,
          ...(endpoint.subset === "" ? {} : { subset: endpoint.subset }),
          healthy: endpoint.healthy,
          checkedHealthy: endpoint.checkedHealthy,
          ejected: endpoint.ejectedUntilMs !== 0,
          probing: endpoint.probing,
          resting: endpoint.restUntilMs !== 0,
          errorRate: Math.round(endpoint.errorRate * 1000) / 1000,
          ...(endpoint.utilization === 0 ? {} : { utilization: endpoint.utilization }),
          inflight: endpoint.inflight,
          latencyMs: Math.round(endpoint.latencyMs * 100) / 100,
          version: endpoint.model.version,
        })),
      })),
    })),
  };
}

/** What one workload has open. The lists are plain facts for people and `-o json`. */
export interface WorkloadConnections {
  readonly id: string;
  readonly inbound: readonly object[];
  readonly outbound: readonly object[];
  readonly pools: readonly object[];
  readonly tunnels: number;
}

/** Bodies that wait for slow readers, against what may wait in each process; `isTight` in one of them at least. */
export interface QueuedBodies {
  readonly bytes: number;
  readonly limitBytes: number;
  readonly isTight: boolean;
}

/** What a proxy has open. */
export interface Connections {
  readonly live: LiveCounts;
  readonly queuedBodies: QueuedBodies;
  readonly workloads: readonly WorkloadConnections[];
}

/** One proxy's connections from those of its processes; with several, each entry says the process that holds it. */
export function mergeConnections(parts: readonly { readonly pid: number; readonly answer: unknown }[]): Connections {
  const live: LiveCounts = { exchanges: 0, tunnels: 0, mirrors: 0 };
  let queued: QueuedBodies = { bytes: 0, limitBytes: 0, isTight: false };
  const workloads = new Map<string, WorkloadConnections>();
  for (const { pid, answer } of parts) {
    if (!isConnections(answer)) continue;
    const { bytes, limitBytes, isTight } = answer.queuedBodies;
    queued = { bytes: queued.bytes + bytes, limitBytes, isTight: queued.isTight || isTight };
    live.exchanges += answer.live.exchanges;
    live.tunnels += answer.live.tunnels;
    live.mirrors += answer.live.mirrors;
    const mark = (entries: readonly object[]): object[] =>
      parts.length === 1 ? [...entries] : entries.map((entry) => ({ ...entry, pid }));
    for (const { id, inbound, outbound, pools, tunnels } of answer.workloads) {
      const before = workloads.get(id);
      workloads.set(id, {
        id,
        inbound: [...(before?.inbound ?? []), ...mark(inbound)],
        outbound: [...(before?.outbound ?? []), ...mark(outbound)],
        pools: [...(before?.pools ?? []), ...mark(pools)],
        tunnels: (before?.tunnels ?? 0) + tunnels,
      });
    }
  }
  return { live, queuedBodies: queued, workloads: [...workloads.values()] };
}

// Another process of the same program sent it: one look says whether it is an answer at all.
function isConnections(value: unknown): value is Connections {
  return (
    typeof value === "object" && value !== null && ["live", "queuedBodies", "workloads"].every((key) => key in value)
  );
}

/** What is open: connections of clients and peers, pools, raw tunnels. */
export function describeConnections(proxy: Proxy): Connections {
  return {
    live: proxy.live,
    queuedBodies: {
      bytes: queuedBodies.heldBytes,
      limitBytes: queuedBodies.limitBytes,
      isTight: queuedBodies.isTight,
    },
    workloads: [...proxy.workloads.values()].map((workload) => ({
      id: workload.id,
      inbound: [...workload.inboundSessions].map((session) => ({
        peer: session.conn.tls?.peerId ?? "",
        address: `${session.conn.remoteAddress}:${session.conn.remotePort}`,
        serverName: session.conn.tls?.serverName ?? "",
        tls: session.conn.tls?.version ?? "",
        resumed: session.conn.tls?.resumed ?? false,
        idle: session.idle,
      })),
      outbound: [...workload.sessions].map((session) => ({
        address: `${session.conn.remoteAddress}:${session.conn.remotePort}`,
        protocol: session.protocol,
        idle: session.idle,
      })),
      pools: [workload, ...workload.gateways]
        .flatMap(({ connector }) => [...connector.pools])
        .map((pool) => ({
          address: pool.address,
          connections: pool.connections,
          active: pool.active,
          waiting: pool.waiting,
        })),
      tunnels: workload.tunnels.size,
    })),
  };
}

/** Of the application's calls and of the Gateways. */
function clustersOf({ hosts, gateways }: HostedWorkload): readonly Cluster[] {
  return [hosts, ...gateways.map((gateway) => gateway.hosts)].flatMap(({ clusters }) => [...clusters.values()]);
}
