// A limit of requests under way that finds itself: it falls when recent latency rises above the long-term one and rises while
// it does not (the gradient of Netflix's concurrency-limits, Gradient2Limit; Envoy's adaptive concurrency filter).

/** Bounds of a limit. */
export interface GradientOptions {
  /** ≥ 1. */
  readonly minLimit: number;
  readonly maxLimit: number;
  /** Where a new limiter begins; default 20. */
  readonly initialLimit?: number;
}

/** A window of samples is closed after this time and this many samples. */
const WINDOW_MS = 250;
const WINDOW_SAMPLES = 10;
/** A window also counts when it has held this long with fewer samples: a service that answers nothing is slow. */
const LONGEST_WINDOW_MS = 2_000;
/** Latency may rise to this many times the long-term one before the limit falls. */
const TOLERANCE = 1.5;
/** Share of a new estimate in the limit. */
const SMOOTHING = 0.2;
/** Share of a window in the long-term latency. */
const LONG_SHARE = 0.02;
/** Windows until the long-term latency is known well enough to be one. */
const WARM_UP = 10;
const LOWEST_GRADIENT = 0.5;
/** Neither closed to a burst at the start nor open to everything. */
const INITIAL_LIMIT = 20;

/** One limit with what is under way within it. */
export class GradientLimiter {
  options: GradientOptions;
  #limit: number;
  #inflight = 0;
  #longMs = 0;
  #windows = 0;
  #sumMs = 0;
  #samples = 0;
  #openedAtMs = 0;
  /** Most that was under way in this window. */
  #peak = 0;

  constructor(options: GradientOptions) {
    this.options = options;
    this.#limit = Math.max(options.minLimit, Math.min(options.maxLimit, options.initialLimit ?? INITIAL_LIMIT));
  }

  /** Requests that may be under way now. */
  get limit(): number {
    return Math.max(this.options.minLimit, Math.min(this.options.maxLimit, Math.floor(this.#limit)));
  }

  get inflight(): number {
    return this.#inflight;
  }

  /** Counts a request in, or returns false when the limit, or this share of it (0 to 1), is reached. */
  tryEnter(share: number = 1): boolean {
    if (this.#inflight >= Math.max(1, Math.floor(this.limit * share))) return false;
    this.#inflight++;
    if (this.#inflight > this.#peak) this.#peak = this.#inflight;
    return true;
  }

  /** Ends a request that says nothing about latency: it was cut short by its client, or never sent. */
  cancel(): void {
    this.#inflight--;
  }

  /** Ends a request. `dropped`: it timed out or was refused for overload; counts as slow however quick that was. */
  leave(latencyMs: number, nowMs: number, dropped: boolean): void {
    this.#inflight--;
    if (this.#samples === 0) this.#openedAtMs = nowMs;
    this.#samples++;
    this.#sumMs += dropped ? Math.max(latencyMs, this.#longMs * 2) : latencyMs;
    const heldMs = nowMs - this.#openedAtMs;
    const isFull = heldMs >= WINDOW_MS && this.#samples >= WINDOW_SAMPLES;
    if (isFull || heldMs >= LONGEST_WINDOW_MS) this.#closeWindow();
  }

  #closeWindow(): void {
    // A floor keeps the noise of answers that take no time at all from looking like a slope.
    const shortMs = Math.max(1, this.#sumMs / this.#samples);
    const peak = Math.max(this.#peak, this.#inflight);
    this.#samples = 0;
    this.#sumMs = 0;
    this.#peak = this.#inflight;
    this.#windows++;
    if (this.#windows <= WARM_UP) {
      this.#longMs += (shortMs - this.#longMs) / this.#windows;
    } else {
      this.#longMs += (shortMs - this.#longMs) * LONG_SHARE;
    }
    // After an overload the long-term latency must not stay high: it falls quicker than it rose.
    if (this.#longMs > shortMs * 2) this.#longMs *= 0.9;
    const gradient = Math.max(LOWEST_GRADIENT, Math.min(1, (TOLERANCE * this.#longMs) / shortMs));
    const room = Math.sqrt(this.#limit);
    const wanted = this.#limit * gradient + room;
    // A limit that is not used says nothing about how much more could be.
    if (wanted > this.#limit && peak < this.#limit / 2) return;
    const next = this.#limit + (wanted - this.#limit) * SMOOTHING;
    this.#limit = Math.max(this.options.minLimit, Math.min(this.options.maxLimit, next));
  }
}
