// A retry budget (as in Finagle and Linkerd): retries may add only a share to the load, so that they never become a storm.

/** How much may be retried. */
export interface RetryBudgetOptions {
  /** Retries per request, 0 … 1. */
  readonly share: number;
  /** Retries per second that are always allowed. */
  readonly minPerSecond: number;
}

const HORIZON_SECONDS = 10;

/** A token bucket filled by requests and by time. */
export class RetryBudget {
  readonly #share: number;
  readonly #minPerSecond: number;
  readonly #cap: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(options: RetryBudgetOptions, nowMs: number) {
    this.#share = options.share;
    this.#minPerSecond = options.minPerSecond;
    // Enough for a burst after quiet time; what requests earn is kept for no longer than the horizon at a high rate.
    this.#cap = Math.max(options.minPerSecond * HORIZON_SECONDS, 100 * options.share);
    this.#tokens = options.minPerSecond;
    this.#filledAtMs = nowMs;
  }

  /** A first attempt was made. */
  recordRequest(): void {
    this.#tokens = Math.min(this.#cap, this.#tokens + this.#share);
  }

  /** Takes one retry out of the budget, or returns false when it is used up. `nowMs` is monotonic. */
  tryTake(nowMs: number): boolean {
    const earned = (Math.max(0, nowMs - this.#filledAtMs) / 1000) * this.#minPerSecond;
    this.#filledAtMs = nowMs;
    // Time fills no further than one second's worth beyond what requests earned.
    if (this.#tokens < this.#minPerSecond) this.#tokens = Math.min(this.#minPerSecond, this.#tokens + earned);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
