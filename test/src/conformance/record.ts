// The committed record of what the suite found (test/conformance-results.json): the tables of the pages and the features that a
// GatewayClass claims are generated from it, and from nothing else.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { root } from "../mesh.ts";
import type { Case } from "./case.ts";
import { GATEWAY_API, RULES } from "./coverage.ts";
import { summary, type Summary } from "./report.ts";
import { factsOf, type Outcome } from "./run.ts";

const PATH = join(root, "test/conformance-results.json");

/** What is recorded. */
export interface ResultRecord extends Summary {
  /** The release of the Gateway API. */
  readonly gatewayApi: string;
  /** How many rules that are commonly got wrong there are. */
  readonly rules: number;
  /** In the order of the suite. */
  readonly cases: readonly Outcome[];
}

/** What is to be recorded of these outcomes. */
export function recordOf(cases: readonly Outcome[]): ResultRecord {
  return { gatewayApi: GATEWAY_API, rules: RULES, ...summary(cases), cases };
}

/** The outcomes for all cases: those of this run, of the others what was recorded; one never run is "left out". */
export function merged(
  all: readonly Case[],
  ran: readonly Outcome[],
  recorded: readonly Outcome[],
): readonly Outcome[] {
  return all.map((one): Outcome => {
    const found = [...ran, ...recorded].find(({ name }) => name === one.name);
    return { ...factsOf(one), result: found?.result ?? "left out", because: found?.because ?? ["not run yet"] };
  });
}

/** The committed record; undefined before the first. */
export function readRecord(): ResultRecord | undefined {
  return existsSync(PATH) ? (JSON.parse(readFileSync(PATH, "utf8")) as ResultRecord) : undefined;
}

/** Writes the record, one case a line. */
export function writeRecord(record: ResultRecord): void {
  writeFileSync(PATH, textOf(record));
}

/** The text of a record: a line a feature and a line a case, so that changes can be read. */
export function textOf({ profiles, cases, ...totals }: ResultRecord): string {
  const lines = (values: readonly unknown[], indent: string): string =>
    `[\n${values.map((value) => `${indent}  ${JSON.stringify(value)}`).join(",\n")}\n${indent}]`;
  const groups = profiles.map(
    ({ features, ...profile }) =>
      `    {${JSON.stringify(profile).slice(1, -1)}, "features": ${lines(features, "    ")}}`,
  );
  const head = Object.entries(totals).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`);
  return `{\n${head.join("")}  "profiles": [\n${groups.join(",\n")}\n  ],\n  "cases": ${lines(cases, "  ")}\n}\n`;
}
