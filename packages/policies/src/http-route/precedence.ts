// The order in which matches are tried (Gateway API, HTTPRouteRule.matches). It holds per match, not per rule or route.

import type { Resource } from "@ripstop/resources";

import { toCanonicalPath } from "../canonical-path.ts";
import type { HttpRouteMatch, HttpRouteSpec } from "./spec.ts";

/** One match of one rule, with what decides its place. */
export interface RankedMatch {
  readonly route: Resource<HttpRouteSpec>;
  readonly rule: number;
  readonly match: number;
  readonly spec: HttpRouteMatch;
}

/**
 * Negative when `a` goes before `b`. Exact path, then the longest prefix, then a method, then most headers, then most
 * query parameters; then the older route, then "NAMESPACE/NAME", then the first in the route. The place of regular
 * expressions is ours to choose: after exact paths and before prefixes.
 */
export function compareMatches(a: RankedMatch, b: RankedMatch): number {
  return (
    compareRanks(ranksOf(a.spec), ranksOf(b.spec)) ||
    compareRoutes(a.route, b.route) ||
    a.rule - b.rule ||
    a.match - b.match
  );
}

/** What decides between matches: compared number by number, the greater first (MatchPrecedence of the model). */
export function ranksOf(match: HttpRouteMatch): readonly number[] {
  return (
    match.ranks ?? [
      pathRank(match),
      pathLength(match),
      Number(match.method !== undefined),
      distinct(match.headers, true),
      distinct(match.queryParams, false),
    ]
  );
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    const difference = (b[index] ?? 0) - (a[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Negative when `a` goes before `b`: the older one, then by "NAMESPACE/NAME". */
export function compareRoutes(a: Resource<HttpRouteSpec>, b: Resource<HttpRouteSpec>): number {
  return (
    compareText(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
    compareText(`${a.metadata.namespace}/${a.metadata.name}`, `${b.metadata.namespace}/${b.metadata.name}`)
  );
}

function pathRank({ path }: HttpRouteMatch): number {
  switch (path.type) {
    case "Exact":
      return 2;
    case "RegularExpression":
      return 1;
    case "PathPrefix":
      return 0;
  }
}

/** A slash at the end of a prefix is ignored, so it does not count either. */
function pathLength({ path }: HttpRouteMatch): number {
  if (path.type !== "PathPrefix") return path.type === "Exact" ? 0 : path.value.length;
  const prefix = toCanonicalPath(path.value);
  return prefix.endsWith("/") ? prefix.length - 1 : prefix.length;
}

/** Number of names in a list of matches: of two with one name only the first counts. */
export function distinct(entries: readonly { readonly name: string }[] | undefined, ignoreCase: boolean): number {
  if (entries === undefined || entries.length < 2) return entries?.length ?? 0;
  return new Set(entries.map(({ name }) => (ignoreCase ? name.toLowerCase() : name))).size;
}

/** By code units: the same on every machine, whatever its locale. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
