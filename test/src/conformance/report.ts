// Counts outcomes by feature and profile, and says which features are claimed. Pure.

import { NEWER_FEATURES, NO_PROFILE, PROFILES } from "./coverage.ts";
import type { Outcome } from "./run.ts";

/** What became of the cases of one feature. */
export interface FeatureRow {
  readonly feature: string;
  readonly cases: number;
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
  /** It goes into `GatewayClass.status.supportedFeatures`. */
  readonly claimed: boolean;
}

/** What became of the cases of one profile. */
export interface ProfileRow {
  readonly profile: string;
  readonly cases: number;
  readonly passed: number;
  readonly features: readonly FeatureRow[];
}

/** Totals, and a row a profile with its features. */
export interface Summary {
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly unsupported: number;
  readonly leftOut: number;
  readonly profiles: readonly ProfileRow[];
}

/** The features in the order of the profiles, then those that no profile has. */
export function summary(outcomes: readonly Outcome[]): Summary {
  const placed = new Set(PROFILES.flatMap(({ features }) => features));
  const others = new Set(outcomes.flatMap(({ features }) => features).filter((name) => !placed.has(name)));
  const profiles = PROFILES.map(({ profile, features }) => profileRow(profile, features, outcomes));
  return {
    total: outcomes.length,
    passed: count(outcomes, "passed"),
    failed: count(outcomes, "failed"),
    unsupported: count(outcomes, "unsupported"),
    leftOut: count(outcomes, "left out"),
    profiles: [...profiles, profileRow(NO_PROFILE, [...others].sort(), outcomes)],
  };
}

function profileRow(profile: string, names: readonly string[], outcomes: readonly Outcome[]): ProfileRow {
  const here = outcomes.filter(({ features }) => features.some((feature) => names.includes(feature)));
  const features = names.map((feature): FeatureRow => {
    const of = outcomes.filter((one) => one.features.includes(feature));
    const passed = count(of, "passed");
    // What a case has not shown is not there; what one case has refuted neither.
    const isWhole = passed > 0 && passed === of.length;
    const claimed = isWhole && profile !== NO_PROFILE && !NEWER_FEATURES.has(feature);
    return {
      ...{ feature, cases: of.length, passed, failed: count(of, "failed"), unsupported: count(of, "unsupported") },
      claimed,
    };
  });
  return { profile, cases: here.length, passed: count(here, "passed"), features };
}

function count(of: readonly Outcome[], result: Outcome["result"]): number {
  return of.filter((outcome) => outcome.result === result).length;
}

/** For the terminal. */
export function table(outcomes: readonly Outcome[]): string {
  const { profiles, total, passed, failed, unsupported, leftOut } = summary(outcomes);
  const features = profiles.flatMap((profile) => profile.features).filter(({ cases }) => cases > 0);
  const lines = features.map(
    (row) =>
      `${row.feature.padEnd(62)}${[row.cases, row.passed, row.failed, row.unsupported].map((number) => String(number).padStart(8)).join("")}`,
  );
  const head = `${"FEATURE".padEnd(62)}   CASES  PASSED  FAILED  NOT SUPPORTED`;
  const last = `${total} cases: ${passed} passed, ${failed} failed, ${unsupported} not supported, ${leftOut} left out`;
  return `${["", head, ...lines, "", last].join("\n")}\n`;
}
