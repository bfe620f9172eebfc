// The config stream, proxy side: incremental xDS with subscriptions on demand, one stream for all types.

import { discovery, type ResourceType } from "@ripstop/model";
import type { Counter, Logger, MetricRegistry } from "@ripstop/telemetry";

import { stateChecksum } from "../state-checksum.ts";
import { readRevision, type CachedResource, type CachedResources } from "./config-cache.ts";
import type { ConfigClient, Subscription, Watcher } from "./config-client.ts";
import type { SessionUser } from "./control-connection.ts";
import type { ControlSession } from "./control-session.ts";
import { GrpcStream } from "./grpc-stream.ts";

/** What the stream needs from its surroundings. */
export interface ConfigStreamOptions {
  readonly proxyId: string;
  /** What is known from the disk. */
  readonly cached: Map<string, Map<string, CachedResource>>;
  /** The revision that this was of; default 0: not known. */
  readonly cachedRevision?: number;
  /** The stream is of use: something came. */
  onAlive(): void;
  /** The stream ended or broke: the connection must be made again. */
  onBroken(reason: string): void;
  /** Something worth keeping on disk changed. */
  onChanged(): void;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
}

interface Entry {
  readonly watchers: Set<Watcher<unknown>>;
  /** Undefined until the stream or the disk has said something. */
  known: CachedResource | undefined;
  /** The version that was refused last, until another is taken: it was heard, though it is not in force. */
  refused: string | undefined;
}

interface TypeState {
  readonly type: ResourceType<unknown>;
  readonly entries: Map<string, Entry>;
  /** Names whose subscription the server does not know of yet. */
  readonly subscribe: Set<string>;
  /** Names that lost their last watcher in this turn. */
  readonly orphans: Set<string>;
  readonly received: Counter | undefined;
}

const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const NAMES_PER_REQUEST = 1000;
const MAX_REASON = 1000;
const INVALID_ARGUMENT = 3;

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

  constructor(options: ConfigStreamOptions) {
    this.#options = options;
    const { metrics, cachedRevision = 0 } = options;
    this.#revision = cachedRevision;
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
    let entry = state.entries.get(name);
    if (!entry) {
      entry = { watchers: new Set(), known: this.#takeCached(type.typeUrl, name), refused: undefined };
      state.entries.set(name, entry);
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
      this.#sendSubscriptions(state, [...state.entries.keys()]);
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
      state = { type, entries: new Map(), subscribe: new Set(), orphans: new Set(), received };
      this.#types.set(type.typeUrl, state);
    }
    return state;
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
    }
  }

  /** Forgets what nobody watches; returns by type the names that the server must hear of. */
  #dropOrphans(): Map<string, string[]> {
    const dropped = new Map<string, string[]>();
    for (const [typeUrl, state] of this.#types) {
      const told: string[] = [];
      for (const name of state.orphans) {
        if (state.entries.get(name)?.watchers.size !== 0) continue;
        state.entries.delete(name);
        if (!state.subscribe.delete(name)) told.push(name);
        this.#options.onChanged();
      }
      state.orphans.clear();
      if (told.length > 0) dropped.set(typeUrl, told);
    }
    return dropped;
  }

  /** Subscribes, naming the versions that are here already, so that they are not sent again. */
  #sendSubscriptions(state: TypeState, names: readonly string[]): void {
    for (const chunk of chunks(names)) {
      const initialResourceVersions: Record<string, string> = {};
      for (const name of chunk) {
        const known = state.entries.get(name)?.known;
        if (known?.bytes) setOwn(initialResourceVersions, name, known.version);
      }
      this.#send({ ...emptyRequest(state.type.typeUrl), resourceNamesSubscribe: chunk, initialResourceVersions });
    }
  }

  #send(request: discovery.DeltaDiscoveryRequest): void {
    if (!this.#hasIntroduced) {
      request.node = { id: this.#options.proxyId, cluster: "" };
      request.seenRevision = this.#revision;
    }
    this.#hasIntroduced = true;
    this.#stream?.send(discovery.DeltaDiscoveryRequest.encode(request).finish());
  }

  #onMessage(bytes: Buffer): void {
    const response = discovery.DeltaDiscoveryResponse.decode(bytes);
    this.#hasEverConnected = true;
    // One that is behind does not serve this proxy: what is less here is a history that begins anew (a restored store).
    this.#revision = readRevision(response.systemVersionInfo) ?? this.#revision;
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
    const entry = state.entries.get(name);
    if (!entry || !resource) return;
    state.received?.add(1);
    const before = entry.known;
    if (before?.bytes && before.version === version) return;
    try {
      const decoded = state.type.decode(resource.value);
      for (const watcher of [...entry.watchers]) watcher.onResource(decoded);
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
    if (!before?.bytes || entry.watchers.size < 2) return;
    try {
      const decoded = state.type.decode(before.bytes);
      for (const watcher of [...entry.watchers]) watcher.onResource(decoded);
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
    for (const watcher of [...entry.watchers]) {
      try {
        watcher.onRemoved();
      } catch (error) {
        problems.push(`removal of ${name}: ${messageOf(error)}`);
      }
    }
  }
}

function emptyRequest(typeUrl: string): discovery.DeltaDiscoveryRequest {
  return {
    node: undefined,
    typeUrl,
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: "",
    errorDetail: undefined,
    stateChecksum: undefined,
    seenRevision: 0,
  };
}

/** Names with the version that was heard last. */
function heard(entries: ReadonlyMap<string, Entry>): readonly (readonly [string, string])[] {
  const state: (readonly [string, string])[] = [];
  for (const [name, { known, refused }] of entries) {
    const version = refused ?? known?.version;
    if (version !== undefined) state.push([name, version]);
  }
  return state;
}

function* chunks(names: readonly string[]): Iterable<string[]> {
  for (let at = 0; at < names.length; at += NAMES_PER_REQUEST) yield names.slice(at, at + NAMES_PER_REQUEST);
}

/** Sets a key that may be "__proto__". */
function setOwn(target: Record<string, string>, key: string, value: string): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
