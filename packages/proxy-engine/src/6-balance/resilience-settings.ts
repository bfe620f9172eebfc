// What the config of a service says about time-outs, retries, hedging and limits, with defaults filled in; compiled once
// per config so that an exchange reads plain fields.

import {
  AdaptiveConcurrency_Scope,
  RetrySettings_Condition,
  type AdaptiveConcurrency,
  type Resilience,
} from "@ripstop/model";

/** Bits of `retryOn`. */
export const RETRY_ON = {
  connectFailure: 1,
  refusedStream: 2,
  reset: 4,
  serverError: 8,
  gatewayError: 16,
  timeout: 32,
} as const;

/** Settings in force. Times in milliseconds, 0 = none. */
export interface ResilienceSettings {
  readonly perTryTimeoutMs: number;
  readonly headerTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly streamIdleMs: number;
  /** Any of header, stream idle and hedging is set. */
  readonly timesTries: boolean;
  /** 0 = the pool's default. */
  readonly connectionIdleMs: number;
  /** Sum of RETRY_ON. */
  readonly retryOn: number;
  readonly retryCodes: readonly number[];
  readonly retryGrpcStatuses: readonly number[];
  /** Methods that may be sent twice besides the idempotent ones. */
  readonly retryMethods: readonly string[];
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** The policy wants the backoff before every retry, also at another instance. */
  readonly alwaysBackOff: boolean;
  readonly maxRetryAfterMs: number;
  /** Retries per request. */
  readonly budgetShare: number;
  readonly budgetPerSecond: number;
  readonly hedgeDelayMs: number;
  /** 0 when requests are not hedged by percentile. */
  readonly hedgePercentile: number;
  /** 0 = the pool's own limit. */
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
  readonly adaptive: AdaptiveConcurrency | undefined;
}

const DEFAULT_BACKOFF_MS = 25;
const BACKOFF_GROWTH = 10;
const DEFAULT_MAX_RETRY_AFTER_MS = 1_000;
const DEFAULT_BUDGET_PERCENT = 20;
const DEFAULT_BUDGET_PER_SECOND = 3;
const GRPC_UNAVAILABLE = 14;
const DEFAULT_RETRY_ON =
  RETRY_ON.connectFailure | RETRY_ON.refusedStream | RETRY_ON.reset | RETRY_ON.gatewayError | RETRY_ON.timeout;

/** Settings of a service; of one that says nothing the defaults. */
export function resilienceSettings(resilience: Resilience | undefined): ResilienceSettings {
  const { timeouts, retries, hedging, limits, adaptive } = resilience ?? {};
  const backoffMs = retries?.backoffMs || DEFAULT_BACKOFF_MS;
  const statuses = retries?.grpcStatuses ?? [];
  return {
    perTryTimeoutMs: timeouts?.perTryMs ?? 0,
    headerTimeoutMs: timeouts?.responseHeaderMs ?? 0,
    bodyTimeoutMs: timeouts?.bodyMs ?? 0,
    streamIdleMs: timeouts?.streamIdleMs ?? 0,
    timesTries: hedging !== undefined || (timeouts?.responseHeaderMs ?? 0) > 0 || (timeouts?.streamIdleMs ?? 0) > 0,
    connectionIdleMs: timeouts?.connectionIdleMs ?? 0,
    retryOn: retryOn(retries?.conditions ?? []),
    retryCodes: retries?.codes ?? [],
    retryGrpcStatuses: statuses.length > 0 ? statuses : [GRPC_UNAVAILABLE],
    retryMethods: retries?.methods ?? [],
    backoffMs,
    maxBackoffMs: Math.max(backoffMs, retries?.maxBackoffMs || backoffMs * BACKOFF_GROWTH),
    alwaysBackOff: (retries?.backoffMs ?? 0) > 0,
    maxRetryAfterMs: retries?.maxRetryAfterMs || DEFAULT_MAX_RETRY_AFTER_MS,
    budgetShare: (retries?.budgetPercent ?? (resilience?.retryBudgetPercent || DEFAULT_BUDGET_PERCENT)) / 100,
    budgetPerSecond: retries?.budgetMinPerSecond ?? DEFAULT_BUDGET_PER_SECOND,
    hedgeDelayMs: hedging?.delayMs ?? 0,
    hedgePercentile: hedging !== undefined && hedging.delayMs === 0 ? hedging.percentile : 0,
    maxConnections: limits?.maxConnections ?? 0,
    maxPending: limits?.maxPending ?? 0,
    maxRequests: limits?.maxRequests ?? 0,
    maxRetries: limits?.maxRetries ?? 0,
    adaptive,
  };
}

/** Whether each instance has an adaptive limit of its own. */
export function limitsEndpoints({ adaptive }: ResilienceSettings): boolean {
  return adaptive?.scope === AdaptiveConcurrency_Scope.ENDPOINT;
}

function retryOn(conditions: readonly RetrySettings_Condition[]): number {
  if (conditions.length === 0) return DEFAULT_RETRY_ON;
  let sum = 0;
  for (const condition of conditions) sum |= bitOf(condition);
  return sum;
}

function bitOf(condition: RetrySettings_Condition): number {
  switch (condition) {
    case RetrySettings_Condition.CONNECT_FAILURE:
      return RETRY_ON.connectFailure;
    case RetrySettings_Condition.REFUSED_STREAM:
      return RETRY_ON.refusedStream;
    case RetrySettings_Condition.RESET:
      return RETRY_ON.reset;
    case RetrySettings_Condition.SERVER_ERROR:
      return RETRY_ON.serverError;
    case RetrySettings_Condition.GATEWAY_ERROR:
      return RETRY_ON.gatewayError;
    case RetrySettings_Condition.TIMEOUT:
      return RETRY_ON.timeout;
    default:
      // A condition that this version does not know.
      return 0;
  }
}
