// One endpoint of a service with the connections to it.

import { EndpointState } from "@ripstop/balance";
import { Endpoint_Reach, Protocol, type Endpoint, type ProxyProtocol } from "@ripstop/model";
import type { Connecting, DialEvents } from "@ripstop/net";
import type { BackendDialer, ConnectTimeout, Connector, PlainTarget } from "../7-connect/connector.ts";
import { proxyHeader } from "../7-connect/proxy-header.ts";
import type { HttpPool } from "../7-connect/http-pool.ts";
import { sessionToken } from "./sessions.ts";
import type { Edge } from "../telemetry/edge.ts";

/** How connections to an endpoint are made. */
export interface EndpointConnecting {
  readonly connector: Connector;
  readonly timeout: ConnectTimeout;
  /** The header that a plain endpoint wants on a port of it. */
  proxyProtocol(endpoint: Endpoint, port: number): ProxyProtocol;
  /** The TLS that a plain endpoint wants on a port of it; undefined for none. */
  backendTls(endpoint: Endpoint, port: number): BackendDialer | undefined;
}

/** A raw connection to be made. */
export interface ApplicationDial {
  /** Port of the workload. */
  readonly port: number;
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

  #place({ locality, subset = "" }: Endpoint): void {
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
   * The pool for requests to workload port `port`. Between proxies everything is multiplexed; a plain endpoint gets
   * HTTP/2 when the port is declared so or the request needs it, else HTTP/1.1.
   */
  pool(port: number, protocol: Protocol, isGrpc: boolean): HttpPool {
    const http2 =
      this.mesh || protocol === Protocol.HTTP2 || protocol === Protocol.GRPC || (isGrpc && protocol !== Protocol.HTTP1);
    const key = http2 ? port : -port;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      if (this.mesh) pool = this.#connector.meshPool(this.model, port, this.#connectTimeout);
      else if (this.hbone)
        pool = this.#connector.tunnelledPool(this.tunnels, this.plainAddress(port), http2, this.#connectTimeout);
      else pool = this.#connector.plainPool(this.#plainTarget(port), http2, this.#connectTimeout);
      this.#pools.set(key, pool);
    }
    return pool;
  }

  /** Connections that carry tunnels, for an endpoint of another mesh. */
  get tunnels(): HttpPool {
    return (this.#tunnels ??= this.#connector.hbonePool(this.model, this.#connectTimeout));
  }

  /** A raw connection to the application on workload port `port`: in a tunnel to a mesh peer, plain otherwise. */
  dialApplication({ port, protocol, timeoutMs }: ApplicationDial, events: DialEvents): Connecting {
    if (this.mesh) {
      const host = this.id.replace("/", ".");
      return this.#connector.dialTunnel(this.pool(port, protocol, false), { host, port }, timeoutMs, events);
    }
    if (this.hbone) return this.#connector.dialTunnel(this.tunnels, this.plainAddress(port), timeoutMs, events);
    return this.#connector.dialPlain(this.#plainTarget(port), timeoutMs, events);
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
  #plainTarget(port: number): PlainTarget {
    const header = proxyHeader(this.#connecting.proxyProtocol(this.model, port), undefined);
    return {
      ...this.plainAddress(port),
      ...this.#tlsOf(port),
      ...(header === undefined ? {} : { header }),
    };
  }

  /** The TLS that it wants on a port, as a part of a target. */
  #tlsOf(port: number): { readonly tls?: BackendDialer } {
    const tls = this.#connecting.backendTls(this.model, port);
    return tls === undefined ? {} : { tls };
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
