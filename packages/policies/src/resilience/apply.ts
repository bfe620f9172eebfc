// ResiliencePolicy to the Resilience of a Service and the LoadShedding of its workloads.

import { parseDurationMs } from "@ripstop/core";
import {
  AdaptiveConcurrency_Scope,
  LoadShedding_Priority,
  RetrySettings_Condition,
  type LoadShedding,
  type Resilience,
  type RetrySettings,
  type Service,
  type Workload,
} from "@ripstop/model";
import type { Resource } from "@ripstop/resources";

import type { ResiliencePolicySpec, RetriesSpec, RetryOn, SheddingSpec, ShedPriority } from "./schema.ts";

const NOTHING: Resilience = {
  maxRetries: 0,
  retryBudgetPercent: 0,
  ejectAfterFailures: 0,
  ejectBaseMs: 0,
  connectTimeoutMs: 0,
  requestTimeoutMs: 0,
};

const CONDITIONS: Readonly<Record<RetryOn, RetrySettings_Condition>> = {
  "connect-failure": RetrySettings_Condition.CONNECT_FAILURE,
  "refused-stream": RetrySettings_Condition.REFUSED_STREAM,
  reset: RetrySettings_Condition.RESET,
  "server-error": RetrySettings_Condition.SERVER_ERROR,
  "gateway-error": RetrySettings_Condition.GATEWAY_ERROR,
  "try-timeout": RetrySettings_Condition.TIMEOUT,
};

const PRIORITIES: Readonly<Record<ShedPriority, LoadShedding_Priority>> = {
  sheddable: LoadShedding_Priority.SHEDDABLE,
  low: LoadShedding_Priority.LOW,
  default: LoadShedding_Priority.DEFAULT,
  critical: LoadShedding_Priority.CRITICAL,
};

/** "NAMESPACE/NAME" of every Service that the policy is attached to. */
export function resilienceTargets({ metadata, spec }: Resource<ResiliencePolicySpec>): readonly string[] {
  return [...new Set(spec.targetRefs.map(({ name }) => `${metadata.namespace}/${name}`))];
}

/** The Service with what clients need to know of the policy. */
export function applyResilience({ spec }: Resource<ResiliencePolicySpec>, service: Service): Service {
  const { timeouts, retries, hedging, limits, adaptiveConcurrency: adaptive } = spec;
  const resilience: Resilience = { ...NOTHING, ...service.resilience };
  if (timeouts !== undefined) {
    resilience.requestTimeoutMs = milliseconds(timeouts.request);
    resilience.connectTimeoutMs = milliseconds(timeouts.connect);
    resilience.timeouts = {
      perTryMs: milliseconds(timeouts.perTry),
      responseHeaderMs: milliseconds(timeouts.responseHeader),
      bodyMs: milliseconds(timeouts.body),
      streamIdleMs: milliseconds(timeouts.streamIdle),
      connectionIdleMs: milliseconds(timeouts.connectionIdle),
    };
  }
  if (retries !== undefined) {
    const { attempts } = retries;
    resilience.maxRetries = attempts === 0 ? -1 : (attempts ?? 0);
    resilience.retries = retrySettings(retries);
  }
  if (hedging !== undefined)
    resilience.hedging = { delayMs: milliseconds(hedging.after), percentile: hedging.percentile ?? 0 };
  if (limits !== undefined) {
    const { connections = 0, pending = 0, requests = 0, retries: retriesUnderWay = 0 } = limits;
    resilience.limits = {
      maxConnections: connections,
      maxPending: pending,
      maxRequests: requests,
      maxRetries: retriesUnderWay,
    };
  }
  if (adaptive !== undefined) {
    resilience.adaptive = {
      scope: adaptive.scope === "Endpoint" ? AdaptiveConcurrency_Scope.ENDPOINT : AdaptiveConcurrency_Scope.SERVICE,
      minLimit: adaptive.minimum,
      maxLimit: adaptive.maximum,
    };
  }
  return { ...service, resilience };
}

/** The workload of a targeted Service with what its own proxy needs to know of the policy. */
export function shedOn({ spec }: Resource<ResiliencePolicySpec>, workload: Workload): Workload {
  if (spec.loadShedding === undefined) return workload;
  return { ...workload, shedding: loadShedding(spec.loadShedding) };
}

function retrySettings(retries: RetriesSpec): RetrySettings {
  const { on = [], codes = [], grpcStatuses = [], methods = [], backoff, retryAfter, budget } = retries;
  return {
    conditions: on.map((condition) => CONDITIONS[condition]),
    codes: [...codes],
    grpcStatuses: [...grpcStatuses],
    methods: [...methods],
    backoffMs: milliseconds(backoff?.base),
    maxBackoffMs: milliseconds(backoff?.max),
    maxRetryAfterMs: milliseconds(retryAfter?.max),
    budgetMinPerSecond: budget.minPerSecond,
    budgetPercent: budget.percent,
  };
}

function loadShedding({ maximum, minimum = 0, header, rules }: SheddingSpec): LoadShedding {
  return {
    rules: rules.map(({ paths = [], principals = [], priority }) => ({
      paths: [...paths],
      principals: [...principals],
      priority: PRIORITIES[priority],
    })),
    header: header.toLowerCase(),
    maxRequests: maximum,
    adaptiveMin: minimum,
  };
}

/** 0 for none; the schema has let only durations through. */
function milliseconds(text: string | undefined): number {
  if (text === undefined) return 0;
  const parsed = parseDurationMs(text);
  return parsed.ok ? parsed.value : 0;
}
