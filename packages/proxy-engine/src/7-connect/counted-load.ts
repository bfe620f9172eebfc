// What one outbound exchange was counted in by: limits of the service and of the instance. Made only where there are limits.

import type { CircuitBreaker, GradientLimiter } from "@ripstop/balance";

/** The moments of an exchange that adaptive limits learn from; monotonic milliseconds. */
export interface LoadMoments {
  /** When what is counted began. */
  readonly sinceMs: number;
  /** When the exchange began. */
  readonly startedMs: number;
  readonly nowMs: number;
}

/** The limits that an exchange counts in, and what it tells them at its end. */
export class CountedLoad {
  breaker: CircuitBreaker | undefined = undefined;
  /** Of the whole service. */
  limiter: GradientLimiter | undefined = undefined;
  /** Of the instance that is tried now. */
  endpointLimiter: GradientLimiter | undefined = undefined;
  /** Retries that `breaker` counts. */
  retries = 0;
  /** From the start to the head of the answer; -1 before. */
  headMs = -1;
  /** A time-out ended it that its client had not asked for. */
  wasSlow = false;

  /** Counts out of an adaptive limit. Who said nothing, for no fault of the service, says nothing about latency. */
  leave(limiter: GradientLimiter, { sinceMs, startedMs, nowMs }: LoadMoments): void {
    if (this.wasSlow) limiter.leave(nowMs - sinceMs, nowMs, true);
    else if (this.headMs >= 0) limiter.leave(startedMs + this.headMs - sinceMs, nowMs, false);
    else limiter.cancel();
  }

  /** The exchange is over. */
  end(startedMs: number, nowMs: number): void {
    if (this.breaker !== undefined) {
      this.breaker.leave();
      this.breaker.endRetries(this.retries);
    }
    if (this.limiter !== undefined) this.leave(this.limiter, { sinceMs: startedMs, startedMs, nowMs });
  }
}
