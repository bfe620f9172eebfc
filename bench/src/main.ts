// npm run bench: the comparison with other proxies, row by row, printed as Markdown.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { commandOptions, count, flag, text } from "@ripstop/testkit";
import { envoy } from "./peers/envoy.ts";
import { haproxy } from "./peers/haproxy.ts";
import { nginx } from "./peers/nginx.ts";
import type { Peer } from "./peers/peer.ts";
import { createRipstop } from "./peers/ripstop.ts";
import { endChildrenWithUs, hasProgram } from "./processes.ts";
import { profileRow } from "./profile/profile-row.ts";
import { machine, report, rowSection, type MeasuredRow } from "./report.ts";
import { rows } from "./rows/index.ts";
import type { Row, RowContext, RowResult } from "./rows/row.ts";

const documents = join(dirname(fileURLToPath(import.meta.url)), "../../docs");
const reportFile = join(documents, "benchmarks.md");
/** Written by hand, printed with the figures. */
const notesFile = join(documents, "benchmarks-notes.md");
const { values: options } = commandOptions(
  { command: "npm run bench", about: "Compares this proxy with HAProxy, nginx and Envoy, row by row." },
  {
    list: flag("rows, and nothing is measured"),
    row: text("WORDS", "rows whose name holds one of the words, separated by commas"),
    peer: text("WORDS", "proxies whose name holds one of the words"),
    rounds: count(5, "rounds, interleaved, of which the median counts"),
    seconds: count(3, "seconds of load in a round"),
    connections: count(10_000, "idle connections of the row about them"),
    profile: flag("CPU profiles; a run of all rows and proxies has them anyway"),
    report: text("FILE", "the report as Markdown; of all rows and proxies it goes to docs/benchmarks.md"),
    json: text("FILE", "figures as JSON"),
  },
);

/** Whether a name holds one of the words, separated by commas; no word at all fits everything. */
function fits(words: string, ...names: readonly string[]): boolean {
  return words.split(",").some((word) => names.some((name) => name.toLowerCase().includes(word.trim().toLowerCase())));
}

async function measure(row: Row, context: Omit<RowContext, "folder">, withProfile: boolean): Promise<MeasuredRow> {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-bench-"));
  let result: RowResult;
  try {
    result = await row.measure({ ...context, folder });
  } catch (error) {
    result = {
      entries: [],
      notMeasured: [{ peer: "The row", why: error instanceof Error ? error.message : String(error) }],
      notes: [],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const profile = withProfile && row.profiled ? await profileRow(row, context) : [];
  return { row, result, verdicts: row.judge(result.entries), profile };
}

async function main(): Promise<void> {
  const chosen = rows.filter((row) => fits(options.row ?? "", row.id, row.title));
  if (options.list) {
    for (const row of chosen) process.stdout.write(`${row.id.padEnd(18)} ${row.title}\n`);
    return;
  }
  for (const tool of ["wrk", "h2load", "nginx", "nghttpd"]) {
    if (hasProgram(tool)) continue;
    process.stderr.write(
      `the benchmark needs ${tool}: apt-get install wrk nghttp2-client nghttp2-server nginx-light\n`,
    );
    process.exitCode = 1;
    return;
  }
  const { rounds, seconds, connections: idleConnections } = options;
  if (chosen.length === 0) {
    process.stderr.write(`no row is called "${options.row ?? ""}"; --list names them\n`);
    process.exitCode = 2;
    return;
  }
  const complete = options.row === undefined && options.peer === undefined;
  endChildrenWithUs();
  const candidates: readonly Peer[] = [createRipstop([]), haproxy, nginx, envoy];
  const present = candidates.filter((peer) => peer.missing() === undefined);
  const missingPeers = candidates
    .filter((peer) => !present.includes(peer))
    .map((peer) => `${peer.name} (${peer.missing() ?? ""})`);
  const peers = present.filter((peer) => fits(options.peer ?? "", peer.name));
  const context = { peers, rounds, seconds, idleConnections };
  process.stdout.write(`Machine: ${machine()}. Medians of ${rounds} rounds of ${seconds} s.\n`);
  for (const missing of missingPeers) process.stdout.write(`Missing: ${missing}.\n`);
  const firstRun = mkdtempSync(join(tmpdir(), "ripstop-first-run-"));
  for (const peer of peers) await peer.firstRun?.(firstRun);
  rmSync(firstRun, { recursive: true });
  const [loadBefore = 0] = loadavg();
  const measured: MeasuredRow[] = [];
  for (const row of chosen) {
    const done = await measure(row, context, complete || options.profile);
    measured.push(done);
    process.stdout.write(`\n${rowSection(done)}`);
  }
  if (options.json !== undefined) {
    const content = measured.map(({ row, result, verdicts, profile }) => ({
      row: row.id,
      title: row.title,
      ...result,
      verdicts,
      profile,
    }));
    writeFileSync(
      options.json,
      `${JSON.stringify({ machine: machine(), rounds, seconds, rows: content }, undefined, 2)}\n`,
    );
  }
  const file = options.report ?? (complete ? reportFile : undefined);
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  const notes = readFileSync(notesFile, "utf8");
  writeFileSync(file, report(measured, { ...context, when: new Date(), missingPeers, loadBefore, notes }));
  process.stdout.write(`\nReport: ${file}\n`);
}

await main();
