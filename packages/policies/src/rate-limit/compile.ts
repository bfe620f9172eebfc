// RateLimitPolicy to its config.

import { parseDurationMs } from "@ripstop/core";
import type { CompileFacts } from "@ripstop/policy-api/control";
import type { Resource } from "@ripstop/resources";

import { compileMatch } from "../match/compile.ts";
import { compileTargets } from "../match/targets.ts";
import { Algorithm, KeyPart_Type, RateLimitConfig, Unit } from "./config.gen.ts";
import type { RateLimitKeyPart, RateLimitPolicySpec } from "./schema.ts";

const KEY_TYPES: Readonly<Record<RateLimitKeyPart["type"], KeyPart_Type>> = {
  Identity: KeyPart_Type.IDENTITY,
  Namespace: KeyPart_Type.NAMESPACE,
  Address: KeyPart_Type.ADDRESS,
  Method: KeyPart_Type.METHOD,
  Path: KeyPart_Type.PATH,
  Host: KeyPart_Type.HOST,
  Header: KeyPart_Type.HEADER,
};

/** Bytes of the RateLimitConfig of a valid policy. */
export function compileRateLimit(policy: Resource<RateLimitPolicySpec>, facts: CompileFacts): Uint8Array {
  const targets = compileTargets(policy);
  const isNew = targets.length > 0 || policy.spec.rules.some(({ limit }) => limit.connections !== undefined);
  const config: RateLimitConfig = {
    readerVersion: isNew ? 2 : 1,
    targets,
    rules: policy.spec.rules.map((rule) => {
      const period = parseDurationMs(rule.limit.period);
      const { connections, requests = 0 } = rule.limit;
      const count = connections ?? requests;
      return {
        name: rule.name,
        match: compileMatch(rule, policy.metadata.namespace, facts.trustDomain),
        key: rule.key.map(({ type, name = "" }) => ({ type: KEY_TYPES[type], header: name.toLowerCase() })),
        requests: count,
        periodMs: period.ok ? period.value : 0,
        burst: rule.limit.burst ?? count,
        algorithm: rule.limit.algorithm === "GCRA" ? Algorithm.GCRA : Algorithm.TOKEN_BUCKET,
        shadow: rule.mode === "Shadow",
        global: rule.scope === "Global",
        unit: connections === undefined ? Unit.REQUESTS : Unit.CONNECTIONS,
      };
    }),
  };
  return RateLimitConfig.encode(config).finish();
}
