// How often one address may try to join: a bucket for all attempts, and a small one for refused ones.

import type { Clock } from "@ripstop/core";

import { TokenBuckets, type BucketRate } from "../token-buckets.ts";

/** A whole host, or a platform behind one address, may restart at once. */
const ATTEMPTS: BucketRate = { burst: 2_000, perSecond: 100 };
const REFUSALS: BucketRate = { burst: 30, perSecond: 0.5 };

/** Counts per remote address; the addresses that were not heard for longest are forgotten. */
export class JoinLimits {
  readonly #attempts: TokenBuckets;
  readonly #refusals: TokenBuckets;

  constructor(clock: Clock) {
    this.#attempts = new TokenBuckets(clock, ATTEMPTS);
    this.#refusals = new TokenBuckets(clock, REFUSALS);
  }

  /** Whether `address` may try now; counts the attempt. */
  admit(address: string): boolean {
    return this.#refusals.has(address) && this.#attempts.tryTake(address);
  }

  /** An attempt of `address` was refused. */
  refused(address: string): void {
    this.#refusals.take(address);
  }
}
