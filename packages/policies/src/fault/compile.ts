// FaultInjection to its config.

import { parseDurationMs } from "@ripstop/core";
import type { CompileFacts, WorkloadFacts } from "@ripstop/policy-api/control";
import type { Resource } from "@ripstop/resources";

import { compileMatch } from "../match/compile.ts";
import { compileTargets, isTargeted } from "../match/targets.ts";
import { FaultConfig } from "./config.gen.ts";
import type { FaultInjectionSpec } from "./schema.ts";

/** Label of a Namespace; "deny" refuses faults there, and ends those that are in force. */
export const FAULTS_LABEL = "ripstop.mesh/faults";
/** No fault outlives this time from when its resource was made. */
export const MAX_LIFE_MS = 86_400_000;

/** Whether a namespace with these labels refuses faults. */
export function areFaultsDenied(namespaceLabels: Readonly<Record<string, string>>): boolean {
  return namespaceLabels[FAULTS_LABEL] === "deny";
}

/** Whether the fault is for that workload: gateways must be named, and neither namespace may refuse faults. */
export function appliesToWorkload(policy: Resource<FaultInjectionSpec>, workload: WorkloadFacts): boolean {
  if (!isTargeted(policy, workload)) return false;
  if (policy.spec.targetRefs === undefined && workload.gateways !== undefined) return false;
  return ![policy.metadata.namespace, workload.namespace].some((namespace) =>
    areFaultsDenied(workload.namespaceLabels?.(namespace) ?? {}),
  );
}

/** When the fault ends, in milliseconds since the Unix epoch. */
export function faultExpiryMs({ spec, metadata }: Resource<FaultInjectionSpec>): number {
  const expires = Date.parse(spec.expires);
  const made = Date.parse(metadata.creationTimestamp);
  return Number.isNaN(made) ? expires : Math.min(expires, made + MAX_LIFE_MS);
}

/** Bytes of the FaultConfig of a valid policy. */
export function compileFault(policy: Resource<FaultInjectionSpec>, facts: CompileFacts): Uint8Array {
  const targets = compileTargets(policy);
  const config: FaultConfig = {
    readerVersion: targets.length === 0 ? 1 : 2,
    targets,
    expiresUnixMs: Math.max(0, faultExpiryMs(policy)),
    rules: policy.spec.rules.map((rule) => {
      const delay = parseDurationMs(rule.delay ?? "0s");
      const { abort, response } = rule;
      return {
        match: compileMatch(rule, policy.metadata.namespace, facts.trustDomain),
        percentage: rule.percentage,
        delayMs: delay.ok ? delay.value : 0,
        abortHttpStatus: abort === undefined ? 0 : (abort.httpStatus ?? 503),
        abortGrpcStatus: abort === undefined ? 0 : (abort.grpcStatus ?? 14),
        reset: rule.reset,
        bytesPerSecond: response?.bytesPerSecond ?? 0,
        ...(response?.cutAfterBytes === undefined ? {} : { cutAfterBytes: response.cutAfterBytes }),
      };
    }),
  };
  return FaultConfig.encode(config).finish();
}
