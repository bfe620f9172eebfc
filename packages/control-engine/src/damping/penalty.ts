// Penalties that decay, as routers damp routes that flap (RFC 2439): each time an instance goes away costs 1; above a limit
// it is held down until the penalty has decayed, so that the more often it goes, the longer it is held.

/** A penalty as of a moment. */
export interface Penalty {
  readonly value: number;
  readonly atMs: number;
}

/** In which a penalty is halved. */
export const HALF_LIFE_MS = 60_000;
/** An instance is held down above this: four times within about 45 seconds, or five times within two minutes. */
export const HOLD_ABOVE = 3;
/** It is let go below this. */
export const RELEASE_BELOW = 1;
/** No penalty is greater: nobody is held for longer than four half-lives after it went away last. */
export const MAX_PENALTY = 16;

/** What is left at `nowMs`; a clock that went back takes nothing off. */
export function penaltyAt({ value, atMs }: Penalty, nowMs: number): number {
  return value * 2 ** (-Math.max(0, nowMs - atMs) / HALF_LIFE_MS);
}

/** The penalty after one more time. */
export function punished(before: Penalty | undefined, nowMs: number): Penalty {
  return { value: Math.min(MAX_PENALTY, (before === undefined ? 0 : penaltyAt(before, nowMs)) + 1), atMs: nowMs };
}

/** When it will be below RELEASE_BELOW. */
export function releaseMs({ value, atMs }: Penalty): number {
  return atMs + Math.max(0, Math.log2(value / RELEASE_BELOW)) * HALF_LIFE_MS;
}
