// Least request: the one of two random endpoints that has fewer requests under way for its weight.

import type { EndpointState } from "./endpoint-state.ts";
import type { Picker, RandomSource } from "./picker.ts";
import { pickOfTwo } from "./two-choices.ts";

function hasLess(a: EndpointState, b: EndpointState): boolean {
  return (a.inflight + 1) * b.weight < (b.inflight + 1) * a.weight;
}

/** Power of two choices over requests under way. */
export class LeastRequestPicker implements Picker {
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  pick<E extends EndpointState>(usable: readonly E[], _nowMs: number): E | undefined {
    return pickOfTwo(usable, this.#random, hasLess);
  }
}
