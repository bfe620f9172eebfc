// The proxy: listeners, hosted workloads, config, readiness, drain. Roles and tests start it; it knows nothing of processes.

import { err, ok, type Clock, type Result, type RipstopError, type Timer } from "@ripstop/core";
import type { ConfigClient } from "@ripstop/discovery/client";
import { queuedBodies } from "@ripstop/http";
import {
  type telemetry,
  type ClosedGatewayPort,
  type GatewayRegistration,
  type ProxyBootstrap,
  type ProxyPorts,
} from "@ripstop/model";
import {
  createTlsObserver,
  FlushScheduler,
  IdentityTable,
  listenTls,
  type ListeningSocket,
  TimerWheel,
  TlsDialer,
  type TlsIdentity,
  type TlsObserver,
  type VerifyPeer,
} from "@ripstop/net";
import type { FilterFactory } from "@ripstop/policy-api/proxy";
import { metricNames, RandomIds, type Logger, type MetricRegistry } from "@ripstop/telemetry";
import { HostedWorkload } from "./1-accept/hosted-workload.ts";
import { ProxyListeners, type ProxyListener, type WorkloadPorts } from "./1-accept/proxy-listeners.ts";
import { MeshTrust } from "./config/mesh-trust.ts";
import { drainInbound } from "./drain/drain-inbound.ts";
import { retire } from "./drain/retire.ts";
import { closeSocket } from "./gateway/gateway-sockets.ts";
import { HostedGateway } from "./gateway/hosted-gateway.ts";
import { HeadPool, type Engine, type LiveCounts } from "./engine.ts";
import { QUEUED_BODIES_BYTES, TUNNEL_IDLE_MS } from "./settings.ts";
import { MirrorTable } from "./mirror/mirror-table.ts";
import { EdgeTable } from "./telemetry/edge.ts";
import { TelemetryReporter, type ReportSink } from "./telemetry/telemetry-reporter.ts";

/** What a proxy needs. */
export interface ProxyOptions {
  readonly bootstrap: ProxyBootstrap;
  readonly config: ConfigClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: MetricRegistry;
  /** Identity of each hosted workload, by workload id. */
  readonly identities: ReadonlyMap<string, TlsIdentity>;
  /** The trust domain's roots until the stream says more: the text of the bundle file. */
  readonly bundlePem: string;
  readonly verifyPeer: VerifyPeer;
  readonly filterFactories: readonly FilterFactory[];
  /** Processes of this proxy, which share what each of them limits by itself; default 1. */
  readonly workers?: number;
  /** Ports of an earlier run, to be taken again where they are free. */
  readonly ports: ProxyPorts | undefined;
  /**
   * Listening sockets of the process before or beside this one, by `ProxyListener.key`. With any, listeners open only
   * when the first complete config is in force (or after five seconds): until then connections wait in their queues.
   */
  readonly sockets?: ReadonlyMap<string, ListeningSocket>;
  /** Takes telemetry reports; false when it cannot now. */
  readonly sendReport: ReportSink;
  /** Version of the program, for telemetry. */
  readonly version: string;
  /** Called once, when the first complete config is in force. */
  readonly onReady: () => void;
  /** Another process of this proxy opens the sockets of Gateways, until `lead`; default false. */
  readonly follows?: boolean;
  /**
   * A listening socket of a Gateway was opened, or (undefined) is not wanted any more. Not called for sockets that were taken
   * over, nor when the proxy ends: they are another process's then; nor while this process follows.
   */
  readonly onGatewaySocket?: (key: string, socket: ListeningSocket | undefined) => void;
  /** While this process follows: a Gateway wants that socket, to be given to `takeSocket`. */
  readonly onGatewaySocketWanted?: (key: string) => void;
  /** `Proxy.closedPorts` may be others now. */
  readonly onClosedPorts?: () => void;
  /** Numbers in [0, 1); default Math.random. */
  readonly random?: () => number;
}

/** A telemetry command. */
type Command = Pick<telemetry.ProxyCommand, "taps"> & Partial<telemetry.ProxyCommand>;

/** A running proxy. */
export interface Proxy {
  readonly ports: ProxyPorts;
  readonly ready: boolean;
  /** What readiness waits for, in plain words; "" when ready. */
  readonly missing: string;
  readonly live: LiveCounts;
  /** What its stages share; for the admin socket. */
  readonly engine: Engine;
  readonly workloads: ReadonlyMap<string, HostedWorkload>;
  readonly draining: boolean;
  /** Ports of its Gateways that cannot be opened now, 256 at most. */
  readonly closedPorts: readonly ClosedGatewayPort[];
  /** Number of the trust bundle in force; 0 before one with a number came. */
  readonly bundleSequence: number;
  /** Takes over the text of a bundle file, unless a newer bundle is in force. */
  setBundle(text: string): Result<void, RipstopError>;
  /** Uses another identity for new connections of a workload; those that are open stay. */
  setIdentity(workloadId: string, identity: TlsIdentity): Result<void, RipstopError>;
  /** From now on this process opens the sockets of its Gateways; those of `keys` are open in another one. */
  lead(keys: readonly string[]): void;
  /** Another process opened a socket of a Gateway, or (undefined) closed it. */
  takeSocket(key: string, socket: ListeningSocket | undefined): void;
  /** Takes over the taps of a telemetry command, and the shares of limits that it names. */
  onCommand(command: Command): void;
  /** Stops taking inbound work and finishes what is under way, for at most `deadlineMs`. Outbound goes on. */
  drain(deadlineMs: number): Promise<void>;
  /** Its listening sockets, to be shared with other processes of this proxy. */
  readonly listeners: readonly ProxyListener[];
  /**
   * Leaves its sockets to other processes: takes no new connection, leads those that are open to their end, both sides,
   * for at most `deadlineMs`, and then ends.
   */
  retire(deadlineMs: number): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

/** Starts a proxy: its listeners are open when the promise is kept, `onReady` follows. */
export async function startProxy(options: ProxyOptions): Promise<Result<Proxy, RipstopError>> {
  const proxy = new RunningProxy(options);
  const opened = await proxy.open();
  if (!opened.ok) {
    await proxy.close();
    return err(opened.error);
  }
  return ok(proxy);
}

const MAX_CLOSED_PORTS = 256;
const COUNT_BYTES_MS = 1_000;
const WHEEL_TICK_MS = 50;
/** Longest time that taken-over sockets wait for the first complete config. */
const TAKE_OVER_WAIT_MS = 5_000;

class RunningProxy implements Proxy {
  readonly live: LiveCounts = { exchanges: 0, tunnels: 0, mirrors: 0 };
  readonly workloads = new Map<string, HostedWorkload>();
  readonly #options: ProxyOptions;
  readonly engine: Engine;
  readonly #identities = new IdentityTable();
  readonly #trust: MeshTrust;
  readonly #ownPorts = new Set<number>();
  readonly #observer: TlsObserver;
  readonly #listeners: ProxyListeners;
  readonly #startedMs: number;
  #ports: ProxyPorts = { workloads: {} };
  #byteCount: Timer | undefined = undefined;
  #opened = false;
  #ready = false;
  #draining: Promise<void> | undefined = undefined;
  #retiring: Promise<void> | undefined = undefined;
  #wakeWhenReady: () => void = () => undefined;
  #closed = false;

  constructor(options: ProxyOptions) {
    this.#options = options;
    queuedBodies.limitBytes = QUEUED_BODIES_BYTES;
    const { clock, log, metrics } = options;
    this.#startedMs = clock.monotonicMs();
    const edges = new EdgeTable(metrics);
    const reporter = new TelemetryReporter({
      clock,
      edges,
      send: options.sendReport,
      stats: () => this.#stats(),
      mirrors: () => this.engine.mirrors.take(),
      demands: (elapsedMs) => this.#takeDemands(elapsedMs),
      egress: () => [...this.workloads.values()].flatMap(({ egress }) => egress.take()),
    });
    const random = options.random ?? Math.random;
    const mirrors = new MirrorTable(metrics);
    this.engine = {
      clock,
      log,
      metrics,
      wheel: new TimerWheel({ clock, tickMs: WHEEL_TICK_MS }),
      flush: new FlushScheduler(),
      edges,
      mirrors,
      reporter,
      ids: new RandomIds(),
      heads: new HeadPool(),
      tunnelIdleMs: options.bootstrap.tunnelIdleMs ?? TUNNEL_IDLE_MS,
      live: this.live,
      random,
    };
    const { engine, workloads } = this;
    const identities = this.#identities;
    this.#trust = new MeshTrust({
      engine,
      trustDomain: options.bootstrap.trustDomain,
      config: options.config,
      identities,
      workloads,
      onChanged: () => this.#checkReady(),
    });
    this.#observer = createTlsObserver(metrics, log, clock);
    this.#listeners = new ProxyListeners({
      engine,
      identities,
      verifyPeer: options.verifyPeer,
      observer: this.#observer,
      workloads,
      ports: options.ports,
      sockets: options.sockets ?? new Map<string, ListeningSocket>(),
    });
  }

  get ports(): ProxyPorts {
    return this.#ports;
  }

  get ready(): boolean {
    return this.#ready;
  }

  get draining(): boolean {
    return this.#draining !== undefined;
  }

  get missing(): string {
    if (!this.#trust.isKnown) return "the trust bundle has not arrived";
    for (const workload of this.workloads.values()) if (!workload.ready) return workload.missing;
    return "";
  }

  get closedPorts(): readonly ClosedGatewayPort[] {
    return this.#gateways.flatMap((gateway) => gateway.closedPorts).slice(0, MAX_CLOSED_PORTS);
  }

  async open(): Promise<Result<void, RipstopError>> {
    const { bootstrap, config, clock, metrics, identities, verifyPeer } = this.#options;
    for (const [workloadId, identity] of identities) {
      const set = this.#identities.setIdentity(workloadId, identity);
      if (!set.ok) return set;
    }
    const set = this.setBundle(this.#options.bundlePem);
    if (!set.ok) return set;
    const tls = new TlsDialer({ identities: this.#identities, verifyPeer, observer: this.#observer, clock });
    for (const workload of bootstrap.workloads) {
      this.workloads.set(
        workload.id,
        new HostedWorkload({
          engine: this.engine,
          bootstrap: workload,
          trustDomain: bootstrap.trustDomain,
          config,
          factories: this.#options.filterFactories,
          workers: this.#options.workers ?? 1,
          tls,
          ownPorts: this.#ownPorts,
          onChanged: () => this.#checkReady(),
          // What a peer proved under other policies is proved anew: no TLS session outlives them.
          onPolicies: () => this.#identities.forgetSessions(),
        }),
      );
    }
    this.#trust.watch();
    if ((this.#options.sockets?.size ?? 0) > 0) await this.#waitUntilReady();
    const ports: Record<string, WorkloadPorts> = {};
    for (const workload of bootstrap.workloads) {
      const hosted = this.workloads.get(workload.id);
      if (hosted === undefined) continue;
      if (workload.gateway !== undefined) {
        this.#hostGateways(hosted, workload.gateway);
        ports[workload.id] = { inbound: 0, httpProxy: 0, upstreams: [] };
        continue;
      }
      const opened = await this.#listeners.open(hosted, workload);
      if (!opened.ok) return opened;
      ports[workload.id] = opened.value;
      const { inbound, httpProxy, upstreams } = opened.value;
      for (const port of [inbound, httpProxy, ...upstreams]) this.#ownPorts.add(port);
    }
    this.#ports = { workloads: ports };
    const { name, help } = metricNames.QUEUED_BODIES;
    const queued = metrics.gauge(name, help);
    this.#byteCount = clock.every(COUNT_BYTES_MS, () => {
      queued.set(queuedBodies.heldBytes);
      for (const workload of this.workloads.values()) workload.countBytes();
    });
    this.#opened = true;
    this.#checkReady();
    return ok(undefined);
  }

  setIdentity(workloadId: string, identity: TlsIdentity): Result<void, RipstopError> {
    return this.#identities.setIdentity(workloadId, identity);
  }

  get bundleSequence(): number {
    return this.#trust.sequence;
  }

  setBundle(text: string): Result<void, RipstopError> {
    return this.#trust.setBundle(text);
  }

  lead(keys: readonly string[]): void {
    for (const { sockets } of this.#gateways) sockets.lead(keys);
  }

  takeSocket(key: string, socket: ListeningSocket | undefined): void {
    const gateway = this.#gateways.find(({ sockets }) => sockets.owns(key));
    if (gateway !== undefined) gateway.sockets.take(key, socket);
    else if (socket !== undefined) closeSocket(socket);
  }

  get #gateways(): readonly HostedGateway[] {
    return [...this.workloads.values()].flatMap(({ gateways }) => gateways);
  }

  onCommand(command: Command): void {
    this.engine.reporter.onCommand(command);
    if (command.limits !== undefined) this.#takeShares(command.limits.shares);
  }

  drain(deadlineMs: number): Promise<void> {
    this.#draining ??= (async () => {
      this.#listeners.close("inbound");
      for (const gateway of this.#gateways) gateway.stopListening();
      await drainInbound({
        workloads: [...this.workloads.values()],
        connections: () => this.#listeners.connections("inbound"),
        clock: this.#options.clock,
        deadlineMs,
      });
    })();
    return this.#draining;
  }

  get listeners(): readonly ProxyListener[] {
    return this.#listeners.all;
  }

  retire(deadlineMs: number): Promise<void> {
    this.#retiring ??= (async () => {
      this.#listeners.close();
      const gateways = this.#gateways;
      for (const gateway of gateways) gateway.stopListening();
      await retire({
        workloads: [...this.workloads.values()],
        connections: () => gateways.reduce((sum, { connections }) => sum + connections, this.#listeners.connections()),
        clock: this.#options.clock,
        deadlineMs,
      });
      await this.close();
    })();
    return this.#retiring;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.close();
    this.#trust.close();
    for (const workload of this.workloads.values()) workload.close();
    this.#byteCount?.clear();
    this.engine.reporter.close();
  }

  /** Gateways open their sockets themselves, when what they need is there. */
  #hostGateways(hosted: HostedWorkload, placement: GatewayRegistration): void {
    for (const name of placement.names) {
      hosted.gateways.push(
        new HostedGateway({
          gateway: `${hosted.namespace}/${name}`,
          workload: hosted,
          config: this.#options.config,
          observer: this.#observer,
          address: placement.address,
          portOffset: placement.portOffset,
          listenMesh: (where) =>
            listenTls({
              ...where,
              identities: this.#identities,
              verifyPeer: this.#options.verifyPeer,
              observer: this.#observer,
              clock: this.#options.clock,
            }),
          sharing: {
            sockets: this.#options.sockets ?? new Map<string, ListeningSocket>(),
            follows: this.#options.follows ?? false,
            onSocket: (key, socket) => this.#options.onGatewaySocket?.(key, socket),
            onWanted: (key) => this.#options.onGatewaySocketWanted?.(key),
            onClosedPorts: () => this.#options.onClosedPorts?.(),
          },
          onChanged: () => this.#checkReady(),
        }),
      );
    }
  }

  /** Connections wait in the queues of sockets that were taken over: nothing is accepted that could not be served. */
  #waitUntilReady(): Promise<void> {
    if (this.missing === "") return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#options.clock.after(TAKE_OVER_WAIT_MS, resolve);
      this.#wakeWhenReady = () => {
        timer.clear();
        resolve();
      };
    });
  }

  #checkReady(): void {
    if (this.#ready || this.missing !== "") return;
    this.#wakeWhenReady();
    if (!this.#opened) return;
    this.#ready = true;
    this.#options.onReady();
  }

  #takeDemands(elapsedMs: number): telemetry.LimitDemand[] {
    const demands: telemetry.LimitDemand[] = [];
    for (const { id, view } of this.workloads.values()) {
      for (const { limit, key, asked } of view.takeDemands()) {
        demands.push({ workload: id, limit, key, rate: (asked * 1_000) / elapsedMs });
      }
    }
    return demands;
  }

  #takeShares(shares: readonly telemetry.LimitShare[]): void {
    for (const { id, view } of this.workloads.values())
      view.takeShares(shares.filter(({ workload }) => workload === id));
  }

  #stats(): telemetry.ProxyStats {
    let openConnections = this.#listeners.connections();
    for (const { connections } of this.#gateways) openConnections += connections;
    return {
      residentBytes: process.memoryUsage.rss(),
      openConnections,
      uptimeMs: Math.round(this.#options.clock.monotonicMs() - this.#startedMs),
      version: this.#options.version,
      pid: process.pid,
    };
  }
}
