// The power of two choices (Mitzenmacher, 2001): the better of two random endpoints is nearly as good as the best of all.

import type { EndpointState } from "./endpoint-state.ts";
import type { RandomSource } from "./picker.ts";

/** Calls `better` on two different random endpoints and returns its choice. */
export function pickOfTwo<E extends EndpointState>(
  usable: readonly E[],
  random: RandomSource,
  better: (a: EndpointState, b: EndpointState) => boolean,
): E | undefined {
  const count = usable.length;
  if (count <= 1) return usable[0];
  const at = Math.floor(random() * count);
  let other = Math.floor(random() * (count - 1));
  if (other >= at) other++;
  const a = usable[at];
  const b = usable[other];
  if (a === undefined || b === undefined) return a ?? b;
  return better(b, a) ? b : a;
}
