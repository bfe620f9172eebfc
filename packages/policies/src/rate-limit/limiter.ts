// What the algorithms of rate limits have in common.

/** How fast requests pass, at this moment: a share of the limit may change while the state stays. */
export interface Pace {
  /** Requests that pass in a millisecond, above 0. */
  perMs: number;
  /** Requests that pass at once, at least 1. */
  burst: number;
}

/** The state of one limit for one key. Pure: times come from outside and never go back. */
export interface Limiter {
  /** Milliseconds until a request may pass; 0 when it may now. Changes nothing. */
  waitMs(nowMs: number, pace: Pace): number;
  /** Counts a request, which passes. */
  take(nowMs: number, pace: Pace): void;
  /** Whether it is as good as new, so that forgetting it forgets nothing. */
  isIdle(nowMs: number, pace: Pace): boolean;
}
