// One more run of a row, Ripstop only and with V8's CPU profiler: where the time goes, as lines of the report.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRipstop } from "../peers/ripstop.ts";
import type { Row, RowContext } from "../rows/row.ts";
import { sourceMapLocator, summarizeProfiles, type CpuProfile, type Share } from "./cpu-profile.ts";

const TOP_GROUPS = 12;
const TOP_FUNCTIONS = 12;

/** Two lines, or one with the reason why there is no profile. */
export async function profileRow(row: Row, context: Omit<RowContext, "folder">): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-profile-"));
  try {
    const peers = [createRipstop(["--cpu-prof", `--cpu-prof-dir=${folder}`])];
    const work = mkdtempSync(join(folder, "work-"));
    const { notMeasured } = await row.measure({ ...context, peers, rounds: 1, folder: work });
    const [failure] = notMeasured;
    if (failure !== undefined) return [`No profile: ${failure.why}`];
    const profiles = readdirSync(folder)
      .filter((name) => name.endsWith(".cpuprofile"))
      .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as CpuProfile);
    if (profiles.length === 0) return ["No profile: the proxy wrote none"];
    const { groups, functions } = summarizeProfiles(profiles, sourceMapLocator());
    return [
      `Where Ripstop's time goes (V8's CPU profile without idle time; system calls count too high in it, as a sample that falls into one is taken at its return): ${list(groups, TOP_GROUPS)}`,
      `Most expensive functions themselves: ${list(functions, TOP_FUNCTIONS)}`,
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function list(shares: readonly Share[], count: number): string {
  return shares
    .slice(0, count)
    .map(({ name, share }) => `${name} ${(share * 100).toFixed(1)} %`)
    .join(", ");
}
