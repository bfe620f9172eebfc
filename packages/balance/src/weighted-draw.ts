// A random draw by weight: uniform at no cost while all weights are equal, by binary search otherwise.

import type { EndpointState } from "./endpoint-state.ts";
import type { RandomSource } from "./picker.ts";

/** Draws endpoints of one list at a time with the probability of their share of all effective weights. */
export class WeightedDraw {
  readonly #random: RandomSource;
  #list: readonly EndpointState[] | undefined = undefined;
  /** Running sums of the weights; undefined when they are all equal. */
  #sums: Float64Array | undefined = undefined;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** Forgets what was computed of the list. */
  forget(): void {
    this.#list = undefined;
  }

  /** Whether all endpoints of `list` have the same weight. */
  isUniform(list: readonly EndpointState[]): boolean {
    if (this.#list !== list) this.#prepare(list);
    return this.#sums === undefined;
  }

  /** Position of one endpoint; -1 when there is none. */
  draw(list: readonly EndpointState[]): number {
    if (this.#list !== list) this.#prepare(list);
    const count = list.length;
    const sums = this.#sums;
    if (sums === undefined) return count === 0 ? -1 : Math.floor(this.#random() * count);
    const point = this.#random() * (sums[count - 1] ?? 0);
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #prepare(list: readonly EndpointState[]): void {
    this.#list = list;
    this.#sums = undefined;
    const first = list[0]?.effectiveWeight ?? 0;
    if (list.every(({ effectiveWeight }) => effectiveWeight === first)) return;
    const sums = new Float64Array(list.length);
    let sum = 0;
    for (const [at, { effectiveWeight }] of list.entries()) sums[at] = sum += effectiveWeight;
    this.#sums = sums;
  }
}
