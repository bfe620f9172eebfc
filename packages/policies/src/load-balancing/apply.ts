// A LoadBalancingPolicy as its part of a Service of the data-plane model.

import { parseDurationMs } from "@ripstop/core";
import {
  LoadBalancing_Algorithm,
  type HashKey,
  type HealthCheck,
  type LoadBalancing,
  type OutlierDetection,
  type Service,
} from "@ripstop/model";
import type { Resource } from "@ripstop/resources";

import { compileSessionPersistence } from "../session-persistence.ts";
import type { HashKeySpec, HealthCheckSpec, LoadBalancingPolicySpec, OutliersSpec } from "./schema.ts";

const ALGORITHMS: Readonly<Record<LoadBalancingPolicySpec["algorithm"], LoadBalancing_Algorithm>> = {
  PeakEwma: LoadBalancing_Algorithm.PEAK_EWMA,
  RoundRobin: LoadBalancing_Algorithm.ROUND_ROBIN,
  Random: LoadBalancing_Algorithm.RANDOM,
  LeastRequest: LoadBalancing_Algorithm.LEAST_REQUEST,
  RingHash: LoadBalancing_Algorithm.RING_HASH,
  Maglev: LoadBalancing_Algorithm.MAGLEV,
};

/** "NAMESPACE/NAME" of the Services that the policy is attached to. */
export function loadBalancingTargets({ metadata, spec }: Resource<LoadBalancingPolicySpec>): readonly string[] {
  return [...new Set(spec.targetRefs.map(({ name }) => `${metadata.namespace}/${name}`))];
}

/** The Service with the policy's part filled in. */
export function applyLoadBalancing(policy: Resource<LoadBalancingPolicySpec>, service: Service): Service {
  return { ...service, loadBalancing: compileLoadBalancing(policy) };
}

/** The policy's part. */
export function compileLoadBalancing({ metadata, spec }: Resource<LoadBalancingPolicySpec>): LoadBalancing {
  const source = `LoadBalancingPolicy ${metadata.namespace}/${metadata.name}`;
  const { locality, slowStart, subsets, outliers, healthCheck, sessionPersistence } = spec;
  return {
    source,
    algorithm: ALGORITHMS[spec.algorithm],
    hashKeys: (spec.hashKeys ?? []).map(compileHashKey),
    maxLoadPercent: spec.maxLoad ?? 0,
    panicPercent: spec.panicThreshold ?? 0,
    adaptiveWeights: spec.weights === "Adaptive",
    maxRestMs: durationMs(spec.rest?.max),
    ...(locality === undefined || locality.preference === "None"
      ? {}
      : {
          locality: {
            maxRequestsPerEndpoint: locality.maxRequestsPerEndpoint,
            targetUtilizationPercent: locality.targetUtilization,
          },
        }),
    ...(slowStart === undefined
      ? {}
      : { slowStart: { windowMs: durationMs(slowStart.window), aggressionPercent: slowStart.aggression } }),
    ...(subsets === undefined
      ? {}
      : {
          subset: {
            label: subsets.label,
            header: subsets.header.toLowerCase(),
            strict: subsets.unknown === "Refuse",
          },
        }),
    ...(outliers === undefined ? {} : { outliers: compileOutliers(outliers) }),
    ...(healthCheck === undefined ? {} : { healthCheck: compileHealthCheck(healthCheck) }),
    ...(sessionPersistence === undefined
      ? {}
      : { sessionPersistence: compileSessionPersistence(sessionPersistence, source) }),
  };
}

function compileHashKey({ type, name = "", ttl, path = "" }: HashKeySpec): HashKey {
  switch (type) {
    case "Header":
      return { key: { $case: "header", value: name.toLowerCase() } };
    case "Cookie":
      return { key: { $case: "cookie", value: { name, ttlMs: durationMs(ttl), path } } };
    case "Query":
      return { key: { $case: "query", value: name } };
    case "Path":
      return { key: { $case: "path", value: true } };
    case "SourceAddress":
      return { key: { $case: "sourceAddress", value: true } };
    case "SourceIdentity":
      return { key: { $case: "sourceIdentity", value: true } };
  }
}

function compileOutliers(spec: OutliersSpec): OutlierDetection {
  return {
    consecutiveFailures: spec.consecutiveFailures,
    consecutiveConnectFailures: spec.consecutiveConnectFailures ?? 0,
    baseEjectionMs: durationMs(spec.baseEjection),
    maxEjectionMs: durationMs(spec.maxEjection),
    maxEjectionPercent: spec.maxEjectionPercent,
    intervalMs: durationMs(spec.interval),
    minRequests: spec.minRequests,
    successRateFactorPercent: Math.round((spec.successRateFactor ?? 0) * 100),
    latencyFactorPercent: Math.round((spec.latencyFactor ?? 0) * 100),
  };
}

function compileHealthCheck(spec: HealthCheckSpec): HealthCheck {
  return {
    check: checkOf(spec),
    port: spec.port ?? 0,
    intervalMs: durationMs(spec.interval),
    timeoutMs: durationMs(spec.timeout),
    unhealthyThreshold: spec.unhealthyThreshold,
    healthyThreshold: spec.healthyThreshold,
  };
}

function checkOf({ type, http, grpc }: HealthCheckSpec): HealthCheck["check"] {
  switch (type) {
    case "TCP":
      return { $case: "tcp", value: {} };
    case "HTTP": {
      const { path = "/", host = "", minStatus = 200, maxStatus = 299 } = http ?? {};
      return { $case: "http", value: { path, host, minStatus, maxStatus } };
    }
    case "GRPC":
      return { $case: "grpc", value: { service: grpc?.service ?? "" } };
  }
}

function durationMs(text: string | undefined): number {
  const parsed = parseDurationMs(text ?? "0s");
  return parsed.ok ? parsed.value : 0;
}
