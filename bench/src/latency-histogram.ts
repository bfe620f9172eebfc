// Latencies in a log-linear histogram (the idea of HdrHistogram): fixed memory, any percentile within 0.8 %.

const SUB_BITS = 7;
const SUB_BUCKETS = 1 << SUB_BITS;
const MAX_EXPONENT = 30;

/** Counts durations in whole microseconds, up to about 2,000 s. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(MAX_EXPONENT * SUB_BUCKETS);
  #total = 0;
  #max = 0;

  get count(): number {
    return this.#total;
  }

  /** The longest one, exact. */
  get maxUs(): number {
    return this.#max;
  }

  /** Counts one duration; a negative one counts as 0. */
  record(us: number): void {
    const value = Math.max(0, Math.round(us));
    const at = Math.min(indexOf(value), this.#counts.length - 1);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#total++;
    if (value > this.#max) this.#max = value;
  }

  /** The duration that `share` (0 … 1) of all are at most as long as; NaN when nothing was counted. */
  percentile(share: number): number {
    if (this.#total === 0) return Number.NaN;
    const wanted = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let at = 0; at < this.#counts.length; at++) {
      seen += this.#counts[at] ?? 0;
      if (seen >= wanted) return Math.min(upperBound(at), this.#max);
    }
    return this.#max;
  }
}

/** Values below 2 × SUB_BUCKETS have a bucket of their own; above, each power of two has SUB_BUCKETS. */
function indexOf(value: number): number {
  if (value < 2 * SUB_BUCKETS) return value;
  const exponent = Math.floor(Math.log2(value)) - SUB_BITS;
  return exponent * SUB_BUCKETS + Math.floor(value / 2 ** exponent);
}

function upperBound(index: number): number {
  if (index < 2 * SUB_BUCKETS) return index;
  const exponent = Math.floor(index / SUB_BUCKETS) - 1;
  return (index - exponent * SUB_BUCKETS + 1) * 2 ** exponent - 1;
}
