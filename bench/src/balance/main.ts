// npm run bench:balance: simulates the scenarios with every strategy and prints docs/balancing.md with its graphs.
// Simulated time and recorded seeds: the same figures on every machine. `--check` compares with what is there.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { commandOptions, flag } from "@ripstop/testkit";
import { figuresOf, seriesOf, type Figures } from "./figures.ts";
import { lineChart } from "./line-chart.ts";
import { scenarios, type NamedScenario } from "./scenarios.ts";
import { simulate, type Strategy } from "./simulation.ts";

const STRATEGIES: readonly Strategy[] = ["round robin", "least request", "peak EWMA", "adaptive"];
const STEP_S = 2;

const { values: options } = commandOptions(
  {
    command: "npm run bench:balance",
    about: "Simulates every balancing strategy and prints docs/balancing.md with its graphs.",
  },
  { check: flag("compares with what is there, and writes nothing") },
);
const docs = join(dirname(fileURLToPath(import.meta.url)), "../../../docs");
const files = new Map<string, string>();
const sections: string[] = [];

for (const named of scenarios()) sections.push(section(named));
files.set("balancing.md", page(sections));

let different = 0;
for (const [name, text] of files) {
  const path = join(docs, name);
  const isSame = existsSync(path) && readFileSync(path, "utf8") === text;
  if (isSame) continue;
  different++;
  if (options.check) {
    console.error(`docs/${name} is not what the simulation prints: run npm run bench:balance`);
    continue;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
console.log(`${files.size} files, ${different} ${options.check ? "are out of date" : "written"}`);
if (options.check && different > 0) process.exitCode = 1;

/** Runs one scenario, keeps its graphs and returns its part of the page. */
function section({ name, title, about, scenario }: NamedScenario): string {
  const runs = STRATEGIES.map((strategy) => ({ strategy, outcomes: simulate(scenario, strategy) }));
  const rows = runs.map(({ strategy, outcomes }) => row(strategy, figuresOf(outcomes)));
  const reference = figuresOf(runs[0]?.outcomes ?? []);
  const lines = (value: (figures: Figures) => number): { name: string; values: number[] }[] =>
    runs.map(({ strategy, outcomes }) => ({
      name: strategy,
      values: seriesOf(outcomes, scenario.seconds, STEP_S).map(value),
    }));
  const graphs: string[] = [];
  const graph = (kind: string, yTitle: string, value: (figures: Figures) => number, logarithmic: boolean): void => {
    const file = `balancing/${name}-${kind}.svg`;
    const chart = { title: `${title}: ${yTitle}`, xTitle: "seconds", yTitle, xStep: STEP_S, lines: lines(value) };
    files.set(file, lineChart({ ...chart, logarithmic }));
    graphs.push(`![${title}: ${yTitle}](${file})`);
  };
  graph("p99", "p99, ms", ({ p99Ms }) => p99Ms, true);
  if (name === "failing") graph("failed", "failed, %", ({ failed }) => failed * 100, false);
  if (name === "zones") graph("zone", "in the caller's zone, %", ({ sameZone }) => sameZone * 100, false);
  for (const { strategy, outcomes } of runs) {
    const { p50Ms, p99Ms, failed, sameZone } = figuresOf(outcomes);
    const times = (reference.p99Ms / p99Ms).toFixed(1);
    console.log(
      `${name.padEnd(9)} ${strategy.padEnd(14)} p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms (${times}x), ` +
        `failed ${(failed * 100).toFixed(2)} %, in zone ${(sameZone * 100).toFixed(0)} %`,
    );
  }
  return [
    `## ${title}`,
    `${about} Seed ${scenario.seed}, ${scenario.seconds} simulated seconds.`,
    [
      "| strategy | requests | p50 | p99 | failed | in the caller's zone |",
      "|---|---:|---:|---:|---:|---:|",
      ...rows,
    ].join("\n"),
    ...graphs,
  ].join("\n\n");
}

function row(strategy: Strategy, { requests, p50Ms, p99Ms, failed, sameZone }: Figures): string {
  return (
    `| ${strategy} | ${requests} | ${p50Ms.toFixed(1)} ms | ${p99Ms.toFixed(1)} ms | ${(failed * 100).toFixed(2)} % ` +
    `| ${(sameZone * 100).toFixed(0)} % |`
  );
}

function page(parts: readonly string[]): string {
  const head = [
    "# Balancing, simulated",
    "Printed by `npm run bench:balance`; do not edit. Callers are the very endpoint sets of the proxy " +
      "(`packages/balance`), servers have workers and a queue, requests come at random (Poisson), work takes " +
      "exponentially distributed time, and time is simulated: the same seed gives the same figures everywhere. " +
      "Ejection and retries are off, so that the figures show balancing alone. Times are of requests that " +
      "succeeded. How to choose and set a strategy: [load balancing](load-balancing.md).",
  ];
  return `${[...head, ...parts].join("\n\n")}\n`;
}
