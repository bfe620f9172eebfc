// The state of a proxy as plain data, for operators.

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
      hosts: [...workload.hosts.hosts.values()].map((host) => ({
        host: host.host,
        service: host.frontend?.service ?? null,
        outside: host.outside,
        ready: host.ready,
        waiting: host.waiting.size,
      })),
      services: [...workload.hosts.clusters.values()].map((cluster) => ({
        service: cluster.service,
        config: cluster.config ?? null,
        endpoints: cluster.endpoints.all.map((endpoint) => ({
          id: endpoint.id,
          address: endpoint.model.address,
          mesh: endpoint.mesh,
          hbone: endpoint.hbone,
          weight: endpoint.weight,
          healthy: endpoint.healthy,
          ejected: endpoint.ejectedUntilMs !== 0,
          inflight: endpoint.inflight,
          latencyMs: Math.round(endpoint.latencyMs * 100) / 100,
          version: endpoint.model.version,
        })),
      })),
    })),
  };
}

/** What is open: connections of clients and peers, pools, raw tunnels. */
export function describeConnections(proxy: Proxy): unknown {
  return {
    live: proxy.live,
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
      pools: [...workload.connector.pools].map((pool) => ({
        address: pool.address,
        connections: pool.connections,
        active: pool.active,
        waiting: pool.waiting,
      })),
      tunnels: workload.tunnels.size,
    })),
  };
}
