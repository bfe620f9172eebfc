// Long work of one request in slices, so that streams, heartbeats and other requests are served meanwhile.

import { sleep, type Clock } from "@ripstop/core";

/** Several things may be done in slices in one turn of the event loop: each leaves room for the others. */
export const SLICE_MS = 5;

/**
 * Runs a generator that stops at each of its steps, and lets the event loop turn whenever 5 ms have gone by. What it
 * reads may change between two steps. Without a clock everything is done at once.
 */
export async function inSlices<T>(work: Generator<undefined, T>, clock: Clock | undefined): Promise<T> {
  let endMs = (clock?.monotonicMs() ?? 0) + SLICE_MS;
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    if (clock === undefined || clock.monotonicMs() < endMs) continue;
    await sleep(clock, 0);
    endMs = clock.monotonicMs() + SLICE_MS;
  }
}

/** Runs a generator that stops at each of its steps, without a stop. */
export function atOnce<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
