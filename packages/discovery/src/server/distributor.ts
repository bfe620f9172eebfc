// Brings changes of the compiled model to the streams that subscribe to them: what a change costs depends on its
// subscribers alone. No sockets here.

import type { Clock, Timer } from "@ripstop/core";
import { endpointsType, resourceTypes, type discovery, type LiveStatus, type ReplicaLive } from "@ripstop/model";
import { metricNames, type Counter, type Gauge, type Histogram, type MetricRegistry } from "@ripstop/telemetry";

import { FlushLane } from "./flush-lane.ts";
import { LiveTracker } from "./live-tracker.ts";
import type { ResourceSource, Subscriber } from "./snapshot.ts";
import { defaultStreamLimits, SubscriberStream, type StreamLimits } from "./subscriber-stream.ts";

/** How to distribute. */
export interface DistributorOptions {
  readonly source: ResourceSource;
  readonly clock: Clock;
  readonly metrics?: MetricRegistry;
  readonly limits?: Partial<StreamLimits>;
  /** Config changes within this time go out together; default 5 ms. Endpoints do not wait. */
  readonly coalesceMs?: number;
  /** A proxy did not have what it should have had, and is sent it again. */
  onMended?(proxyId: string, type: string, resources: number): void;
}

/** A connected proxy, as tables show it. */
export interface ProxyStreamStatus {
  readonly proxyId: string;
  readonly identity: string;
  readonly subscriptions: number;
  /** It has acknowledged everything. */
  readonly synced: boolean;
  /** How long it has not acknowledged something, in milliseconds; 0 when synced. */
  readonly pendingMs: number;
  /** Types whose last response it refused, with its reasons. */
  readonly rejected: readonly { readonly type: string; readonly reason: string }[];
}

const DEFAULT_COALESCE_MS = 5;
const POLL_MS = 10;

/** Everything that all streams share: the index of subscribers, the counters, and the tracking of revisions. */
export class Distributor {
  readonly #options: DistributorOptions;
  readonly #limits: StreamLimits;
  readonly #live: LiveTracker;
  readonly #streams = new Map<string, SubscriberStream>();
  /** Type URL → name → streams. */
  readonly #index = new Map<string, Map<string, Set<SubscriberStream>>>();
  /** Changed endpoints wait neither for config nor for streams that have just come. */
  readonly #endpoints: FlushLane;
  readonly #answers: FlushLane;
  readonly #config: FlushLane;
  readonly #waiters = new Set<() => void>();
  readonly #counters = new Map<string, Counter>();
  readonly #propagation = new Map<string, Histogram>();
  readonly #connected: Gauge | undefined;
  readonly #stopWatching: () => void;

  constructor(options: DistributorOptions) {
    const { clock, coalesceMs = DEFAULT_COALESCE_MS } = options;
    this.#options = options;
    this.#endpoints = new FlushLane(clock, 0);
    this.#answers = new FlushLane(clock, 0);
    this.#config = new FlushLane(clock, coalesceMs);
    this.#limits = { ...defaultStreamLimits, ...options.limits };
    this.#live = new LiveTracker(options.clock);
    this.#connected = options.metrics?.gauge("ripstop_config_streams", "Connected config streams");
    this.#stopWatching = options.source.watch((typeUrl, names, revision) => this.#onChanged(typeUrl, names, revision));
  }

  /** A proxy connected. A stream that it still had is forgotten: the newest wins. */
  open(subscriber: Subscriber, send: (response: discovery.DeltaDiscoveryResponse) => void): SubscriberStream {
    const before = this.#streams.get(subscriber.proxyId);
    if (before) this.close(before);
    const stream: SubscriberStream = new SubscriberStream(
      subscriber,
      this.#options.source,
      {
        send,
        onSubscribe: (typeUrl, name) => this.#addToIndex(typeUrl, name, stream),
        onUnsubscribe: (typeUrl, name) => this.#removeFromIndex(typeUrl, name, stream),
        onDirty: (typeUrl, isChange) => this.#schedule(stream, typeUrl, isChange),
        onSent: (typeUrl, resources, removed) => {
          this.#count("ripstop_config_resources_sent_total", "Resources sent to proxies", typeUrl, resources);
          this.#count("ripstop_config_removals_sent_total", "Removals sent to proxies", typeUrl, removed);
        },
        onResumed: (typeUrl, resources) => {
          const help = "Resources not sent again at a reconnect, because the proxy had them";
          this.#count("ripstop_config_resources_resumed_total", help, typeUrl, resources);
        },
        onMended: (typeUrl, resources) => {
          const { name, help } = metricNames.CONFIG_MENDED;
          this.#count(name, help, typeUrl, resources);
          this.#options.onMended?.(subscriber.proxyId, typeName(typeUrl), resources);
        },
        onPropagated: (typeUrl, ms) => this.#propagationOf(typeUrl)?.record(ms),
        nowMs: () => this.#options.clock.monotonicMs(),
        onAnswered: (typeUrl, reason, revision) => {
          if (reason !== undefined)
            this.#count("ripstop_config_rejected_total", "Responses that proxies refused", typeUrl, 1);
          this.#live.answered(
            subscriber.proxyId,
            stream.oldestUnacknowledged,
            reason === undefined ? undefined : { reason, upToRevision: revision },
          );
          this.#wake();
        },
      },
      this.#limits,
    );
    this.#streams.set(subscriber.proxyId, stream);
    this.#connected?.set(this.#streams.size);
    return stream;
  }

  /** A stream ended. */
  close(stream: SubscriberStream): void {
    stream.close();
    for (const lane of this.#lanes) lane.remove(stream);
    const { proxyId } = stream.subscriber;
    if (this.#streams.get(proxyId) !== stream) return;
    this.#streams.delete(proxyId);
    this.#connected?.set(this.#streams.size);
    this.#live.forget(proxyId);
    this.#wake();
  }

  /** How far a revision has come, now. */
  live(revision: number): LiveStatus {
    return this.#live.status(revision);
  }

  /** As `live`, but waits up to `waitMs` until the revision is compiled and every proxy it concerns has answered. */
  async waitLive(revision: number, waitMs: number): Promise<LiveStatus> {
    await this.waitProgress(revision, waitMs);
    return this.live(revision);
  }

  /** As `waitLive`, by the ids of the proxies, and whether the revision is compiled at all. */
  waitProgress(revision: number, waitMs: number): Promise<ReplicaLive> {
    return new Promise((resolve) => {
      const { clock, source } = this.#options;
      const timers: Timer[] = [];
      const finish = (): void => {
        for (const timer of timers) timer.clear();
        this.#waiters.delete(check);
        resolve({ reached: source.revision >= revision, ...this.#live.progress(revision) });
      };
      const check = (): void => {
        if (source.revision >= revision && this.live(revision).pending.length === 0) finish();
      };
      timers.push(clock.after(waitMs, finish));
      // A revision that concerns nobody is reached without any event of a stream.
      timers.push(clock.every(POLL_MS, check));
      this.#waiters.add(check);
      check();
    });
  }

  /** Every connected proxy. */
  statuses(): readonly ProxyStreamStatus[] {
    const nowMs = this.#options.clock.monotonicMs();
    return [...this.#streams.values()].map((stream) => ({
      proxyId: stream.subscriber.proxyId,
      identity: stream.subscriber.identity,
      subscriptions: stream.subscriptions,
      synced: !stream.isBehind,
      pendingMs: nowMs - (stream.behindSinceMs ?? nowMs),
      rejected: [...stream.rejections].map(([typeUrl, reason]) => ({ type: typeName(typeUrl), reason })),
    }));
  }

  /** Whether a proxy has acknowledged a resource as it is now: undefined while it is away, a text when it refused it. */
  acknowledged(proxyId: string, typeUrl: string, name: string): boolean | string | undefined {
    return this.#streams.get(proxyId)?.acknowledged(typeUrl, name);
  }

  /** True while a proxy has its stream open. */
  isConnected(proxyId: string): boolean {
    return this.#streams.has(proxyId);
  }

  /** Stops watching the source and forgets every stream. */
  stop(): void {
    this.#stopWatching();
    for (const lane of this.#lanes) lane.close();
    for (const stream of this.#streams.values()) this.close(stream);
    for (const wake of this.#waiters) wake();
  }

  #onChanged(typeUrl: string, names: readonly string[], revision: number): void {
    const byName = this.#index.get(typeUrl);
    if (!byName) return;
    for (const name of names) {
      for (const stream of byName.get(name) ?? []) {
        if (revision > 0) this.#live.concern(revision, stream.subscriber.proxyId);
        stream.markChanged(typeUrl, name, revision);
      }
    }
  }

  get #lanes(): readonly FlushLane[] {
    return [this.#endpoints, this.#answers, this.#config];
  }

  #schedule(stream: SubscriberStream, typeUrl: string, isChange: boolean): void {
    if (!isChange) this.#answers.add(stream);
    else if (typeUrl === endpointsType.typeUrl) this.#endpoints.add(stream);
    else this.#config.add(stream);
  }

  #addToIndex(typeUrl: string, name: string, stream: SubscriberStream): void {
    let byName = this.#index.get(typeUrl);
    if (!byName) this.#index.set(typeUrl, (byName = new Map<string, Set<SubscriberStream>>()));
    const streams = byName.get(name);
    if (streams) streams.add(stream);
    else byName.set(name, new Set([stream]));
  }

  #removeFromIndex(typeUrl: string, name: string, stream: SubscriberStream): void {
    const byName = this.#index.get(typeUrl);
    const streams = byName?.get(name);
    if (!byName || !streams?.delete(stream)) return;
    if (streams.size === 0) {
      byName.delete(name);
      this.#options.source.release?.(typeUrl, name);
    }
    if (byName.size === 0) this.#index.delete(typeUrl);
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
  }

  #propagationOf(typeUrl: string): Histogram | undefined {
    let histogram = this.#propagation.get(typeUrl);
    if (histogram === undefined) {
      const { name, help } = metricNames.CONFIG_PROPAGATION;
      histogram = this.#options.metrics?.histogram(name, help, { type: typeName(typeUrl) });
      // A type that is not known cannot change: there is no series that a peer could add.
      if (histogram !== undefined) this.#propagation.set(typeUrl, histogram);
    }
    return histogram;
  }

  #count(name: string, help: string, typeUrl: string, amount: number): void {
    const { metrics } = this.#options;
    if (!metrics || amount === 0) return;
    const key = `${name} ${typeUrl}`;
    let counter = this.#counters.get(key);
    // Only known types become labels: a peer must not be able to grow the metrics.
    if (!counter) this.#counters.set(key, (counter = metrics.counter(name, help, { type: typeName(typeUrl) })));
    counter.add(amount);
  }
}

const names: ReadonlyMap<string, string> = new Map(resourceTypes.map((type) => [type.typeUrl, type.name]));

function typeName(typeUrl: string): string {
  return names.get(typeUrl) ?? "other";
}
