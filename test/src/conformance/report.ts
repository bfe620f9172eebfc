// Makes tables of outcomes. Pure.

import { PROFILES } from "./coverage.ts";
import type { Outcome } from "./run.ts";

/** What became of the cases of one feature. */
export interface FeatureRow {
  readonly feature: string;
  readonly cases: number;
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
}

/** Totals, and a row a feature. */
export interface Summary {
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
  readonly leftOut: number;
  readonly features: readonly FeatureRow[];
}

/** The features in the order of the profiles, then others. */
export function summary(outcomes: readonly Outcome[]): Summary {
  const order = PROFILES.flatMap(({ features }) => features);
  const seen = new Set(outcomes.flatMap(({ features }) => features));
  const names = [...new Set([...order.filter((name) => seen.has(name)), ...[...seen].sort()])];
  const count = (of: readonly Outcome[], result: Outcome["result"]): number =>
    of.filter((outcome) => outcome.result === result).length;
  return {
    total: outcomes.length,
    passed: count(outcomes, "passed"),
    failed: count(outcomes, "failed"),
    unsupported: count(outcomes, "unsupported"),
    leftOut: count(outcomes, "left out"),
    features: names.map((feature) => {
      const of = outcomes.filter(({ features }) => features.includes(feature));
      return {
        feature,
        cases: of.length,
        passed: count(of, "passed"),
        failed: count(of, "failed"),
        unsupported: count(of, "unsupported"),
      };
    }),
  };
}

/** For the terminal. */
export function table(outcomes: readonly Outcome[]): string {
  const { features, total, passed, failed, unsupported, leftOut } = summary(outcomes);
  const lines = features.map(
    (row) =>
      `${row.feature.padEnd(62)}${[row.cases, row.passed, row.failed, row.unsupported].map((number) => String(number).padStart(8)).join("")}`,
  );
  const head = `${"FEATURE".padEnd(62)}   CASES  PASSED  FAILED  NOT SUPPORTED`;
  const last = `${total} cases: ${passed} passed, ${failed} failed, ${unsupported} not supported, ${leftOut} left out`;
  return `${["", head, ...lines, "", last].join("\n")}\n`;
}

/** What a feature's cases say in a word: all hold, some do not, or it is not there. */
export function verdict({ cases, passed, failed, unsupported }: FeatureRow): string {
  if (failed > 0) return `**no: ${failed} of ${cases} cases failed**`;
  if (passed === 0) return unsupported > 0 ? "not supported" : "not run";
  return unsupported > 0 ? `yes, but for ${unsupported} of ${cases} cases` : "yes";
}

/** The table of features for a page, by profile. */
export function featureTable(outcomes: readonly Outcome[]): string {
  const { features } = summary(outcomes);
  const row = (feature: FeatureRow): string => `| ${feature.feature} | ${feature.cases} | ${verdict(feature)} |`;
  const placed = new Set(PROFILES.flatMap((profile) => profile.features));
  const groups = [
    ...PROFILES.map(({ profile, features: of }) => ({
      profile,
      rows: features.filter(({ feature }) => of.includes(feature)),
    })),
    { profile: "In no profile", rows: features.filter(({ feature }) => !placed.has(feature)) },
  ];
  return groups
    .filter(({ rows }) => rows.length > 0)
    .map(({ profile, rows }) => `| **${profile}** | | |\n${rows.map(row).join("\n")}`)
    .join("\n");
}

/** The table of profiles for a short page. */
export function profileTable(outcomes: readonly Outcome[]): string {
  const { features } = summary(outcomes);
  const rows = PROFILES.map(({ profile, features: of }) => {
    const here = of.map((name) => features.find(({ feature }) => feature === name));
    const cases = outcomes.filter((outcome) => outcome.features.some((feature) => of.includes(feature)));
    const isWhole = (row: FeatureRow | undefined): boolean =>
      row !== undefined && row.failed === 0 && row.unsupported === 0 && row.passed > 0;
    const holds = here.filter(isWhole).length;
    const passed = cases.filter(({ result }) => result === "passed").length;
    const missing = of.filter((_, at) => !isWhole(here[at]));
    return `| ${profile} | ${holds} of ${of.length} | ${passed} of ${cases.length} | ${missing.join(", ")} |`;
  });
  return `| profile | features that hold | cases passed | features that do not, or not all |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}
