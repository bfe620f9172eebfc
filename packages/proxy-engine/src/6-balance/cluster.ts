// A service as one hosted workload reaches it: its endpoints, their connections, its settings. Subscribed while in use.

import {
  CircuitBreaker,
  EndpointSet,
  GradientLimiter,
  LatencyQuantile,
  OutlierDetector,
  RetryBudget,
} from "@ripstop/balance";
import type { Clock } from "@ripstop/core";
import type { HeaderList } from "@ripstop/http";
import type { ConfigClient, Subscription } from "@ripstop/discovery/client";
import {
  endpointsType,
  Protocol,
  ProxyProtocol,
  serviceType,
  type Endpoint,
  type Endpoints,
  type Locality,
  type Service,
  type ServicePort,
  type SessionPersistence,
} from "@ripstop/model";
import type { BackendDialer, Connector } from "../7-connect/connector.ts";
import type { PoolLimits } from "../7-connect/http-pool.ts";
import { balanceSettings, outlierOptions, pickerFactory } from "./balance-settings.ts";
import { HealthChecker } from "./health-checker.ts";
import { noteLoadReport, restMs } from "./load-reports.ts";
import { limitsEndpoints, resilienceSettings, type ResilienceSettings } from "./resilience-settings.ts";
import { RequestKeys, type Caller } from "./request-keys.ts";
import { UpstreamEndpoint } from "./upstream-endpoint.ts";

/** Settings in force, defaults filled in. Times in milliseconds. */
export interface ClusterSettings {
  readonly maxRetries: number;
  readonly connectTimeoutMs: number;
  /** 0 = none. */
  readonly requestTimeoutMs: number;
}

/** What a cluster needs of its owner. */
export interface ClusterOwner {
  readonly clock: Clock;
  readonly config: ConfigClient;
  readonly connector: Connector;
  random(): number;
  /** Where the hosted workload is; absent or undefined when that is not known. */
  locality?(): Locality | undefined;
  /** The cluster is known now, or changed. */
  onClusterChanged(cluster: Cluster): void;
  /** Failures in a row ejected an endpoint. */
  onEjected(cluster: Cluster, endpoint: UpstreamEndpoint): void;
  /** Health checks found an endpoint well ("" as `problem`), or not any more. */
  onChecked?(cluster: Cluster, endpoint: UpstreamEndpoint, problem: string): void;
}

const DEFAULT_RETRIES = 2;
const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
/** Time-outs of one service are logged this often at most. */
const LOG_EVERY_MS = 1_000;

function clusterSettings(service: Service | undefined): ClusterSettings {
  const resilience = service?.resilience;
  const retries = resilience?.maxRetries ?? 0;
  return {
    maxRetries: retries < 0 ? 0 : retries || DEFAULT_RETRIES,
    connectTimeoutMs: resilience?.connectTimeoutMs || DEFAULT_CONNECT_TIMEOUT_MS,
    requestTimeoutMs: resilience?.requestTimeoutMs ?? 0,
  };
}

/** The parts of an endpoint that its connections depend on; the same key keeps the connections. */
function connectionKey(endpoint: Endpoint): string {
  return `${endpoint.reach} ${endpoint.id} ${endpoint.address} ${endpoint.spiffeId}`;
}

/** What its ports want at the start of connections, to be compared. */
function plainStarts(service: Service | undefined): string {
  return (service?.ports ?? [])
    .map(({ port, proxyProtocol = 0, backendTls }) => `${port} ${proxyProtocol} ${JSON.stringify(backendTls)}`)
    .join();
}

/** One service with its endpoints. */
export class Cluster {
  /** "NAMESPACE/NAME". */
  readonly service: string;
  /** Undefined when the service does not exist. */
  config: Service | undefined;
  settings: ClusterSettings = clusterSettings(undefined);
  resilience: ResilienceSettings = resilienceSettings(undefined);
  readonly endpoints: EndpointSet<UpstreamEndpoint>;
  budget: RetryBudget;
  /** Requests are counted by one of the next two. */
  guarded = false;
  /** Fixed limits; undefined when there are none. */
  breaker: CircuitBreaker | undefined = undefined;
  /** The adaptive limit of the whole service; undefined when there is none. */
  limiter: GradientLimiter | undefined = undefined;
  /** Recent latencies; undefined when nobody asks for them. */
  latencies: LatencyQuantile | undefined = undefined;
  /** Frontends that hold it. */
  users = 0;
  /** Makes the keys of requests; undefined when nothing wants one. */
  keys: RequestKeys | undefined = undefined;
  /** Requests need an affinity. */
  keyed = false;
  readonly #owner: ClusterOwner;
  readonly #outliers = new OutlierDetector(outlierOptions(undefined));
  readonly #byKey = new Map<string, UpstreamEndpoint>();
  readonly #subscriptions: Subscription[] = [];
  readonly #poolLimits: PoolLimits = new LivePoolLimits(this);
  #checker: HealthChecker | undefined = undefined;
  #serviceKnown = false;
  #endpointsKnown = false;
  #closed = false;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(service: string, owner: ClusterOwner) {
    this.service = service;
    this.#owner = owner;
    this.endpoints = new EndpointSet<UpstreamEndpoint>({
      picker: pickerFactory(undefined, () => owner.random()),
      outliers: this.#outliers,
      random: () => owner.random(),
    });
    this.budget = this.#newBudget();
    this.#subscriptions.push(
      owner.config.watch(serviceType, service, {
        onResource: (resource) => this.#onService(resource),
        onRemoved: () => this.#onService(undefined),
      }),
      owner.config.watch(endpointsType, service, {
        onResource: (resource) => this.#onEndpoints(resource),
        onRemoved: () => this.#onEndpoints(undefined),
      }),
    );
  }

  /** Both the service and its endpoints are known, or known not to exist. */
  get known(): boolean {
    return this.#serviceKnown && this.#endpointsKnown;
  }

  /** The endpoint answered. */
  recordSuccess(endpoint: UpstreamEndpoint, nowMs: number = this.#owner.clock.monotonicMs()): void {
    this.endpoints.recordSuccess(endpoint, nowMs);
  }

  /** The endpoint failed, `connecting` or later. */
  recordFailure(endpoint: UpstreamEndpoint, connecting = false): void {
    if (this.endpoints.recordFailure(endpoint, this.#owner.clock.monotonicMs(), connecting))
      this.#owner.onEjected(this, endpoint);
  }

  /** Takes in what a response says of the endpoint beside the answer; `status` 0 for trailers. */
  noteResponse(endpoint: UpstreamEndpoint, status: number, headers: HeaderList): void {
    const balancing = this.config?.loadBalancing;
    if (balancing === undefined) return;
    const { clock } = this.#owner;
    if (balancing.adaptiveWeights || balancing.locality !== undefined)
      noteLoadReport(endpoint, headers, clock.monotonicMs());
    if (balancing.maxRestMs === 0) return;
    const rest = restMs(status, headers, { nowMs: clock.nowMs(), maxMs: balancing.maxRestMs });
    if (rest === 0) return;
    const now = clock.monotonicMs();
    endpoint.restUntilMs = now + rest;
    this.endpoints.changed(now);
  }

  /** Sessions of requests that no route with its own matches; undefined when there are none. */
  get persistence(): SessionPersistence | undefined {
    return this.config?.loadBalancing?.sessionPersistence;
  }

  /** The endpoint that a session belongs to, if it gets requests now. */
  endpointOfSession(scope: string, token: string): UpstreamEndpoint | undefined {
    return this.endpoints.usable.find((endpoint) => endpoint.sessionToken(scope) === token);
  }

  /** The endpoint for a raw connection, or for a copy of a request. */
  pickFor(caller: Caller, tried: readonly UpstreamEndpoint[]): UpstreamEndpoint | undefined {
    return this.endpoints.pick(this.#owner.clock.monotonicMs(), tried, this.keys?.ofConnection(caller));
  }

  /** The hosted workload knows where it is now. */
  localityChanged(): void {
    this.#configure(false);
  }

  /** How many time-outs were passed over since the one that was logged last; -1 when this one is to be passed over too. */
  timeoutsToLog(nowMs: number): number {
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) {
      this.#unlogged++;
      return -1;
    }
    const others = this.#unlogged;
    this.#loggedAtMs = nowMs;
    this.#unlogged = 0;
    return others;
  }

  /** The declared port; `port` 0 means 80 if there is one, else the first. */
  port(port: number): ServicePort | undefined {
    const ports = this.config?.ports;
    if (ports === undefined) return undefined;
    if (port !== 0) return ports.find((candidate) => candidate.port === port);
    return ports.find((candidate) => candidate.port === 80) ?? ports[0];
  }

  /** The port for TLS that names the service by its server name: `port`, or the only one that is declared as TLS. */
  tlsPort(port: number): ServicePort | undefined {
    const ports = this.config?.ports ?? [];
    const named = ports.find((candidate) => candidate.port === port);
    if (named !== undefined) return named;
    const declared = ports.filter((candidate) => candidate.protocol === Protocol.TLS);
    return declared.length === 1 ? declared[0] : undefined;
  }

  /** The TLS that plain endpoints want behind a port of the service; undefined for none. */
  backendTls(port: ServicePort | undefined): BackendDialer | undefined {
    const tls = port?.backendTls;
    return tls === undefined ? undefined : this.#owner.connector.backendDialer(tls);
  }

  /** Why nothing may be sent to a port of the service by a Gateway (its BackendTLSPolicy cannot be kept); "" when it may. */
  refusedTls(port: ServicePort | undefined): string {
    const tls = port?.backendTls;
    if (tls === undefined || tls.invalid === "") return "";
    return this.#owner.connector.makesBackendTls ? `${tls.source}: ${tls.invalid}` : "";
  }

  #declared(port: number): ServicePort | undefined {
    return this.config?.ports.find((candidate) => candidate.port === port);
  }

  /** New connections to plain endpoints are made in another way from now on. */
  renewPlain(): void {
    for (const endpoint of this.#byKey.values()) if (!endpoint.mutualTls) endpoint.renewPools();
  }

  /** Gives up the subscriptions; connections end when they are idle. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const subscription of this.#subscriptions) subscription.cancel();
    this.#checker?.close();
    for (const endpoint of this.#byKey.values()) endpoint.retire();
    this.#byKey.clear();
    this.endpoints.replace([], this.#owner.clock.monotonicMs());
  }

  #onService(service: Service | undefined): void {
    const balancingBefore = JSON.stringify(this.config?.loadBalancing);
    const startsChanged = plainStarts(service) !== plainStarts(this.config);
    this.config = service;
    this.#serviceKnown = true;
    this.settings = clusterSettings(service);
    this.#outliers.options = outlierOptions(service);
    if (JSON.stringify(service?.loadBalancing) !== balancingBefore) {
      this.#configure(true);
      this.#checkHealth();
    }
    if (startsChanged) this.renewPlain();
    this.#useResilience(resilienceSettings(service?.resilience));
    this.#owner.onClusterChanged(this);
  }

  #onEndpoints(resource: Endpoints | undefined): void {
    this.#endpointsKnown = true;
    const kept = new Set<string>();
    const list: UpstreamEndpoint[] = [];
    for (const endpoint of resource?.endpoints ?? []) {
      const key = connectionKey(endpoint);
      if (kept.has(key)) continue;
      kept.add(key);
      let known = this.#byKey.get(key);
      if (known === undefined) {
        known = new UpstreamEndpoint(endpoint, this.service, {
          connector: this.#owner.connector,
          timeout: () => this.settings.connectTimeoutMs,
          limits: this.#poolLimits,
          proxyProtocol: (servicePort) => this.#declared(servicePort)?.proxyProtocol ?? ProxyProtocol.NONE,
          backendTls: (servicePort) => this.backendTls(this.#declared(servicePort)),
        });
        known.limiter = this.#newLimiter(true);
        this.#byKey.set(key, known);
      } else {
        known.update(endpoint);
      }
      list.push(known);
    }
    for (const [key, endpoint] of this.#byKey) {
      if (kept.has(key)) continue;
      this.#byKey.delete(key);
      endpoint.retire();
    }
    this.endpoints.replace(list, this.#owner.clock.monotonicMs());
    this.#owner.onClusterChanged(this);
  }

  /** Takes over settings; what counts what is under way goes on counting. */
  #useResilience(settings: ResilienceSettings): void {
    const before = this.resilience;
    this.resilience = settings;
    if (settings.budgetShare !== before.budgetShare || settings.budgetPerSecond !== before.budgetPerSecond)
      this.budget = this.#newBudget();
    const { maxRequests, maxRetries, hedgePercentile, adaptive } = settings;
    if (maxRequests === 0 && maxRetries === 0) this.breaker = undefined;
    else if (this.breaker === undefined) this.breaker = new CircuitBreaker({ maxRequests, maxRetries });
    else this.breaker.limits = { maxRequests, maxRetries };
    if (hedgePercentile !== before.hedgePercentile)
      this.latencies = hedgePercentile === 0 ? undefined : new LatencyQuantile(hedgePercentile);
    const bounds = (limits: ResilienceSettings): string =>
      `${limits.adaptive?.scope} ${limits.adaptive?.minLimit} ${limits.adaptive?.maxLimit}`;
    if (adaptive === undefined || bounds(settings) !== bounds(before)) {
      this.limiter = this.#newLimiter(false);
      for (const endpoint of this.#byKey.values()) endpoint.limiter = this.#newLimiter(true);
    }
    this.guarded = this.breaker !== undefined || this.limiter !== undefined;
  }

  #newLimiter(ofEndpoint: boolean): GradientLimiter | undefined {
    const { adaptive } = this.resilience;
    if (adaptive === undefined || limitsEndpoints(this.resilience) !== ofEndpoint) return undefined;
    return new GradientLimiter({ minLimit: adaptive.minLimit, maxLimit: adaptive.maxLimit });
  }

  /** Puts the settings of balancing in force; with `anew` also the pickers, which forget what they learnt. */
  #configure(anew: boolean): void {
    const balancing = this.config?.loadBalancing;
    const random = (): number => this.#owner.random();
    const picker = anew ? pickerFactory(balancing, random) : undefined;
    this.endpoints.configure(
      balanceSettings(balancing, this.#owner.locality?.()),
      this.#owner.clock.monotonicMs(),
      picker,
    );
    const isKeyed = this.endpoints.wantsHash || balancing?.subset !== undefined;
    this.keys = balancing !== undefined && isKeyed ? new RequestKeys(balancing, random) : undefined;
    this.keyed = this.keys !== undefined || balancing?.sessionPersistence !== undefined;
  }

  #checkHealth(): void {
    this.#checker?.close();
    this.#checker = undefined;
    const check = this.config?.loadBalancing?.healthCheck;
    const { clock } = this.#owner;
    if (check !== undefined) {
      const host = check.check?.$case === "http" ? check.check.value.host : "";
      this.#checker = new HealthChecker(check, {
        clock,
        random: () => this.#owner.random(),
        endpoints: () => this.endpoints.all,
        port: (port) => (port === 0 ? this.config?.ports[0] : this.port(port)),
        host: host === "" ? (this.config?.hostnames[0] ?? this.service) : host,
        onChecked: (endpoint, isWell, problem) => {
          endpoint.checkedHealthy = isWell;
          if (isWell) endpoint.probing = false;
          this.endpoints.changed(clock.monotonicMs());
          this.#owner.onChecked?.(this, endpoint, problem);
        },
      });
    }
    this.endpoints.changed(clock.monotonicMs());
  }

  #newBudget(): RetryBudget {
    const { budgetShare: share, budgetPerSecond: minPerSecond } = this.resilience;
    return new RetryBudget({ share, minPerSecond }, this.#owner.clock.monotonicMs());
  }
}

/** Limits of pools as the settings of a cluster say them now. */
class LivePoolLimits implements PoolLimits {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  get idleMs(): number {
    return this.#cluster.resilience.connectionIdleMs;
  }

  get maxConnections(): number {
    return this.#cluster.resilience.maxConnections;
  }
}
