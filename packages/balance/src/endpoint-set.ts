// The endpoints of one service with their picker and outlier detector: who may get a request now, and who gets it.

import type { EndpointState } from "./endpoint-state.ts";
import type { OutlierDetector } from "./outlier-detector.ts";
import type { Picker } from "./picker.ts";

/** The parts of a set. */
export interface EndpointSetOptions {
  readonly picker: Picker;
  readonly outliers: OutlierDetector;
}

const DRAWS = 4;

/** A changing set of endpoints. */
export class EndpointSet<E extends EndpointState> {
  readonly #picker: Picker;
  readonly #outliers: OutlierDetector;
  #all: readonly E[] = [];
  #usable: E[] = [];
  /** Monotonic time at which the next ejected endpoint returns. */
  #nextReturnMs = Infinity;
  #ejected = 0;

  constructor(options: EndpointSetOptions) {
    this.#picker = options.picker;
    this.#outliers = options.outliers;
  }

  /** Every endpoint, usable or not. */
  get all(): readonly E[] {
    return this.#all;
  }

  /** Those that requests go to now: healthy and not ejected; when that leaves none, all healthy ones. */
  get usable(): readonly E[] {
    return this.#usable;
  }

  /** Replaces the set; endpoints that stay keep their state because they are the same objects. */
  replace(endpoints: readonly E[], nowMs: number): void {
    // A newcomer starts with the average latency of those that are known, so that it is neither flooded nor starved.
    let sum = 0;
    let known = 0;
    for (const endpoint of this.#all) {
      if (endpoint.latencyAtMs === 0) continue;
      sum += endpoint.latencyMs;
      known++;
    }
    for (const endpoint of endpoints) {
      if (endpoint.latencyAtMs === 0 && known > 0) {
        endpoint.latencyMs = sum / known;
        endpoint.latencyAtMs = nowMs;
      }
    }
    this.#all = endpoints;
    this.#refresh(nowMs);
  }

  /**
   * The endpoint for a request that was tried on `tried` already: another one while there is one, undefined when none is
   * healthy.
   */
  pick(nowMs: number, tried: readonly E[]): E | undefined {
    if (nowMs >= this.#nextReturnMs) this.#refresh(nowMs);
    const usable = this.#usable;
    let chosen = this.#picker.pick(usable, nowMs);
    if (tried.length === 0 || chosen === undefined) return chosen;
    for (let draw = 0; draw < DRAWS && chosen !== undefined && tried.includes(chosen); draw++) {
      chosen = this.#picker.pick(usable, nowMs);
    }
    if (chosen !== undefined && !tried.includes(chosen)) return chosen;
    for (const endpoint of usable) if (!tried.includes(endpoint)) return endpoint;
    return chosen;
  }

  /** The endpoint answered. */
  recordSuccess(endpoint: E, nowMs: number): void {
    this.#outliers.recordSuccess(endpoint, nowMs);
  }

  /** The endpoint failed; returns whether that ejected it. */
  recordFailure(endpoint: E, nowMs: number): boolean {
    if (nowMs >= this.#nextReturnMs) this.#refresh(nowMs);
    const ejected = this.#outliers.recordFailure(endpoint, nowMs, this.#ejected, this.#all.length);
    if (ejected) this.#refresh(nowMs);
    return ejected;
  }

  #refresh(nowMs: number): void {
    const healthy: E[] = [];
    const usable: E[] = [];
    this.#nextReturnMs = Infinity;
    this.#ejected = 0;
    for (const endpoint of this.#all) {
      if (endpoint.ejectedUntilMs !== 0) {
        if (nowMs >= endpoint.ejectedUntilMs) {
          endpoint.ejectedUntilMs = 0;
        } else {
          this.#ejected++;
          this.#nextReturnMs = Math.min(this.#nextReturnMs, endpoint.ejectedUntilMs);
        }
      }
      if (!endpoint.healthy || endpoint.weight <= 0) continue;
      healthy.push(endpoint);
      if (endpoint.ejectedUntilMs === 0) usable.push(endpoint);
    }
    this.#usable = usable.length > 0 ? usable : healthy;
  }
}
