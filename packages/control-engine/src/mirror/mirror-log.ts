// How mirrors compare with their services, from what the proxies report.

import type { telemetry } from "@ripstop/model";

import { serviceOf, type RegisteredWorkload } from "../registry/registered-workload.ts";
import { addMirrorSums, type MirrorPair } from "./mirror-sums.ts";

/** What the log asks. */
export interface MirrorLogOptions {
  workload(id: string): RegisteredWorkload | undefined;
  /** Most pairs; default 1 000. Beyond, the one that was silent longest is dropped. */
  readonly maxPairs?: number;
}

const MAX_PER_REPORT = 200;
const MAX_NAME = 130;

/** Sums of each pair since the control plane started. */
export class MirrorLog {
  readonly #options: MirrorLogOptions;
  /** In the order of their last use. */
  readonly #pairs = new Map<string, MirrorPair>();

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
      const sums = addMirrorSums(before ?? NOTHING, stats);
      this.#pairs.set(key, { source, primary, mirror, ...sums });
    }
    for (const oldest of this.#pairs.keys()) {
      if (this.#pairs.size <= (this.#options.maxPairs ?? 1_000)) break;
      this.#pairs.delete(oldest);
    }
  }

  /** All pairs. */
  pairs(): readonly MirrorPair[] {
    return [...this.#pairs.values()];
  }
}

const NOTHING = {
  compared: 0,
  statusDiffers: 0,
  bodiesCompared: 0,
  bodiesDiffer: 0,
  primaryFailures: 0,
  mirrorFailures: 0,
  primaryStatusCounts: [],
  mirrorStatusCounts: [],
  primaryLatencyCounts: [],
  mirrorLatencyCounts: [],
};
