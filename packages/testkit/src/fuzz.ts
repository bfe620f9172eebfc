// A time-boxed fuzzer for `*.fuzz.ts` files. Every input follows from one seed, and a failure prints that seed.

import { systemClock } from "@ripstop/core";

/** Random numbers that follow from a seed (mulberry32). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 to `below` − 1. */
  integer(below: number): number {
    return Math.floor(this.next() * below);
  }

  /** One of the values, which must not be empty. */
  pick<T>(values: readonly T[]): T {
    const value = values[this.integer(values.length)];
    if (value === undefined) throw new Error("nothing to pick from");
    return value;
  }

  /** `length` random bytes. */
  bytes(length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) buffer[at] = this.integer(256);
    return buffer;
  }
}

/**
 * Calls `body` with fresh random numbers until the time box ends (RIPSTOP_FUZZ_SECONDS, default 5); RIPSTOP_FUZZ_SEED
 * repeats one input. Whatever `body` throws is a finding: the seed is printed and the process ends with 1.
 */
export function fuzz(name: string, body: (random: SeededRandom) => void): void {
  const once = process.env["RIPSTOP_FUZZ_SEED"];
  const seconds = Number(process.env["RIPSTOP_FUZZ_SECONDS"] ?? "5");
  const end = systemClock.monotonicMs() + seconds * 1000;
  let seed = once === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(once);
  let runs = 0;
  do {
    try {
      body(new SeededRandom(seed));
    } catch (error) {
      process.stdout.write(
        `${name}: failed with RIPSTOP_FUZZ_SEED=${seed}\n${error instanceof Error ? error.stack : String(error)}\n`,
      );
      process.exit(1);
    }
    runs++;
    seed++;
  } while (once === undefined && systemClock.monotonicMs() < end);
  process.stdout.write(`${name}: ${runs} inputs, no finding\n`);
}
