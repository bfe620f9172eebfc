// Which backend of a rule gets a request: each its share by weight.

import type { CompiledRule } from "./port-matcher.ts";

/**
 * The position in `rule.backends` of the backend that gets the request, or -1 when there is none with a weight above 0.
 * `random` is in [0, 1). Backends with an invalid reference keep their share (Gateway API HTTPBackendRef: they answer 500).
 */
export function chooseBackend(rule: Pick<CompiledRule, "backends" | "totalWeight">, random: number): number {
  if (rule.totalWeight === 0) return -1;
  const backends = rule.backends;
  let point = random * rule.totalWeight;
  let last = -1;
  for (let at = 0; at < backends.length; at++) {
    const weight = backends[at]?.weight ?? 0;
    if (weight === 0) continue;
    if (point < weight) return at;
    point -= weight;
    last = at;
  }
  return last;
}
