// What the outcomes of a simulation come to.

import type { Outcome } from "./simulation.ts";

/** One run in a few numbers. */
export interface Figures {
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of failed requests, 0 ... 1. */
  readonly failed: number;
  /** Share that stayed in the caller's zone, 0 ... 1. */
  readonly sameZone: number;
}

/** The figures of `outcomes`; of those that succeeded for the times. */
export function figuresOf(outcomes: readonly Outcome[]): Figures {
  const times = outcomes.filter(({ failed }) => !failed).map(({ tookMs }) => tookMs);
  times.sort((a, b) => a - b);
  const share = (is: (outcome: Outcome) => boolean): number =>
    outcomes.filter(is).length / Math.max(1, outcomes.length);
  return {
    requests: outcomes.length,
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
    failed: share(({ failed }) => failed),
    sameZone: share(({ sameZone }) => sameZone),
  };
}

/** Figures of each interval of `stepS` seconds, by the starts of the requests. */
export function seriesOf(outcomes: readonly Outcome[], seconds: number, stepS: number): readonly Figures[] {
  const steps = Array.from({ length: Math.floor(seconds / stepS) }, (): Outcome[] => []);
  for (const outcome of outcomes) steps[Math.floor(outcome.startedMs / 1000 / stepS)]?.push(outcome);
  return steps.map(figuresOf);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
