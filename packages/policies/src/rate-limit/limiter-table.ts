// The limiters of one rule by key, bounded: callers choose some of the keys, and must neither fill the memory nor wash a
// used-up limit away with keys of their own.

import type { Limiter, Pace } from "./limiter.ts";

/** Keys that one rule keeps in one process. */
export const MAX_KEYS = 10_000;

/** One key's part of the limit. */
export class LimiterEntry {
  readonly limiter: Limiter;
  readonly pace: Pace;
  /** Requests since demand was last taken. */
  asked = 0;

  constructor(limiter: Limiter, pace: Pace) {
    this.limiter = limiter;
    this.pace = pace;
  }
}

/** Limiters by key, in the order of their last use. */
export class LimiterTable {
  readonly #make: (key: string) => LimiterEntry;
  readonly #maxKeys: number;
  readonly #entries = new Map<string, LimiterEntry>();
  /** What all keys share that find no room. */
  readonly #overflow: LimiterEntry;

  constructor(make: (key: string) => LimiterEntry, maxKeys: number = MAX_KEYS) {
    this.#make = make;
    this.#maxKeys = maxKeys;
    this.#overflow = make("");
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The entry of a key, used now. A new key takes the place of the one that was unused longest, once that is idle. */
  use(key: string, nowMs: number): LimiterEntry {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known;
    }
    if (this.#entries.size >= this.#maxKeys && !this.#makeRoom(nowMs)) return this.#overflow;
    const entry = this.#make(key);
    this.#entries.set(key, entry);
    return entry;
  }

  entries(): IterableIterator<[string, LimiterEntry]> {
    return this.#entries.entries();
  }

  #makeRoom(nowMs: number): boolean {
    for (const [oldest, { limiter, pace }] of this.#entries) {
      if (!limiter.isIdle(nowMs, pace)) return false;
      this.#entries.delete(oldest);
      return true;
    }
    return true;
  }
}
