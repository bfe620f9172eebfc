// One endpoint as balancing sees it. The connecting stage extends it with its connections.

const DECAY_MS = 10_000;

/** Load, latency and health of one endpoint. */
export class EndpointState {
  /** Workload id or address. */
  readonly id: string;
  /** Relative share, 0 … 1 000 000; 0 = gets nothing. */
  weight: number;
  /** As the control plane says. */
  healthy: boolean;
  /** Requests and connections under way. */
  inflight = 0;
  /** Moving average of response times, in milliseconds; 0 before the first one. */
  latencyMs = 0;
  latencyAtMs = 0;
  /** Failures since the last success. */
  failures = 0;
  /** How often it was ejected lately; doubles the next ejection. */
  ejections = 0;
  /** Monotonic time of its return; 0 when it is not ejected. */
  ejectedUntilMs = 0;
  /** When `ejections` changed last. */
  ejectionsAtMs = 0;
  /** Scratch of the round-robin picker. */
  credit = 0;

  constructor(id: string, weight: number, healthy: boolean) {
    this.id = id;
    this.weight = weight;
    this.healthy = healthy;
  }

  /**
   * Takes in one response time. A slower response counts at once in full, a faster one little by little (peak EWMA), so
   * that an endpoint that stalls is left alone quickly.
   */
  recordLatency(latencyMs: number, nowMs: number): void {
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

  /** Expected cost of one more request: latency times queue, smaller for a bigger weight. */
  cost(nowMs: number): number {
    const aged = this.latencyMs * Math.exp(-Math.max(0, nowMs - this.latencyAtMs) / DECAY_MS);
    // A floor of a tenth of a millisecond lets the queue decide between endpoints that are equally quick.
    return (Math.max(aged, 0.1) * (this.inflight + 1)) / this.weight;
  }
}
