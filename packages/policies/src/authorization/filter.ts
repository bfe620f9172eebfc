// Proxy side of the authorization policy. DENY goes before ALLOW; with any ALLOW policy only what matches one passes.

import type { AuditRecord, Denial, Filter, FilterFactory, PolicyConfig, RequestInfo } from "@ripstop/policy-api/proxy";

import { Action, AuthorizationConfig } from "./config.gen.ts";
import { explainDeny, explainNotAllowed, type LoadedPolicy } from "./explain.ts";
import { RuleMatcher, type Strictness } from "./rule-matcher.ts";

/** The newest AuthorizationConfig.reader_version that this filter understands in full. */
const READER_VERSION = 1;

const STRICTNESS: Readonly<Record<"ALLOW" | "DENY" | "AUDIT", Strictness>> = {
  ALLOW: { httpFieldsHoldOnTcp: false, loose: false },
  DENY: { httpFieldsHoldOnTcp: true, loose: true },
  AUDIT: { httpFieldsHoldOnTcp: true, loose: true },
};

/** Makes the authorization filter of a workload. */
export const filterFactory: FilterFactory = {
  kind: "authorization",
  order: 200,
  create: (configs) => new AuthorizationFilter(configs),
};

class AuthorizationFilter implements Filter {
  readonly #deny: LoadedPolicy[] = [];
  readonly #allow: LoadedPolicy[] = [];
  readonly #audit: LoadedPolicy[] = [];
  readonly audit?: (request: RequestInfo) => AuditRecord | undefined;

  constructor(configs: readonly PolicyConfig[]) {
    for (const { name, config } of configs) this.#load(name, AuthorizationConfig.decode(config));
    if (this.#audit.length > 0) this.audit = (request) => this.#findAudit(request);
  }

  onRequest(request: RequestInfo): Denial | undefined {
    for (const policy of this.#deny) {
      const rule = firstMatch(policy, request);
      if (rule >= 0) return explainDeny(policy.name, rule);
    }
    if (this.#allow.length === 0) return undefined;
    for (const policy of this.#allow) if (firstMatch(policy, request) >= 0) return undefined;
    return explainNotAllowed(this.#allow, request);
  }

  #findAudit(request: RequestInfo): AuditRecord | undefined {
    for (const policy of this.#audit) {
      const rule = firstMatch(policy, request);
      if (rule >= 0) return { policy: policy.name, clause: `spec.rules[${rule}]` };
    }
    return undefined;
  }

  #load(name: string, config: AuthorizationConfig): void {
    if (config.readerVersion > READER_VERSION) {
      throw new Error(
        `AuthorizationPolicy ${name} uses conditions that this proxy does not know (version ${config.readerVersion}, known ${READER_VERSION})`,
      );
    }
    switch (config.action) {
      case Action.ALLOW:
        this.#allow.push({ name, rules: config.rules.map((rule) => new RuleMatcher(rule, STRICTNESS.ALLOW)) });
        break;
      case Action.DENY:
        this.#deny.push({ name, rules: config.rules.map((rule) => new RuleMatcher(rule, STRICTNESS.DENY)) });
        break;
      case Action.AUDIT:
        this.#audit.push({ name, rules: config.rules.map((rule) => new RuleMatcher(rule, STRICTNESS.AUDIT)) });
        break;
      default:
        throw new Error(`AuthorizationPolicy ${name} has an action that this proxy does not know: ${config.action}`);
    }
  }
}

/** The position of the first rule that matches, or -1. */
function firstMatch(policy: LoadedPolicy, request: RequestInfo): number {
  const { rules } = policy;
  for (let at = 0; at < rules.length; at++) if (rules[at]?.matches(request) === true) return at;
  return -1;
}
