// What the schema of RateLimitPolicy cannot say.

import { parseDurationMs } from "@ripstop/core";
import type { Resource } from "@ripstop/resources";

import type { Found } from "../authorization/validate.ts";
import { checkMatch } from "../match/validate.ts";
import type { RateLimitPolicySpec } from "./schema.ts";

const MIN_PERIOD_MS = 10;
const MAX_PERIOD_MS = 86_400_000;

/** Every violation of the rules beyond the schema. */
export function validateRateLimit(policy: Resource<RateLimitPolicySpec>): Found[] {
  const found: Found[] = [];
  const names = new Set<string>();
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
