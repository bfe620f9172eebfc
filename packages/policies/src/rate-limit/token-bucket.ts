// The token bucket: tokens come at the pace of the limit, at most `burst` are kept, each request takes one.

import type { Limiter, Pace } from "./limiter.ts";

/** Tokens are fractions of numbers: sums of many may miss the whole by so much. */
const ROUNDING = 1e-9;

/** One bucket, full at first. */
export class TokenBucket implements Limiter {
  /** Below 0 until the first use: full, whatever the burst is by then. */
  #tokens = -1;
  #atMs = 0;

  waitMs(nowMs: number, pace: Pace): number {
    const tokens = this.#tokensAt(nowMs, pace);
    return tokens >= 1 - ROUNDING ? 0 : (1 - tokens) / pace.perMs;
  }

  take(nowMs: number, pace: Pace): void {
    this.#tokens = Math.max(0, this.#tokensAt(nowMs, pace) - 1);
    this.#atMs = nowMs;
  }

  isIdle(nowMs: number, pace: Pace): boolean {
    return this.#tokensAt(nowMs, pace) >= pace.burst - ROUNDING;
  }

  #tokensAt(nowMs: number, pace: Pace): number {
    if (this.#tokens < 0) return pace.burst;
    const since = Math.max(0, nowMs - this.#atMs);
    return Math.min(pace.burst, this.#tokens + since * pace.perMs);
  }
}
