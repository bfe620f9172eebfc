// The routes that are attached to one Gateway, kept up to date from the config stream: one route at a time, and each only when
// everything that it leads to is known, so that no request meets a gap.

import type { ConfigClient, Subscription } from "@ripstop/discovery/client";
import { gatewayRoutesType, gatewayRouteType, type GatewayRoute, type RouteAttachment } from "@ripstop/model";
import {
  addServices,
  compileGatewayRoute,
  compileStreamRule,
  hostnameFit,
  ListenerRoutes,
  routeOf,
  type AttachedRule,
  type CompiledStreamRule,
} from "@ripstop/routing";
import type { HostTable } from "../4-route/host-table.ts";
import type { Cluster } from "../6-balance/cluster.ts";

/** A route of whole connections at one listener. */
interface AttachedStream {
  readonly rule: CompiledStreamRule;
  readonly hostnames: readonly string[];
  readonly created: string;
  readonly route: string;
}

/** The routes of one listener. */
export class AttachedRoutes {
  readonly http: ListenerRoutes = new ListenerRoutes();
  /** In order of precedence: the older route first, then by name. */
  readonly streams: AttachedStream[] = [];

  /** The rule for a connection; `serverName` is "" where TLS names none. */
  stream(serverName: string): CompiledStreamRule | undefined {
    let best: AttachedStream | undefined;
    let bestFit = 0;
    for (const stream of this.streams) {
      const fit =
        stream.hostnames.length === 0 ? 1 : Math.max(...stream.hostnames.map((name) => hostnameFit(name, serverName)));
      if (fit > bestFit) {
        best = stream;
        bestFit = fit;
      }
    }
    return best?.rule;
  }
}

/** One route with all that it needs. */
interface RouteState {
  readonly attachments: readonly RouteAttachment[];
  readonly rules: readonly AttachedRule[];
  readonly streams: readonly AttachedStream[];
  readonly clusters: ReadonlyMap<string, Cluster>;
}

interface Slot {
  subscription: Subscription | undefined;
  /** In force; undefined before the first, and for a route that is gone. */
  current: RouteState | undefined;
  /** Takes over when all of its clusters are known. */
  next: RouteState | undefined;
  /** The control plane has answered for it. */
  known: boolean;
}

const NOTHING: RouteState = { attachments: [], rules: [], streams: [], clusters: new Map() };

/** The routes of one Gateway. */
export class RouteTable {
  readonly #config: ConfigClient;
  readonly #hosts: HostTable;
  readonly #onChanged: () => void;
  readonly #slots = new Map<string, Slot>();
  readonly #waiting = new Set<Slot>();
  readonly #listeners = new Map<string, AttachedRoutes>();
  /** Clusters of the routes in force, with the number of routes that use each. */
  readonly #clusters = new Map<string, { readonly cluster: Cluster; users: number }>();
  readonly #subscription: Subscription;
  #listed = false;
  #unanswered = 0;
  #closed = false;

  constructor(gateway: string, parts: { readonly config: ConfigClient; readonly hosts: HostTable; onChanged(): void }) {
    this.#config = parts.config;
    this.#hosts = parts.hosts;
    this.#onChanged = () => parts.onChanged();
    this.#subscription = parts.config.watch(gatewayRoutesType, gateway, {
      onResource: ({ routes }) => this.#onList(routes),
      onRemoved: () => this.#onList([]),
    });
  }

  /** Every attached route is in force. */
  get complete(): boolean {
    return this.#listed && this.#unanswered === 0 && this.#waiting.size === 0;
  }

  /** Number of attached routes. */
  get size(): number {
    return this.#slots.size;
  }

  /** The routes of a listener; empty when none is attached. */
  forListener(name: string): AttachedRoutes {
    let routes = this.#listeners.get(name);
    if (routes === undefined) this.#listeners.set(name, (routes = new AttachedRoutes()));
    return routes;
  }

  /** The cluster of a backend of the routes in force. */
  cluster(service: string): Cluster | undefined {
    return this.#clusters.get(service)?.cluster;
  }

  /** Puts in force what has become complete. */
  advance(): void {
    for (const slot of [...this.#waiting]) this.#advanceSlot(slot);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subscription.cancel();
    for (const slot of this.#slots.values()) this.#drop(slot);
    this.#slots.clear();
  }

  #onList(names: readonly string[]): void {
    this.#listed = true;
    const wanted = new Set(names);
    for (const [name, slot] of this.#slots) {
      if (wanted.has(name)) continue;
      this.#slots.delete(name);
      this.#drop(slot);
    }
    for (const name of names) if (!this.#slots.has(name)) this.#subscribe(name);
    this.#onChanged();
  }

  #subscribe(name: string): void {
    const slot: Slot = { subscription: undefined, current: undefined, next: undefined, known: false };
    this.#slots.set(name, slot);
    this.#unanswered++;
    slot.subscription = this.#config.watch(gatewayRouteType, name, {
      onResource: (route) => this.#onRoute(slot, this.#compile(route)),
      onRemoved: () => this.#onRoute(slot, NOTHING),
    });
  }

  #compile(route: GatewayRoute): RouteState {
    const rules = compileGatewayRoute(route);
    const streams = route.streams.map(compileStreamRule);
    const services = new Set<string>();
    for (const { rule } of rules) addServices(rule, services);
    for (const rule of streams) addServices(rule, services);
    const clusters = new Map([...services].map((service) => [service, this.#hosts.hold(service)] as const));
    const attached = { created: route.created, route: routeOf(route.name), hostnames: [] };
    return { attachments: route.attachments, rules, streams: streams.map((rule) => ({ ...attached, rule })), clusters };
  }

  #onRoute(slot: Slot, state: RouteState): void {
    if (!slot.known) {
      slot.known = true;
      this.#unanswered--;
    }
    if (slot.next !== undefined) this.#release(slot.next);
    slot.next = state;
    this.#waiting.add(slot);
    this.#advanceSlot(slot);
    this.#onChanged();
  }

  #advanceSlot(slot: Slot): void {
    const { next, current } = slot;
    if (next === undefined) return;
    for (const cluster of next.clusters.values()) if (!cluster.known) return;
    this.#waiting.delete(slot);
    if (current !== undefined) this.#detach(current);
    this.#attach(next);
    slot.current = next;
    slot.next = undefined;
    if (current !== undefined) this.#release(current);
  }

  #attach(state: RouteState): void {
    for (const { listener, hostnames } of state.attachments) {
      const routes = this.forListener(listener);
      routes.http.attach(state.rules, hostnames);
      for (const stream of state.streams) routes.streams.push({ ...stream, hostnames });
      if (state.streams.length > 0) routes.streams.sort(compareStreams);
    }
    for (const [service, cluster] of state.clusters) {
      const used = this.#clusters.get(service);
      if (used === undefined) this.#clusters.set(service, { cluster, users: 1 });
      else used.users++;
    }
  }

  #detach(state: RouteState): void {
    for (const { listener, hostnames } of state.attachments) {
      const routes = this.forListener(listener);
      routes.http.detach(state.rules, hostnames);
      for (const { rule } of state.streams) {
        const at = routes.streams.findIndex((stream) => stream.rule === rule);
        if (at >= 0) routes.streams.splice(at, 1);
      }
    }
    for (const service of state.clusters.keys()) {
      const used = this.#clusters.get(service);
      if (used !== undefined && --used.users === 0) this.#clusters.delete(service);
    }
  }

  #drop(slot: Slot): void {
    slot.subscription?.cancel();
    if (!slot.known) this.#unanswered--;
    this.#waiting.delete(slot);
    if (slot.next !== undefined) this.#release(slot.next);
    if (slot.current === undefined) return;
    this.#detach(slot.current);
    this.#release(slot.current);
  }

  #release({ clusters }: RouteState): void {
    for (const cluster of clusters.values()) this.#hosts.release(cluster);
  }
}

function compareStreams(a: AttachedStream, b: AttachedStream): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  if (a.route === b.route) return 0;
  return a.route < b.route ? -1 : 1;
}
