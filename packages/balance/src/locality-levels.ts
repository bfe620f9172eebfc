// Near before far: which share of the requests each level of localities gets. A level that loses health or runs out of
// capacity passes the rest on to the next one (the overflow rule is that of Envoy's priorities).

import type { EndpointState } from "./endpoint-state.ts";

/** Where the caller is, and how it treats endpoints elsewhere. */
export interface LocalityOptions {
  readonly region: string;
  /** "" when the caller's is not known: then all endpoints are alike. */
  readonly zone: string;
  /** Requests under way from this caller that an endpoint of a level has on average when the level is full. */
  readonly maxInflight: number;
  /** Utilization (ORCA) that a level has on average when it is full, 0 ... 1. */
  readonly targetUtilization: number;
}

/** Levels of each tier of priority: the caller's zone, its region, everything else. */
export const LEVELS = 3;
/** Tiers of priority that are told apart. */
export const MAX_TIERS = 8;
/** A level may lose this share of its endpoints and still carry its whole load: 1 / 1.4. */
const SPARE = 1.4;
const GROW = 0.05;
const SHRINK_AT_MOST = 0.7;
const LEAST_CAPACITY = 0.05;

/**
 * Within its tier 0 for the caller's zone, 1 for its region, 2 for elsewhere; 0 when either place is not known. A tier comes
 * after all levels of those before it.
 */
export function levelOf(endpoint: EndpointState, options: LocalityOptions | undefined): number {
  return endpoint.priority * LEVELS + placeOf(endpoint, options);
}

function placeOf(endpoint: EndpointState, options: LocalityOptions | undefined): number {
  if (options === undefined || options.zone === "" || endpoint.zone === "") return 0;
  if (endpoint.region !== options.region) return 2;
  return endpoint.zone === options.zone ? 0 : 1;
}

/** How many levels the tiers of these endpoints have. */
export function levelCount(endpoints: readonly EndpointState[]): number {
  let last = 0;
  for (const { priority } of endpoints) if (priority > last) last = priority;
  return (last + 1) * LEVELS;
}

/** What is known of one level. */
export interface LevelHealth {
  /** Weight of its endpoints in all, and of the usable ones. */
  readonly total: number;
  readonly usable: number;
  /** Share of its load that it can carry, as `LevelCapacity` found, 0 ... 1. */
  readonly capacity: number;
}

/** Shares of the requests, in the order of the levels; they sum up to 1, or are all 0 when no level has an endpoint. */
export function levelShares(levels: readonly LevelHealth[]): number[] {
  const health = levels.map(({ total, usable }) => (total === 0 ? 0 : Math.min(1, (SPARE * usable) / total)));
  const shares = health.map(() => 0);
  let left = 1;
  for (const [at, level] of levels.entries()) {
    const share = Math.min(left, (health[at] ?? 0) * level.capacity);
    shares[at] = share;
    left -= share;
  }
  const sum = health.reduce((all, value) => all + value, 0);
  if (left < 1e-9 || sum === 0) return shares;
  // Nobody has room for the rest: everybody gets of it by what is healthy.
  return shares.map((share, at) => share + (left * (health[at] ?? 0)) / sum);
}

/** Finds out how much a level can carry, by looking at how busy it is. */
export class LevelCapacity {
  /** 0.05 ... 1. */
  value = 1;
  #inflight = 0;

  /** One look; to be called at even intervals. */
  step(usable: readonly EndpointState[], options: LocalityOptions): void {
    if (usable.length === 0) return;
    let inflight = 0;
    let utilization = 0;
    let reports = 0;
    for (const endpoint of usable) {
      inflight += endpoint.inflight;
      if (endpoint.utilization === 0) continue;
      utilization += endpoint.utilization;
      reports++;
    }
    this.#inflight += (inflight / usable.length - this.#inflight) / 2;
    let pressure = this.#inflight / options.maxInflight;
    if (reports > 0) pressure = Math.max(pressure, utilization / reports / options.targetUtilization);
    this.value =
      pressure > 1
        ? Math.max(LEAST_CAPACITY, this.value * Math.max(SHRINK_AT_MOST, 1 / pressure))
        : Math.min(1, this.value + GROW * (1 - pressure));
  }
}
