// A retry budget (as in Finagle and Linkerd): retries may add only a share to the load, so that they never become a storm.

/** How much may be retried. */
export interface RetryBudgetOptions {
  /** Retries per request, from 0; above 1 it is no protection any more. */
  readonly share: number;
  /** Retries per second that are always allowed: where requests earn less than this, time makes up for the rest. */
  readonly minPerSecond: number;
}

const HORIZON_SECONDS = 10;
/** A twentieth of what requests earn pays for what the bucket holds in reserve: a burst is then within the share too. */
const EARNED = 0.95;

/** A token bucket filled by requests, and by time as far as they do not fill it. */
export class RetryBudget {
  readonly #share: number;
  readonly #minPerSecond: number;
  readonly #cap: number;
  #tokens: number;
  /** What requests earned and time has not: time adds nothing until it has caught up, at most one second later. */
  #ahead = 0;
  #filledAtMs: number;

  constructor(options: RetryBudgetOptions, nowMs: number) {
    this.#share = options.share * EARNED;
    this.#minPerSecond = options.minPerSecond;
    // Enough for a burst after quiet time; what requests earn is kept for no longer than the horizon at a high rate.
    this.#cap = Math.max(options.minPerSecond * HORIZON_SECONDS, 100 * options.share);
    this.#tokens = options.minPerSecond;
    this.#filledAtMs = nowMs;
  }

  /** A first attempt was made. */
  recordRequest(): void {
    this.#tokens = Math.min(this.#cap, this.#tokens + this.#share);
    this.#ahead = Math.min(this.#minPerSecond, this.#ahead + this.#share);
  }

  /** Takes one retry out of the budget, or returns false when it is used up. `nowMs` is monotonic. */
  tryTake(nowMs: number): boolean {
    const byTime = (Math.max(0, nowMs - this.#filledAtMs) / 1000) * this.#minPerSecond;
    this.#filledAtMs = nowMs;
    const earned = Math.max(0, byTime - this.#ahead);
    this.#ahead = Math.max(0, this.#ahead - byTime);
    // Time fills no further than one second's worth.
    if (this.#tokens < this.#minPerSecond) this.#tokens = Math.min(this.#minPerSecond, this.#tokens + earned);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
