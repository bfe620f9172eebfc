// What every picker implements.

import type { EndpointState } from "./endpoint-state.ts";

/** Numbers in [0, 1). */
export type RandomSource = () => number;

/** Chooses one of several endpoints. A picker may remember what it computed of one list, and holds no other endpoint. */
export interface Picker {
  /** It chooses by the hash of the request: callers need to compute one only then. */
  readonly wantsHash: boolean;
  /**
   * The endpoint for the next request, or undefined when `usable` is empty. Every member of `usable` has a weight above 0.
   * `nowMs` is monotonic; `hash` is that of the request, 0 … 2^32 - 1. A list is never changed but for its weights.
   */
  pick<E extends EndpointState>(usable: readonly E[], nowMs: number, hash: number): E | undefined;
  /** The effective weights of the list changed. */
  weightsChanged?(): void;
}
