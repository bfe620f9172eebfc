// How often one address may try to join: a bucket for all attempts, and a small one for refused ones.

import type { Clock } from "@ripstop/core";

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Size and refill of a kind of bucket. */
interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** A whole host, or a platform behind one address, may restart at once. */
const ATTEMPTS: Rate = { burst: 2_000, perSecond: 100 };
const REFUSALS: Rate = { burst: 30, perSecond: 0.5 };
const MAX_ADDRESSES = 10_000;

/** Counts per remote address; the addresses that were not heard for longest are forgotten. */
export class JoinLimits {
  readonly #clock: Clock;
  readonly #attempts = new Map<string, Bucket>();
  readonly #refusals = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether `address` may try now; counts the attempt. */
  admit(address: string): boolean {
    if (this.#bucket(this.#refusals, address, REFUSALS).tokens < 1) return false;
    const bucket = this.#bucket(this.#attempts, address, ATTEMPTS);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** An attempt of `address` was refused. */
  refused(address: string): void {
    this.#bucket(this.#refusals, address, REFUSALS).tokens--;
  }

  #bucket(buckets: Map<string, Bucket>, address: string, { burst, perSecond }: Rate): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const known = buckets.get(address);
    const bucket: Bucket = known ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    // The newest stands last.
    buckets.delete(address);
    buckets.set(address, bucket);
    if (buckets.size > MAX_ADDRESSES) for (const oldest of buckets.keys()) return forget(buckets, oldest, bucket);
    return bucket;
  }
}

function forget(buckets: Map<string, Bucket>, oldest: string, kept: Bucket): Bucket {
  buckets.delete(oldest);
  return kept;
}
