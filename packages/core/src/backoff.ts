// Exponential backoff with full jitter, for reconnecting without a thundering herd.

/** Settings of a Backoff; all times in milliseconds. */
export interface BackoffOptions {
  /** Upper bound of the first delay (> 0). */
  readonly initialMs: number;
  /** Upper bound of every delay (≥ initialMs). */
  readonly maxMs: number;
  /** Growth per attempt (> 1); default 2. */
  readonly factor?: number;
  /** A source of numbers in [0, 1); default Math.random. */
  readonly random?: () => number;
}

/** Gives growing delays; `reset` after a success. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** The next delay in milliseconds, between half of and all of the current bound. */
  next(): number {
    const { initialMs, maxMs, factor = 2, random = Math.random } = this.#options;
    const bound = Math.min(maxMs, initialMs * factor ** this.#attempt);
    if (bound < maxMs) this.#attempt++;
    return bound / 2 + (bound / 2) * random();
  }

  /** The next delay starts from `initialMs` again. */
  reset(): void {
    this.#attempt = 0;
  }
}
