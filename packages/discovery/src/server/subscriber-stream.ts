// One proxy's config stream as a state machine, without I/O: what it subscribes to, what it has, what it acknowledged.
// Implements the server side of incremental xDS (xDS protocol, "Incremental xDS").

import type { discovery } from "@ripstop/model";

import { stateChecksum } from "../state-checksum.ts";
import { resourceMessage } from "./encode-response.ts";
import type { ResourceSource, Subscriber } from "./snapshot.ts";
import type { StreamEvents } from "./stream-events.ts";
import { defaultStreamLimits, type StreamLimits } from "./stream-limits.ts";
import {
  ABSENT,
  answered,
  isDue,
  markDirty,
  newTypeState,
  oldestOf,
  sendOrder,
  type Mark,
  type Pending,
  type TypeState,
} from "./type-state.ts";

const MAX_TYPES = 64;
const MAX_TYPE_URL = 256;
const MAX_REASON = 1000;
/** Stands for whatever there is of a type, as far as the proxy may know it (xDS protocol, "Wildcard subscriptions"). */
const WILDCARD = "*";

/** The state of one stream. At most one response per type is unanswered; a change meanwhile replaces, never queues. */
export class SubscriberStream {
  readonly subscriber: Subscriber;
  readonly #source: ResourceSource;
  readonly #events: StreamEvents;
  readonly #limits: StreamLimits;
  readonly #types = new Map<string, TypeState>();
  #subscriptions = 0;
  #nonce = 0;

  constructor(
    subscriber: Subscriber,
    source: ResourceSource,
    events: StreamEvents,
    limits: StreamLimits = defaultStreamLimits,
  ) {
    this.subscriber = subscriber;
    this.#source = source;
    this.#events = events;
    this.#limits = limits;
  }

  /** Takes in a request; returns a sentence when it goes beyond the limits: the stream must be closed then. */
  onRequest(request: discovery.DeltaDiscoveryRequest): string | undefined {
    const { namesPerRequest } = this.#limits;
    const subscribe = request.resourceNamesSubscribe;
    const unsubscribe = request.resourceNamesUnsubscribe;
    if (subscribe.length > namesPerRequest || unsubscribe.length > namesPerRequest) {
      return `a request has at most ${namesPerRequest} names`;
    }
    let state = this.#types.get(request.typeUrl);
    const isFirst = state === undefined;
    if (!state) {
      if (this.#types.size >= MAX_TYPES) return `a stream has at most ${MAX_TYPES} types`;
      if (request.typeUrl.length > MAX_TYPE_URL) return "the type URL is too long";
      state = newTypeState();
      this.#types.set(request.typeUrl, state);
    }
    if (request.responseNonce !== "") this.#onAnswer(request, state);
    const dirtyBefore = state.dirty.size;
    const wasDue = isDue(state);
    for (const name of unsubscribe) this.#unsubscribe(request.typeUrl, state, name);
    // What was given up no longer keeps a revision from being live: names, or a wildcard that was not answered yet.
    if (state.dirty.size < dirtyBefore || (wasDue && !isDue(state)))
      this.#events.onAnswered(request.typeUrl, undefined, 0);
    const isWildcard = subscribe.includes(WILDCARD) || (isFirst && isLegacyWildcard(request));
    const problem = this.#subscribe(request, state) ?? (isWildcard ? this.#subscribeAll(request, state) : undefined);
    if (problem !== undefined) return problem;
    if (request.stateChecksum !== undefined) this.#compare(request.typeUrl, state, request.stateChecksum);
    this.#tellDirty(request.typeUrl, state);
    return undefined;
  }

  /** A subscribed resource may have changed with a revision (0 = with none). */
  markChanged(typeUrl: string, name: string, revision: number): void {
    const state = this.#types.get(typeUrl);
    if (!state) return;
    const mark = { revision, sinceMs: this.#events.nowMs(), isChange: true };
    if (state.wildcard?.listName === name) {
      const problem = this.#list(typeUrl, state, mark);
      if (problem !== undefined) this.#events.onOverLimit(problem);
      // Everything in it was subscribed by name: nothing keeps the revision from being live.
      else if (!isDue(state)) this.#events.onAnswered(typeUrl, undefined, 0);
    } else if (!state.subscribed.has(name)) return;
    else markDirty(state, name, mark);
    this.#tellDirty(typeUrl, state);
  }

  /** Sends what is due, endpoints first, types that wait for an answer not at all. */
  flush(): void {
    for (const typeUrl of sendOrder(this.#types.keys())) {
      const state = this.#types.get(typeUrl);
      if (state && !state.outstanding && isDue(state)) this.#respond(typeUrl, state);
    }
  }

  /** The oldest revision that the proxy has not acknowledged; Infinity when it has everything. */
  get oldestUnacknowledged(): number {
    let oldest = Infinity;
    for (const state of this.#types.values()) {
      oldest = Math.min(
        oldest,
        oldestOf(state.dirty),
        state.outstanding ? oldestOf(state.outstanding.names) : Infinity,
      );
    }
    return oldest;
  }

  /** Since when (monotonic milliseconds) the proxy has not acknowledged something; undefined when it has everything. */
  get behindSinceMs(): number | undefined {
    let since = Infinity;
    for (const { dirty, outstanding } of this.#types.values()) {
      for (const { sinceMs } of dirty.values()) since = Math.min(since, sinceMs);
      for (const { sinceMs } of outstanding?.names.values() ?? []) since = Math.min(since, sinceMs);
    }
    return Number.isFinite(since) ? since : undefined;
  }

  /** True while something is unsent or unanswered. */
  get isBehind(): boolean {
    for (const state of this.#types.values()) if (state.outstanding || isDue(state)) return true;
    return false;
  }

  /** Why the proxy refused the last response of a type, by type URL; types whose last answer was good are not in it. */
  get rejections(): ReadonlyMap<string, string> {
    const found = new Map<string, string>();
    for (const [typeUrl, state] of this.#types) if (state.rejection !== undefined) found.set(typeUrl, state.rejection);
    return found;
  }

  /** Whether the proxy has acknowledged the resource as it is now; a text says why it refused it. */
  acknowledged(typeUrl: string, name: string): boolean | string {
    const state = this.#types.get(typeUrl);
    if (!state?.subscribed.has(name) || state.dirty.has(name) || state.outstanding?.names.has(name)) return false;
    const version = this.#source.get(typeUrl, name, this.subscriber)?.version ?? ABSENT;
    return state.subscribed.get(name) === version && (state.rejection ?? true);
  }

  /** Number of subscribed names. */
  get subscriptions(): number {
    return this.#subscriptions;
  }

  /** Gives up every subscription. */
  close(): void {
    for (const [typeUrl, state] of this.#types) {
      if (state.wildcard) this.#events.onUnsubscribe(typeUrl, state.wildcard.listName);
      for (const name of state.subscribed.keys()) this.#events.onUnsubscribe(typeUrl, name);
    }
    this.#types.clear();
    this.#subscriptions = 0;
  }

  #tellDirty(typeUrl: string, state: TypeState): void {
    if (state.outstanding || !isDue(state)) return;
    // The one that waits longest decides for those behind it.
    const [first] = state.dirty.values();
    this.#events.onDirty(typeUrl, first?.isChange ?? false);
  }

  #onAnswer(request: discovery.DeltaDiscoveryRequest, state: TypeState): void {
    // An answer to anything but the last response says nothing new.
    if (!state.outstanding || state.outstanding.nonce !== request.responseNonce) return;
    const reason = request.errorDetail
      ? request.errorDetail.message.slice(0, MAX_REASON) || "no reason given"
      : undefined;
    let revision = 0;
    const nowMs = this.#events.nowMs();
    for (const { lastRevision, sinceMs, isChange } of state.outstanding.names.values()) {
      revision = Math.max(revision, lastRevision);
      if (isChange && reason === undefined) this.#events.onPropagated(request.typeUrl, nowMs - sinceMs);
    }
    state.rejection = reason;
    state.outstanding = undefined;
    this.#events.onAnswered(request.typeUrl, reason, revision);
  }

  #subscribe(request: discovery.DeltaDiscoveryRequest, state: TypeState): string | undefined {
    // What is asked for before a revision is acknowledged was learnt from it (a workload's new policy, a route's new
    // backend): the revision is not in force before that has arrived too.
    const oldest = this.oldestUnacknowledged;
    const joined = Number.isFinite(oldest) ? oldest : 0;
    const sinceMs = this.#events.nowMs();
    for (const name of request.resourceNamesSubscribe) {
      if (name === WILDCARD && this.#source.list?.(request.typeUrl, this.subscriber) !== undefined) continue;
      if (name.length > this.#limits.nameLength) return `a name has at most ${this.#limits.nameLength} characters`;
      if (!state.subscribed.has(name)) {
        const problem = this.#count(request.typeUrl, name);
        if (problem !== undefined) return problem;
      }
      // By name from now on, whatever becomes of a wildcard.
      state.wildcard?.implied.delete(name);
      state.wildcard?.gone.delete(name);
      // A subscription of a name that is subscribed asks for it again: the proxy may have lost it.
      state.subscribed.set(name, versionHad(request, name));
      // Whether it has changed since is looked at when the stream is served: that may mean to compile it.
      markDirty(state, name, { revision: joined, sinceMs, isChange: false });
    }
    return undefined;
  }

  /** One subscription more, or the sentence that it is too many. */
  #count(typeUrl: string, name: string): string | undefined {
    const { subscriptions } = this.#limits;
    if (this.#subscriptions >= subscriptions) return `a stream has at most ${subscriptions} subscriptions`;
    this.#subscriptions++;
    this.#events.onSubscribe(typeUrl, name);
    return undefined;
  }

  /**
   * Subscribes to `*`. What the proxy says that it has, and has not named, it had by wildcard: it is told what of it is
   * gone. A type that has no list has no wildcard either: `*` is a name there, of nothing.
   */
  #subscribeAll(request: discovery.DeltaDiscoveryRequest, state: TypeState): string | undefined {
    const { typeUrl } = request;
    const list = this.#source.list?.(typeUrl, this.subscriber);
    if (!list) return undefined;
    if (!state.wildcard) this.#events.onSubscribe(typeUrl, list.name);
    const implied = state.wildcard?.implied ?? new Set<string>();
    state.wildcard = { listName: list.name, implied, gone: new Set(), isNew: true };
    for (const name of Object.keys(request.initialResourceVersions)) {
      if (name.length > this.#limits.nameLength) return `a name has at most ${this.#limits.nameLength} characters`;
      if (!state.subscribed.has(name)) {
        const problem = this.#count(typeUrl, name);
        if (problem !== undefined) return problem;
        implied.add(name);
      }
      if (implied.has(name)) state.subscribed.set(name, versionHad(request, name));
    }
    const oldest = this.oldestUnacknowledged;
    const mark = { revision: Number.isFinite(oldest) ? oldest : 0, sinceMs: this.#events.nowMs(), isChange: false };
    for (const name of implied) markDirty(state, name, mark);
    return this.#list(typeUrl, state, mark);
  }

  /** Brings the names that are subscribed by wildcard to what the list says now. */
  #list(typeUrl: string, state: TypeState, mark: Mark): string | undefined {
    const { wildcard } = state;
    if (!wildcard) return undefined;
    const names: ReadonlySet<string> = this.#source.list?.(typeUrl, this.subscriber)?.names ?? new Set();
    this.#events.onListed(names.size);
    for (const name of names) {
      wildcard.gone.delete(name);
      if (state.subscribed.has(name)) continue;
      const problem = this.#count(typeUrl, name);
      if (problem !== undefined) return problem;
      wildcard.implied.add(name);
      state.subscribed.set(name, undefined);
      markDirty(state, name, mark);
    }
    for (const name of wildcard.implied) {
      if (names.has(name) || wildcard.gone.has(name)) continue;
      wildcard.gone.add(name);
      markDirty(state, name, mark);
    }
    return undefined;
  }

  /**
   * Looks for updates that were lost on either end: names that this end forgot to send, and a client that does not have
   * what it was sent. While something is under way there is nothing to compare.
   */
  #compare(typeUrl: string, state: TypeState, said: discovery.StateChecksum): void {
    if (state.outstanding || state.dirty.size > 0) return;
    const sinceMs = this.#events.nowMs();
    const mark = { revision: 0, sinceMs, isChange: false };
    const again = (name: string): void => markDirty(state, name, mark);
    const problem = this.#list(typeUrl, state, mark);
    if (problem !== undefined) this.#events.onOverLimit(problem);
    for (const [name, version] of state.subscribed) {
      if (version !== (this.#source.get(typeUrl, name, this.subscriber)?.version ?? ABSENT)) again(name);
    }
    const own = stateChecksum(answered(state));
    if (said.resources !== own.resources || said.digest !== own.digest) {
      // The client knows which; this end does not, and sends the type again.
      for (const name of state.subscribed.keys()) {
        state.subscribed.set(name, undefined);
        again(name);
      }
    }
    if (state.dirty.size > 0) this.#events.onMended(typeUrl, state.dirty.size);
  }

  #unsubscribe(typeUrl: string, state: TypeState, name: string): void {
    const { wildcard } = state;
    if (wildcard && name === WILDCARD) {
      state.wildcard = undefined;
      this.#events.onUnsubscribe(typeUrl, wildcard.listName);
      for (const implied of wildcard.implied) this.#drop(typeUrl, state, implied);
    } else if (wildcard && state.subscribed.has(name)) {
      // The proxy has forgotten it, and still gets it by wildcard: it is told how it stands (xDS protocol).
      wildcard.implied.add(name);
      const isListed = this.#source.list?.(typeUrl, this.subscriber)?.names.has(name) === true;
      if (isListed) state.subscribed.set(name, undefined);
      else wildcard.gone.add(name);
      markDirty(state, name, { revision: 0, sinceMs: this.#events.nowMs(), isChange: false });
    } else this.#drop(typeUrl, state, name);
  }

  #drop(typeUrl: string, state: TypeState, name: string): void {
    if (!state.subscribed.delete(name)) return;
    state.dirty.delete(name);
    this.#subscriptions--;
    this.#events.onUnsubscribe(typeUrl, name);
  }

  #respond(typeUrl: string, state: TypeState): void {
    const resources: discovery.Resource[] = [];
    const removedResources: string[] = [];
    const names = new Map<string, Pending>();
    let bytes = 0;
    let looked = 0;
    let resumed = 0;
    for (const [name, pending] of state.dirty) {
      if (bytes >= this.#limits.responseBytes || looked >= this.#limits.namesPerResponse) break;
      looked++;
      state.dirty.delete(name);
      const known = state.subscribed.get(name);
      const isGone = state.wildcard?.gone.delete(name) === true;
      const resource = isGone ? undefined : this.#source.get(typeUrl, name, this.subscriber);
      const version = resource?.version ?? ABSENT;
      // Of what it has not asked for by name it is only told what there is, and what it had.
      const isUnheardOf = version === ABSENT && !known && state.wildcard?.implied.has(name) === true;
      if (isGone) {
        state.wildcard?.implied.delete(name);
        this.#drop(typeUrl, state, name);
      } else state.subscribed.set(name, version);
      // Changed back and forth, or known since the resume. Its revisions count as answered with this response.
      if (version === known || isUnheardOf) {
        if (resource && !pending.isChange) resumed++;
        continue;
      }
      names.set(name, pending);
      bytes += name.length + 64;
      if (resource) {
        resources.push(resourceMessage(typeUrl, resource));
        bytes += resource.bytes.length;
      } else {
        removedResources.push(name);
      }
    }
    if (resumed > 0) this.#events.onResumed(typeUrl, resumed);
    const { wildcard } = state;
    if (names.size === 0 && wildcard?.isNew !== true) {
      this.#events.onAnswered(typeUrl, undefined, 0);
      this.#tellDirty(typeUrl, state);
      return;
    }
    if (wildcard) wildcard.isNew = false;
    const nonce = String(++this.#nonce);
    state.outstanding = { nonce, names };
    this.#events.onSent(typeUrl, resources.length, removedResources.length);
    this.#events.send({
      systemVersionInfo: String(this.#source.revision),
      resources,
      removedResources,
      typeUrl,
      nonce,
    });
  }
}

/** A first request that names nothing asks for everything, as clients do that are older than `*`. */
function isLegacyWildcard(request: discovery.DeltaDiscoveryRequest): boolean {
  return (
    request.resourceNamesSubscribe.length === 0 &&
    request.resourceNamesUnsubscribe.length === 0 &&
    request.responseNonce === "" &&
    request.stateChecksum === undefined
  );
}

/** The version that the proxy says it has. */
function versionHad({ initialResourceVersions }: discovery.DeltaDiscoveryRequest, name: string): string | undefined {
  return Object.hasOwn(initialResourceVersions, name) ? initialResourceVersions[name] : undefined;
}
