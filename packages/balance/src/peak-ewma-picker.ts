// Peak EWMA, the default: the one of two random endpoints whose latency times queue is smaller (as in Finagle and Linkerd).

import type { EndpointState } from "./endpoint-state.ts";
import type { Picker, RandomSource } from "./picker.ts";
import { TwoChoices } from "./two-choices.ts";

/** Power of two choices over expected cost. */
export class PeakEwmaPicker implements Picker {
  readonly wantsHash = false;
  readonly #choices: TwoChoices;
  #nowMs = 0;
  readonly #isCheaper = (a: EndpointState, b: EndpointState): boolean => a.cost(this.#nowMs) < b.cost(this.#nowMs);

  constructor(random: RandomSource) {
    this.#choices = new TwoChoices(random);
  }

  pick<E extends EndpointState>(usable: readonly E[], nowMs: number): E | undefined {
    this.#nowMs = nowMs;
    return this.#choices.pick(usable, this.#isCheaper);
  }

  weightsChanged(): void {
    this.#choices.forget();
  }
}
