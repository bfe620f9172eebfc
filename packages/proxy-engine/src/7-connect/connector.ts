// Makes connections and keeps the pools of one hosted workload alive and tidy.

import type { Clock, Timer } from "@ripstop/core";
import {
  closeCause,
  dial,
  meshServerName,
  type BackendDial,
  type Connecting,
  type DialEvents,
  type FlushScheduler,
  type TlsDialer,
  type TlsInfo,
} from "@ripstop/net";
import { parseSpiffeId } from "@ripstop/identity";
import type { BackendTls, Endpoint } from "@ripstop/model";
import { formatAuthority, parseAuthority, type HostPort } from "../2-identify/authority.ts";
import {
  CONNECT_TIMEOUT_MS,
  MESH_IDLE_MS,
  MESH_MAX_AGE_MS,
  PLAIN_IDLE_MS,
  PLAIN_MAX_AGE_MS,
  PLAIN_MAX_REQUESTS,
  PLAIN_PING_AFTER_S,
} from "../settings.ts";
import { Http1Pool } from "./http1-pool.ts";
import { Http2Pool } from "./http2-pool.ts";
import type { HttpPool, PoolLimits } from "./http-pool.ts";
import { TunnelDial, type TunnelTo } from "./tunnel-dial.ts";

/** What a connector needs. */
export interface ConnectorOptions {
  readonly clock: Clock;
  readonly flush: FlushScheduler;
  readonly tls: TlsDialer;
  /** The hosted workload that calls. */
  readonly workloadId: string;
  readonly trustDomain: string;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  /** Makes TLS to backends outside the mesh; undefined for what is left to others: plain bytes. */
  readonly backendTls?: (tls: BackendTls) => BackendDialer | undefined;
}

/** Where a plain connection goes. */
export interface PlainTarget extends HostPort {
  /** PROXY protocol header to begin it with. */
  readonly header?: Buffer;
  /** TLS that the destination wants; absent: none. */
  readonly tls?: BackendDialer;
}

/** Makes TLS connections to backends outside the mesh. */
export interface BackendDialer {
  dial(options: BackendDial, events: DialEvents): Connecting;
}

/** Gives the time in which a connection must come about, as it is set now. */
export type ConnectTimeout = () => number;

const defaultConnectTimeout: ConnectTimeout = () => CONNECT_TIMEOUT_MS;

const SWEEP_MS = 1_000;
const PLAIN_HTTP2 = { idleMs: PLAIN_IDLE_MS, maxAgeMs: PLAIN_MAX_AGE_MS, pingAfterS: PLAIN_PING_AFTER_S } as const;
const PLAIN_HTTP1 = { idleMs: PLAIN_IDLE_MS, maxAgeMs: PLAIN_MAX_AGE_MS, maxRequests: PLAIN_MAX_REQUESTS } as const;

type AnyPool = Http1Pool | Http2Pool;

/** Connections under one identity. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #pools = new Set<AnyPool>();
  readonly #sweep: Timer;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#sweep = options.clock.every(SWEEP_MS, () => this.#tidy());
  }

  /** HTTP/2 over mutual TLS to a peer's proxy, for one workload port. */
  meshPool(endpoint: Endpoint, port: number, connectTimeout: ConnectTimeout, limits?: PoolLimits): HttpPool {
    return this.#tlsPool(endpoint, meshServerName(endpoint.id, port), connectTimeout, limits);
  }

  /** Tunnels over mutual TLS to a proxy of another mesh, for all ports of a workload: it is not told by a server name. */
  hbonePool(endpoint: Endpoint, connectTimeout: ConnectTimeout): HttpPool {
    return this.#tlsPool(endpoint, "", connectTimeout);
  }

  #tlsPool(
    endpoint: Endpoint,
    serverName: string | undefined,
    connectTimeout: ConnectTimeout,
    limits?: PoolLimits,
  ): HttpPool {
    const { clock, flush, tls, workloadId, random } = this.#options;
    const { host, port: tlsPort } = parseAuthority(endpoint.address) ?? { host: "", port: 0 };
    const expectedPeerId = endpoint.spiffeId;
    // A peer of another trust domain proves itself by that domain's roots.
    const parsedId = parseSpiffeId(expectedPeerId);
    const trustDomain = parsedId.ok ? parsedId.value.trustDomain : this.#options.trustDomain;
    const dialer = {
      address: endpoint.address,
      get timeoutMs(): number {
        return connectTimeout();
      },
      dial: (events: DialEvents): Connecting => {
        if (serverName === undefined || host === "")
          return failLater(events, `${endpoint.id} has no usable address or name`);
        return tls.dial(
          { host, port: tlsPort, workloadId, serverName, expectedPeerId, trustDomain, timeoutMs: connectTimeout() },
          events,
        );
      },
    };
    const options = { dialer, clock, flush, idleMs: MESH_IDLE_MS, maxAgeMs: MESH_MAX_AGE_MS, random };
    return this.#keep(new Http2Pool(limits === undefined ? options : { ...options, limits }));
  }

  /** Plain HTTP to an application: HTTP/2 with prior knowledge, or HTTP/1.1. */
  plainPool(
    target: PlainTarget,
    http2: boolean,
    connectTimeout: ConnectTimeout = defaultConnectTimeout,
    limits?: PoolLimits,
  ): HttpPool {
    const { clock, flush, random } = this.#options;
    const own = limits === undefined ? {} : { limits };
    const dialer = {
      address: formatAuthority(target.host, target.port),
      get timeoutMs(): number {
        return connectTimeout();
      },
      dial: (events: DialEvents): Connecting => this.#dialHttp(target, connectTimeout(), { http2, events }),
    };
    if (http2) return this.#keep(new Http2Pool({ dialer, clock, flush, random, ...PLAIN_HTTP2, ...own }));
    return this.#keep(new Http1Pool({ dialer, clock, random, ...PLAIN_HTTP1, ...own }));
  }

  /** Plain HTTP to an application behind a proxy of another mesh, each connection in a tunnel of its own. */
  tunnelledPool(tunnels: HttpPool, target: HostPort, http2: boolean, connectTimeout: ConnectTimeout): HttpPool {
    const { clock, flush, random } = this.#options;
    const dialer = {
      address: formatAuthority(target.host, target.port),
      get timeoutMs(): number {
        return connectTimeout();
      },
      dial: (events: DialEvents): Connecting => this.dialTunnel(tunnels, target, connectTimeout(), events),
    };
    if (http2) return this.#keep(new Http2Pool({ dialer, clock, flush, random, ...PLAIN_HTTP2 }));
    return this.#keep(new Http1Pool({ dialer, clock, random, ...PLAIN_HTTP1 }));
  }

  /** A connection to `target` through a tunnel. */
  dialTunnel(tunnels: HttpPool, target: TunnelTo, timeoutMs: number, events: DialEvents): Connecting {
    return new TunnelDial(tunnels, target, events, (onTimeout) => this.#options.clock.after(timeoutMs, onTimeout));
  }

  #dialHttp(
    target: PlainTarget,
    timeoutMs: number,
    { http2, events }: { readonly http2: boolean; readonly events: DialEvents },
  ): Connecting {
    if (target.tls === undefined) return this.dialPlain(target, timeoutMs, events);
    const alpn = http2 ? "h2" : "http/1.1";
    return target.tls.dial({ ...target, timeoutMs, clock: this.#options.clock, alpn }, events);
  }

  /** It makes TLS to backends: it is a Gateway's. */
  get makesBackendTls(): boolean {
    return this.#options.backendTls !== undefined;
  }

  /** How TLS to a backend is made; undefined when the caller does not make any . */
  backendDialer(tls: BackendTls): BackendDialer | undefined {
    return this.#options.backendTls?.(tls);
  }

  /** A connection to a plain destination, or one with TLS of its own, for raw bytes. */
  dialPlain(target: PlainTarget, timeoutMs: number, events: DialEvents): Connecting {
    const { host, port, header, tls } = target;
    if (tls !== undefined) return tls.dial({ ...target, timeoutMs, clock: this.#options.clock, alpn: "" }, events);
    const options = { host, port, timeoutMs, clock: this.#options.clock };
    if (header === undefined) return dial(options, events);
    return dial(options, {
      onConnected: (conn) => {
        conn.write(header, 0, header.length);
        events.onConnected(conn);
      },
      onFailed: (cause) => events.onFailed(cause),
    });
  }

  /** Every pool that has not been forgotten. */
  get pools(): ReadonlySet<HttpPool> {
    return this.#pools;
  }

  /** Closes at once the connections to peers that are refused now; how many. */
  cut(isRefused: (tls: TlsInfo) => boolean): number {
    let cut = 0;
    for (const pool of this.#pools) if (pool instanceof Http2Pool) cut += pool.cut(isRefused);
    return cut;
  }

  /** Closes every connection at once. */
  close(): void {
    this.#sweep.clear();
    for (const pool of this.#pools) pool.destroy();
    this.#pools.clear();
  }

  #keep(pool: AnyPool): HttpPool {
    this.#pools.add(pool);
    return pool;
  }

  #tidy(): void {
    const now = this.#options.clock.monotonicMs();
    for (const pool of this.#pools) {
      pool.closeIdle(now);
      if (pool.isRetired && pool.connections === 0 && pool.waiting === 0) this.#pools.delete(pool);
    }
  }
}

/** Fails in a later turn. */
export function failLater(events: DialEvents, message: string): Connecting {
  let cancelled = false;
  queueMicrotask(() => {
    if (!cancelled) events.onFailed(closeCause("RIPSTOP_CONFIG", message));
  });
  return {
    cancel: () => {
      cancelled = true;
    },
  };
}
