// Proxy side: why a request is refused, in plain words. Runs only once a request is refused.

import type { Denial, RequestInfo } from "@ripstop/policy-api/proxy";

import { deniedByRule, notAllowed } from "./errors.ts";
import { anyMatches, type EntryMatcher, type FieldMatcher, type FieldName, type RuleMatcher } from "./rule-matcher.ts";

/** One policy, made ready for matching. */
export interface LoadedPolicy {
  /** "NAMESPACE/NAME". */
  readonly name: string;
  readonly rules: readonly RuleMatcher[];
}

/** The condition that fails, of a rule or an entry that otherwise comes close. */
interface Miss {
  /** How close: higher is closer. */
  readonly score: number;
  readonly clause: string;
  readonly field: FieldMatcher | undefined;
}

/** Longest text of the request that a message repeats. */
const MAX_QUOTED = 200;
/** Most entries of a list that a message names. */
const MAX_NAMED = 3;

const ONLY_HTTP: ReadonlySet<FieldName> = new Set(["methods", "paths", "hosts"]);

/** The denial by rule number `rule` (from 0) of the DENY policy `policy`. */
export function explainDeny(policy: string, rule: number): Denial {
  const clause = `spec.rules[${rule}]`;
  const message = `DENY policy ${policy} forbids this: ${clause} matches`;
  return { kind: deniedByRule, policy, clause, message, detail: message };
}

/** The denial when no rule of `policies` (not empty, all ALLOW) matches. Names the rule that came closest. */
export function explainNotAllowed(policies: readonly LoadedPolicy[], request: RequestInfo): Denial {
  let closest: Miss = { score: -1, clause: "spec.rules", field: undefined };
  let policy = policies[0]?.name ?? "";
  for (const candidate of policies) {
    for (const [at, rule] of candidate.rules.entries()) {
      const miss = closestMiss(rule, `spec.rules[${at}]`, request);
      if (miss.score <= closest.score) continue;
      closest = miss;
      policy = candidate.name;
    }
  }
  const { clause, field } = closest;
  if (field === undefined) {
    const message = `ALLOW policy ${policy} has no rules, so it allows nothing`;
    return { kind: notAllowed, policy, clause, message, detail: message };
  }
  const start = `no rule of ALLOW policy ${policy} matches: ${clause}`;
  const got = describeRequest(field.name, request);
  return {
    kind: notAllowed,
    policy,
    clause,
    message: `${start} does not include ${got.asObject}`,
    detail: `${start} wants ${listWanted(field.wanted)}, ${got.asClause}`,
  };
}

/** Where the rule fails. A rule whose `from` matches is closer than one whose `to` does: the caller is the right one. */
function closestMiss(rule: RuleMatcher, place: string, request: RequestInfo): Miss {
  const fromMatches = anyMatches(rule.from, request);
  if (fromMatches) return closestEntry(rule.to, `${place}.to`, 3, request);
  const base = anyMatches(rule.to, request) ? 1.5 : 0;
  return closestEntry(rule.from, `${place}.from`, base, request);
}

/** Of entries that all fail, the one with the largest share of fields that hold; `base` is its score at least. */
function closestEntry(entries: readonly EntryMatcher[], place: string, base: number, request: RequestInfo): Miss {
  let closest: Miss = { score: -1, clause: place, field: undefined };
  for (const [at, entry] of entries.entries()) {
    const failing = entry.fields.filter((field) => !field.holds(request));
    const [field] = failing;
    if (field === undefined) continue;
    const score = base + 1 - failing.length / entry.fields.length;
    if (score > closest.score) closest = { score, clause: `${place}[${at}].${field.name}`, field };
  }
  return closest;
}

function listWanted(wanted: readonly string[]): string {
  const named = wanted.slice(0, MAX_NAMED).join(" or ");
  return wanted.length > MAX_NAMED ? `${named} or ${wanted.length - MAX_NAMED} more` : named;
}

function describeRequest(field: FieldName, request: RequestInfo): { asObject: string; asClause: string } {
  if (ONLY_HTTP.has(field) && !request.http) {
    return { asObject: `TCP connections`, asClause: `and this is a TCP connection, which has no ${field}` };
  }
  const { identity } = request.source;
  switch (field) {
    case "principals":
    case "namespaces":
    case "serviceAccounts":
      return identity === ""
        ? { asObject: "callers without a verified identity", asClause: "the caller has no verified identity" }
        : { asObject: `the caller ${identity}`, asClause: `the caller is ${identity}` };
    case "methods":
      return { asObject: `method ${quote(request.method)}`, asClause: `the method is ${quote(request.method)}` };
    case "paths":
      return { asObject: `path ${quote(request.path)}`, asClause: `the path is ${quote(request.path)}` };
    case "hosts":
      return { asObject: `host ${quote(request.host)}`, asClause: `the host is ${quote(request.host)}` };
    case "ports":
      return { asObject: `port ${request.port}`, asClause: `the port is ${request.port}` };
  }
}

/** Text of the request, shortened, with everything but visible ASCII replaced. */
function quote(text: string): string {
  const short = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}...` : text;
  return short.replace(/[^\u0021-\u007e]/g, "?");
}
