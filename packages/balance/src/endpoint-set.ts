// The endpoints of one service with their pickers and outlier detector: who may get a request now, and who gets it.

import { adaptWeights, slowStartFactor } from "./adaptive-weights.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { mix32 } from "./hash32.ts";
import {
  LevelCapacity,
  levelCount,
  levelOf,
  levelShares,
  LEVELS,
  MAX_TIERS,
  type LocalityOptions,
} from "./locality-levels.ts";
import type { OutlierDetector } from "./outlier-detector.ts";
import type { Picker, RandomSource } from "./picker.ts";

/** The parts of a set. */
export interface EndpointSetOptions {
  /** Makes the picker of one group of endpoints: a level of localities, or a subset. */
  readonly picker: () => Picker;
  readonly outliers: OutlierDetector;
  /** Chooses between levels. */
  readonly random: RandomSource;
}

/** Settings that may change while the set is in use. Absent ones are off. */
export interface BalanceSettings {
  readonly locality?: LocalityOptions;
  /** Endpoints that come, or come back, get their share little by little. */
  readonly slowStart?: { readonly windowMs: number; readonly aggression: number };
  /** Below this share of usable endpoints all healthy ones are used, ejected or not; 0 ... 1, default 0: when none is left. */
  readonly panicShare?: number;
  readonly adaptive?: boolean;
  /** A request with a subset key that no endpoint has goes nowhere, instead of anywhere. */
  readonly strictSubsets?: boolean;
}

/** What a request is balanced by, beside the state of the endpoints. */
export interface RequestKey {
  /** 0 ... 2^32 - 1. */
  readonly hash: number;
  /** Value that the subset label must have; "" for any. */
  readonly subset: string;
}

/** For a request without any key. */
export const NO_KEY: RequestKey = { hash: 0, subset: "" };

const DRAWS = 4;
/** How often weights and capacities are looked at, while something wants it. */
const TICK_MS = 500;
/** A probe that nobody heard of for so long is lost: the next one may follow. */
const PROBE_LOST_MS = 5_000;

/** Endpoints that one picker chooses from. */
interface Group<E> {
  readonly endpoints: readonly E[];
  readonly picker: Picker;
  /** Share of the requests, 0 ... 1. */
  share: number;
}

/** A changing set of endpoints. */
export class EndpointSet<E extends EndpointState> {
  readonly #outliers: OutlierDetector;
  readonly #random: RandomSource;
  #makePicker: () => Picker;
  #settings: BalanceSettings = {};
  #all: readonly E[] = [];
  #usable: readonly E[] = [];
  #groups: readonly Group<E>[] = [];
  readonly #subsets = new Map<string, readonly Group<E>[]>();
  readonly #capacities = Array.from({ length: LEVELS * MAX_TIERS }, () => new LevelCapacity());
  /** Endpoints whose ejection is over and that have not answered since. */
  #probing: readonly E[] = [];
  /** Monotonic time of the next look at everything. */
  #nextLookMs = Infinity;
  #tickAtMs = 0;
  #judgedAtMs = 0;
  #out = 0;
  #wantsHash: boolean;
  #panicking = false;

  constructor(options: EndpointSetOptions) {
    this.#makePicker = options.picker;
    this.#outliers = options.outliers;
    this.#random = options.random;
    this.#wantsHash = options.picker().wantsHash;
  }

  /** Every endpoint, usable or not. */
  get all(): readonly E[] {
    return this.#all;
  }

  /** Those that requests go to now: healthy, not ejected, not resting; when that leaves too few, all healthy ones. */
  get usable(): readonly E[] {
    return this.#usable;
  }

  /** The hash of a request's key is used. */
  get wantsHash(): boolean {
    return this.#wantsHash;
  }

  /** So few endpoints are usable that all healthy ones are used. */
  get panicking(): boolean {
    return this.#panicking;
  }

  /** Shares of the levels of localities that have endpoints, nearest first. */
  get shares(): readonly number[] {
    return this.#groups.map(({ share }) => share);
  }

  /** Balances in another way from now on. `picker` absent: the same pickers. */
  configure(settings: BalanceSettings, nowMs: number, picker?: () => Picker): void {
    this.#settings = settings;
    if (picker !== undefined) {
      this.#makePicker = picker;
      this.#wantsHash = picker().wantsHash;
      this.#groups = [];
      this.#subsets.clear();
    }
    if (settings.adaptive !== true) for (const endpoint of this.#all) endpoint.adaptiveFactor = 1;
    this.#look(nowMs);
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
    const isFirst = this.#all.length === 0;
    for (const endpoint of endpoints) {
      // The first ones share alike: nobody is there to carry the load while they warm up.
      if (isFirst) endpoint.wasUsable = endpoint.healthy;
      if (endpoint.latencyAtMs === 0 && known > 0) {
        endpoint.latencyMs = sum / known;
        endpoint.latencyAtMs = nowMs;
      }
    }
    this.#all = endpoints;
    this.#look(nowMs);
  }

  /** Health of an endpoint changed, or it wants to rest. */
  changed(nowMs: number): void {
    this.#look(nowMs);
  }

  /**
   * The endpoint for a request that was tried on `tried` already: another one while there is one, undefined when none is
   * healthy, or none of the subset that the request wants.
   */
  pick(nowMs: number, tried: readonly E[], key: RequestKey = NO_KEY): E | undefined {
    if (nowMs >= this.#nextLookMs) this.#look(nowMs);
    if (this.#probing.length > 0 && tried.length === 0 && key.subset === "") {
      const probe = this.#probe(nowMs);
      if (probe !== undefined) return probe;
    }
    const groups = key.subset === "" ? this.#groups : this.#subset(key.subset);
    const group = groups.length === 1 ? groups[0] : this.#draw(groups);
    if (group === undefined) return undefined;
    let chosen = group.picker.pick(group.endpoints, nowMs, key.hash);
    if (tried.length === 0 || chosen === undefined) return chosen;
    for (let draw = 0; draw < DRAWS && chosen !== undefined && tried.includes(chosen); draw++)
      chosen = group.picker.pick(group.endpoints, nowMs, mix32(key.hash + tried.length + draw));
    if (chosen !== undefined && !tried.includes(chosen)) return chosen;
    for (const endpoint of group.endpoints) if (!tried.includes(endpoint)) return endpoint;
    for (const other of groups) for (const endpoint of other.endpoints) if (!tried.includes(endpoint)) return endpoint;
    return chosen;
  }

  /** The endpoint answered. */
  recordSuccess(endpoint: E, nowMs: number): void {
    this.#outliers.recordSuccess(endpoint, nowMs);
    if (!endpoint.probing) return;
    endpoint.probing = false;
    endpoint.probeSentMs = 0;
    this.#look(nowMs);
  }

  /** The endpoint failed, `connecting` or later; returns whether that ejected it. */
  recordFailure(endpoint: E, nowMs: number, connecting = false): boolean {
    if (nowMs >= this.#nextLookMs) this.#look(nowMs);
    const ejected = this.#outliers.recordFailure(endpoint, {
      nowMs,
      connecting,
      out: this.#out,
      total: this.#all.length,
    });
    if (ejected) this.#look(nowMs);
    return ejected;
  }

  /** One request finds out whether an endpoint is well again. */
  #probe(nowMs: number): E | undefined {
    for (const endpoint of this.#probing) {
      if (!endpoint.healthy || !endpoint.checkedHealthy || endpoint.weight <= 0) continue;
      if (endpoint.probeSentMs !== 0 && nowMs - endpoint.probeSentMs < PROBE_LOST_MS) continue;
      endpoint.probeSentMs = nowMs;
      return endpoint;
    }
    return undefined;
  }

  #draw(groups: readonly Group<E>[]): Group<E> | undefined {
    let point = this.#random();
    for (const group of groups) {
      if (point < group.share) return group;
      point -= group.share;
    }
    return groups.findLast(({ share }) => share > 0) ?? groups[0];
  }

  #subset(value: string): readonly Group<E>[] {
    const known = this.#subsets.get(value);
    if (known !== undefined) return known;
    const members = this.#usable.filter(({ subset }) => subset === value);
    // Only values that endpoints have are remembered: what requests ask for has no bound.
    if (members.length === 0) return this.#settings.strictSubsets === true ? [] : this.#groups;
    const groups = this.#group(
      members,
      this.#all.filter(({ subset }) => subset === value),
      [],
    );
    this.#subsets.set(value, groups);
    return groups;
  }

  /** Looks at every endpoint: who returns, who is usable, with what weight, in which group. */
  #look(nowMs: number): void {
    const { slowStart, adaptive = false, panicShare = 0 } = this.#settings;
    this.#judge(nowMs);
    const isTick = nowMs - this.#tickAtMs >= TICK_MS;
    const sinceTick = nowMs - this.#tickAtMs;
    if (isTick) this.#tickAtMs = nowMs;
    let nextMs = Infinity;
    const healthy: E[] = [];
    const usable: E[] = [];
    const probing: E[] = [];
    this.#out = 0;
    let warming = false;
    for (const endpoint of this.#all) {
      if (endpoint.ejectedUntilMs !== 0 && nowMs >= endpoint.ejectedUntilMs) {
        endpoint.ejectedUntilMs = 0;
        endpoint.probing = true;
      }
      if (endpoint.restUntilMs !== 0 && nowMs >= endpoint.restUntilMs) endpoint.restUntilMs = 0;
      if (endpoint.ejectedUntilMs !== 0) nextMs = Math.min(nextMs, endpoint.ejectedUntilMs);
      if (endpoint.restUntilMs !== 0) nextMs = Math.min(nextMs, endpoint.restUntilMs);
      if (endpoint.probing) probing.push(endpoint);
      const isOut = endpoint.ejectedUntilMs !== 0 || endpoint.probing;
      if (isOut) this.#out++;
      const wasUsable = endpoint.wasUsable;
      endpoint.wasUsable = false;
      if (!endpoint.healthy || endpoint.weight <= 0) continue;
      healthy.push(endpoint);
      if (isOut || !endpoint.checkedHealthy) continue;
      // Who only rested is still warm.
      endpoint.wasUsable = true;
      if (!wasUsable) endpoint.joinedMs = nowMs;
      if (slowStart !== undefined && nowMs - endpoint.joinedMs < slowStart.windowMs) warming = true;
      if (endpoint.restUntilMs === 0) usable.push(endpoint);
    }
    this.#probing = probing;
    this.#panicking = healthy.length > 0 && (usable.length === 0 || usable.length < healthy.length * panicShare);
    const chosen = this.#panicking ? healthy : usable;
    if (adaptive && isTick) adaptWeights(chosen, nowMs, sinceTick);
    for (const endpoint of chosen) {
      endpoint.effectiveWeight = endpoint.weight * endpoint.adaptiveFactor;
      if (slowStart !== undefined)
        endpoint.effectiveWeight *= slowStartFactor(
          nowMs - endpoint.joinedMs,
          slowStart.windowMs,
          slowStart.aggression,
        );
    }
    this.#usable = sameMembers(this.#usable, chosen) ? this.#usable : chosen;
    const { locality } = this.#settings;
    if (isTick && locality !== undefined) {
      for (const [level, capacity] of this.#capacities.entries())
        capacity.step(
          chosen.filter((endpoint) => levelOf(endpoint, locality) === level),
          locality,
        );
    }
    this.#groups = this.#group(this.#usable, this.#all, this.#groups);
    this.#subsets.clear();
    if (warming || adaptive || locality !== undefined) nextMs = Math.min(nextMs, nowMs + TICK_MS);
    const { statistics } = this.#outliers.options;
    if (statistics !== undefined) nextMs = Math.min(nextMs, this.#judgedAtMs + statistics.intervalMs);
    this.#nextLookMs = nextMs;
  }

  /** Ejects those that stand out, once an interval. */
  #judge(nowMs: number): void {
    const { statistics } = this.#outliers.options;
    if (statistics === undefined || nowMs - this.#judgedAtMs < statistics.intervalMs) return;
    this.#judgedAtMs = nowMs;
    for (const endpoint of this.#outliers.findOutliers(this.#all)) {
      if (this.#outliers.tryEject(endpoint, { nowMs, out: this.#out, total: this.#all.length })) this.#out++;
    }
  }

  /** One group a level of localities; those of `before` with the same members stay, with what their pickers know. */
  #group(usable: readonly E[], all: readonly E[], before: readonly Group<E>[]): readonly Group<E>[] {
    const { locality } = this.#settings;
    const levels: E[][] = Array.from({ length: levelCount(all) }, () => []);
    const totals = levels.map(() => 0);
    for (const endpoint of usable) levels[levelOf(endpoint, locality)]?.push(endpoint);
    for (const endpoint of all) {
      const level = levelOf(endpoint, locality);
      totals[level] = (totals[level] ?? 0) + endpoint.weight;
    }
    const shares = levelShares(
      levels.map((members, level) => ({
        total: totals[level] ?? 0,
        usable: members.reduce((sum, { weight }) => sum + weight, 0),
        capacity: locality === undefined ? 1 : (this.#capacities[level]?.value ?? 1),
      })),
    );
    const groups: Group<E>[] = [];
    for (const [level, members] of levels.entries()) {
      if (members.length === 0) continue;
      setRelativeWeights(members);
      const share = shares[level] ?? 0;
      const known = before.find(({ endpoints }) => sameMembers(endpoints, members));
      if (known === undefined) {
        groups.push({ endpoints: members, picker: this.#makePicker(), share });
      } else {
        known.share = share;
        known.picker.weightsChanged?.();
        groups.push(known);
      }
    }
    return groups;
  }
}

function sameMembers<E>(a: readonly E[], b: readonly E[]): boolean {
  return a.length === b.length && a.every((endpoint, at) => endpoint === b[at]);
}

function setRelativeWeights(members: readonly EndpointState[]): void {
  let sum = 0;
  for (const { effectiveWeight } of members) sum += effectiveWeight;
  const mean = sum / members.length;
  for (const endpoint of members) endpoint.relativeWeight = endpoint.effectiveWeight / mean;
}
