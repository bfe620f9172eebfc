// What mirrors answered compared with what the services answered, summed up between two reports.

import type { telemetry } from "@ripstop/model";
import { metricNames, type MetricRegistry } from "@ripstop/telemetry";

/** Upper bounds of the latency counts in milliseconds, as those of EdgeStats; the last bucket is open. */
const BOUNDS_MS: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
/** Pairs of service and mirror in one proxy; what is beyond is in the metrics alone. */
const MAX_PAIRS = 200;

/** No answer, and the classes 1xx to 5xx. */
const NO_STATUSES: readonly number[] = [0, 0, 0, 0, 0, 0];

/** How one side answered. */
export interface MirrorAnswer {
  /** 0: not at all. */
  readonly status: number;
  readonly latencyMs: number;
  /** Digest of the whole body; undefined when it was not looked at, or is not whole. */
  readonly digest: string | undefined;
}

/** Which pair an answer belongs to. */
export interface MirrorPair {
  /** "NAMESPACE/NAME" of the calling service, of the service, and of its mirror. */
  readonly source: string;
  readonly primary: string;
  readonly mirror: string;
}

/** Sums of all pairs. */
export class MirrorTable {
  readonly #metrics: MetricRegistry;
  #pairs = new Map<string, telemetry.MirrorStats>();

  constructor(metrics: MetricRegistry) {
    this.#metrics = metrics;
  }

  /** Counts one request that both have answered, or failed to. */
  record(pair: MirrorPair, primary: MirrorAnswer, mirror: MirrorAnswer): void {
    const differs = primary.status !== mirror.status;
    const looked = primary.digest !== undefined && mirror.digest !== undefined;
    const bodyDiffers = looked && primary.digest !== mirror.digest;
    const { MIRROR_COMPARED, MIRROR_DURATION } = metricNames;
    const { primary: service, mirror: destination } = pair;
    const result = differs ? "status" : bodyDiffers ? "body" : "same";
    this.#metrics.counter(MIRROR_COMPARED.name, MIRROR_COMPARED.help, { service, mirror: destination, result }).add(1);
    for (const [side, { latencyMs }] of [
      ["service", primary],
      ["mirror", mirror],
    ] as const)
      this.#metrics
        .histogram(MIRROR_DURATION.name, MIRROR_DURATION.help, { service, mirror: destination, side })
        .record(latencyMs);
    const stats = this.#statsOf(pair);
    if (stats === undefined) return;
    stats.compared++;
    if (differs) stats.statusDiffers++;
    if (looked) stats.bodiesCompared++;
    if (bodyDiffers) stats.bodiesDiffer++;
    if (isFailure(primary.status)) stats.primaryFailures++;
    if (isFailure(mirror.status)) stats.mirrorFailures++;
    countStatus(stats.primaryStatusCounts, primary.status);
    countStatus(stats.mirrorStatusCounts, mirror.status);
    count(stats.primaryLatencyCounts, primary.latencyMs);
    count(stats.mirrorLatencyCounts, mirror.latencyMs);
  }

  /** The sums since the last call. */
  take(): telemetry.MirrorStats[] {
    if (this.#pairs.size === 0) return [];
    const taken = [...this.#pairs.values()];
    this.#pairs = new Map();
    return taken;
  }

  #statsOf({ source, primary, mirror }: MirrorPair): telemetry.MirrorStats | undefined {
    const key = `${source} ${primary} ${mirror}`;
    const known = this.#pairs.get(key);
    if (known !== undefined || this.#pairs.size >= MAX_PAIRS) return known;
    const stats: telemetry.MirrorStats = {
      source,
      primary,
      mirror,
      compared: 0,
      statusDiffers: 0,
      bodiesCompared: 0,
      bodiesDiffer: 0,
      primaryFailures: 0,
      mirrorFailures: 0,
      primaryStatusCounts: NO_STATUSES.slice(),
      mirrorStatusCounts: NO_STATUSES.slice(),
      primaryLatencyCounts: BOUNDS_MS.map(() => 0).concat(0),
      mirrorLatencyCounts: BOUNDS_MS.map(() => 0).concat(0),
    };
    this.#pairs.set(key, stats);
    return stats;
  }
}

function isFailure(status: number): boolean {
  return status === 0 || status >= 500;
}

/** Above 599 is a failure as much as 5xx. */
function countStatus(counts: number[], status: number): void {
  const at = Math.min(NO_STATUSES.length - 1, Math.floor(status / 100));
  counts[at] = (counts[at] ?? 0) + 1;
}

function count(counts: number[], latencyMs: number): void {
  let bucket = 0;
  while (bucket < BOUNDS_MS.length && latencyMs > (BOUNDS_MS[bucket] ?? Infinity)) bucket++;
  counts[bucket] = (counts[bucket] ?? 0) + 1;
}
