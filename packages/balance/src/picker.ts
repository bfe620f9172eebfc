// What every picker implements.

import type { EndpointState } from "./endpoint-state.ts";

/** Numbers in [0, 1). */
export type RandomSource = () => number;

/** Chooses one of several endpoints. A picker may keep state between calls but holds no endpoint. */
export interface Picker {
  /**
   * The endpoint for the next request, or undefined when `usable` is empty. Every member of `usable` has a weight above 0.
   * `nowMs` is monotonic.
   */
  pick<E extends EndpointState>(usable: readonly E[], nowMs: number): E | undefined;
}
