// Outlier ejection: an endpoint that fails several times in a row is left alone for a while, longer each time.

import type { EndpointState } from "./endpoint-state.ts";

/** When to eject and for how long. */
export interface OutlierOptions {
  /** Failures in a row that eject (≥ 1). */
  readonly afterFailures: number;
  /** First ejection time in milliseconds; doubles with each further one. */
  readonly baseMs: number;
  /** Longest ejection in milliseconds. */
  readonly maxMs: number;
  /** At most this share of the endpoints may be out at a time, 0 … 1. */
  readonly maxShare: number;
}

/** Decides on ejections; the state is in the endpoints. */
export class OutlierDetector {
  options: OutlierOptions;

  constructor(options: OutlierOptions) {
    this.options = options;
  }

  /** Counts a success; a quiet time after a return makes the next ejection shorter again. */
  recordSuccess(endpoint: EndpointState, nowMs: number): void {
    endpoint.failures = 0;
    if (endpoint.ejections > 0 && nowMs - endpoint.ejectionsAtMs > this.options.baseMs * 2 ** endpoint.ejections) {
      endpoint.ejections--;
      endpoint.ejectionsAtMs = nowMs;
    }
  }

  /** Counts a failure and returns whether it ejected the endpoint. `ejected` of `total` endpoints are out already. */
  recordFailure(endpoint: EndpointState, nowMs: number, ejected: number, total: number): boolean {
    endpoint.failures++;
    if (endpoint.ejectedUntilMs !== 0 || endpoint.failures < this.options.afterFailures) return false;
    if (ejected + 1 > total * this.options.maxShare) return false;
    const forMs = Math.min(this.options.maxMs, this.options.baseMs * 2 ** endpoint.ejections);
    endpoint.ejections++;
    endpoint.ejectionsAtMs = nowMs + forMs;
    endpoint.ejectedUntilMs = nowMs + forMs;
    endpoint.failures = 0;
    return true;
  }
}
