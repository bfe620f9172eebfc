// The config stream, proxy side: incremental xDS with subscriptions on demand, one stream for all types.

import { discovery, type ResourceType } from "@ripstop/model";
import type { Counter, Logger, MetricRegistry } from "@ripstop/telemetry";

import { stateChecksum } from "../state-checksum.ts";
import { chunks, emptyRequest, setOwn } from "./discovery-request.ts";
import { readRevision, type CachedResource, type CachedResources } from "./config-cache.ts";
import type { ConfigClient, ListWatcher, Subscription, Watcher } from "./config-client.ts";
import type { SessionUser } from "./control-connection.ts";
import type { ControlSession } from "./control-session.ts";
import { GrpcStream } from "./grpc-stream.ts";
import { heard, impliedIn, namedIn, newTypeState, watchersOf, type Entry, type TypeState } from "./watched-type.ts";

/** What the stream needs from its surroundings. */
export interface ConfigStreamOptions {
  readonly proxyId: string;
  /** What is known from the disk. */
  readonly cached: Map<string, Map<string, CachedResource>>;
  /** The revision that this was of; default 0: not known. */
  readonly cachedRevision?: number;
  /** The tables' revision likewise. */
  readonly cachedTablesRevision?: number;
  /** The stream is of use: something came. */
  onAlive(): void;
  /** The stream ended or broke: the connection must be made again. */
  onBroken(reason: string): void;
  /** Something worth keeping on disk changed. */
  onChanged(): void;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
}

const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const MAX_REASON = 1000;
const INVALID_ARGUMENT = 3;
const WILDCARD = "*";

/** ConfigClient over one session at a time; knows nothing of sockets and files. */
export class ConfigStream implements Omit<ConfigClient, "close">, SessionUser {
  readonly #options: ConfigStreamOptions;
  readonly #types = new Map<string, TypeState>();
  readonly #removed: Counter | undefined;
  readonly #refused: Counter | undefined;
  #stream: GrpcStream | undefined;
  #hasIntroduced = false;
  #hasEverConnected = false;
  #isFlushDue = false;
  #revision: number;
  #tablesRevision: number;

  constructor(options: ConfigStreamOptions) {
    this.#options = options;
    const { metrics, cachedRevision = 0, cachedTablesRevision = 0 } = options;
    this.#revision = cachedRevision;
    this.#tablesRevision = cachedTablesRevision;
    this.#removed = metrics?.counter(
      "ripstop_config_removals_received_total",
      "Removals received from the control plane",
    );
    this.#refused = metrics?.counter("ripstop_config_resources_refused_total", "Resources received and refused");
  }

  get connected(): boolean {
    return this.#stream !== undefined;
  }

  watch<T>(type: ResourceType<T>, name: string, watcher: Watcher<T>): Subscription {
    const state = this.#stateOf(type);
    const entry = this.#entryOf(state, name);
    // Also one that is here by wildcard: from now on it stays whatever becomes of that.
    if (!entry.isNamed) {
      entry.isNamed = true;
      state.subscribe.add(name);
      this.#scheduleFlush();
    }
    const { watchers } = entry;
    // Wrapped, so that one watcher object can watch twice.
    const own: Watcher<unknown> = {
      onResource: (resource) => (watcher as Watcher<unknown>).onResource(resource),
      onRemoved: () => watcher.onRemoved(),
    };
    watchers.add(own);
    this.#deliverKnown(state, name, entry, own);
    return {
      cancel: () => {
        if (!watchers.delete(own) || watchers.size > 0) return;
        state.orphans.add(name);
        this.#scheduleFlush();
      },
    };
  }

  /** See DiscoveryClient. */
  watchAll<T>(type: ResourceType<T>, watcher: ListWatcher<T>): Subscription {
    const state = this.#stateOf(type);
    for (const [name, { bytes }] of [...(this.#options.cached.get(type.typeUrl) ?? [])])
      if (bytes) this.#entryOf(state, name);
    // Wrapped, so that one watcher object can watch twice.
    const own: ListWatcher<unknown> = {
      onResource: (name, resource) => (watcher as ListWatcher<unknown>).onResource(name, resource),
      onRemoved: (name) => watcher.onRemoved(name),
    };
    state.all.add(own);
    if (state.all.size === 1) this.#wildcardChanged(state);
    for (const [name, entry] of [...state.entries]) {
      if (!entry.known?.bytes) continue;
      this.#deliverKnown(state, name, entry, {
        onResource: (resource) => own.onResource(name, resource),
        onRemoved: () => own.onRemoved(name),
      });
    }
    return {
      cancel: () => {
        if (!state.all.delete(own) || state.all.size > 0) return;
        for (const [name, { watchers }] of state.entries) if (watchers.size === 0) state.orphans.add(name);
        this.#wildcardChanged(state);
      },
    };
  }

  #wildcardChanged(state: TypeState): void {
    state.isWildcardTold = !state.isWildcardTold;
    this.#scheduleFlush();
  }

  /** Tells the control plane what is here of each type, so that an update that was lost is found and sent again. */
  audit(): void {
    this.#flush();
    if (!this.#stream) return;
    for (const [typeUrl, { entries }] of this.#types) {
      const state = heard(entries);
      if (state.length > 0) this.#send({ ...emptyRequest(typeUrl), stateChecksum: stateChecksum(state) });
    }
  }

  onSession(session: ControlSession): void {
    this.#hasIntroduced = false;
    const stream: GrpcStream = new GrpcStream(
      session,
      PATH,
      {},
      {
        onMessage: (bytes) => this.#onMessage(bytes),
        onDrain: () => undefined,
        onEnd: (status, message) => {
          if (this.#stream !== stream) return;
          this.#stream = undefined;
          this.#options.onBroken(
            `config stream ended${status === "" ? "" : ` with gRPC status ${status}`}: ${message}`,
          );
        },
      },
    );
    this.#stream = stream;
    this.#dropOrphans();
    for (const state of this.#types.values()) {
      state.subscribe.clear();
      this.#sendSubscriptions(state, namedIn(state));
      state.isWildcardTold = true;
      if (state.all.size > 0) this.#sendWildcard(state);
    }
  }

  onSessionLost(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.close();
  }

  /** The revision of the config that is here, as the control plane said last; 0 when there is none. */
  get revision(): number {
    return this.#revision;
  }

  /** The change of a table that it may be of, likewise. */
  get tablesRevision(): number {
    return this.#tablesRevision;
  }

  /** Everything worth keeping: what is watched and, until the stream was up once, what the disk held beyond it. */
  snapshot(): CachedResources {
    const all = new Map<string, Map<string, CachedResource>>();
    if (!this.#hasEverConnected) {
      for (const [typeUrl, byName] of this.#options.cached) all.set(typeUrl, new Map(byName));
    }
    for (const [typeUrl, state] of this.#types) {
      const byName = all.get(typeUrl) ?? new Map<string, CachedResource>();
      for (const [name, { known }] of state.entries) if (known) byName.set(name, known);
      all.set(typeUrl, byName);
    }
    return all;
  }

  #stateOf(type: ResourceType<unknown>): TypeState {
    let state = this.#types.get(type.typeUrl);
    if (!state) {
      const help = "Resources received from the control plane";
      const received = this.#options.metrics?.counter("ripstop_config_resources_received_total", help, {
        type: type.name,
      });
      state = newTypeState(type, received);
      this.#types.set(type.typeUrl, state);
    }
    return state;
  }

  #entryOf(state: TypeState, name: string): Entry {
    let entry = state.entries.get(name);
    if (!entry) {
      entry = {
        watchers: new Set(),
        isNamed: false,
        known: this.#takeCached(state.type.typeUrl, name),
        refused: undefined,
      };
      state.entries.set(name, entry);
    }
    return entry;
  }

  #takeCached(typeUrl: string, name: string): CachedResource | undefined {
    const byName = this.#options.cached.get(typeUrl);
    const cached = byName?.get(name);
    byName?.delete(name);
    return cached;
  }

  #deliverKnown(state: TypeState, name: string, entry: Entry, watcher: Watcher<unknown>): void {
    const { known } = entry;
    if (!known) return;
    if (!known.bytes) {
      watcher.onRemoved();
      return;
    }
    try {
      watcher.onResource(state.type.decode(known.bytes));
    } catch (error) {
      // It was good when it was stored, for another watcher or an older version: ask for it again.
      this.#options.logger?.warn("known resource refused", { type: state.type.name, name, cause: messageOf(error) });
      entry.known = undefined;
      state.subscribe.add(name);
      this.#scheduleFlush();
    }
  }

  #scheduleFlush(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    queueMicrotask(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    const unsubscribed = this.#dropOrphans();
    if (!this.#stream) return;
    for (const [typeUrl, state] of this.#types) {
      const names = [...state.subscribe];
      state.subscribe.clear();
      if (names.length > 0) this.#sendSubscriptions(state, names);
      for (const chunk of chunks(unsubscribed.get(typeUrl) ?? [])) {
        this.#send({ ...emptyRequest(typeUrl), resourceNamesUnsubscribe: chunk });
      }
      if (state.isWildcardTold) continue;
      state.isWildcardTold = true;
      if (state.all.size > 0) this.#sendWildcard(state);
      else this.#send({ ...emptyRequest(typeUrl), resourceNamesUnsubscribe: [WILDCARD] });
    }
  }

  /** Forgets what nobody watches; returns by type the names that the server must hear of. */
  #dropOrphans(): Map<string, string[]> {
    const dropped = new Map<string, string[]>();
    for (const [typeUrl, state] of this.#types) {
      const told: string[] = [];
      for (const name of state.orphans) {
        const entry = state.entries.get(name);
        if (entry?.watchers.size !== 0) continue;
        if (entry.isNamed && !state.subscribe.delete(name)) told.push(name);
        entry.isNamed = false;
        if (state.all.size > 0 && entry.known?.bytes) continue;
        state.entries.delete(name);
        this.#options.onChanged();
      }
      state.orphans.clear();
      if (told.length > 0) dropped.set(typeUrl, told);
    }
    return dropped;
  }

  /** Subscribes, naming the versions that are here already, so that they are not sent again. */
  #sendSubscriptions(state: TypeState, names: readonly string[]): void {
    for (const chunk of chunks(names)) this.#subscribe(state, chunk, chunk);
  }

  /** Subscribes to whatever there is, naming what is here by wildcard already. */
  #sendWildcard(state: TypeState): void {
    this.#subscribe(state, [WILDCARD], impliedIn(state));
  }

  #subscribe({ type, entries }: TypeState, names: string[], had: readonly string[]): void {
    const initialResourceVersions: Record<string, string> = {};
    for (const name of had) {
      const known = entries.get(name)?.known;
      if (known?.bytes) setOwn(initialResourceVersions, name, known.version);
    }
    this.#send({ ...emptyRequest(type.typeUrl), resourceNamesSubscribe: names, initialResourceVersions });
  }

  #send(request: discovery.DeltaDiscoveryRequest): void {
    if (!this.#hasIntroduced) {
      request.node = { id: this.#options.proxyId, cluster: "" };
      request.seenRevision = this.#revision;
      if (this.#tablesRevision > 0) request.seenTablesRevision = this.#tablesRevision;
    }
    this.#hasIntroduced = true;
    this.#stream?.send(discovery.DeltaDiscoveryRequest.encode(request).finish());
  }

  #onMessage(bytes: Buffer): void {
    const response = discovery.DeltaDiscoveryResponse.decode(bytes);
    this.#hasEverConnected = true;
    // One that is behind does not serve this proxy: what is less here is a history that begins anew (a restored store).
    this.#revision = readRevision(response.systemVersionInfo) ?? this.#revision;
    this.#tablesRevision = response.tablesRevision ?? this.#tablesRevision;
    this.#options.onAlive();
    const state = this.#types.get(response.typeUrl);
    const problems: string[] = [];
    if (state) {
      for (const resource of response.resources) this.#onResource(state, resource, problems);
      for (const name of response.removedResources) this.#onRemoved(state, name, problems);
      this.#options.onChanged();
    }
    // What these resources led to is asked for before they are acknowledged, so that their revision waits for it.
    this.#flush();
    const answer = { ...emptyRequest(response.typeUrl), responseNonce: response.nonce };
    if (problems.length > 0) {
      const message = problems.join("; ").slice(0, MAX_REASON);
      this.#options.logger?.warn("config refused", { type: state?.type.name, cause: message });
      answer.errorDetail = { code: INVALID_ARGUMENT, message };
    }
    this.#send(answer);
  }

  #onResource(state: TypeState, { name, version, resource }: discovery.Resource, problems: string[]): void {
    const entry = state.all.size > 0 ? this.#entryOf(state, name) : state.entries.get(name);
    if (!entry || !resource) return;
    state.received?.add(1);
    const before = entry.known;
    if (before?.bytes && before.version === version) return;
    try {
      const decoded = state.type.decode(resource.value);
      for (const watcher of watchersOf(state, name, entry)) watcher.onResource(decoded);
      // Copied: the bytes are part of the message's buffer.
      entry.known = { version, bytes: Buffer.from(resource.value) };
      entry.refused = undefined;
    } catch (error) {
      this.#refused?.add(1);
      entry.refused = version;
      problems.push(`${name}: ${messageOf(error)}`);
      this.#restore(state, name, entry, before);
    }
  }

  /** After a refusal: the watchers that had taken the new version get the last good one again. */
  #restore(state: TypeState, name: string, entry: Entry, before: CachedResource | undefined): void {
    const watchers = watchersOf(state, name, entry);
    if (!before?.bytes || watchers.length < 2) return;
    try {
      const decoded = state.type.decode(before.bytes);
      for (const watcher of watchers) watcher.onResource(decoded);
    } catch (error) {
      this.#options.logger?.error("last good resource refused", {
        type: state.type.name,
        name,
        cause: messageOf(error),
      });
    }
  }

  #onRemoved(state: TypeState, name: string, problems: string[]): void {
    const entry = state.entries.get(name);
    if (!entry) return;
    this.#removed?.add(1);
    if (entry.known && !entry.known.bytes) return;
    entry.known = { version: "", bytes: undefined };
    entry.refused = undefined;
    if (!entry.isNamed) state.entries.delete(name);
    for (const watcher of watchersOf(state, name, entry)) {
      try {
        watcher.onRemoved();
      } catch (error) {
        problems.push(`removal of ${name}: ${messageOf(error)}`);
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
