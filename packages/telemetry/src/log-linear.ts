// A histogram with log-linear buckets: 16 of equal width in every power of two, so that any quantile is right to 1/16.

/** What rendering needs of a histogram. */
export interface LogLinearView {
  readonly count: number;
  readonly sum: number;
  /** Values recorded that were at most `bound`, to the precision of the buckets. */
  countUpTo(bound: number): number;
}

const SUB_BITS = 4;
const SUB = 1 << SUB_BITS;
/** Values are kept in units of 1/64, so that fractions of a millisecond keep their shape. */
const SCALE = 64;
/** Largest scaled value that has a bucket of its own: 2^31 / 64 ms is over nine hours. */
const MAX_SCALED = 2 ** 31 - 1;
const BUCKETS = (31 - SUB_BITS + 1) * SUB;

/** Records values ≥ 0; negative and non-numbers count as 0, huge ones as the largest bucket. */
export class LogLinear implements LogLinearView {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;

  get count(): number {
    return this.#count;
  }

  get sum(): number {
    return this.#sum;
  }

  record(value: number): void {
    const safe = value > 0 ? value : 0;
    const at = bucketOf(safe);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#count++;
    this.#sum += safe;
  }

  /** Estimate of the value below which the share `q` (0 … 1) lies; 0 when nothing was recorded. */
  quantile(q: number): number {
    const rank = Math.min(Math.max(q, 0), 1) * this.#count;
    if (this.#count === 0) return 0;
    let seen = 0;
    for (let at = 0; at < BUCKETS; at++) {
      const here = this.#counts[at] ?? 0;
      if (here === 0) continue;
      seen += here;
      if (seen >= rank) return (lowOf(at) + lowOf(at + 1)) / 2 / SCALE;
    }
    return MAX_SCALED / SCALE;
  }

  countUpTo(bound: number): number {
    const last = bucketOf(bound);
    let seen = 0;
    for (let at = 0; at <= last; at++) seen += this.#counts[at] ?? 0;
    // The bucket that holds the bound reaches beyond it, unless the bound is exactly its lower edge.
    if (lowOf(last) === Math.floor(bound * SCALE)) seen -= this.#counts[last] ?? 0;
    return bound >= MAX_SCALED / SCALE ? this.#count : seen;
  }
}

function bucketOf(value: number): number {
  const scaled = Math.min(Math.floor(value * SCALE), MAX_SCALED);
  if (scaled < SUB) return scaled;
  const exponent = 31 - Math.clz32(scaled);
  return (exponent - SUB_BITS + 1) * SUB + ((scaled >>> (exponent - SUB_BITS)) & (SUB - 1));
}

/** Lower edge of a bucket, scaled. */
function lowOf(at: number): number {
  if (at < SUB) return at;
  const exponent = Math.floor(at / SUB) + SUB_BITS - 1;
  return (SUB + (at % SUB)) * 2 ** (exponent - SUB_BITS);
}
