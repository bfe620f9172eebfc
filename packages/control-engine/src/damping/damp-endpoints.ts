// Which endpoints of a set are held down: those that came and went too often, but never so many that the others would have
// to carry more than they can.

import type { Endpoint } from "@ripstop/model";

/** An endpoint with the penalty that it is held down for; 0 for none. */
export interface DampedEndpoint {
  readonly endpoint: Endpoint;
  readonly penalty: number;
}

/** At least this share of a set stays, or its panic threshold if that is more. */
const LEAST_SHARE = 0.5;
/** And at least so many: a set of two has nobody to spare. */
const LEAST = 2;

/** The endpoints, those that are held down not healthy. `panicShare`: 0 ... 1, that of the service. */
export function dampEndpoints(all: readonly DampedEndpoint[], panicShare: number): readonly Endpoint[] {
  const held = all.filter(({ endpoint, penalty }) => endpoint.healthy && penalty > 0);
  if (held.length === 0) return all.map(({ endpoint }) => endpoint);
  const healthy = all.reduce((sum, { endpoint }) => sum + (endpoint.healthy ? 1 : 0), 0);
  const least = Math.max(LEAST, Math.ceil(all.length * Math.max(LEAST_SHARE, panicShare)));
  const worst = held.sort((a, b) => b.penalty - a.penalty || (a.endpoint.id < b.endpoint.id ? -1 : 1));
  const down = new Set(worst.slice(0, Math.max(0, healthy - least)).map(({ endpoint }) => endpoint));
  return all.map(({ endpoint }) => (down.has(endpoint) ? { ...endpoint, healthy: false } : endpoint));
}
