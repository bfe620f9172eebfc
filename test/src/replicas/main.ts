// `npm run replicas -- [--clients N] [--rounds N] [--faults follower,leader,etcd,network] [--history FILE]`: takes control planes, etcd and the network away, for the record.

import { writeFileSync } from "node:fs";
import { commandOptions, count, text } from "@ripstop/testkit";
import { runReplicas, type Fault } from "./run.ts";

const { values } = commandOptions(
  {
    command: "npm run replicas",
    about: "Three control planes on etcd lose members one after the other; no write may be lost.",
  },
  {
    clients: count(3, "clients that write and read"),
    rounds: count(1, "times that all faults come"),
    faults: text("LIST", "faults, separated by commas, instead of follower,leader,etcd,network"),
    history: text("FILE", "keeps all operations as JSON"),
  },
);
/** An outage that lasts at least as long as the lease of a workload. */
const LASTS_MS: Readonly<Record<Fault, number>> = { follower: 12_000, leader: 12_000, etcd: 3_000, network: 10_000 };
const MOVED_WITHIN_MS = 5_000;

const named = values.faults?.split(",") ?? Object.keys(LASTS_MS);
if (!named.every((fault): fault is Fault => Object.hasOwn(LASTS_MS, fault))) {
  process.stderr.write(`--faults takes some of ${Object.keys(LASTS_MS).join(",")}, not "${named.join(",")}"\n`);
  process.exit(2);
}
const faults = Array.from({ length: values.rounds }, () => named);
const report = await runReplicas({
  faults: faults.flat(),
  clients: values.clients,
  lastsMs: LASTS_MS,
  say: (line) => process.stdout.write(`${line}\n`),
});
const { recorded } = report;
if (values.history !== undefined) writeFileSync(values.history, JSON.stringify(recorded.operations));
const reads = recorded.operations.filter(({ kind }) => kind === "read").length;
const late = report.faults.filter(({ movedMs }) => movedMs !== undefined && movedMs > MOVED_WITHIN_MS);
process.stdout.write(
  `${recorded.acknowledged.size} writes acknowledged, ${recorded.refused} refused, ${recorded.unanswered} calls without an answer\n` +
    `${reads} reads said to be current, ${recorded.stale} marked as perhaps old\n` +
    `${report.requests} requests through proxies, ${report.failures.length} failed\n` +
    `acknowledged writes lost: ${report.lost.length}; anomalies of the history: ${report.anomalies.length}\n` +
    (report.skipped === false ? "" : `the network was not cut: ${report.skipped}\n`),
);
for (const problem of [...report.failures, ...report.lost, ...report.anomalies].slice(0, 20))
  process.stdout.write(`${problem}\n`);
for (const { fault, movedMs } of late)
  process.stdout.write(`${fault}: the proxies moved after ${Math.round(movedMs ?? 0)} ms, not ${MOVED_WITHIN_MS}\n`);
const problems = report.failures.length + report.lost.length + report.anomalies.length + late.length;
process.stdout.write(problems === 0 ? "all held\n" : "NOT all held\n");
process.exitCode = problems === 0 ? 0 : 1;
