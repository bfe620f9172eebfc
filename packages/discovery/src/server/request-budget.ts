// Bounds what one stream may ask of the server: a leaky bucket over requests and the names in them.

import type { Clock } from "@ripstop/core";

const NAMES_PER_SECOND = 20_000;
const BURST = 100_000;

/** What one stream may still ask for. */
export class RequestBudget {
  readonly #clock: Clock;
  #left: number = BURST;
  #atMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  /** Spends one request with `names` names; false when that is more than 20 000 a second after a burst of 100 000. */
  spend(names: number): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#left = Math.min(BURST, this.#left + ((nowMs - this.#atMs) * NAMES_PER_SECOND) / 1000);
    this.#atMs = nowMs;
    this.#left -= names + 1;
    return this.#left >= 0;
  }
}
