// One Gateway that this proxy is the placement of: its config, its listening sockets, the ways of its connections.

import type { Result, RipstopError } from "@ripstop/core";
import type { ConfigClient, Subscription } from "@ripstop/discovery/client";
import {
  gatewayType,
  GatewayListener_Kind,
  type BackendTls,
  type ClosedGatewayPort,
  type Gateway,
  type GatewayListener,
  type KeyPair,
} from "@ripstop/model";
import {
  listen,
  listenEdge,
  type ClientHello,
  type Conn,
  type EdgeChoice,
  type Listener,
  type ListenOptions,
  type TlsObserver,
} from "@ripstop/net";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { HostPort } from "../2-identify/authority.ts";
import type { HostTable } from "../4-route/host-table.ts";
import type { PolicyChain } from "../5-filter/policy-chain.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import { newBackendDialer } from "../7-connect/backend-dialer.ts";
import type { BackendDialer, Connector } from "../7-connect/connector.ts";
import type { HttpPool } from "../7-connect/http-pool.ts";
import type { Rejudged } from "../7-connect/exchange-start.ts";
import { EgressGateway } from "../egress/egress-gateway.ts";
import type { EgressGuard } from "../egress/egress-guard.ts";
import type { Engine } from "../engine.ts";
import { gatewayListenerUnusable } from "../errors.ts";
import { MAX_LISTENER_CONNECTIONS } from "../settings.ts";
import type { Edge } from "../telemetry/edge.ts";
import { EdgeHttp, EdgeHttpStart, serveEdgeTls } from "./edge-http.ts";
import { EdgePort, familyOf } from "./edge-port.ts";
import { EdgeStream } from "./edge-stream.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { GatewaySockets, type SocketPlace, type SocketSharing } from "./gateway-sockets.ts";
import { RouteTable } from "./route-table.ts";

/** What a Gateway's placement needs. */
export interface HostedGatewayOptions {
  /** "NAMESPACE/NAME". */
  readonly gateway: string;
  readonly workload: HostedWorkload;
  readonly config: ConfigClient;
  readonly observer: TlsObserver;
  /** Where to listen when the Gateway asks for no address. */
  readonly address: string;
  readonly portOffset: number;
  /** Opens a listener for workloads of the mesh. */
  listenMesh(where: ListenOptions): Promise<Result<Listener, RipstopError>>;
  readonly sharing: SocketSharing;
  /** Something changed: look whether everything is there. */
  onChanged(): void;
}

const MAX_DIALERS = 1_024;

/** One Gateway. */
export class HostedGateway implements GatewayContext {
  /** Nothing inbound is handled by an application here. */
  readonly deadlines: ReadonlyMap<string, number> = new Map();
  readonly gateway: string;
  readonly hosts: HostTable;
  /** The way out of the mesh, for listeners of that kind. */
  readonly egressGateway: EgressGateway;
  readonly connector: Connector;
  readonly exchanges: Set<Rejudged> = new Set();
  /** What it listens on. */
  readonly sockets: GatewaySockets;
  readonly #options: HostedGatewayOptions;
  readonly #routes: RouteTable;
  readonly #subscription: Subscription;
  readonly #ports = new Map<number, EdgePort>();
  readonly #dialers = new Map<string, BackendDialer>();
  #received: Gateway | undefined = undefined;
  #known = false;
  #wasComplete = false;
  #backendCertificate: KeyPair | undefined = undefined;
  #advanceDue = false;
  #draining = false;
  #closed = false;

  constructor(options: HostedGatewayOptions) {
    this.#options = options;
    const { gateway, workload, config } = options;
    this.gateway = gateway;
    const { clock, log } = workload.engine;
    this.sockets = new GatewaySockets({
      gateway,
      workloadId: workload.id,
      portOffset: options.portOffset,
      sharing: options.sharing,
      clock,
      log,
      open: (edge, where) => this.#openSocket(edge, where),
      onOpened: () => options.onChanged(),
    });
    this.connector = workload.newConnector((tls) => this.#backendDialer(tls));
    this.hosts = workload.newHostTable(this.connector, () => this.#advance());
    this.egressGateway = new EgressGateway({
      gateway: this,
      workload,
      newHosts: (namespace) => workload.newHostTable(this.connector, () => undefined, { namespace, gateway }),
    });
    this.#routes = new RouteTable(gateway, { config, hosts: this.hosts, onChanged: () => this.#advance() });
    this.#subscription = config.watch(gatewayType, gateway, {
      onResource: (resource) => this.#onGateway(resource),
      onRemoved: () => this.#onGateway(undefined),
    });
  }

  get engine(): Engine {
    return this.#options.workload.engine;
  }

  get spiffeId(): string {
    return this.#options.workload.spiffeId;
  }

  get sourceService(): string {
    return this.#options.workload.sourceService;
  }

  get sessions(): HostedWorkload["inboundSessions"] {
    return this.#options.workload.inboundSessions;
  }

  get tunnels(): HostedWorkload["tunnels"] {
    return this.#options.workload.tunnels;
  }

  get chain(): PolicyChain | undefined {
    return this.#options.workload.view.chain;
  }

  get trustsPriority(): boolean {
    return this.#received?.trustRequestPriority === true;
  }

  /** The Gateway and all of its routes are in force, or it is known not to exist. */
  get ready(): boolean {
    return this.#wasComplete;
  }

  /** What readiness waits for, in plain words; "" when it waits for nothing. */
  get missing(): string {
    if (this.#wasComplete) return "";
    return this.#known
      ? `routes of Gateway ${this.gateway}, or what they lead to, have not arrived`
      : `Gateway ${this.gateway} has not arrived`;
  }

  /** Number of attached routes. */
  get routes(): number {
    return this.#routes.size;
  }

  /** Addresses that it listens on now, "HOST:PORT". */
  get addresses(): readonly string[] {
    return this.sockets.addresses;
  }

  /** Where it cannot listen now. */
  get closedPorts(): readonly ClosedGatewayPort[] {
    return this.sockets.closedPorts;
  }

  /** Live connections that its sockets accepted, those that are closed by now included. */
  get connections(): number {
    return this.sockets.connections;
  }

  isOwnAddress(target: HostPort): boolean {
    return this.#options.workload.isOwnAddress(target);
  }

  serveConnection(conn: Conn, _target: HostPort): void {
    conn.destroy();
  }

  get egress(): EgressGuard {
    return this.#options.workload.egress;
  }

  egressPool(target: HostPort): HttpPool {
    return this.#options.workload.egressPool(target);
  }

  edge(endpoint: UpstreamEndpoint | undefined, fallback: string, protocol: string): Edge {
    return this.#options.workload.edge(endpoint, fallback, protocol);
  }

  cluster(service: string): Cluster | undefined {
    return this.#routes.cluster(service);
  }

  /** Policies changed: what is live and refused now is ended. */
  recheck(): void {
    for (const exchange of [...this.exchanges]) exchange.recheck();
  }

  /** Closes the sockets; what is open goes on. */
  stopListening(): void {
    this.#draining = true;
    this.sockets.stop();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stopListening();
    this.#subscription.cancel();
    this.#routes.close();
    this.hosts.close();
    this.egressGateway.close();
    this.connector.close();
  }

  #onGateway(gateway: Gateway | undefined): void {
    // What guards the gateway guards its workload. Config that says more is not taken half.
    if (gateway !== undefined && gateway.policies.length > 0)
      throw new Error("this version knows no policies of a Gateway itself");
    if (!this.#known || (gateway === undefined) !== (this.#received === undefined)) {
      if (gateway === undefined)
        this.engine.log.warn("the Gateway does not exist (yet); nothing is listened on for it", {
          gateway: this.gateway,
        });
    }
    this.#known = true;
    this.#received = gateway;
    if (JSON.stringify(gateway?.backendClientCertificate) !== JSON.stringify(this.#backendCertificate)) {
      this.#backendCertificate = gateway?.backendClientCertificate;
      this.#dialers.clear();
      for (const cluster of [...this.hosts.clusters.values(), ...this.egressGateway.clusters()]) cluster.renewPlain();
    }
    this.#advance();
    if (this.#wasComplete) this.#listen();
  }

  /** Once for all that arrives in one turn: with many routes there are many clusters that become known. */
  #advance(): void {
    if (this.#advanceDue) return;
    this.#advanceDue = true;
    queueMicrotask(() => {
      this.#advanceDue = false;
      if (!this.#closed) this.#advanceNow();
    });
  }

  #advanceNow(): void {
    this.#routes.advance();
    if (!this.#wasComplete && this.#known && this.#routes.complete) {
      this.#wasComplete = true;
      this.#listen();
    }
    this.#options.onChanged();
  }

  /** Opens and closes sockets as the Gateway says now. */
  #listen(): void {
    if (this.#draining) return;
    const byPort = new Map<number, GatewayListener[]>();
    for (const listener of this.#received?.listeners ?? []) {
      const family = familyOf(listener.kind);
      if (family === undefined) continue;
      const group = byPort.get(listener.port);
      const first = group?.[0];
      if (group === undefined || first === undefined) byPort.set(listener.port, [listener]);
      else if (familyOf(first.kind) === family) group.push(listener);
      else
        this.#unusable(listener.name, `port ${listener.port} is of listener ${first.name}, which is of another kind`);
    }
    for (const [port, edge] of this.#ports) {
      const first = byPort.get(port)?.[0];
      if (first !== undefined && familyOf(first.kind) === edge.family) continue;
      this.#ports.delete(port);
      edge.update(
        [],
        (name) => this.#routes.forListener(name),
        () => undefined,
      );
      this.sockets.want(edge, []);
    }
    const addresses = this.#received?.addresses ?? [];
    const hosts = addresses.length === 0 ? [this.#options.address] : addresses;
    for (const [port, listeners] of byPort) {
      const family = familyOf(listeners[0]?.kind ?? GatewayListener_Kind.UNSPECIFIED);
      if (family === undefined) continue;
      let edge = this.#ports.get(port);
      if (edge === undefined) this.#ports.set(port, (edge = new EdgePort(port, family)));
      edge.update(
        listeners,
        (name) => this.#routes.forListener(name),
        (name, error) => this.#unusable(name, error.message),
      );
      this.sockets.want(edge, hosts);
    }
    this.sockets.settle();
  }

  #unusable(listener: string, cause: string): void {
    const { code, title, remedy } = gatewayListenerUnusable;
    this.engine.log.error(title, { code, gateway: this.gateway, listener, cause, remedy });
  }

  #openSocket(edge: EdgePort, where: SocketPlace): Promise<Result<Listener, RipstopError>> {
    const maxConnections = MAX_LISTENER_CONNECTIONS;
    if (edge.family === "mesh") {
      const onConn = (conn: Conn): void => this.egressGateway.accept(conn, edge.listeners[0]?.config.name ?? "");
      return this.#options.listenMesh({ ...where, maxConnections, onConn });
    }
    if (edge.family !== "tls")
      return listen({ ...where, maxConnections, onConn: (conn) => this.#acceptPlain(edge, conn) });
    const { clock } = this.engine;
    const { observer } = this.#options;
    const choose = (hello: ClientHello): EdgeChoice | undefined => this.#choose(edge, hello);
    return listenEdge({ ...where, clock, observer, maxConnections, choose });
  }

  #acceptPlain(edge: EdgePort, conn: Conn): void {
    if (edge.family === "http") {
      new EdgeHttpStart(this, conn, new EdgeHttp(this, edge, { conn }));
      return;
    }
    const [listener] = edge.listeners;
    new EdgeStream(this, conn, {
      listener: listener?.config.name ?? "",
      rule: listener?.routes.stream(""),
      port: edge.port,
      serverName: "",
    });
  }

  /** By the server name of the client's hello. */
  #choose(edge: EdgePort, { serverName }: ClientHello): EdgeChoice | undefined {
    const listener = edge.listenerFor(serverName);
    if (listener === undefined) return undefined;
    const { config, routes, terminator } = listener;
    const stream = (conn: Conn): void => {
      new EdgeStream(this, conn, {
        listener: config.name,
        rule: routes.stream(serverName),
        port: edge.port,
        serverName,
      });
    };
    if (config.kind === GatewayListener_Kind.TLS_PASSTHROUGH) return { terminator: undefined, onConn: stream };
    if (terminator === undefined) return undefined;
    if (config.kind === GatewayListener_Kind.TLS_TERMINATE) return { terminator, onConn: stream };
    return {
      terminator,
      onConn: (conn) => {
        serveEdgeTls(this, conn, new EdgeHttp(this, edge, { conn, chosen: config.name }));
      },
    };
  }

  #backendDialer(tls: BackendTls): BackendDialer {
    const key = JSON.stringify(tls);
    let dialer = this.#dialers.get(key);
    if (dialer === undefined) {
      // Policies that changed leave theirs behind.
      if (this.#dialers.size >= MAX_DIALERS) this.#dialers.clear();
      this.#dialers.set(key, (dialer = newBackendDialer(tls, this.#backendCertificate)));
    }
    return dialer;
  }
}
