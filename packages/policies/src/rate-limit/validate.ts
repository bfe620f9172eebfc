// What the schema of RateLimitPolicy cannot say.

import { parseDurationMs } from "@ripstop/core";
import type { Resource } from "@ripstop/resources";

import type { Found } from "../authorization/validate.ts";
import { checkTargets } from "../match/targets.ts";
import { checkMatch } from "../match/validate.ts";
import type { RateLimitPolicySpec, RateLimitRule } from "./schema.ts";

const MIN_PERIOD_MS = 10;
const MAX_PERIOD_MS = 86_400_000;

/** Every violation of the rules beyond the schema. */
export function validateRateLimit(policy: Resource<RateLimitPolicySpec>): Found[] {
  const found: Found[] = [];
  const names = new Set<string>();
  checkTargets(policy, found);
  for (const [at, rule] of policy.spec.rules.entries()) {
    const path = `spec.rules[${at}]`;
    if (names.has(rule.name)) {
      found.push({
        path: `${path}.name`,
        message: `the name "${rule.name}" is given twice`,
        remedy: "give every rule a name of its own: callers see which limit they met",
      });
    }
    names.add(rule.name);
    checkMatch(rule, path, found);
    checkUnit(rule, path, found);
    for (const [index, part] of rule.key.entries()) {
      if ((part.type === "Header") === (part.name !== undefined)) continue;
      found.push({
        path: `${path}.key[${index}].name`,
        message: part.type === "Header" ? "no header field is named" : `${part.type} has no name`,
        remedy: part.type === "Header" ? "name the field to count by" : "leave the name out, or use type Header",
      });
    }
    const period = parseDurationMs(rule.limit.period);
    if (!period.ok || period.value < MIN_PERIOD_MS || period.value > MAX_PERIOD_MS) {
      found.push({
        path: `${path}.limit.period`,
        message: `${rule.limit.period} is not between 10ms and 24h`,
        remedy: 'write for example "1s" or "1m"',
      });
    }
  }
  return found;
}

const OF_CONNECTIONS: readonly string[] = ["Identity", "Namespace", "Address"];

/** What is counted, and that a raw connection has what it is chosen and counted by. */
function checkUnit({ limit, key, to, headers }: RateLimitRule, path: string, found: Found[]): void {
  if ((limit.requests === undefined) === (limit.connections === undefined)) {
    const message = `${limit.requests === undefined ? "neither" : "both"} requests ${limit.requests === undefined ? "nor" : "and"} connections ${limit.requests === undefined ? "is" : "are"} given`;
    found.push({
      path: `${path}.limit`,
      message,
      remedy: "give one of them: what is counted, and how many in a period",
    });
  }
  if (limit.connections === undefined) return;
  const remedy = "leave it out, or limit requests: a raw connection shows its caller, its address and its port only";
  for (const [at, { type }] of key.entries())
    if (!OF_CONNECTIONS.includes(type))
      found.push({ path: `${path}.key[${at}].type`, message: `a raw connection has no ${type}`, remedy });
  if (headers !== undefined)
    found.push({ path: `${path}.headers`, message: "a raw connection has no header fields", remedy });
  for (const [at, entry] of (to ?? []).entries())
    for (const field of ["methods", "paths", "hosts"] as const)
      if (entry[field] !== undefined)
        found.push({ path: `${path}.to[${at}].${field}`, message: `a raw connection has no ${field}`, remedy });
}
