// Outlier ejection: an endpoint that fails, cannot be reached or is far slower than the others is left alone for a while,
// longer each time.

import type { EndpointState } from "./endpoint-state.ts";

/** When to eject and for how long. */
export interface OutlierOptions {
  /** Failures in a row that eject (at least 1). */
  readonly afterFailures: number;
  /** Connections in a row that could not be made, and eject (at least 1); default as `afterFailures`. */
  readonly afterConnectFailures?: number;
  /** First ejection time in milliseconds; doubles with each further one. */
  readonly baseMs: number;
  /** Longest ejection in milliseconds. */
  readonly maxMs: number;
  /** At most this share of the endpoints may be out at a time, 0 ... 1. */
  readonly maxShare: number;
  /** Looks at the outcomes of all endpoints at this interval. Absent: failures in a row are all that counts. */
  readonly statistics?: OutlierStatistics;
}

/** Ejection by comparison. An endpoint with fewer than `minRequests` in an interval is not judged. */
export interface OutlierStatistics {
  readonly intervalMs: number;
  readonly minRequests: number;
  /** Ejects below mean - factor x standard deviation of the success rates (Envoy's rule); absent: not by success rate. */
  readonly successRateFactor?: number;
  /** Ejects above factor x median of the mean response times; absent: not by latency. */
  readonly latencyFactor?: number;
}

/** Fewer than this cannot be compared. */
const MIN_COMPARED = 3;
/** Slower by less than this is no outlier, whatever the factor says. */
const MIN_SLOWER_MS = 5;

/** Decides on ejections; the state is in the endpoints. */
export class OutlierDetector {
  options: OutlierOptions;

  constructor(options: OutlierOptions) {
    this.options = options;
  }

  /** Counts a success; a quiet time after a return makes the next ejection shorter again. */
  recordSuccess(endpoint: EndpointState, nowMs: number): void {
    endpoint.failures = 0;
    endpoint.connectFailures = 0;
    endpoint.recordOutcome(false);
    if (endpoint.ejections > 0 && nowMs - endpoint.ejectionsAtMs > this.options.baseMs * 2 ** endpoint.ejections) {
      endpoint.ejections--;
      endpoint.ejectionsAtMs = nowMs;
    }
  }

  /**
   * Counts a failure and returns whether it ejected the endpoint. A probe that fails ejects at once. `out` of `total`
   * endpoints are out already.
   */
  recordFailure(endpoint: EndpointState, failure: FailureFacts): boolean {
    endpoint.failures++;
    endpoint.connectFailures = failure.connecting ? endpoint.connectFailures + 1 : 0;
    endpoint.recordOutcome(true);
    if (endpoint.probing) {
      this.#eject(endpoint, failure.nowMs);
      return true;
    }
    const { afterFailures, afterConnectFailures = afterFailures } = this.options;
    if (endpoint.failures < afterFailures && endpoint.connectFailures < afterConnectFailures) return false;
    return this.tryEject(endpoint, failure);
  }

  /** Ejects the endpoint if the cap allows; whether it did. */
  tryEject(endpoint: EndpointState, { nowMs, out, total }: Omit<FailureFacts, "connecting">): boolean {
    if (endpoint.ejectedUntilMs !== 0 || out + 1 > total * this.options.maxShare) return false;
    this.#eject(endpoint, nowMs);
    return true;
  }

  /** Which endpoints stand out in the interval that ends now, worst first; begins a new interval. */
  findOutliers(endpoints: readonly EndpointState[]): EndpointState[] {
    const { statistics } = this.options;
    if (statistics === undefined) return [];
    const { minRequests, successRateFactor, latencyFactor } = statistics;
    const judged = endpoints.filter(
      ({ windowRequests, ejectedUntilMs, probing }) =>
        windowRequests >= minRequests && ejectedUntilMs === 0 && !probing,
    );
    const found = new Set<EndpointState>();
    if (judged.length >= MIN_COMPARED) {
      if (successRateFactor !== undefined) for (const outlier of failing(judged, successRateFactor)) found.add(outlier);
      if (latencyFactor !== undefined) for (const outlier of slow(judged, latencyFactor)) found.add(outlier);
    }
    for (const endpoint of endpoints) {
      endpoint.windowRequests = 0;
      endpoint.windowFailures = 0;
      endpoint.windowLatencies = 0;
      endpoint.windowLatencyMs = 0;
    }
    return [...found];
  }

  #eject(endpoint: EndpointState, nowMs: number): void {
    const forMs = Math.min(this.options.maxMs, this.options.baseMs * 2 ** endpoint.ejections);
    endpoint.ejections++;
    endpoint.ejectionsAtMs = nowMs + forMs;
    endpoint.ejectedUntilMs = nowMs + forMs;
    endpoint.failures = 0;
    endpoint.connectFailures = 0;
    endpoint.probing = false;
    endpoint.probeSentMs = 0;
  }
}

/** What a failure is judged by. */
export interface FailureFacts {
  readonly nowMs: number;
  /** No connection came about. */
  readonly connecting: boolean;
  /** Endpoints that are out already, and all endpoints. */
  readonly out: number;
  readonly total: number;
}

function failing(judged: readonly EndpointState[], factor: number): EndpointState[] {
  const rates = judged.map(({ windowRequests, windowFailures }) => 1 - windowFailures / windowRequests);
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
  const deviation = Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length);
  const least = mean - factor * deviation;
  return byValue(judged, rates, (rate) => rate < least);
}

function slow(judged: readonly EndpointState[], factor: number): EndpointState[] {
  const means = judged.map(({ windowLatencies, windowLatencyMs }) => windowLatencyMs / Math.max(1, windowLatencies));
  const sorted = means.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  return byValue(judged, means, (mean) => mean > median * factor && mean - median > MIN_SLOWER_MS).toReversed();
}

/** Those whose value is out of bounds, in the order of the values. */
function byValue(
  judged: readonly EndpointState[],
  values: readonly number[],
  isOut: (value: number) => boolean,
): EndpointState[] {
  return judged
    .map((endpoint, at) => ({ endpoint, value: values[at] ?? 0 }))
    .filter(({ value }) => isOut(value))
    .sort((a, b) => a.value - b.value)
    .map(({ endpoint }) => endpoint);
}
