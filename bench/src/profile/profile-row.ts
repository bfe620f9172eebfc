// One more run of a row, Ripstop only and with a profiler: where the time goes, as lines of the report. Linux's perf where
// it is installed, else V8's own.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRipstop } from "../peers/ripstop.ts";
import type { Peer } from "../peers/peer.ts";
import type { Row, RowContext } from "../rows/row.ts";
import { sourceMapLocator, summarizeProfiles, type CpuProfile, type Share } from "./cpu-profile.ts";
import { summarizePerf } from "./perf-profile.ts";
import { canPerf, perfNodeFlags, readPerf, underPerf } from "./run-perf.ts";

const TOP_GROUPS = 14;
const TOP_FUNCTIONS = 12;
/** A profile wants what runs in the long run: long enough, and without the start and the first compilation. */
const LEAST_SECONDS = 6;
const SKIP_SECONDS = 3;

type Context = Omit<RowContext, "folder">;

/** Two or three lines, or one with the reason why there is no profile. */
export async function profileRow(row: Row, context: Context): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-profile-"));
  try {
    return await (canPerf() ? withPerf(row, context, folder) : withV8(row, context, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function withPerf(row: Row, context: Context, folder: string): Promise<readonly string[]> {
  const failure = await run(row, context, folder, underPerf(createRipstop(perfNodeFlags(folder)), folder));
  if (failure !== undefined) return [failure];
  const samples = readPerf(folder).flatMap((one) => {
    const start = (one[0]?.atSeconds ?? 0) + SKIP_SECONDS;
    return one.filter(({ atSeconds }) => atSeconds >= start);
  });
  if (samples.length === 0) return ["No profile: perf saw nothing"];
  const { areas, groups, functions } = summarizePerf(samples, sourceMapLocator());
  return [
    `Where Ripstop's time goes (perf, ${samples.length} samples; a function that was inlined counts for the one that holds it, a builtin of V8 for its caller): ${list(areas, areas.length)}`,
    `Finer: ${list(groups, TOP_GROUPS)}`,
    `Most expensive functions themselves: ${list(functions, TOP_FUNCTIONS)}`,
  ];
}

async function withV8(row: Row, context: Context, folder: string): Promise<readonly string[]> {
  const failure = await run(row, context, folder, createRipstop(["--cpu-prof", `--cpu-prof-dir=${folder}`]));
  if (failure !== undefined) return [failure];
  const profiles = readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile);
  if (profiles.length === 0) return ["No profile: the proxy wrote none"];
  const { groups, functions } = summarizeProfiles(profiles, sourceMapLocator());
  return [
    `Where Ripstop's time goes (V8's CPU profile without idle time; system calls count too high in it, as a sample that falls into one is taken at its return): ${list(groups, TOP_GROUPS)}`,
    `Most expensive functions themselves: ${list(functions, TOP_FUNCTIONS)}`,
  ];
}

/** Measures the row once with this peer alone; the reason when that did not work. */
async function run(row: Row, context: Context, folder: string, peer: Peer): Promise<string | undefined> {
  const work = mkdtempSync(join(folder, "work-"));
  const { notMeasured } = await row.measure({
    ...context,
    seconds: Math.max(context.seconds, LEAST_SECONDS),
    peers: [peer],
    rounds: 1,
    folder: work,
  });
  const [failure] = notMeasured;
  return failure === undefined ? undefined : `No profile: ${failure.why}`;
}

function list(shares: readonly Share[], count: number): string {
  return shares
    .slice(0, count)
    .map(({ name, share }) => `${name} ${(share * 100).toFixed(1)} %`)
    .join(", ");
}
