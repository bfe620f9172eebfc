// One endpoint as balancing sees it. The connecting stage extends it with its connections.

const DECAY_MS = 10_000;
/** Share of one outcome in the moving error rate. */
const ERROR_SHARE = 0.05;
/** Cost of a request that fails, in requests that do not: it has to be made again, or hurts somebody. */
const FAILURE_COST = 10;

/** Load, latency and health of one endpoint. */
export class EndpointState {
  /** Workload id or address. */
  readonly id: string;
  /** Relative share as configured, 0 … 1 000 000; 0 = gets nothing. */
  weight: number;
  /** As the control plane says. */
  healthy: boolean;
  /** As active health checks say; true while there are none. */
  checkedHealthy = true;
  /** Where it is; "" when that is not known. */
  region = "";
  zone = "";
  /** Value of the label that subsets are made by; "" when it has none. */
  subset = "";
  /** Tier: others get requests when those of lower tiers cannot carry them all. 0 ... 7. */
  priority = 0;
  /** `weight` times what slow start and adaptive weights leave of it. Owned by the endpoint set. */
  effectiveWeight: number;
  /** `effectiveWeight` over the mean of those that it is chosen among. Owned by the endpoint set. */
  relativeWeight = 1;
  /** Requests and connections under way. */
  inflight = 0;
  /** Moving average of response times, in milliseconds; 0 before the first one. */
  latencyMs = 0;
  latencyAtMs = 0;
  /** Failures since the last success. */
  failures = 0;
  /** Connections in a row that could not be made. */
  connectFailures = 0;
  /** Moving share of failed requests, 0 … 1. */
  errorRate = 0;
  /** Outcomes since the outlier detector looked last. */
  windowRequests = 0;
  windowFailures = 0;
  windowLatencies = 0;
  windowLatencyMs = 0;
  /** How often it was ejected lately; doubles the next ejection. */
  ejections = 0;
  /** Monotonic time of its return; 0 when it is not ejected. */
  ejectedUntilMs = 0;
  /** When `ejections` changed last. */
  ejectionsAtMs = 0;
  /** Its ejection is over, but it has to answer one request before it gets its share again. */
  probing = false;
  /** When the last probe was sent; 0 when none is under way. */
  probeSentMs = 0;
  /** It asked to be left alone until then (Retry-After); 0 when it did not. */
  restUntilMs = 0;
  /** When it began to get requests; decides on slow start. */
  joinedMs: number = -Infinity;
  /** It was among those that get requests at the last look. */
  wasUsable = false;
  /** What adaptive weights leave of its weight, 0.1 … 4. */
  adaptiveFactor = 1;
  /** Its own last load report (ORCA): share of its capacity in use (> 0), and requests a second or 0. */
  utilization = 0;
  reportedRps = 0;
  reportedAtMs = 0;
  /** Requests that were sent since adaptive weights looked last. */
  tickRequests = 0;
  /** Scratch of the round-robin picker. */
  credit = 0;

  constructor(id: string, weight: number, healthy: boolean) {
    this.id = id;
    this.weight = weight;
    this.effectiveWeight = weight;
    this.healthy = healthy;
  }

  /**
   * Takes in one response time. A slower response counts at once in full, a faster one little by little (peak EWMA), so
   * that an endpoint that stalls is left alone quickly. A failure that comes quickly is no sign of speed.
   */
  recordLatency(latencyMs: number, nowMs: number, failed = false): void {
    if (failed && latencyMs < this.latencyMs) return;
    this.windowLatencies++;
    this.windowLatencyMs += latencyMs;
    if (latencyMs >= this.latencyMs || this.latencyAtMs === 0) {
      this.latencyMs = latencyMs;
    } else {
      const keep = Math.exp(-Math.max(0, nowMs - this.latencyAtMs) / DECAY_MS);
      // At least a twentieth per sample, so that a busy endpoint recovers though no time passes between samples.
      const share = Math.max(1 - keep, 0.05);
      this.latencyMs += (latencyMs - this.latencyMs) * share;
    }
    this.latencyAtMs = nowMs;
  }

  /** Counts the outcome of a request. */
  recordOutcome(failed: boolean): void {
    this.windowRequests++;
    this.tickRequests++;
    if (failed) {
      this.windowFailures++;
      this.errorRate += (1 - this.errorRate) * ERROR_SHARE;
    } else this.errorRate -= this.errorRate * ERROR_SHARE;
  }

  /** Takes in a load report; one without a utilization says nothing. */
  recordLoad(report: { readonly utilization: number; readonly rps: number }, nowMs: number): void {
    if (!(report.utilization > 0)) return;
    this.utilization = report.utilization;
    this.reportedRps = report.rps;
    this.reportedAtMs = nowMs;
  }

  /**
   * Expected cost of one more request: latency times queue, a queue counting less for a bigger weight, and more by the
   * share of requests that failed lately.
   */
  cost(nowMs: number): number {
    const aged = this.latencyMs * Math.exp(-Math.max(0, nowMs - this.latencyAtMs) / DECAY_MS);
    // A floor of a tenth of a millisecond lets the queue decide between endpoints that are equally quick.
    return Math.max(aged, 0.1) * (this.inflight / this.relativeWeight + 1) * (1 + FAILURE_COST * this.errorRate);
  }
}
