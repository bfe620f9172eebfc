// Token buckets by name, for those who may ask only so often. Bounded: who was not heard for longest is forgotten.

import type { Clock } from "@ripstop/core";

/** Size and refill of a bucket. */
export interface BucketRate {
  /** How much may come at once. */
  readonly burst: number;
  readonly perSecond: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const MAX_NAMES = 10_000;

/** Buckets of one rate. */
export class TokenBuckets {
  readonly #clock: Clock;
  readonly #rate: BucketRate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, rate: BucketRate) {
    this.#clock = clock;
    this.#rate = rate;
  }

  /** Whether the bucket of `name` has a token; takes none. */
  has(name: string): boolean {
    return this.#bucket(name).tokens >= 1;
  }

  /** Takes a token; a bucket may go below zero. */
  take(name: string): void {
    this.#bucket(name).tokens--;
  }

  /** Takes a token if there is one. */
  tryTake(name: string): boolean {
    if (!this.has(name)) return false;
    this.take(name);
    return true;
  }

  #bucket(name: string): Bucket {
    const { burst, perSecond } = this.#rate;
    const nowMs = this.#clock.monotonicMs();
    const bucket = this.#buckets.get(name) ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    // The newest stands last.
    this.#buckets.delete(name);
    this.#buckets.set(name, bucket);
    if (this.#buckets.size > MAX_NAMES) {
      const [oldest = ""] = this.#buckets.keys();
      this.#buckets.delete(oldest);
    }
    return bucket;
  }
}
