// One workload that this proxy hosts: its config, its outbound side, its connections, its live work.

import type { Clock, Timer } from "@ripstop/core";
import type { ConfigClient } from "@ripstop/discovery/client";
import {
  ProxyProtocol,
  splitThrough,
  telemetry,
  type BackendTls,
  type BootstrapWorkload,
  type InboundPort,
  type LoadShedding,
  type Locality,
  type Workload,
} from "@ripstop/model";
import type { Conn, Connecting, DialEvents, TlsDialer, TlsInfo } from "@ripstop/net";
import type { FilterFactory } from "@ripstop/policy-api/proxy";
import { metricNames } from "@ripstop/telemetry";
import { WorkloadView } from "../config/workload-view.ts";
import { formatAuthority, isLoopback, parseAuthority, type HostPort } from "../2-identify/authority.ts";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import { OutboundConnection } from "../3-detect/outbound-connection.ts";
import { HostTable, type HostTableOptions } from "../4-route/host-table.ts";
import { LoadShedder } from "../5-filter/load-shedder.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import { newBackendDialer } from "../7-connect/backend-dialer.ts";
import { Connector, type BackendDialer, type PlainTarget } from "../7-connect/connector.ts";
import { proxyHeader } from "../7-connect/proxy-header.ts";
import type { HttpPool } from "../7-connect/http-pool.ts";
import type { LiveTunnel } from "../7-connect/live-tunnel.ts";
import { EgressGuard } from "../egress/egress-guard.ts";
import type { Engine } from "../engine.ts";
import type { HostedGateway } from "../gateway/hosted-gateway.ts";
import { CONNECT_TIMEOUT_MS, SESSION_CHECK_MS } from "../settings.ts";
import type { Edge } from "../telemetry/edge.ts";
import type { HttpSession } from "./http-session.ts";
import type { OutboundContext } from "./outbound-context.ts";

/** An exchange that can be judged again. */
export interface Recheckable {
  recheck(): void;
}

/** What a hosted workload needs. */
export interface HostedWorkloadOptions {
  readonly engine: Engine;
  readonly bootstrap: BootstrapWorkload;
  readonly trustDomain: string;
  readonly config: ConfigClient;
  readonly factories: readonly FilterFactory[];
  /** Processes that serve it together. */
  readonly workers: number;
  readonly tls: TlsDialer;
  /** Ports that this proxy listens on. */
  readonly ownPorts: ReadonlySet<number>;
  /** Config changed: look whether everything is there. */
  onChanged(): void;
  /** Other policies may guard this workload now. */
  onPolicies(): void;
}

const PROTOCOLS: readonly string[] = ["http", "grpc", "tcp"];
const MAX_EGRESS = 1024;
const MAX_CLIENT_POOLS = 1024;

/** The hosts that callers of a namespace reach through a Gateway. */
export type LedHosts = Required<Pick<HostTableOptions, "namespace" | "gateway">>;

/** The client's end of a connection to an application. */
export interface ApplicationClient {
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Where the client's connection was accepted. */
  readonly localAddress: string;
}

function applicationTarget(port: InboundPort, client: ApplicationClient): PlainTarget {
  const target = parseAuthority(port.applicationAddress) ?? { host: "127.0.0.1", port: port.port };
  const source = { address: client.remoteAddress, port: client.remotePort };
  const header = proxyHeader(port.proxyProtocol, {
    source,
    destination: { address: client.localAddress, port: port.port },
  });
  return header === undefined ? target : { ...target, header };
}

/** One hosted workload. */
export class HostedWorkload implements OutboundContext {
  readonly id: string;
  readonly engine: Engine;
  readonly view: WorkloadView;
  readonly hosts: HostTable;
  readonly connector: Connector;
  readonly egress: EgressGuard;
  /** Inbound exchanges under way. */
  readonly exchanges: Set<Recheckable> = new Set();
  /** When inbound requests with a deadline end (monotonic ms), by their x-request-id. */
  readonly deadlines: Map<string, number> = new Map();
  /** Refuses what is too much; undefined when nothing is. */
  shedder: LoadShedder | undefined = undefined;
  /** Live raw connections, inbound and outbound. */
  readonly tunnels: Set<LiveTunnel> = new Set();
  /** Live HTTP connections of the application. */
  readonly sessions: Set<HttpSession> = new Set();
  /** The Gateways that this workload is the placement of. */
  readonly gateways: HostedGateway[] = [];
  /** Live connections of peers, and of clients of its Gateways. */
  readonly inboundSessions: Set<HttpSession> = new Set();
  readonly #options: HostedWorkloadOptions;
  #locality: Locality | undefined = undefined;
  readonly #sessionChecks: Timer;
  /** By version and "HOST:PORT". */
  readonly #applicationPools = new Map<string, HttpPool>();
  /** The same by the port's config in force, for the hot path. */
  readonly #http1Pools = new Map<InboundPort, HttpPool>();
  readonly #http2Pools = new Map<InboundPort, HttpPool>();
  /** By version, "HOST:PORT" and client address. */
  readonly #clientPools = new Map<string, HttpPool>();
  readonly #egressPools = new Map<string, HttpPool>();

  constructor(options: HostedWorkloadOptions) {
    this.#options = options;
    const { bootstrap, engine, config, factories } = options;
    const clock: Clock = engine.clock;
    this.id = bootstrap.id;
    this.engine = engine;
    this.egress = new EgressGuard(bootstrap.id, () => this.view.workload);
    this.connector = this.newConnector((tls) => this.#externalDialer(tls));
    this.hosts = this.newHostTable(this.connector, () => options.onChanged());
    this.view = new WorkloadView(bootstrap.id, config, {
      factories,
      tools: { clock, metrics: engine.metrics, workers: options.workers, random: () => engine.random() },
      events: {
        onWorkloadChanged: (workload) => {
          this.#forgetPools(workload);
          this.#placed(workload.locality);
          this.#useShedding(workload.shedding);
          this.#recheck();
          options.onPolicies();
          options.onChanged();
        },
      },
    });
    this.#sessionChecks = clock.every(SESSION_CHECK_MS, () => this.#checkSessions());
    for (const upstream of bootstrap.upstreams) {
      const entry = this.hosts.lookup(upstream.host.toLowerCase());
      if (entry !== undefined) entry.pinned = true;
    }
  }

  /** Connections under this workload's identity; `backendTls` makes those to backends with certificates of their own. */
  newConnector(backendTls?: (tls: BackendTls) => BackendDialer | undefined): Connector {
    const { bootstrap, engine, tls, trustDomain } = this.#options;
    return new Connector({
      clock: engine.clock,
      flush: engine.flush,
      tls,
      workloadId: bootstrap.id,
      trustDomain,
      random: () => engine.random(),
      ...(backendTls === undefined ? {} : { backendTls }),
    });
  }

  /** Names and services in use, reached by `connector`: the workload's own, or those that a Gateway leads callers out to. */
  newHostTable(connector: Connector, onChanged: () => void, led?: LedHosts): HostTable {
    const { bootstrap, engine, config } = this.#options;
    return new HostTable({
      ...(led ?? { namespace: bootstrap.namespace }),
      clock: engine.clock,
      config,
      connector,
      random: () => engine.random(),
      locality: () => this.#locality,
      onChanged,
      onEjected: ({ service }, endpoint) => {
        const { name, help } = metricNames.ENDPOINT_EJECTIONS;
        engine.metrics.counter(name, help, { service }).add(1);
        engine.log.warn("endpoint ejected after failures in a row", {
          service,
          endpoint: endpoint.id,
          times: endpoint.ejections,
        });
      },
      onChecked: ({ service }, endpoint, problem) => {
        if (problem === "") engine.log.info("endpoint passes its health checks", { service, endpoint: endpoint.id });
        else engine.log.warn("endpoint fails its health checks", { service, endpoint: endpoint.id, problem });
      },
    });
  }

  /** The workload, its policies and all declared upstreams are known. */
  get ready(): boolean {
    if (!this.view.ready || this.gateways.some((gateway) => !gateway.ready)) return false;
    for (const { host } of this.#options.bootstrap.upstreams) {
      if (this.hosts.hosts.get(host.toLowerCase())?.ready !== true) return false;
    }
    return true;
  }

  /** What readiness waits for, in plain words; "" when it waits for nothing. */
  get missing(): string {
    const { missing } = this.view;
    if (missing !== "") return missing;
    for (const gateway of this.gateways) if (!gateway.ready) return gateway.missing;
    for (const { host } of this.#options.bootstrap.upstreams) {
      if (this.hosts.hosts.get(host.toLowerCase())?.ready !== true)
        return `the config of upstream ${host} has not arrived`;
    }
    return "";
  }

  /** Near and far endpoints are others when the workload is somewhere else. */
  #placed(locality: Locality | undefined): void {
    const before = this.#locality;
    this.#locality = locality;
    if (before?.zone === locality?.zone && before?.region === locality?.region) return;
    this.hosts.localityChanged();
    for (const gateway of this.gateways) gateway.hosts.localityChanged();
  }

  get sourceService(): string {
    return this.view.workload?.service ?? "";
  }

  get namespace(): string {
    return this.#options.bootstrap.namespace;
  }

  get spiffeId(): string {
    return this.#options.bootstrap.spiffeId;
  }

  isOwnAddress(target: HostPort): boolean {
    if (!this.#options.ownPorts.has(target.port)) return false;
    return (
      isLoopback(target.host) ||
      target.host === "0.0.0.0" ||
      target.host === "::" ||
      target.host === this.#options.bootstrap.inboundHost
    );
  }

  /** Address that its inbound listener binds. */
  get inboundHost(): string {
    return this.#options.bootstrap.inboundHost;
  }

  /** A raw connection to the application; `source` is the client, for one that wants a PROXY protocol header. */
  dialApplication(port: InboundPort, source: ApplicationClient, events: DialEvents): Connecting {
    return this.connector.dialPlain(applicationTarget(port, source), CONNECT_TIMEOUT_MS, events);
  }

  serveConnection(conn: Conn, target: HostPort): void {
    new OutboundConnection(this, conn, target);
  }

  egressPool(target: HostPort): HttpPool {
    const key = formatAuthority(target.host, target.port);
    let pool = this.#egressPools.get(key);
    if (pool === undefined) {
      for (const [oldKey, old] of this.#egressPools) {
        if (this.#egressPools.size < MAX_EGRESS) break;
        old.retire();
        this.#egressPools.delete(oldKey);
      }
      pool = this.connector.plainPool(target, false);
      this.#egressPools.set(key, pool);
    }
    return pool;
  }

  /** Connections to the application itself. */
  applicationPool(port: InboundPort, http2: boolean, peer: InboundPeer): HttpPool {
    if (port.proxyProtocol !== undefined && port.proxyProtocol !== ProxyProtocol.NONE)
      return this.#clientPool(port, http2, peer);
    const pools = http2 ? this.#http2Pools : this.#http1Pools;
    const bound = pools.get(port);
    if (bound !== undefined) return bound;
    // Another config of the same port keeps its connections.
    const key = `${http2 ? "h2" : "h1"} ${port.applicationAddress}`;
    let pool = this.#applicationPools.get(key);
    if (pool === undefined) {
      pool = this.connector.plainPool(parseAuthority(port.applicationAddress) ?? { host: "127.0.0.1", port: 0 }, http2);
      this.#applicationPools.set(key, pool);
    }
    pools.set(port, pool);
    return pool;
  }

  /** Connections to an application that wants to know the client of each: none is shared by two clients. */
  #clientPool(port: InboundPort, http2: boolean, peer: InboundPeer): HttpPool {
    const key = `${http2 ? "h2" : "h1"} ${port.applicationAddress} v${port.proxyProtocol ?? 0} ${peer.address}`;
    let pool = this.#clientPools.get(key);
    if (pool === undefined) {
      for (const [oldKey, old] of this.#clientPools) {
        if (this.#clientPools.size < MAX_CLIENT_POOLS) break;
        old.retire();
        this.#clientPools.delete(oldKey);
      }
      const source = { remoteAddress: peer.address, remotePort: 0, localAddress: peer.localAddress };
      pool = this.connector.plainPool(applicationTarget(port, source), http2);
    } else this.#clientPools.delete(key);
    // Last used last.
    this.#clientPools.set(key, pool);
    return pool;
  }

  edge(endpoint: UpstreamEndpoint | undefined, fallback: string, protocol: string): Edge {
    const slot = PROTOCOLS.indexOf(protocol);
    const bound = endpoint?.edges[slot];
    if (bound !== undefined && bound.key.sourceService === this.sourceService) return bound;
    const edge = this.engine.edges.get({
      reporter: telemetry.EdgeStats_Reporter.SOURCE,
      sourceService: this.sourceService,
      destinationService: splitThrough(endpoint?.service ?? fallback).service,
      sourceIdentity: this.spiffeId,
      destinationIdentity: endpoint?.mutualTls === true ? endpoint.model.spiffeId : "",
      destinationVersion: endpoint?.model.version ?? "",
      protocol,
      mutualTls: endpoint?.mutualTls === true,
    });
    if (endpoint !== undefined) endpoint.edges[slot] = edge;
    return edge;
  }

  /** Telemetry slots of an inbound exchange. */
  inboundEdge(peer: InboundPeer, sourceService: string, protocol: string): Edge {
    const slot = PROTOCOLS.indexOf(protocol);
    const { workload } = this.view;
    const destinationService = workload?.service ?? "";
    const bound = peer.edges[slot];
    if (bound?.key.sourceService === sourceService && bound.key.destinationService === destinationService) return bound;
    const edge = this.engine.edges.get({
      reporter: telemetry.EdgeStats_Reporter.DESTINATION,
      sourceService,
      destinationService,
      sourceIdentity: peer.identity,
      destinationIdentity: this.spiffeId,
      destinationVersion: workload?.labels["version"] ?? "",
      protocol,
      mutualTls: true,
    });
    peer.edges[slot] = edge;
    return edge;
  }

  /** Adds to the counters what live raw connections carried, and ends those through which nothing passed for too long. */
  countBytes(): void {
    const nowMs = this.engine.clock.monotonicMs();
    for (const tunnel of this.tunnels) tunnel.check(nowMs);
  }

  /** Closes at once the connections of both directions whose peer is refused now; how many. */
  cutPeers(isRefused: (tls: TlsInfo) => boolean): number {
    let cut = this.connector.cut(isRefused);
    for (const { connector } of this.gateways) cut += connector.cut(isRefused);
    for (const { conn } of [...this.inboundSessions]) {
      if (conn.tls === undefined || !isRefused(conn.tls)) continue;
      conn.destroy();
      cut++;
    }
    return cut;
  }

  /** Ends everything at once. */
  close(): void {
    this.#sessionChecks.clear();
    for (const gateway of this.gateways) gateway.close();
    for (const tunnel of this.tunnels) tunnel.destroy();
    for (const session of [...this.inboundSessions, ...this.sessions]) session.conn.destroy();
    this.view.close();
    this.hosts.close();
    this.connector.close();
  }

  /** Applications leave TLS to hosts outside to their proxy where an ExternalService says so; other TLS is for gateways. */
  #externalDialer(tls: BackendTls): BackendDialer | undefined {
    return tls.source.startsWith("ExternalService ") ? newBackendDialer(tls) : undefined;
  }

  /** The ports may have changed: pools of addresses that are not served any more end when they are idle. */
  #forgetPools(workload: Workload): void {
    this.#http1Pools.clear();
    this.#http2Pools.clear();
    const addresses = new Set(workload.ports.map((port) => port.applicationAddress));
    for (const [key, pool] of this.#applicationPools) {
      if (addresses.has(key.slice(3))) continue;
      this.#applicationPools.delete(key);
      pool.retire();
    }
    for (const [key, pool] of this.#clientPools) {
      const inForce = workload.ports.some(({ applicationAddress, proxyProtocol = 0 }) =>
        key.slice(3).startsWith(`${applicationAddress} v${proxyProtocol} `),
      );
      if (inForce) continue;
      this.#clientPools.delete(key);
      pool.retire();
    }
  }

  #useShedding(config: LoadShedding | undefined): void {
    if (config === undefined || config.maxRequests === 0) this.shedder = undefined;
    else if (this.shedder === undefined) this.shedder = new LoadShedder(config);
    else this.shedder.config = config;
  }

  #checkSessions(): void {
    for (const session of this.sessions) session.check();
    for (const session of this.inboundSessions) session.check();
  }

  /** Policies changed: what is live and refused now is cut. */
  #recheck(): void {
    for (const exchange of [...this.exchanges]) exchange.recheck();
    for (const tunnel of [...this.tunnels]) tunnel.recheck();
    for (const gateway of this.gateways) gateway.recheck();
  }
}
