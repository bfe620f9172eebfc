// The generic cell rate algorithm (ITU-T I.371, virtual scheduling): one number says when the next request is due, and
// a request may come early by as much as the burst allows.

import type { Limiter, Pace } from "./limiter.ts";

/** Times are fractions of milliseconds: sums of many may miss the whole by so much. */
const ROUNDING_MS = 1e-6;

/** One schedule, free at first. */
export class Gcra implements Limiter {
  /** Theoretical arrival time of the next request. */
  #dueMs = Number.NEGATIVE_INFINITY;

  waitMs(nowMs: number, { perMs, burst }: Pace): number {
    const earlyMs = (burst - 1) / perMs;
    const waitMs = this.#dueMs - earlyMs - nowMs;
    return waitMs > ROUNDING_MS ? waitMs : 0;
  }

  take(nowMs: number, { perMs }: Pace): void {
    this.#dueMs = Math.max(nowMs, this.#dueMs) + 1 / perMs;
  }

  isIdle(nowMs: number): boolean {
    return this.#dueMs <= nowMs;
  }
}
