// A service as clients address it: its port list and routes, and the clusters that the routes lead to.
// A change of routes comes into force only when everything that it leads to is known, so that no request meets a gap.

import { err, ok, type Result } from "@ripstop/core";
import type { ConfigClient, Subscription } from "@ripstop/discovery/client";
import { routesName, routesType, type Routes } from "@ripstop/model";
import { chooseBackend, compileRoutes, type RoutesMatcher } from "@ripstop/routing";
import type { Cluster } from "../6-balance/cluster.ts";

/** Gives out clusters; each `hold` needs its `release`. */
export interface ClusterSource {
  hold(service: string): Cluster;
  release(cluster: Cluster): void;
  /** Routes arrived: puts in force what is complete now, and wakes those who wait for it. */
  routesArrived(): void;
}

/** A port of a service that takes a connection. */
export interface ConnectionBackend {
  readonly cluster: Cluster;
  readonly port: number;
}

/** One set of routes with all that it needs. */
interface RouteSet {
  readonly matcher: RoutesMatcher | undefined;
  readonly clusters: ReadonlyMap<string, Cluster>;
}

/** A service with its routes as clients of one namespace see them. */
export class Frontend {
  /** "NAMESPACE/NAME". */
  readonly service: string;
  /** The service itself, where requests go when no routes are attached. */
  readonly cluster: Cluster;
  readonly #source: ClusterSource;
  readonly #subscription: Subscription;
  #current: RouteSet | undefined;
  #next: RouteSet | undefined;
  #closed = false;

  constructor(service: string, clientNamespace: string, source: ClusterSource, config: ConfigClient) {
    this.service = service;
    this.#source = source;
    this.cluster = source.hold(service);
    this.#subscription = config.watch(routesType, routesName(service, clientNamespace), {
      onResource: (routes) => this.#onRoutes(routes),
      onRemoved: () => this.#onRoutes(undefined),
    });
  }

  /** Everything that a request needs is known. */
  get ready(): boolean {
    return this.#current !== undefined && this.cluster.known;
  }

  /** A set of routes waits for what it leads to. */
  get pending(): boolean {
    return this.#next !== undefined;
  }

  /** The routes in force; undefined when none are attached. */
  get matcher(): RoutesMatcher | undefined {
    return this.#current?.matcher;
  }

  /** The cluster of a backend of the routes in force. */
  backend(service: string): Cluster | undefined {
    return service === this.service ? this.cluster : this.#current?.clusters.get(service);
  }

  /**
   * Where a whole connection to service port `port` goes by a TCPRoute, or why nowhere; undefined: no TCPRoute is there.
   * `random` gives 0 ... 1.
   */
  connectionBackend(port: number, random: () => number): Result<ConnectionBackend, string> | undefined {
    const rule = this.matcher?.forConnections(port);
    if (rule === undefined) return undefined;
    const backend = rule.backends[chooseBackend(rule, random())];
    const cluster = backend === undefined ? undefined : this.backend(backend.service);
    if (backend !== undefined && cluster !== undefined) return ok({ cluster, port: backend.port || port });
    return err(`${rule.source}: ${backend?.invalid || "it has no backend that can be used"}`);
  }

  /** Looks whether a waiting set of routes is complete now; returns whether anything became ready. */
  advance(): void {
    const next = this.#next;
    if (next === undefined) return;
    for (const cluster of next.clusters.values()) if (!cluster.known) return;
    const before = this.#current;
    this.#current = next;
    this.#next = undefined;
    if (before !== undefined) this.#release(before);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#subscription.cancel();
    if (this.#current !== undefined) this.#release(this.#current);
    if (this.#next !== undefined) this.#release(this.#next);
    this.#source.release(this.cluster);
  }

  #onRoutes(routes: Routes | undefined): void {
    const matcher = routes === undefined ? undefined : compileRoutes(routes);
    const clusters = new Map<string, Cluster>();
    for (const service of matcher?.backendServices() ?? []) {
      if (service !== this.service) clusters.set(service, this.#source.hold(service));
    }
    const superseded = this.#next;
    this.#next = { matcher, clusters };
    if (superseded !== undefined) this.#release(superseded);
    // The routes are often the last part to arrive: the table looks at all that waits, this frontend included.
    this.#source.routesArrived();
  }

  #release(set: RouteSet): void {
    for (const cluster of set.clusters.values()) this.#source.release(cluster);
  }
}
