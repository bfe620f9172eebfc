// The power of two choices (Mitzenmacher, 2001): the better of two random endpoints is nearly as good as the best of all.

import type { EndpointState } from "./endpoint-state.ts";
import type { RandomSource } from "./picker.ts";
import { WeightedDraw } from "./weighted-draw.ts";

/** Draws two endpoints and takes the better one. */
export class TwoChoices {
  readonly #random: RandomSource;
  readonly #draw: WeightedDraw;

  constructor(random: RandomSource) {
    this.#random = random;
    this.#draw = new WeightedDraw(random);
  }

  /** Forgets what was computed of the weights. */
  forget(): void {
    this.#draw.forget();
  }

  /**
   * The one of two that `better` says; the first one drawn when neither is. With equal weights the two are different;
   * with others each is drawn by its weight, so that equally good endpoints get exactly their shares.
   */
  pick<E extends EndpointState>(
    usable: readonly E[],
    better: (a: EndpointState, b: EndpointState) => boolean,
  ): E | undefined {
    const count = usable.length;
    if (count <= 1) return usable[0];
    const at = this.#draw.draw(usable);
    let other: number;
    if (this.#draw.isUniform(usable)) {
      other = Math.floor(this.#random() * (count - 1));
      if (other >= at) other++;
    } else other = this.#draw.draw(usable);
    const a = usable[at];
    const b = usable[other];
    if (a === undefined || b === undefined) return a ?? b;
    return better(b, a) ? b : a;
  }
}
