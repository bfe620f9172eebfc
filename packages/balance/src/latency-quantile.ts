// A quantile of recent latencies: counts in buckets that grow by an eighth, halved now and then so that old ones fade.

const GROWTH = Math.log(1.125);
const BUCKETS = 120;
/** Smallest latency that is told apart, in milliseconds. */
const FLOOR_MS = 0.1;
/** Samples after which all counts are halved. */
const FADE_AFTER = 2_048;
/** Fewer say too little. */
const ENOUGH = 50;
/** The quantile is looked up again after so many samples. */
const LOOK_UP_EVERY = 32;

/** Latencies of one service. */
export class LatencyQuantile {
  readonly #counts = new Float64Array(BUCKETS);
  readonly #share: number;
  #total = 0;
  #sinceFade = 0;
  #known = 0;
  #sinceLookUp = 0;

  /** `percentile`: 50 to 99. */
  constructor(percentile: number) {
    this.#share = percentile / 100;
  }

  /** Takes in one latency in milliseconds. */
  record(latencyMs: number): void {
    const bucket =
      latencyMs <= FLOOR_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(latencyMs / FLOOR_MS) / GROWTH));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total++;
    this.#sinceLookUp++;
    if (++this.#sinceFade < FADE_AFTER) return;
    this.#sinceFade = 0;
    this.#total = 0;
    for (let at = 0; at < BUCKETS; at++) {
      const half = (this.#counts[at] ?? 0) / 2;
      this.#counts[at] = half;
      this.#total += half;
    }
  }

  /** Milliseconds that `percentile` of recent requests stayed within, up to an eighth too high; 0 while too few are known. */
  get ms(): number {
    if (this.#total < ENOUGH) return 0;
    if (this.#known > 0 && this.#sinceLookUp < LOOK_UP_EVERY) return this.#known;
    this.#sinceLookUp = 0;
    let left = this.#total * this.#share;
    for (let at = 0; at < BUCKETS; at++) {
      left -= this.#counts[at] ?? 0;
      if (left > 0) continue;
      this.#known = FLOOR_MS * Math.exp(GROWTH * at);
      return this.#known;
    }
    return this.#known;
  }
}
