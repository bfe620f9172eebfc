// Fixed limits of what is under way to one service. Over a limit a request is refused at once, so that a slow service does
// not fill its clients with waiting requests (Nygard, "Release It!"; Envoy's circuit breakers).

/** 0 = no limit. */
export interface CircuitLimits {
  /** Requests under way. */
  readonly maxRequests: number;
  /** Retries under way. */
  readonly maxRetries: number;
}

/** Counts what is under way. */
export class CircuitBreaker {
  limits: CircuitLimits;
  #requests = 0;
  #retries = 0;

  constructor(limits: CircuitLimits) {
    this.limits = limits;
  }

  /** Requests under way. */
  get requests(): number {
    return this.#requests;
  }

  /** Retries under way. */
  get retries(): number {
    return this.#retries;
  }

  /** Counts a request in, or returns false when there are too many. Each that got in calls `leave` once. */
  tryEnter(): boolean {
    const { maxRequests } = this.limits;
    if (maxRequests > 0 && this.#requests >= maxRequests) return false;
    this.#requests++;
    return true;
  }

  /** Ends a request. */
  leave(): void {
    this.#requests--;
  }

  /** Counts a retry in, or returns false when there are too many. Each that got in calls `endRetry` once. */
  tryRetry(): boolean {
    const { maxRetries } = this.limits;
    if (maxRetries > 0 && this.#retries >= maxRetries) return false;
    this.#retries++;
    return true;
  }

  /** Ends `count` retries. */
  endRetries(count: number): void {
    this.#retries -= count;
  }
}
