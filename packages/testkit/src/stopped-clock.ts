// A clock that only moves when a test moves it.

import type { Clock, Timer } from "@ripstop/core";

interface Scheduled {
  dueMs: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

/** Starts at `startMs` and stands still; `advance` runs what falls due, in order. */
export class StoppedClock implements Clock {
  #nowMs: number;
  readonly #scheduled = new Set<Scheduled>();

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#schedule({ dueMs: this.#nowMs + delayMs, periodMs: undefined, run });
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#schedule({ dueMs: this.#nowMs + periodMs, periodMs, run });
  }

  /** Moves time forward by `ms`, running every timer that falls due on the way. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      let next: Scheduled | undefined;
      for (const entry of this.#scheduled) if (entry.dueMs <= end && (!next || entry.dueMs < next.dueMs)) next = entry;
      if (!next) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.periodMs === undefined) this.#scheduled.delete(next);
      else next.dueMs += next.periodMs;
      next.run();
    }
    // A timer may have moved it further.
    this.#nowMs = Math.max(this.#nowMs, end);
  }

  /** Number of timers that are set. */
  get pending(): number {
    return this.#scheduled.size;
  }

  #schedule(entry: Scheduled): Timer {
    this.#scheduled.add(entry);
    return { clear: () => this.#scheduled.delete(entry) };
  }
}
