// One endpoint of a service with the connections to it.

import { EndpointState, MAX_TIERS, type GradientLimiter } from "@ripstop/balance";
import { Endpoint_Reach, Protocol, type Endpoint, type ProxyProtocol } from "@ripstop/model";
import type { Connecting, DialEvents } from "@ripstop/net";
import type { BackendDialer, ConnectTimeout, Connector, PlainTarget } from "../7-connect/connector.ts";
import { proxyHeader } from "../7-connect/proxy-header.ts";
import type { HttpPool, PoolLimits } from "../7-connect/http-pool.ts";
import { sessionToken } from "./sessions.ts";
import type { Edge } from "../telemetry/edge.ts";

/** One more than the greatest port. */
const PORTS = 65_536;

/** How connections to an endpoint are made. */
export interface EndpointConnecting {
  readonly connector: Connector;
  readonly timeout: ConnectTimeout;
  /** How many, and for how long when nobody uses them. */
  readonly limits?: PoolLimits;
  /** The header that plain endpoints want behind a port of the service. */
  proxyProtocol(servicePort: number): ProxyProtocol;
  /** The TLS that plain endpoints want behind a port of the service; undefined for none. */
  backendTls(servicePort: number): BackendDialer | undefined;
}

/** A raw connection to be made. */
export interface ApplicationDial {
  /** Port of the service; the endpoint must serve it. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  readonly timeoutMs: number;
}

/** An endpoint, its pools by workload port, and the telemetry slots bound to it. */
export class UpstreamEndpoint extends EndpointState {
  /** As the control plane describes it now. */
  model: Endpoint;
  readonly service: string;
  /** Its proxy is one of this mesh. */
  readonly mesh: boolean;
  /** Its proxy is one of another mesh: everything goes in tunnels. */
  readonly hbone: boolean;
  /** Telemetry slots by protocol, made at first use. */
  readonly edges: (Edge | undefined)[] = [];
  /** Its own adaptive limit; undefined when it has none. */
  limiter: GradientLimiter | undefined = undefined;
  readonly #connecting: EndpointConnecting;
  readonly #connector: Connector;
  readonly #connectTimeout: ConnectTimeout;
  readonly #pools = new Map<number, HttpPool>();
  #tunnels: HttpPool | undefined = undefined;
  /** By scope; made at first use. */
  #sessionTokens: Map<string, string> | undefined = undefined;
  #retired = false;

  constructor(model: Endpoint, service: string, connecting: EndpointConnecting) {
    super(model.id, model.weight, model.healthy);
    this.model = model;
    this.service = service;
    this.mesh = model.reach === Endpoint_Reach.MESH;
    this.hbone = model.reach === Endpoint_Reach.HBONE;
    this.#connecting = connecting;
    this.#connector = connecting.connector;
    this.#connectTimeout = connecting.timeout;
    this.#place(model);
  }

  /** What the sessions of a scope name it by. */
  sessionToken(scope: string): string {
    const tokens = (this.#sessionTokens ??= new Map<string, string>());
    let token = tokens.get(scope);
    if (token === undefined) tokens.set(scope, (token = sessionToken(scope, this.model.id)));
    return token;
  }

  #place({ locality, subset = "", priority = 0 }: Endpoint): void {
    this.priority = Math.min(priority, MAX_TIERS - 1);
    this.region = locality?.region ?? "";
    this.zone = locality?.zone ?? "";
    this.subset = subset;
  }

  /** Takes over what may change while connections stay. */
  update(model: Endpoint): void {
    if (model.version !== this.model.version) this.edges.length = 0;
    this.model = model;
    this.weight = model.weight;
    this.healthy = model.healthy;
    this.#place(model);
  }

  /** The workload port behind a service port; 0 when the endpoint does not serve it. */
  targetPort(servicePort: number): number {
    return this.model.targetPorts[servicePort] ?? 0;
  }

  /**
   * The pool for requests to the workload port behind `servicePort`, which the endpoint must serve. Between proxies
   * everything is multiplexed; a plain endpoint gets HTTP/2 when the port is declared so or the request needs it, else
   * HTTP/1.1, and each port of the service has connections of its own: TLS may differ.
   */
  pool(servicePort: number, protocol: Protocol, isGrpc: boolean): HttpPool {
    const port = this.targetPort(servicePort);
    const http2 =
      this.mesh || protocol === Protocol.HTTP2 || protocol === Protocol.GRPC || (isGrpc && protocol !== Protocol.HTTP1);
    const number = this.mesh ? port : servicePort * PORTS + port;
    const key = http2 ? number : -number;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      if (this.mesh) pool = this.#connector.meshPool(this.model, port, this.#connectTimeout, this.#connecting.limits);
      else if (this.hbone)
        pool = this.#connector.tunnelledPool(this.tunnels, this.plainAddress(port), http2, this.#connectTimeout);
      else {
        const { limits } = this.#connecting;
        pool = this.#connector.plainPool(this.#plainTarget(servicePort), http2, this.#connectTimeout, limits);
      }
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Connections that carry tunnels, for an endpoint of another mesh. */
  get tunnels(): HttpPool {
    return (this.#tunnels ??= this.#connector.hbonePool(this.model, this.#connectTimeout));
  }

  /** A raw connection to the application: in a tunnel to a mesh peer, plain otherwise. */
  dialApplication({ servicePort, protocol, timeoutMs }: ApplicationDial, events: DialEvents): Connecting {
    const port = this.targetPort(servicePort);
    if (this.mesh) {
      const host = this.id.replace("/", ".");
      return this.#connector.dialTunnel(this.pool(servicePort, protocol, false), { host, port }, timeoutMs, events);
    }
    if (this.hbone) return this.#connector.dialTunnel(this.tunnels, this.plainAddress(port), timeoutMs, events);
    return this.#connector.dialPlain(this.#plainTarget(servicePort), timeoutMs, events);
  }

  /** Connections to it are encrypted, and its identity is checked. */
  get mutualTls(): boolean {
    return this.mesh || this.hbone;
  }

  /** "HOST:PORT" of the application, for an endpoint that is not of this mesh. */
  plainAddress(port: number): { readonly host: string; readonly port: number } {
    const address = this.model.address;
    const colon = address.lastIndexOf(":");
    const host = colon < 0 ? address : address.slice(0, colon);
    return { host: host.startsWith("[") ? host.slice(1, -1) : host, port };
  }

  /** HTTP connections are shared by clients, so that a header can only say that this proxy speaks for itself. */
  #plainTarget(servicePort: number): PlainTarget {
    const header = proxyHeader(this.#connecting.proxyProtocol(servicePort), undefined);
    const tls = this.#connecting.backendTls(servicePort);
    return {
      ...this.plainAddress(this.targetPort(servicePort)),
      ...(tls === undefined ? {} : { tls }),
      ...(header === undefined ? {} : { header }),
    };
  }

  /** Connections are to be made in another way from now on. */
  renewPools(): void {
    for (const pool of this.#pools.values()) pool.retire();
    this.#pools.clear();
  }

  /** Every pool that exists. */
  get pools(): Iterable<HttpPool> {
    return this.#pools.values();
  }

  /** No new requests come: connections end when those under way have finished. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    for (const pool of this.#pools.values()) pool.retire();
    this.#tunnels?.retire();
  }
}
