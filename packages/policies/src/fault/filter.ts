// Proxy side of fault injection. Says what is to be done to a request; the engine does it.

import type {
  Denial,
  Disturbance,
  Filter,
  FilterFactory,
  FilterTools,
  PolicyConfig,
  RequestInfo,
} from "@ripstop/policy-api/proxy";
import { metricNames, type Counter } from "@ripstop/telemetry";

import type { Target } from "../match/config.gen.ts";
import { meetsTargets } from "../match/target-matcher.ts";
import { RequestMatcher } from "../match/matcher.ts";
import { FaultConfig, type FaultRule } from "./config.gen.ts";
import { faultInjected } from "./errors.ts";

/** The newest FaultConfig.reader_version that this filter understands in full. */
const READER_VERSION = 2;

/** Makes the faults of a workload. */
export const filterFactory: FilterFactory = {
  kind: "fault",
  order: 400,
  create: (configs, tools) => new FaultFilter(configs, tools),
};

interface LoadedRule {
  readonly matcher: RequestMatcher;
  readonly targets: readonly Target[];
  /** Share of requests, 0 ... 1. */
  readonly share: number;
  readonly expiresMs: number;
  readonly disturbance: Disturbance;
  readonly disturbed: Counter;
}

class FaultFilter implements Filter {
  readonly #tools: FilterTools;
  readonly #rules: LoadedRule[] = [];

  constructor(configs: readonly PolicyConfig[], tools: FilterTools) {
    this.#tools = tools;
    for (const { name, config } of configs) this.#load(name, FaultConfig.decode(config));
  }

  onRequest(): undefined {
    return undefined;
  }

  disturb(request: RequestInfo): Disturbance | undefined {
    const rules = this.#rules;
    const { clock } = this.#tools;
    for (let at = 0; at < rules.length; at++) {
      const rule = rules[at];
      if (rule === undefined || clock.nowMs() >= rule.expiresMs) continue;
      if (!meetsTargets(rule.targets, request) || !rule.matcher.matches(request)) continue;
      if (this.#tools.random() >= rule.share) continue;
      rule.disturbed.add(1);
      return rule.disturbance;
    }
    return undefined;
  }

  #load(policy: string, config: FaultConfig): void {
    if (config.readerVersion > READER_VERSION) {
      throw new Error(
        `FaultInjection ${policy} uses conditions that this proxy does not know (version ${config.readerVersion}, known ${READER_VERSION})`,
      );
    }
    const { FAULTS } = metricNames;
    for (const [at, rule] of config.rules.entries()) {
      const clause = `spec.rules[${at}]`;
      this.#rules.push({
        // Exact matching: a fault never meets a request that its rule does not name.
        matcher: new RequestMatcher(rule.match, false),
        targets: config.targets,
        share: rule.percentage / 100,
        expiresMs: config.expiresUnixMs,
        disturbance: {
          policy,
          clause,
          delayMs: rule.delayMs,
          abort: rule.abortHttpStatus === 0 ? undefined : abortOf(policy, clause, rule),
          reset: rule.reset,
          bytesPerSecond: rule.bytesPerSecond,
          cutAfterBytes: rule.cutAfterBytes ?? -1,
        },
        disturbed: this.#tools.metrics.counter(FAULTS.name, FAULTS.help, { policy, fault: nameOf(rule) }),
      });
    }
  }
}

function abortOf(policy: string, clause: string, rule: FaultRule): Denial {
  return {
    kind: faultInjected,
    policy,
    clause,
    message: `FaultInjection ${policy} (${clause}) answers this request on purpose`,
    status: rule.abortHttpStatus,
    grpcStatus: rule.abortGrpcStatus,
  };
}

function nameOf(rule: FaultRule): string {
  if (rule.abortHttpStatus !== 0) return "abort";
  if (rule.reset) return "reset";
  if (rule.cutAfterBytes !== undefined) return "cut";
  return rule.bytesPerSecond > 0 ? "bandwidth" : "delay";
}
