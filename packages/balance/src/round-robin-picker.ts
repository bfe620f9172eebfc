// Round robin with weights, spread smoothly: an endpoint of weight 3 beside one of weight 1 gets a a b a, not a a a b.

import type { EndpointState } from "./endpoint-state.ts";
import type { Picker } from "./picker.ts";

/** Each in turn, by weight. */
export class RoundRobinPicker implements Picker {
  readonly wantsHash = false;

  pick<E extends EndpointState>(usable: readonly E[]): E | undefined {
    let total = 0;
    let best: E | undefined;
    for (const endpoint of usable) {
      total += endpoint.effectiveWeight;
      endpoint.credit += endpoint.effectiveWeight;
      if (best === undefined || endpoint.credit > best.credit) best = endpoint;
    }
    if (best !== undefined) best.credit -= total;
    return best;
  }
}
