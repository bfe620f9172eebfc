// `npm run retry-storm -- [--requests N] [--rate R]`: a service that fails half of what it is asked at 80 % of its capacity,
// once with the retry budget of 20 % and once with budgets off. Prints a table; exit code 1 when the first is no better.

import { commandOptions, count } from "@ripstop/testkit";
import { Mesh, stopOnSignal } from "../mesh.ts";
import { amplification, phaseOf, runStorm, type StormReport } from "./run.ts";

const {
  values: { requests, rate },
} = commandOptions(
  {
    command: "npm run retry-storm",
    about: "A service fails half of what it is asked, once with a retry budget of 20 % and once with budgets off.",
  },
  { requests: count(3_200, "requests while it fails"), rate: count(160, "requests a second: 80 % of its capacity") },
);
const UTILIZATION = 0.8;
const WORK_MS = 20;
const atATime = Math.max(1, Math.round(((rate / UTILIZATION) * WORK_MS) / 1000));
const mesh = new Mesh();
stopOnSignal(mesh);

function print(title: string, report: StormReport): void {
  const lines = report.phases.map(
    ({ name, asked, arrived, failed, p99Ms, queued }) =>
      `| ${name} | ${asked} | ${arrived} | ${(arrived / asked).toFixed(2)} | ${((failed / asked) * 100).toFixed(1)} % | ${p99Ms.toFixed(0)} ms | ${queued} |`,
  );
  process.stdout.write(
    [
      `${title}: capacity ${report.capacity}/s, load ${report.rate}/s, ${amplification(report).toFixed(2)} times the load in all`,
      "| phase | asked | arrived | times | failed | p99 | queued |",
      "|---|---|---|---|---|---|---|",
      ...lines,
      "",
    ].join("\n"),
  );
}

try {
  await mesh.startControl();
  const common = {
    atATime,
    workMs: WORK_MS,
    utilization: UTILIZATION,
    timeouts: { perTryMs: 1_000, requestMs: 4_000 },
    requests: [requests / 4, requests, requests / 2],
    onProgress: (line: string) => process.stderr.write(`${line}\n`),
  } as const;
  const budget = await runStorm(mesh, "with-budget", { ...common, budgetPercent: 20 });
  const off = await runStorm(mesh, "budget-off", { ...common, budgetPercent: 1000 });
  print("Budget of 20 %", budget);
  print("Budget off", off);
  const failing = phaseOf(budget, "failing");
  const isHeld = amplification(budget) <= 1.2 && failing.arrived <= failing.asked * 1.2;
  const isWell = phaseOf(budget, "at the end").failed === 0;
  const isStorm = amplification(off) > 1.4;
  process.stdout.write(
    `at most 1.2 times the load with a budget: ${isHeld}; well again: ${isWell}; a storm without: ${isStorm}\n`,
  );
  process.exitCode = isHeld && isWell && isStorm ? 0 : 1;
} finally {
  await mesh.stop();
}
