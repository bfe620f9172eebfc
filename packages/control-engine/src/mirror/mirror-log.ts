// How mirrors compare with their services, from what the proxies report.

import type { MirrorView, telemetry } from "@ripstop/model";

import { serviceOf, type RegisteredWorkload } from "../registry/registered-workload.ts";
import { quantileMs } from "../telemetry/edge-window.ts";

/** What the log asks. */
export interface MirrorLogOptions {
  workload(id: string): RegisteredWorkload | undefined;
  /** Most pairs; default 1 000. Beyond, the one that was silent longest is dropped. */
  readonly maxPairs?: number;
}

const MAX_PER_REPORT = 200;
const MAX_NAME = 130;
const BUCKETS = 13;

type Sums = Omit<telemetry.MirrorStats, "source" | "primary" | "mirror">;

interface Pair extends Sums {
  readonly source: string;
  readonly primary: string;
  readonly mirror: string;
}

/** Sums of each pair since the control plane started. */
export class MirrorLog {
  readonly #options: MirrorLogOptions;
  /** In the order of their last use. */
  readonly #pairs = new Map<string, Pair>();

  constructor(options: MirrorLogOptions) {
    this.#options = options;
  }

  /** Takes a report of an authenticated proxy; the caller's service is filled in here. */
  onReport(proxyId: string, report: telemetry.ProxyReport): void {
    const workload = this.#options.workload(proxyId);
    if (workload === undefined) return;
    const source = serviceOf(workload);
    for (const stats of (report.mirrors?.stats ?? []).slice(0, MAX_PER_REPORT)) {
      const { primary, mirror } = stats;
      if (primary === "" || mirror === "" || primary.length > MAX_NAME || mirror.length > MAX_NAME) continue;
      const key = JSON.stringify([source, primary, mirror]);
      const before = this.#pairs.get(key);
      this.#pairs.delete(key);
      this.#pairs.set(key, { source, primary, mirror, ...sum(before, stats) });
    }
    for (const oldest of this.#pairs.keys()) {
      if (this.#pairs.size <= (this.#options.maxPairs ?? 1_000)) break;
      this.#pairs.delete(oldest);
    }
  }

  /** All pairs, by caller, service and mirror. */
  list(): readonly MirrorView[] {
    return [...this.#pairs.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pair]) => viewOf(pair));
  }
}

function sum(before: Sums | undefined, more: Sums): Sums {
  const add = (name: Exclude<keyof Sums, "primaryLatencyCounts" | "mirrorLatencyCounts">): number =>
    (before?.[name] ?? 0) + more[name];
  const addAll = (name: "primaryLatencyCounts" | "mirrorLatencyCounts"): number[] =>
    Array.from({ length: BUCKETS }, (_, at) => (before?.[name][at] ?? 0) + (more[name][at] ?? 0));
  return {
    compared: add("compared"),
    statusDiffers: add("statusDiffers"),
    bodiesCompared: add("bodiesCompared"),
    bodiesDiffer: add("bodiesDiffer"),
    primaryFailures: add("primaryFailures"),
    mirrorFailures: add("mirrorFailures"),
    primaryLatencyCounts: addAll("primaryLatencyCounts"),
    mirrorLatencyCounts: addAll("mirrorLatencyCounts"),
  };
}

function viewOf({ primaryLatencyCounts, mirrorLatencyCounts, ...pair }: Pair): MirrorView {
  return {
    ...pair,
    primaryP50Ms: quantileMs(primaryLatencyCounts, 0.5),
    primaryP99Ms: quantileMs(primaryLatencyCounts, 0.99),
    mirrorP50Ms: quantileMs(mirrorLatencyCounts, 0.5),
    mirrorP99Ms: quantileMs(mirrorLatencyCounts, 0.99),
  };
}
