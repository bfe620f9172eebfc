// Interleaved measurement: every peer in turn, round after round, so that the machine's drift hits all alike.

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { median } from "./median.ts";
import type { Duty, Peer } from "./peers/peer.ts";
import { cpuSeconds } from "./process-usage.ts";
import type { RunningServer } from "./processes.ts";
import type { Entry, RowContext, RowResult } from "./rows/row.ts";

/** Figures by column key. */
export type Values = Readonly<Record<string, number>>;

/** How one row measures any peer. */
export interface Measurement<T extends RunningServer> {
  /** What a peer must be able to do. */
  readonly duties: readonly Duty[];
  /** Starts the proxies of a peer, ready for load. */
  start(peer: Peer, folder: string): Promise<T>;
  /** Once, before the counted rounds; its figures are kept. */
  warmUp?(running: T): Promise<Values>;
  /** One counted run. Figures called "errors" are added up, of all others the median counts. */
  sample(running: T): Promise<Values>;
  /** Once, after the counted rounds. */
  finish?(running: T): Promise<Values>;
}

interface Contestant<T> {
  readonly peer: Peer;
  readonly running: T;
  readonly samples: Values[];
  readonly fixed: Record<string, number>;
}

/** Measures all peers of the context. A peer that fails is left out, with the reason. */
export async function measureInterleaved<T extends RunningServer>(
  context: RowContext,
  measurement: Measurement<T>,
): Promise<RowResult> {
  const notMeasured: { peer: string; why: string }[] = [];
  const contestants: Contestant<T>[] = [];
  const failed = new Set<string>();
  const attempt = async (peer: Peer, work: () => Promise<void>): Promise<void> => {
    if (failed.has(peer.name)) return;
    try {
      await work();
    } catch (error) {
      failed.add(peer.name);
      notMeasured.push({
        peer: peer.name,
        why: error instanceof Error ? error.message.trim().slice(0, 400) : String(error),
      });
    }
  };
  try {
    for (const peer of context.peers) {
      const reason = measurement.duties.map((duty) => peer.cannot(duty)).find((why) => why !== undefined);
      if (reason !== undefined) {
        notMeasured.push({ peer: peer.name, why: reason });
        continue;
      }
      await attempt(peer, async () => {
        const running = await measurement.start(peer, mkdtempSync(join(context.folder, "peer-")));
        contestants.push({ peer, running, samples: [], fixed: {} });
      });
    }
    for (const { peer, running, fixed } of contestants)
      await attempt(peer, async () => void Object.assign(fixed, await measurement.warmUp?.(running)));
    for (let round = 0; round < context.rounds; round++) {
      for (const { peer, running, samples } of contestants)
        await attempt(peer, async () => void samples.push(await measurement.sample(running)));
    }
    for (const { peer, running, fixed } of contestants)
      await attempt(peer, async () => void Object.assign(fixed, await measurement.finish?.(running)));
  } finally {
    await Promise.all(contestants.map(({ running }) => running.stop()));
  }
  const entries = contestants
    .filter(({ peer }) => !failed.has(peer.name))
    .map((contestant): Entry => ({
      peer: contestant.peer.name,
      version: contestant.peer.version(),
      values: { ...summarize(contestant.samples), ...contestant.fixed },
    }));
  return { entries, notMeasured, notes: [] };
}

/** Sums what is called "errors", takes the median of all other figures. */
export function summarize(samples: readonly Values[]): Values {
  const keys = new Set(samples.flatMap((sample) => Object.keys(sample)));
  return Object.fromEntries(
    [...keys].map((key) => {
      const values = samples.map((sample) => sample[key] ?? Number.NaN);
      return [key, key === "errors" ? values.reduce((sum, value) => sum + value, 0) : median(values)];
    }),
  );
}

/** Runs `work` and returns its result with the CPU seconds that `pids` used meanwhile. */
export async function withCpu<R>(
  pids: readonly number[],
  work: () => Promise<R>,
): Promise<{ readonly result: R; readonly user: number; readonly system: number; readonly total: number }> {
  const before = cpuSeconds(pids);
  const result = await work();
  const after = cpuSeconds(pids);
  const user = after.user - before.user;
  const system = after.system - before.system;
  return { result, user, system, total: user + system };
}
