// One row of the comparison: every peer in turn, round after round, so that the machine's drift hits all alike.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadResult } from "./load.ts";
import { freePort, type Assignment, type Peer } from "./peers/peer.ts";
import { cpuSeconds, memoryBytes } from "./process-usage.ts";

/** What is measured. */
export interface Row {
  readonly title: string;
  readonly protocol: Assignment["protocol"];
  readonly upstreams: readonly number[];
  load(port: number, seconds: number): Promise<LoadResult>;
}

/** Medians of one peer in one row. */
export interface Figures {
  readonly peer: string;
  readonly version: string;
  readonly cpuUs: number;
  readonly userUs: number;
  readonly systemUs: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly residentIdle: number;
  readonly residentLoaded: number;
  readonly privateLoaded: number;
}

interface Sample {
  readonly cpuUs: number;
  readonly userUs: number;
  readonly systemUs: number;
  readonly load: LoadResult;
}

/** Measures all peers, interleaved: one warm-up and `rounds` counted rounds of `seconds` each. */
export async function measureRow(row: Row, peers: readonly Peer[], rounds: number, seconds: number): Promise<Figures[]> {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-bench-"));
  const running = [];
  try {
    for (const [at, peer] of peers.entries()) {
      const listen = await freePort();
      const own = mkdtempSync(join(folder, `${at}-`));
      const process = await peer.start({ protocol: row.protocol, listen, upstreams: row.upstreams, folder: own });
      running.push({ peer, process, listen, idle: memoryBytes(process.pids).resident, samples: [] as Sample[] });
    }
    for (const entry of running) await row.load(entry.listen, Math.min(2, seconds));
    for (let round = 0; round < rounds; round++) {
      for (const entry of running) {
        const before = cpuSeconds(entry.process.pids);
        const load = await row.load(entry.listen, seconds);
        const after = cpuSeconds(entry.process.pids);
        const perRequest = (spent: number): number => (spent * 1e6) / Math.max(1, load.requests);
        entry.samples.push({
          cpuUs: perRequest(after.user + after.system - before.user - before.system),
          userUs: perRequest(after.user - before.user),
          systemUs: perRequest(after.system - before.system),
          load,
        });
      }
    }
    return running.map(({ peer, process, idle, samples }) => {
      const memory = memoryBytes(process.pids);
      return {
        peer: peer.name,
        version: peer.version(),
        cpuUs: median(samples.map((sample) => sample.cpuUs)),
        userUs: median(samples.map((sample) => sample.userUs)),
        systemUs: median(samples.map((sample) => sample.systemUs)),
        requestsPerSecond: median(samples.map((sample) => sample.load.requests / sample.load.seconds)),
        p50Ms: median(samples.map((sample) => sample.load.p50Ms)),
        p99Ms: median(samples.map((sample) => sample.load.p99Ms)),
        errors: samples.reduce((sum, sample) => sum + sample.load.errors, 0),
        residentIdle: idle,
        residentLoaded: memory.resident,
        privateLoaded: memory.private,
      };
    });
  } finally {
    await Promise.all(running.map((entry) => entry.process.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The middle value (mean of the two middle ones); NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}
