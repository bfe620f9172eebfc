// What the schema of FaultInjection cannot say, and where faults are not wanted.

import { parseDurationMs } from "@ripstop/core";
import type { Resource, ResourceLookup } from "@ripstop/resources";

import type { Found } from "../authorization/validate.ts";
import { checkTargets } from "../match/targets.ts";
import { checkMatch } from "../match/validate.ts";
import { areFaultsDenied, FAULTS_LABEL } from "./compile.ts";
import type { FaultInjectionSpec } from "./schema.ts";

const MAX_DELAY_MS = 600_000;
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** Every violation of the rules beyond the schema. */
export function validateFault(policy: Resource<FaultInjectionSpec>): Found[] {
  const found: Found[] = [];
  const { expires, rules } = policy.spec;
  if (!RFC_3339.test(expires) || Number.isNaN(Date.parse(expires))) {
    found.push({
      path: "spec.expires",
      message: `"${expires}" is no time`,
      remedy: 'write a time with its zone, for example "2030-01-31T18:00:00Z"',
    });
  }
  checkTargets(policy, found);
  for (const [at, rule] of rules.entries()) {
    const path = `spec.rules[${at}]`;
    checkMatch(rule, path, found);
    if (rule.delay === undefined && rule.abort === undefined && !rule.reset && rule.response === undefined) {
      found.push({ path, message: "the rule does nothing", remedy: "give delay, abort, reset or response" });
    }
    const ends = [rule.abort !== undefined, rule.reset, rule.response !== undefined].filter(Boolean);
    if (ends.length > 1) {
      found.push({
        path,
        message: "abort, reset and response are given together",
        remedy: "keep one of them in a rule; delay goes with each",
      });
    }
    if (rule.delay === undefined) continue;
    const delay = parseDurationMs(rule.delay);
    if (!delay.ok || delay.value > MAX_DELAY_MS) {
      found.push({ path: `${path}.delay`, message: `${rule.delay} is more than 10m`, remedy: "wait at most 10m" });
    }
  }
  return found;
}

/** The namespace may forbid faults. */
export function validateFaultPlace(policy: Resource<FaultInjectionSpec>, lookup: ResourceLookup): Found[] {
  const { namespace } = policy.metadata;
  const labels = lookup.get("Namespace", "", namespace)?.metadata.labels ?? {};
  if (!areFaultsDenied(labels)) return [];
  return [
    {
      path: "metadata.namespace",
      message: `namespace ${namespace} refuses faults by its label ${FAULTS_LABEL}: deny`,
      remedy: "try the fault in another namespace, or ask the owner of this one",
    },
  ];
}
