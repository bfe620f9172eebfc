// RateLimitPolicy to its config.

import { parseDurationMs } from "@ripstop/core";
import type { CompileFacts } from "@ripstop/policy-api/control";
import type { Resource } from "@ripstop/resources";

import { compileMatch } from "../match/compile.ts";
import { Algorithm, KeyPart_Type, RateLimitConfig } from "./config.gen.ts";
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
  const config: RateLimitConfig = {
    readerVersion: 1,
    rules: policy.spec.rules.map((rule) => {
      const period = parseDurationMs(rule.limit.period);
      return {
        name: rule.name,
        match: compileMatch(rule, policy.metadata.namespace, facts.trustDomain),
        key: rule.key.map(({ type, name = "" }) => ({ type: KEY_TYPES[type], header: name.toLowerCase() })),
        requests: rule.limit.requests,
        periodMs: period.ok ? period.value : 0,
        burst: rule.limit.burst ?? rule.limit.requests,
        algorithm: rule.limit.algorithm === "GCRA" ? Algorithm.GCRA : Algorithm.TOKEN_BUCKET,
        shadow: rule.mode === "Shadow",
        global: rule.scope === "Global",
      };
    }),
  };
  return RateLimitConfig.encode(config).finish();
}
