// Counters of one side of one edge: totals, and the last ten seconds second by second.

import type { telemetry } from "@ripstop/model";

/** Upper bounds of the latency buckets of EdgeStats in milliseconds; the last bucket has none. */
export const LATENCY_BOUNDS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** Seconds that the sums of a window are of. */
export const WINDOW_S = 10;

const SLOTS = WINDOW_S;
const FIELDS = 4;
const BUCKETS = LATENCY_BOUNDS_MS.length + 1;
const WIDTH = FIELDS + BUCKETS;

/** Sums over the window. */
export interface WindowSums {
  readonly requests: number;
  readonly failures: number;
  readonly denied: number;
  readonly bytes: number;
  readonly latencyCounts: readonly number[];
}

/** A ring of ten one-second slots. */
export class EdgeWindow {
  readonly #values = new Float64Array(SLOTS * WIDTH);
  readonly #seconds = new Float64Array(SLOTS).fill(-1);
  requestsTotal = 0;
  deniedTotal = 0;
  failuresTotal = 0;
  mutualTls = true;
  readonly byVersion: Map<string, number> = new Map();

  /** Adds a report that came in at `second`. */
  add(stats: telemetry.EdgeStats, second: number): void {
    const slot = second % SLOTS;
    const base = slot * WIDTH;
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second;
      this.#values.fill(0, base, base + WIDTH);
    }
    // A TCP connection counts as a request of the graph.
    const requests = stats.requests + stats.connections;
    this.#bump(base, requests);
    this.#bump(base + 1, stats.failures);
    this.#bump(base + 2, stats.denied);
    this.#bump(base + 3, stats.bytesSent + stats.bytesReceived);
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      this.#bump(base + FIELDS + bucket, stats.latencyCounts[bucket] ?? 0);
    this.requestsTotal += requests;
    this.deniedTotal += stats.denied;
    this.failuresTotal += stats.failures;
    if (requests > 0) this.mutualTls = stats.mutualTls;
    if (stats.destinationVersion === "" || requests === 0) return;
    if (this.byVersion.has(stats.destinationVersion) || this.byVersion.size < 32) {
      this.byVersion.set(stats.destinationVersion, (this.byVersion.get(stats.destinationVersion) ?? 0) + requests);
    }
  }

  /** The ten seconds that end with `second`. */
  sums(second: number): WindowSums {
    const sums = new Float64Array(WIDTH);
    for (let slot = 0; slot < SLOTS; slot++) {
      const age = second - (this.#seconds[slot] ?? -1);
      if (age < 0 || age >= SLOTS || this.#seconds[slot] === -1) continue;
      for (let field = 0; field < WIDTH; field++)
        sums[field] = (sums[field] ?? 0) + (this.#values[slot * WIDTH + field] ?? 0);
    }
    const [requests = 0, failures = 0, denied = 0, bytes = 0, ...latencyCounts] = sums;
    return { requests, failures, denied, bytes, latencyCounts };
  }

  #bump(index: number, amount: number): void {
    // Reports are a peer's: a number that is none counts as nothing.
    if (amount > 0 && Number.isFinite(amount)) this.#values[index] = (this.#values[index] ?? 0) + amount;
  }
}

/** Estimate of the latency below which the share `q` of the counted requests lies, in milliseconds; 0 without any. */
export function quantileMs(latencyCounts: readonly number[], q: number): number {
  const total = latencyCounts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 0;
  let rest = total * q;
  for (const [bucket, count] of latencyCounts.entries()) {
    if (count > 0 && rest <= count) {
      const lower = LATENCY_BOUNDS_MS[bucket - 1] ?? 0;
      const upper = LATENCY_BOUNDS_MS[bucket] ?? lower * 2;
      return lower + (upper - lower) * (rest / count);
    }
    rest -= count;
  }
  return (LATENCY_BOUNDS_MS.at(-1) ?? 0) * 2;
}
