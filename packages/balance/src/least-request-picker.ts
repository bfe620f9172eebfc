// Least request: the one of two random endpoints that has fewer requests under way for its weight.

import type { EndpointState } from "./endpoint-state.ts";
import type { Picker, RandomSource } from "./picker.ts";
import { TwoChoices } from "./two-choices.ts";

function hasLess(a: EndpointState, b: EndpointState): boolean {
  return a.inflight * b.effectiveWeight < b.inflight * a.effectiveWeight;
}

/** Power of two choices over requests under way. */
export class LeastRequestPicker implements Picker {
  readonly wantsHash = false;
  readonly #choices: TwoChoices;

  constructor(random: RandomSource) {
    this.#choices = new TwoChoices(random);
  }

  pick<E extends EndpointState>(usable: readonly E[]): E | undefined {
    return this.#choices.pick(usable, hasLess);
  }

  weightsChanged(): void {
    this.#choices.forget();
  }
}
