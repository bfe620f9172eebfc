// Weights that follow what endpoints show of themselves: an endpoint that answers slower than the others, fails more, or
// reports less capacity gets less before anything ejects it. Load reports weigh as in gRPC's weighted round robin (gRFC A58).

import type { EndpointState } from "./endpoint-state.ts";

const LEAST = 0.1;
const MOST = 4;
/** Part of the way to the wanted factor that one step goes. */
const STEP = 0.3;
/** Response times up to this much over the median are no difference. */
const LATENCY_TOLERANCE = 1.5;
/** A load report counts so long. */
const REPORT_VALID_MS = 30_000;
/** What is left of the error rate of an endpoint after a step without requests: it is tried again sooner. */
const FORGET = 0.95;

/** Moves the factor of each endpoint one step; `stepMs` is the time since the last one. */
export function adaptWeights(endpoints: readonly EndpointState[], nowMs: number, stepMs: number): void {
  const latencies = endpoints.filter(({ latencyAtMs }) => latencyAtMs !== 0).map(({ latencyMs }) => latencyMs);
  const median = latencies.toSorted((a, b) => a - b)[latencies.length >> 1] ?? 0;
  const capacities = endpoints.map((endpoint) => capacity(endpoint, nowMs, stepMs));
  const known = capacities.filter((value) => value > 0);
  const mean = known.reduce((sum, value) => sum + value, 0) / Math.max(1, known.length);
  for (const [at, endpoint] of endpoints.entries()) {
    if (endpoint.tickRequests === 0) endpoint.errorRate *= FORGET;
    endpoint.tickRequests = 0;
    const ownCapacity = capacities[at] ?? 0;
    let wanted = (1 - endpoint.errorRate) ** 2;
    // What an endpoint says of its load is better than what is guessed from its response times.
    if (ownCapacity > 0) wanted *= ownCapacity / mean;
    else if (endpoint.latencyMs > 0) wanted *= Math.min(1, (LATENCY_TOLERANCE * median) / endpoint.latencyMs);
    wanted = Math.min(MOST, Math.max(LEAST, wanted));
    endpoint.adaptiveFactor += (wanted - endpoint.adaptiveFactor) * STEP;
  }
}

/** Requests a second that the endpoint could take by its own report; 0 when it said nothing lately. */
function capacity(endpoint: EndpointState, nowMs: number, stepMs: number): number {
  if (endpoint.utilization === 0 || nowMs - endpoint.reportedAtMs > REPORT_VALID_MS) return 0;
  const rps = endpoint.reportedRps > 0 ? endpoint.reportedRps : (endpoint.tickRequests * 1000) / Math.max(1, stepMs);
  return rps / endpoint.utilization / endpoint.weight;
}

/** Part of its weight that an endpoint gets `sinceMs` after it joined, 0.1 ... 1 (Envoy's rule: time^(1 / aggression)). */
export function slowStartFactor(sinceMs: number, windowMs: number, aggression: number): number {
  if (sinceMs >= windowMs || windowMs <= 0) return 1;
  return Math.max(LEAST, (Math.max(0, sinceMs) / windowMs) ** (1 / aggression));
}
