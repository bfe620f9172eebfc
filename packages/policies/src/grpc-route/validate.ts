// What the schema of GRPCRoute cannot say: what could not be matched or sent.

import { textPatternProblem } from "@ripstop/http";
import type { Resource } from "@ripstop/resources";

import { checkDefaultGateways, checkParents } from "../http-route/validate.ts";
import { checkFilters, FRAMING_FIELDS, type Found } from "../http-route/validate-filters.ts";
import { checkSessionPersistence } from "../session-persistence.ts";
import type { GrpcRouteMatch, GrpcRouteRule, GrpcRouteSpec } from "./spec.ts";

/** Every violation of the rules beyond the published ones. */
export function validateGrpcRoute(route: Resource<GrpcRouteSpec>): Found[] {
  const found: Found[] = [];
  checkParents(route.spec.parentRefs ?? [], route.metadata.namespace, found);
  checkDefaultGateways(route.spec, found);
  for (const [at, rule] of (route.spec.rules ?? []).entries()) checkRule(rule, `spec.rules[${at}]`, found);
  return found;
}

function checkRule(rule: GrpcRouteRule, path: string, found: Found[]): void {
  for (const [at, match] of (rule.matches ?? []).entries()) checkMatch(match, `${path}.matches[${at}]`, found);
  checkFilters(rule.filters ?? [], { path: `${path}.filters`, matches: [] }, found);
  for (const [at, { filters = [] }] of (rule.backendRefs ?? []).entries())
    checkFilters(filters, { path: `${path}.backendRefs[${at}].filters`, matches: [] }, found);
  if (rule.sessionPersistence !== undefined)
    found.push(...checkSessionPersistence(rule.sessionPersistence, `${path}.sessionPersistence`));
}

function checkMatch({ method, headers = [] }: GrpcRouteMatch, path: string, found: Found[]): void {
  if (method?.type === "RegularExpression") {
    for (const field of ["service", "method"] as const) checkPattern(method[field], `${path}.method.${field}`, found);
  }
  for (const [at, { type, name, value }] of headers.entries()) {
    if (type === "RegularExpression") checkPattern(value, `${path}.headers[${at}].value`, found);
    if (!FRAMING_FIELDS.has(name.toLowerCase())) continue;
    found.push({
      path: `${path}.headers[${at}].name`,
      message: `"${name}" belongs to the connection and never reaches a route`,
      remedy: "match metadata that the caller sets",
    });
  }
}

function checkPattern(pattern: string | undefined, path: string, found: Found[]): void {
  const problem = pattern === undefined ? undefined : textPatternProblem(pattern);
  if (problem === undefined) return;
  found.push({
    path,
    message: `the pattern ${problem}`,
    remedy: "use characters, classes, groups, | and * + ? {m,n}; no look-around and no back-references",
  });
}
