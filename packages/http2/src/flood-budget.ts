// A leaky bucket that says when a peer does something too often, measured against the useful work it brings.

import type { Budget } from "./limits.ts";

/** Fills by `spend`, leaks with time. */
export class FloodBudget {
  readonly #budget: Budget;
  #level = 0;
  #atMs = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Useful work was done: `count` fewer than before. */
  earn(count: number): void {
    if (this.#level > 0) this.#level = Math.max(0, this.#level - count);
  }

  /** One more at `nowMs` (monotonic). False when that is too many. */
  spend(nowMs: number): boolean {
    const leaked = ((nowMs - this.#atMs) * this.#budget.perSecond) / 1000;
    this.#level = Math.max(0, this.#level - leaked) + 1;
    this.#atMs = nowMs;
    return this.#level <= this.#budget.burst;
  }
}
