// Random choice by weight.

import type { EndpointState } from "./endpoint-state.ts";
import type { Picker, RandomSource } from "./picker.ts";
import { WeightedDraw } from "./weighted-draw.ts";

/** Picks each endpoint with the probability of its share of all weights. */
export class WeightedPicker implements Picker {
  readonly wantsHash = false;
  readonly #draw: WeightedDraw;

  constructor(random: RandomSource) {
    this.#draw = new WeightedDraw(random);
  }

  pick<E extends EndpointState>(usable: readonly E[]): E | undefined {
    return usable[this.#draw.draw(usable)];
  }

  weightsChanged(): void {
    this.#draw.forget();
  }
}
