// "Is it live yet?": which connected proxies a revision concerns, and which of them have acknowledged it.

import type { Clock } from "@ripstop/core";
import { parseWorkerStreamId, type LiveStatus, type ReplicaLive } from "@ripstop/model";

interface Tracked {
  readonly startedMs: number;
  readonly concerned: Set<string>;
  readonly pending: Set<string>;
  readonly rejected: Map<string, string>;
  lastAnswerMs: number;
}

/** A refused response. */
export interface Refused {
  readonly reason: string;
  /** The newest revision that was in it. */
  readonly upToRevision: number;
}

const MAX_TRACKED = 512;

function proxiesOf(streamIds: Iterable<string>): Set<string> {
  const proxies = new Set<string>();
  for (const streamId of streamIds) proxies.add(parseWorkerStreamId(streamId).proxyId);
  return proxies;
}

/** Follows the last 512 revisions that concerned a proxy; memory is bounded by that and the number of proxies. */
export class LiveTracker {
  readonly #clock: Clock;
  readonly #revisions = new Map<number, Tracked>();
  /** Revisions that each proxy has not acknowledged, in ascending order of arrival. */
  readonly #waiting = new Map<string, Set<number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A revision changed something that a connected proxy subscribes to. A proxy that has it already is not asked again. */
  concern(revision: number, proxyId: string): void {
    let tracked = this.#revisions.get(revision);
    if (!tracked) {
      const nowMs = this.#clock.monotonicMs();
      tracked = {
        startedMs: nowMs,
        concerned: new Set(),
        pending: new Set(),
        rejected: new Map(),
        lastAnswerMs: nowMs,
      };
      this.#revisions.set(revision, tracked);
      this.#forgetOldest();
    }
    if (tracked.concerned.has(proxyId)) return;
    tracked.concerned.add(proxyId);
    tracked.pending.add(proxyId);
    const waiting = this.#waiting.get(proxyId);
    if (waiting) waiting.add(revision);
    else this.#waiting.set(proxyId, new Set([revision]));
  }

  /** A proxy answered: it has everything below `oldestUnacknowledged`, or refused a response for a reason. */
  answered(proxyId: string, oldestUnacknowledged: number, refused: Refused | undefined): void {
    const waiting = this.#waiting.get(proxyId);
    if (!waiting) return;
    const nowMs = this.#clock.monotonicMs();
    for (const revision of waiting) {
      const tracked = this.#revisions.get(revision);
      if (refused && revision <= refused.upToRevision) tracked?.rejected.set(proxyId, refused.reason);
      if (revision >= oldestUnacknowledged) continue;
      waiting.delete(revision);
      tracked?.pending.delete(proxyId);
      if (tracked) tracked.lastAnswerMs = nowMs;
    }
    if (waiting.size === 0) this.#waiting.delete(proxyId);
  }

  /** A proxy went away: nothing waits for it any more; it gets the newest state when it comes back. */
  forget(proxyId: string): void {
    for (const revision of this.#waiting.get(proxyId) ?? []) {
      const tracked = this.#revisions.get(revision);
      tracked?.pending.delete(proxyId);
      tracked?.concerned.delete(proxyId);
      tracked?.rejected.delete(proxyId);
    }
    this.#waiting.delete(proxyId);
  }

  /** How far a revision has come; one that concerned nobody is live on 0 of 0. */
  status(revision: number): LiveStatus {
    const { concerned, pending, rejected, elapsedMs } = this.progress(revision);
    const live = concerned.length - pending.length - rejected.length;
    return { revision, total: concerned.length, live, pending, rejected, elapsedMs };
  }

  /** As `status`, by the ids of the proxies. */
  progress(revision: number): Omit<ReplicaLive, "reached"> {
    const tracked = this.#revisions.get(revision);
    if (!tracked) return { concerned: [], pending: [], rejected: [], elapsedMs: 0 };
    const { concerned, pending, rejected, startedMs, lastAnswerMs } = tracked;
    // The workers of a proxy have a stream each; the proxy has the revision when all of them have it.
    const refused = new Map([...rejected].map(([streamId, reason]) => [parseWorkerStreamId(streamId).proxyId, reason]));
    return {
      concerned: [...proxiesOf(concerned.keys())],
      pending: [...proxiesOf(pending.keys())].filter((proxyId) => !refused.has(proxyId)),
      rejected: [...refused].map(([proxyId, reason]) => ({ proxyId, reason })),
      elapsedMs: (pending.size === 0 ? lastAnswerMs : this.#clock.monotonicMs()) - startedMs,
    };
  }

  #forgetOldest(): void {
    if (this.#revisions.size <= MAX_TRACKED) return;
    for (const [revision, tracked] of this.#revisions) {
      this.#revisions.delete(revision);
      for (const proxyId of tracked.pending) this.#waiting.get(proxyId)?.delete(revision);
      return;
    }
  }
}
