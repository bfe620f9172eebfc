// From host name to service, on demand: the first request to a name subscribes to what it needs and waits for it; a name
// that nobody used for a while is forgotten. So a proxy knows only what its workload really calls.

import type { Clock, Timer } from "@ripstop/core";
import type { ConfigClient, Subscription } from "@ripstop/discovery/client";
import { egressBindingName, hostBindingName, hostBindingType, type HostBinding, type Locality } from "@ripstop/model";
import { Cluster } from "../6-balance/cluster.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import type { Connector } from "../7-connect/connector.ts";
import { Frontend, type ClusterSource } from "./frontend.ts";

/** Waits for a host to be ready. */
export interface HostWaiter {
  onHostReady(host: HostEntry): void;
}

/** What the table needs. */
export interface HostTableOptions {
  /** Of the callers. */
  readonly namespace: string;
  /** "NAMESPACE/NAME" of the Gateway that callers ask for the hosts; absent: they ask for themselves. */
  readonly gateway?: string;
  readonly clock: Clock;
  readonly config: ConfigClient;
  readonly connector: Connector;
  random(): number;
  /** Where the hosted workload is; absent or undefined when that is not known. */
  locality?(): Locality | undefined;
  /** Something became ready. */
  onChanged(): void;
  /** Failures in a row ejected an endpoint. */
  onEjected(cluster: Cluster, endpoint: UpstreamEndpoint): void;
  /** Health checks found an endpoint well ("" as `problem`), or not any more. */
  onChecked?(cluster: Cluster, endpoint: UpstreamEndpoint, problem: string): void;
}

const IDLE_MS = 300_000;
const SWEEP_MS = 30_000;
const MAX_WAITING = 1024;
const MAX_HOSTS = 10_000;

/** One name that is in use. */
export class HostEntry {
  readonly host: string;
  lastUsedMs = 0;
  /** Declared upstreams are never forgotten. */
  pinned = false;
  /** The service in force for the name; undefined while not known, and for a name outside the mesh. */
  frontend: Frontend | undefined;
  /** A service that takes over when it is complete. */
  next: Frontend | undefined;
  /** The control plane says that the name is not of the mesh. */
  outside = false;
  subscription: Subscription | undefined;
  readonly waiting: Set<HostWaiter> = new Set();

  constructor(host: string) {
    this.host = host;
  }

  /** A request can be decided: the name leads to a complete service, or is known to be outside the mesh. */
  get ready(): boolean {
    return this.outside || this.frontend?.ready === true;
  }
}

/** All names in use by one hosted workload. */
export class HostTable {
  readonly #options: HostTableOptions;
  readonly #hosts = new Map<string, HostEntry>();
  readonly #clusters = new Map<string, Cluster>();
  /** Entries that wait for something: only these can change when a part of the config arrives. */
  readonly #unsettled = new Set<HostEntry>();
  readonly #sweep: Timer;
  #waiting = 0;
  #advancing = false;
  #advanceAgain = false;

  constructor(options: HostTableOptions) {
    this.#options = options;
    this.#sweep = options.clock.every(SWEEP_MS, () => this.#forgetIdle());
  }

  /** Number of clusters that are subscribed. */
  get clusters(): ReadonlyMap<string, Cluster> {
    return this.#clusters;
  }

  /** Names that wait for a part of their config, or for which somebody waits. */
  get unsettled(): number {
    return this.#unsettled.size;
  }

  get hosts(): ReadonlyMap<string, HostEntry> {
    return this.#hosts;
  }

  /** The entry of `host` (lower case, no port); subscribes at first use. Undefined when too many names are in use. */
  lookup(host: string, nowMs: number = this.#options.clock.monotonicMs()): HostEntry | undefined {
    let entry = this.#hosts.get(host);
    if (entry === undefined) {
      if (this.#hosts.size >= MAX_HOSTS) this.#forgetIdle();
      if (this.#hosts.size >= MAX_HOSTS) return undefined;
      entry = new HostEntry(host);
      this.#hosts.set(host, entry);
      this.#subscribe(entry);
    }
    entry.lastUsedMs = nowMs;
    return entry;
  }

  /** Calls `waiter` once when `entry` is ready; false when too many wait already. */
  wait(entry: HostEntry, waiter: HostWaiter): boolean {
    if (this.#waiting >= MAX_WAITING) return false;
    if (!entry.waiting.has(waiter)) this.#waiting++;
    entry.waiting.add(waiter);
    this.#unsettled.add(entry);
    return true;
  }

  /** `waiter` gave up. */
  cancelWait(entry: HostEntry, waiter: HostWaiter): void {
    if (entry.waiting.delete(waiter)) this.#waiting--;
  }

  /** A service without a name of its own in the table; each `hold` needs its `release`. */
  hold(service: string): Cluster {
    let cluster = this.#clusters.get(service);
    if (cluster === undefined) {
      const { clock, config, connector } = this.#options;
      cluster = new Cluster(service, {
        clock,
        config,
        connector,
        random: () => this.#options.random(),
        locality: () => this.#options.locality?.(),
        onClusterChanged: () => this.#advance(),
        onEjected: (ejecting, endpoint) => this.#options.onEjected(ejecting, endpoint),
        onChecked: (checked, endpoint, problem) => this.#options.onChecked?.(checked, endpoint, problem),
      });
      this.#clusters.set(service, cluster);
    }
    cluster.users++;
    return cluster;
  }

  release(cluster: Cluster): void {
    cluster.users--;
    if (cluster.users > 0) return;
    this.#clusters.delete(cluster.service);
    cluster.close();
  }

  /** The hosted workload knows where it is now. */
  localityChanged(): void {
    for (const cluster of this.#clusters.values()) cluster.localityChanged();
  }

  close(): void {
    this.#sweep.clear();
    for (const entry of this.#hosts.values()) this.#drop(entry);
    this.#hosts.clear();
  }

  #subscribe(entry: HostEntry): void {
    const { namespace, config, gateway } = this.#options;
    const { host } = entry;
    const name = gateway === undefined ? hostBindingName(namespace, host) : egressBindingName(namespace, host, gateway);
    entry.subscription = config.watch(hostBindingType, name, {
      onResource: (binding) => this.#onBinding(entry, binding),
      onRemoved: () => {
        entry.frontend?.close();
        entry.next?.close();
        entry.frontend = undefined;
        entry.next = undefined;
        entry.outside = true;
        this.#changed(entry);
      },
    });
  }

  #onBinding(entry: HostEntry, binding: HostBinding): void {
    const { namespace, config } = this.#options;
    if (entry.frontend?.service === binding.service) {
      entry.next?.close();
      entry.next = undefined;
    } else if (entry.next?.service !== binding.service) {
      entry.next?.close();
      const source: ClusterSource = {
        hold: (service) => this.hold(service),
        release: (cluster) => this.release(cluster),
        routesArrived: () => this.#changed(entry),
      };
      entry.next = new Frontend(binding.service, namespace, source, config);
    }
    entry.outside = false;
    this.#changed(entry);
  }

  #changed(entry: HostEntry): void {
    this.#unsettled.add(entry);
    this.#advance();
  }

  /** Puts in force what has become complete and wakes those who wait for it. */
  #advance(): void {
    if (this.#advancing) {
      this.#advanceAgain = true;
      return;
    }
    this.#advancing = true;
    do {
      this.#advanceAgain = false;
      for (const entry of [...this.#unsettled]) this.#advanceEntry(entry);
    } while (this.#advanceAgain);
    this.#advancing = false;
    this.#options.onChanged();
  }

  #advanceEntry(entry: HostEntry): void {
    entry.frontend?.advance();
    entry.next?.advance();
    if (entry.next !== undefined && (entry.next.ready || entry.frontend === undefined)) {
      entry.frontend?.close();
      entry.frontend = entry.next;
      entry.next = undefined;
    }
    if (!entry.ready) return;
    if (entry.next === undefined && entry.frontend?.pending !== true) this.#unsettled.delete(entry);
    if (entry.waiting.size === 0) return;
    const waiting = [...entry.waiting];
    entry.waiting.clear();
    this.#waiting -= waiting.length;
    for (const waiter of waiting) waiter.onHostReady(entry);
  }

  #forgetIdle(): void {
    const oldest = this.#options.clock.monotonicMs() - IDLE_MS;
    for (const [host, entry] of this.#hosts) {
      if (entry.pinned || entry.lastUsedMs > oldest || entry.waiting.size > 0) continue;
      this.#hosts.delete(host);
      this.#drop(entry);
    }
  }

  #drop(entry: HostEntry): void {
    this.#unsettled.delete(entry);
    entry.subscription?.cancel();
    entry.frontend?.close();
    entry.next?.close();
    entry.frontend = undefined;
    entry.next = undefined;
  }
}
