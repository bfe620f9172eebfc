// Sums of what mirrors and the services that they shadow answered: added up over reports, callers and control planes.

import type { MirrorView, StatusCount, telemetry } from "@ripstop/model";

import { LATENCY_BOUNDS_MS, quantileMs } from "../telemetry/edge-window.ts";

/** The sums of one pair. */
export type MirrorSums = Omit<telemetry.MirrorStats, "source" | "primary" | "mirror">;

/** One pair, as control planes tell each other. */
export interface MirrorPair extends MirrorSums {
  /** "NAMESPACE/NAME" of the calling service; "" for all together. */
  readonly source: string;
  readonly primary: string;
  readonly mirror: string;
}

const LATENCIES = LATENCY_BOUNDS_MS.length + 1;
/** In the order of MirrorStats. */
const CLASSES: readonly StatusCount["class"][] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/** Both together. */
export function addMirrorSums(a: MirrorSums, b: MirrorSums): MirrorSums {
  return {
    compared: a.compared + b.compared,
    statusDiffers: a.statusDiffers + b.statusDiffers,
    bodiesCompared: a.bodiesCompared + b.bodiesCompared,
    bodiesDiffer: a.bodiesDiffer + b.bodiesDiffer,
    primaryFailures: a.primaryFailures + b.primaryFailures,
    mirrorFailures: a.mirrorFailures + b.mirrorFailures,
    primaryStatusCounts: addCounts(a.primaryStatusCounts, b.primaryStatusCounts, CLASSES.length),
    mirrorStatusCounts: addCounts(a.mirrorStatusCounts, b.mirrorStatusCounts, CLASSES.length),
    primaryLatencyCounts: addCounts(a.primaryLatencyCounts, b.primaryLatencyCounts, LATENCIES),
    mirrorLatencyCounts: addCounts(a.mirrorLatencyCounts, b.mirrorLatencyCounts, LATENCIES),
  };
}

/** Pairs with the same names put together, by caller, service and mirror; `callersTogether`: whoever calls. */
export function mergeMirrors(pairs: Iterable<MirrorPair>, callersTogether: boolean): readonly MirrorView[] {
  const merged = new Map<string, MirrorPair>();
  for (const pair of pairs) {
    const named = callersTogether ? { ...pair, source: "" } : pair;
    const key = JSON.stringify([named.source, named.primary, named.mirror]);
    const before = merged.get(key);
    merged.set(key, before === undefined ? named : { ...named, ...addMirrorSums(before, named) });
  }
  return [...merged].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pair]) => viewOf(pair));
}

function addCounts(a: readonly number[], b: readonly number[], length: number): number[] {
  return Array.from({ length }, (_, at) => (a[at] ?? 0) + (b[at] ?? 0));
}

function viewOf({
  primaryStatusCounts,
  mirrorStatusCounts,
  primaryLatencyCounts,
  mirrorLatencyCounts,
  ...pair
}: MirrorPair): MirrorView {
  return {
    ...pair,
    primaryStatuses: statusesOf(primaryStatusCounts),
    mirrorStatuses: statusesOf(mirrorStatusCounts),
    primaryP50Ms: quantileMs(primaryLatencyCounts, 0.5),
    primaryP95Ms: quantileMs(primaryLatencyCounts, 0.95),
    primaryP99Ms: quantileMs(primaryLatencyCounts, 0.99),
    mirrorP50Ms: quantileMs(mirrorLatencyCounts, 0.5),
    mirrorP95Ms: quantileMs(mirrorLatencyCounts, 0.95),
    mirrorP99Ms: quantileMs(mirrorLatencyCounts, 0.99),
  };
}

/** "none" last. */
function statusesOf(counts: readonly number[]): readonly StatusCount[] {
  const all = CLASSES.map((name, at) => ({ class: name, count: counts[at] ?? 0 }));
  return [...all.slice(1), ...all.slice(0, 1)].filter(({ count }) => count > 0);
}
