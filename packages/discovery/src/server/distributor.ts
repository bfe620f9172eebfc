// Brings changes of the compiled model to the streams that subscribe to them: what a change costs depends on its
// subscribers alone. No sockets here.

import type { Clock, Timer } from "@ripstop/core";
import { endpointsType, type discovery, type LiveStatus, type ReplicaLive } from "@ripstop/model";
import type { MetricRegistry } from "@ripstop/telemetry";

import { DistributionMetrics, typeName } from "./distribution-metrics.ts";
import { FlushLane } from "./flush-lane.ts";
import { LiveTracker } from "./live-tracker.ts";
import type { ResourceSource, Subscriber } from "./snapshot.ts";
import { defaultStreamLimits, type StreamLimits } from "./stream-limits.ts";
import { SubscriberStream } from "./subscriber-stream.ts";
import { SubscriptionIndex } from "./subscription-index.ts";

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
  /** A wildcard of a stream stands for so many names. */
  onListed?(proxyId: string, names: number): void;
  /** A stream went beyond its limits without a request: it must be ended. */
  onOverLimit?(proxyId: string, problem: string): void;
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
  readonly #index = new SubscriptionIndex();
  readonly #metrics: DistributionMetrics;
  /** Changed endpoints wait neither for config nor for streams that have just come. */
  readonly #endpoints: FlushLane;
  readonly #answers: FlushLane;
  readonly #config: FlushLane;
  readonly #waiters = new Set<() => void>();
  readonly #stopWatching: () => void;

  constructor(options: DistributorOptions) {
    const { clock, coalesceMs = DEFAULT_COALESCE_MS } = options;
    this.#options = options;
    this.#endpoints = new FlushLane(clock, 0);
    this.#answers = new FlushLane(clock, 0);
    this.#config = new FlushLane(clock, coalesceMs);
    this.#limits = { ...defaultStreamLimits, ...options.limits };
    this.#live = new LiveTracker(options.clock);
    this.#metrics = new DistributionMetrics(options.metrics);
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
        onSubscribe: (typeUrl, name) => this.#index.add(typeUrl, name, stream),
        onUnsubscribe: (typeUrl, name) => {
          if (this.#index.remove(typeUrl, name, stream)) this.#options.source.release?.(typeUrl, name);
        },
        onDirty: (typeUrl, isChange) => this.#schedule(stream, typeUrl, isChange),
        onSent: (typeUrl, resources, removed) => this.#metrics.sent(typeUrl, resources, removed),
        onResumed: (typeUrl, resources) => this.#metrics.resumed(typeUrl, resources),
        onListed: (names) => this.#options.onListed?.(subscriber.proxyId, names),
        onOverLimit: (problem) => this.#options.onOverLimit?.(subscriber.proxyId, problem),
        onMended: (typeUrl, resources) => {
          this.#metrics.mended(typeUrl, resources);
          this.#options.onMended?.(subscriber.proxyId, typeName(typeUrl), resources);
        },
        onPropagated: (typeUrl, ms) => this.#metrics.propagated(typeUrl, ms),
        nowMs: () => this.#options.clock.monotonicMs(),
        onAnswered: (typeUrl, reason, revision) => {
          if (reason !== undefined) this.#metrics.rejected(typeUrl);
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
    this.#metrics.connected(this.#streams.size);
    return stream;
  }

  /** A stream ended. */
  close(stream: SubscriberStream): void {
    stream.close();
    for (const lane of this.#lanes) lane.remove(stream);
    const { proxyId } = stream.subscriber;
    if (this.#streams.get(proxyId) !== stream) return;
    this.#streams.delete(proxyId);
    this.#metrics.connected(this.#streams.size);
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
    for (const name of names) {
      for (const stream of this.#index.of(typeUrl, name)) {
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

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
  }
}
