// Random choice by weight.

import type { EndpointState } from "./endpoint-state.ts";
import type { Picker, RandomSource } from "./picker.ts";

/** Picks each endpoint with the probability of its share of all weights. */
export class WeightedPicker implements Picker {
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  pick<E extends EndpointState>(usable: readonly E[], _nowMs: number): E | undefined {
    let total = 0;
    for (const endpoint of usable) total += endpoint.weight;
    let point = this.#random() * total;
    for (const endpoint of usable) {
      if (point < endpoint.weight) return endpoint;
      point -= endpoint.weight;
    }
    return usable[usable.length - 1];
  }
}
