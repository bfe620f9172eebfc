// What the schema of ResiliencePolicy cannot say.

import { parseDurationMs } from "@ripstop/core";
import type { Resource, Violation } from "@ripstop/resources";

import type { ResiliencePolicySpec } from "./schema.ts";

type Found = Pick<Violation, "path" | "message" | "remedy">;

/** Every violation of the rules beyond the schema. */
export function validateResilience({ spec }: Resource<ResiliencePolicySpec>): Found[] {
  const found: Found[] = [];
  const { timeouts, retries, hedging, adaptiveConcurrency: adaptive, loadShedding } = spec;
  const names = new Set<string>();
  for (const [at, { name }] of spec.targetRefs.entries()) {
    if (names.has(name))
      found.push({ path: `spec.targetRefs[${at}]`, message: `Service ${name} is there twice`, remedy: "name it once" });
    names.add(name);
  }
  if (timeouts !== undefined) {
    const request = ms(timeouts.request);
    for (const part of ["perTry", "connect", "responseHeader"] as const) {
      if (request === 0 || ms(timeouts[part]) < request) continue;
      found.push({
        path: `spec.timeouts.${part}`,
        message: `${timeouts[part]} is no shorter than the time-out of the whole request, ${timeouts.request}`,
        remedy: "make it shorter, so that there is time for another try, or leave it out",
      });
    }
  }
  const { base, max } = retries?.backoff ?? {};
  if (base !== undefined && max !== undefined && ms(max) < ms(base)) {
    found.push({
      path: "spec.retries.backoff.max",
      message: `${max} is shorter than base, ${base}`,
      remedy: "make it at least as long",
    });
  }
  if (hedging !== undefined && hedging.after !== undefined && hedging.percentile !== undefined) {
    found.push({
      path: "spec.hedging.percentile",
      message: "after and percentile are both given",
      remedy: "keep one of them",
    });
  }
  if (hedging?.after !== undefined && ms(hedging.after) === 0) {
    found.push({
      path: "spec.hedging.after",
      message: "every request would be sent twice",
      remedy: "give a time that most answers take less than, or use percentile",
    });
  }
  if (adaptive !== undefined && adaptive.minimum > adaptive.maximum) {
    found.push({
      path: "spec.adaptiveConcurrency.minimum",
      message: `${adaptive.minimum} is above maximum, ${adaptive.maximum}`,
      remedy: "make minimum smaller",
    });
  }
  if (loadShedding?.minimum !== undefined && loadShedding.minimum > loadShedding.maximum) {
    found.push({
      path: "spec.loadShedding.minimum",
      message: `${loadShedding.minimum} is above maximum, ${loadShedding.maximum}`,
      remedy: "make minimum smaller",
    });
  }
  return found;
}

/** Milliseconds; 0 for none. */
function ms(text: string | undefined): number {
  if (text === undefined) return 0;
  const parsed = parseDurationMs(text);
  return parsed.ok ? parsed.value : 0;
}
