// Proxy side of the rate limits. All rules that match a request hold; one that is used up refuses it, and then none
// counts it. Waiting times come from the limiters, so Retry-After is true at the moment it is said.

import type { Denial, Filter, FilterFactory, FilterTools, PolicyConfig, RequestInfo } from "@ripstop/policy-api/proxy";
import { metricNames, type Counter } from "@ripstop/telemetry";

import type { Target } from "../match/config.gen.ts";
import { meetsTargets } from "../match/target-matcher.ts";
import { RequestMatcher } from "../match/matcher.ts";
import { KeyPart_Type, LimitRule, RateLimitConfig, Unit } from "./config.gen.ts";
import { rateLimited } from "./errors.ts";
import { limitKey } from "./limit-key.ts";
import { LimitState } from "./limit-state.ts";
import type { LimiterEntry } from "./limiter-table.ts";

/** The newest RateLimitConfig.reader_version that this filter understands in full. */
const READER_VERSION = 2;

/** Makes the rate limits of a workload. */
export const filterFactory: FilterFactory = {
  kind: "rate-limit",
  order: 300,
  create: (configs, tools) => new RateLimitFilter(configs, tools),
};

/** One rule in force. */
interface LoadedRule {
  readonly policy: string;
  readonly clause: string;
  readonly rule: LimitRule;
  /** Counts raw connections, and not requests. */
  readonly connections: boolean;
  readonly targets: readonly Target[];
  readonly matcher: RequestMatcher;
  readonly state: LimitState;
  readonly over: Counter;
}

class RateLimitFilter implements Filter {
  readonly #tools: FilterTools;
  readonly #rules: LoadedRule[] = [];
  /** The entries that the request at hand counts on; used again for each. */
  readonly #entries: LimiterEntry[] = [];

  constructor(configs: readonly PolicyConfig[], tools: FilterTools) {
    this.#tools = tools;
    for (const { name, config } of configs) this.#load(name, RateLimitConfig.decode(config));
  }

  onRequest(): undefined {
    return undefined;
  }

  admit(request: RequestInfo): Denial | undefined {
    const rules = this.#rules;
    const entries = this.#entries;
    const nowMs = this.#tools.clock.monotonicMs();
    entries.length = 0;
    let denial: Denial | undefined;
    for (let at = 0; at < rules.length; at++) {
      const loaded = rules[at];
      if (loaded === undefined || loaded.connections === request.http) continue;
      if (!meetsTargets(loaded.targets, request) || !loaded.matcher.matches(request)) continue;
      const entry = loaded.state.table.use(limitKey(loaded.rule.key, request), nowMs);
      entry.asked++;
      const waitMs = entry.limiter.waitMs(nowMs, entry.pace);
      if (waitMs === 0) {
        entries.push(entry);
        continue;
      }
      loaded.over.add(1);
      if (!loaded.rule.shadow) denial ??= denialOf(loaded, waitMs);
    }
    if (denial !== undefined) return denial;
    for (let at = 0; at < entries.length; at++) {
      const entry = entries[at];
      entry?.limiter.take(nowMs, entry.pace);
    }
    return undefined;
  }

  #load(name: string, config: RateLimitConfig): void {
    if (config.readerVersion > READER_VERSION) {
      throw new Error(
        `RateLimitPolicy ${name} uses conditions that this proxy does not know (version ${config.readerVersion}, known ${READER_VERSION})`,
      );
    }
    const { metrics, workers } = this.#tools;
    const { LIMITED } = metricNames;
    for (const [at, rule] of config.rules.entries()) {
      checkRule(name, rule);
      const limit = `${name}/${rule.name}`;
      // What is counted, and how, is part of the name: with another limit, counting starts anew.
      const counted = Buffer.from(LimitRule.encode({ ...rule, match: undefined, shadow: false }).finish());
      this.#rules.push({
        policy: name,
        clause: `spec.rules[${at}] (${rule.name})`,
        rule,
        connections: rule.unit === Unit.CONNECTIONS,
        targets: config.targets,
        // A limit is no limit when another spelling of the path passes it by.
        matcher: new RequestMatcher(rule.match, true),
        state: this.#tools.keep(
          `rate-limit ${limit} ${counted.toString("base64")}`,
          () => new LimitState(limit, rule, workers),
        ),
        over: metrics.counter(LIMITED.name, LIMITED.help, {
          policy: name,
          rule: rule.name,
          mode: rule.shadow ? "shadow" : "enforce",
        }),
      });
    }
  }
}

/** Throws on what would make a rule count nothing, or everything, by mistake. */
function checkRule(policy: string, rule: LimitRule): void {
  if (rule.requests < 1 || rule.periodMs < 1 || rule.burst < 1) {
    throw new Error(`RateLimitPolicy ${policy}: rule ${rule.name} has no limit`);
  }
  if (rule.unit !== Unit.REQUESTS && rule.unit !== Unit.CONNECTIONS) {
    throw new Error(`RateLimitPolicy ${policy}: rule ${rule.name} counts what this proxy does not know`);
  }
  const unknown = rule.key.find(({ type }) => type < KeyPart_Type.IDENTITY || type > KeyPart_Type.HEADER);
  if (unknown !== undefined) {
    throw new Error(`RateLimitPolicy ${policy}: rule ${rule.name} counts by something that this proxy does not know`);
  }
}

/** Header fields: RFC 9110 section 10.2.3 and draft-ietf-httpapi-ratelimit-headers-10. */
function denialOf({ policy, clause, rule }: LoadedRule, waitMs: number): Denial {
  const seconds = Math.max(1, Math.ceil(waitMs / 1_000));
  const window = Math.max(1, Math.round(rule.periodMs / 1_000));
  return {
    kind: rateLimited,
    policy,
    clause,
    message: `the limit "${rule.name}" of RateLimitPolicy ${policy} is used up; try again in ${seconds} s`,
    detail: `rule ${rule.name} of RateLimitPolicy ${policy} lets ${rule.requests} ${rule.unit === Unit.CONNECTIONS ? "connections" : "requests"} through in ${rule.periodMs} ms${rule.global ? ", over all proxies" : ""}`,
    headers: [
      ["retry-after", String(seconds)],
      ["ratelimit-policy", `"${rule.name}";q=${rule.requests};w=${window}`],
      ["ratelimit", `"${rule.name}";r=0;t=${seconds}`],
    ],
  };
}
