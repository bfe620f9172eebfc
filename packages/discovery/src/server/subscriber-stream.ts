// One proxy's config stream as a state machine, without I/O: what it subscribes to, what it has, what it acknowledged.
// Implements the server side of incremental xDS (xDS protocol, "Incremental xDS").

import { resourceTypes, endpointsType, type discovery } from "@ripstop/model";

import { stateChecksum } from "../state-checksum.ts";
import { resourceMessage } from "./encode-response.ts";
import type { ResourceSource, Subscriber } from "./snapshot.ts";

/** Bounds on what one stream can make the server hold. */
export interface StreamLimits {
  /** Names in one request; default 5 000. */
  readonly namesPerRequest: number;
  /** Subscribed names over all types; default 20 000. */
  readonly subscriptions: number;
  /** Characters of one name; default 512. */
  readonly nameLength: number;
  /** Bytes of resources after which a response is sent and the rest waits for its acknowledgement; default 256 KiB. */
  readonly responseBytes: number;
}

/** Sensible bounds. */
export const defaultStreamLimits: StreamLimits = {
  namesPerRequest: 5_000,
  subscriptions: 20_000,
  nameLength: 512,
  responseBytes: 256 * 1024,
};

/** What a stream tells its owner. */
export interface StreamEvents {
  send(response: discovery.DeltaDiscoveryResponse): void;
  /** A name was subscribed or given up: the owner's index of who wants what. */
  onSubscribe(typeUrl: string, name: string): void;
  onUnsubscribe(typeUrl: string, name: string): void;
  /** There is something to send: call `flush` soon. `isChange` when it is a change of what the proxy had, no first answer. */
  onDirty(typeUrl: string, isChange: boolean): void;
  /** Resources and removals in a response. */
  onSent(typeUrl: string, resources: number, removed: number): void;
  /** Resources that the proxy had already at a reconnect, and that were not sent again. */
  onResumed(typeUrl: string, resources: number): void;
  /** Resources that the proxy should have had by now and has not: they are sent again. */
  onMended(typeUrl: string, resources: number): void;
  /** A change, not a first answer, was acknowledged `ms` after it was made. */
  onPropagated(typeUrl: string, ms: number): void;
  /** Monotonic time in milliseconds. */
  nowMs(): number;
  /** A response was answered; `reason` is why it was refused, or undefined. */
  onAnswered(typeUrl: string, reason: string | undefined, revision: number): void;
}

/** Version that stands for "does not exist", as told to the proxy. */
const ABSENT = "";

interface Pending {
  /** First revision that this name waits for. */
  readonly firstRevision: number;
  readonly lastRevision: number;
  /** When the proxy began to be behind with this name. */
  readonly sinceMs: number;
  /** A change of what it had, and not a first answer. */
  readonly isChange: boolean;
}

interface Outstanding {
  readonly nonce: string;
  readonly names: ReadonlyMap<string, Pending>;
}

interface TypeState {
  /** Name → version that the proxy was told; undefined = nothing yet. */
  readonly subscribed: Map<string, string | undefined>;
  /** Names to look at when the next response is built, oldest first. */
  readonly dirty: Map<string, Pending>;
  outstanding: Outstanding | undefined;
  rejection: string | undefined;
}

const MAX_TYPES = 64;
const MAX_TYPE_URL = 256;
const MAX_REASON = 1000;

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
    if (!state) {
      if (this.#types.size >= MAX_TYPES) return `a stream has at most ${MAX_TYPES} types`;
      if (request.typeUrl.length > MAX_TYPE_URL) return "the type URL is too long";
      state = { subscribed: new Map(), dirty: new Map(), outstanding: undefined, rejection: undefined };
      this.#types.set(request.typeUrl, state);
    }
    if (request.responseNonce !== "") this.#onAnswer(request, state);
    const dirtyBefore = state.dirty.size;
    for (const name of unsubscribe) this.#unsubscribe(request.typeUrl, state, name);
    // What was given up no longer keeps a revision from being live.
    if (state.dirty.size < dirtyBefore) this.#events.onAnswered(request.typeUrl, undefined, 0);
    const problem = this.#subscribe(request, state);
    if (problem !== undefined) return problem;
    if (request.stateChecksum !== undefined) this.#compare(request.typeUrl, state, request.stateChecksum);
    this.#tellDirty(request.typeUrl, state);
    return undefined;
  }

  /** A subscribed resource may have changed with a revision (0 = with none). */
  markChanged(typeUrl: string, name: string, revision: number): void {
    const state = this.#types.get(typeUrl);
    if (!state?.subscribed.has(name)) return;
    markDirty(state, name, { revision, sinceMs: this.#events.nowMs(), isChange: true });
    this.#tellDirty(typeUrl, state);
  }

  /** Sends what is due, endpoints first, types that wait for an answer not at all. */
  flush(): void {
    for (const typeUrl of sendOrder(this.#types.keys())) {
      const state = this.#types.get(typeUrl);
      if (state && !state.outstanding && state.dirty.size > 0) this.#respond(typeUrl, state);
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
    for (const state of this.#types.values()) if (state.outstanding || state.dirty.size > 0) return true;
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
      for (const name of state.subscribed.keys()) this.#events.onUnsubscribe(typeUrl, name);
    }
    this.#types.clear();
    this.#subscriptions = 0;
  }

  #tellDirty(typeUrl: string, { dirty, outstanding }: TypeState): void {
    if (outstanding) return;
    // The one that waits longest decides for those behind it.
    for (const { isChange } of dirty.values()) {
      this.#events.onDirty(typeUrl, isChange);
      return;
    }
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
    let resumed = 0;
    // What is asked for before a revision is acknowledged was learnt from it (a workload's new policy, a route's new
    // backend): the revision is not in force before that has arrived too.
    const oldest = this.oldestUnacknowledged;
    const joined = Number.isFinite(oldest) ? oldest : 0;
    const sinceMs = this.#events.nowMs();
    for (const name of request.resourceNamesSubscribe) {
      if (name.length > this.#limits.nameLength) return `a name has at most ${this.#limits.nameLength} characters`;
      if (!state.subscribed.has(name)) {
        if (this.#subscriptions >= this.#limits.subscriptions) {
          return `a stream has at most ${this.#limits.subscriptions} subscriptions`;
        }
        this.#subscriptions++;
        this.#events.onSubscribe(request.typeUrl, name);
      }
      // A subscription of a name that is subscribed asks for it again: the proxy may have lost it.
      const had = Object.hasOwn(request.initialResourceVersions, name)
        ? request.initialResourceVersions[name]
        : undefined;
      state.subscribed.set(name, had);
      const now = had === undefined ? undefined : this.#source.get(request.typeUrl, name, this.subscriber)?.version;
      if (had !== undefined && had !== ABSENT && had === now) {
        if (!state.dirty.has(name)) resumed++;
      } else {
        markDirty(state, name, { revision: joined, sinceMs, isChange: false });
      }
    }
    if (resumed > 0) this.#events.onResumed(request.typeUrl, resumed);
    return undefined;
  }

  /**
   * Looks for updates that were lost on either end: names that this end forgot to send, and a client that does not have
   * what it was sent. While something is under way there is nothing to compare.
   */
  #compare(typeUrl: string, state: TypeState, said: discovery.StateChecksum): void {
    if (state.outstanding || state.dirty.size > 0) return;
    const sinceMs = this.#events.nowMs();
    const again = (name: string): void => markDirty(state, name, { revision: 0, sinceMs, isChange: false });
    for (const [name, version] of state.subscribed) {
      if (version !== (this.#source.get(typeUrl, name, this.subscriber)?.version ?? ABSENT)) again(name);
    }
    const own = stateChecksum(answered(state.subscribed));
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
    for (const [name, pending] of state.dirty) {
      if (bytes >= this.#limits.responseBytes) break;
      state.dirty.delete(name);
      const known = state.subscribed.get(name);
      const resource = this.#source.get(typeUrl, name, this.subscriber);
      const version = resource?.version ?? ABSENT;
      // Changed back and forth, or known since the resume. Its revisions count as answered with this response.
      if (version === known) continue;
      names.set(name, pending);
      state.subscribed.set(name, version);
      bytes += name.length + 64;
      if (resource) {
        resources.push(resourceMessage(typeUrl, resource));
        bytes += resource.bytes.length;
      } else {
        removedResources.push(name);
      }
    }
    if (names.size === 0) {
      this.#events.onAnswered(typeUrl, undefined, 0);
      return;
    }
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

interface Mark {
  readonly revision: number;
  readonly sinceMs: number;
  readonly isChange: boolean;
}

function markDirty(state: TypeState, name: string, { revision, sinceMs, isChange }: Mark): void {
  const before = state.dirty.get(name);
  state.dirty.set(name, {
    firstRevision: before && before.firstRevision > 0 ? before.firstRevision : revision,
    lastRevision: Math.max(before?.lastRevision ?? 0, revision),
    sinceMs: before?.sinceMs ?? sinceMs,
    isChange: before?.isChange ?? isChange,
  });
}

function* answered(subscribed: ReadonlyMap<string, string | undefined>): Iterable<readonly [string, string]> {
  for (const [name, version] of subscribed) if (version !== undefined) yield [name, version];
}

function oldestOf(names: ReadonlyMap<string, Pending>): number {
  let oldest = Infinity;
  for (const { firstRevision } of names.values())
    if (firstRevision > 0 && firstRevision < oldest) oldest = firstRevision;
  return oldest;
}

/** Endpoints never wait behind config; the rest in the order in which a proxy needs them. */
const rank: ReadonlyMap<string, number> = new Map(
  resourceTypes.map((type, index) => [type.typeUrl, type.typeUrl === endpointsType.typeUrl ? -1 : index]),
);

function sendOrder(typeUrls: Iterable<string>): readonly string[] {
  return [...typeUrls].toSorted((a, b) => (rank.get(a) ?? rank.size) - (rank.get(b) ?? rank.size));
}
