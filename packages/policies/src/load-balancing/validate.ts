// What the schema of LoadBalancingPolicy cannot say.

import { parseDurationMs } from "@ripstop/core";
import type { Resource, Violation } from "@ripstop/resources";

import { checkSessionPersistence } from "../session-persistence.ts";
import type { HashKeySpec, LoadBalancingPolicySpec } from "./schema.ts";

type Found = Pick<Violation, "path" | "message" | "remedy">;

const NAMED: ReadonlySet<HashKeySpec["type"]> = new Set(["Header", "Cookie", "Query"]);

/** Every violation of the rules beyond the schema. */
export function validateLoadBalancing({ spec }: Resource<LoadBalancingPolicySpec>): Found[] {
  return [
    ...targetProblems(spec),
    ...hashProblems(spec),
    ...durationProblems(spec),
    ...checkProblems(spec),
    ...(spec.sessionPersistence === undefined
      ? []
      : checkSessionPersistence(spec.sessionPersistence, "spec.sessionPersistence")),
  ];
}

function targetProblems({ targetRefs }: LoadBalancingPolicySpec): Found[] {
  const seen = new Set<string>();
  return targetRefs.flatMap(({ name }, at) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [{ path: `spec.targetRefs[${at}]`, message: `Service ${name} is named twice`, remedy: "name it once" }];
  });
}

function hashProblems({ algorithm, hashKeys, maxLoad }: LoadBalancingPolicySpec): Found[] {
  const found: Found[] = [];
  const isHash = algorithm === "RingHash" || algorithm === "Maglev";
  if (isHash && hashKeys === undefined) {
    found.push({
      path: "spec.hashKeys",
      message: `hashKeys is missing: ${algorithm} needs to know what belongs together`,
      remedy: "add hashKeys, for example `- type: Header` with `name: x-user`",
    });
  }
  if (!isHash && hashKeys !== undefined) {
    found.push({
      path: "spec.hashKeys",
      message: `${algorithm} does not hash requests`,
      remedy: "remove hashKeys, or use RingHash or Maglev",
    });
  }
  if (maxLoad !== undefined && algorithm !== "RingHash") {
    found.push({
      path: "spec.maxLoad",
      message: `${algorithm} has no bound on load`,
      remedy: "remove maxLoad, or use RingHash",
    });
  }
  for (const [at, { type, name, ttl, path }] of (hashKeys ?? []).entries()) {
    const where = `spec.hashKeys[${at}]`;
    if (NAMED.has(type) && name === undefined)
      found.push({
        path: `${where}.name`,
        message: "name is missing",
        remedy: `add the name of the ${type.toLowerCase()}`,
      });
    if (!NAMED.has(type) && name !== undefined)
      found.push({ path: `${where}.name`, message: `a key of type ${type} has no name`, remedy: "remove name" });
    if (type !== "Cookie" && (ttl !== undefined || path !== undefined))
      found.push({
        path: `${where}.${ttl === undefined ? "path" : "ttl"}`,
        message: `a key of type ${type} sets no cookie`,
        remedy: "remove it, or use type Cookie",
      });
  }
  return found;
}

function durationProblems({ slowStart, rest, outliers, healthCheck }: LoadBalancingPolicySpec): Found[] {
  const found: Found[] = [];
  const positive = (path: string, text: string | undefined): void => {
    if (text !== undefined && milliseconds(text) === 0)
      found.push({ path, message: "the time is zero", remedy: 'give a time, for example "10s"' });
  };
  positive("spec.slowStart.window", slowStart?.window);
  positive("spec.rest.max", rest?.max);
  positive("spec.outliers.baseEjection", outliers?.baseEjection);
  positive("spec.outliers.interval", outliers?.interval);
  positive("spec.healthCheck.interval", healthCheck?.interval);
  positive("spec.healthCheck.timeout", healthCheck?.timeout);
  if (outliers !== undefined && milliseconds(outliers.maxEjection) < milliseconds(outliers.baseEjection))
    found.push({
      path: "spec.outliers.maxEjection",
      message: `the longest ejection (${outliers.maxEjection}) is shorter than the first (${outliers.baseEjection})`,
      remedy: "make maxEjection at least baseEjection",
    });
  return found;
}

function checkProblems({ healthCheck }: LoadBalancingPolicySpec): Found[] {
  if (healthCheck === undefined) return [];
  const found: Found[] = [];
  const { type, http, grpc } = healthCheck;
  if (http !== undefined && type !== "HTTP")
    found.push({
      path: "spec.healthCheck.http",
      message: `the check is ${type}`,
      remedy: "remove http, or use type HTTP",
    });
  if (grpc !== undefined && type !== "GRPC")
    found.push({
      path: "spec.healthCheck.grpc",
      message: `the check is ${type}`,
      remedy: "remove grpc, or use type GRPC",
    });
  if (http !== undefined && http.maxStatus < http.minStatus)
    found.push({
      path: "spec.healthCheck.http.maxStatus",
      message: `no status is at least ${http.minStatus} and at most ${http.maxStatus}`,
      remedy: "make maxStatus at least minStatus",
    });
  return found;
}

/** 0 for what the schema refuses anyway. */
function milliseconds(text: string): number {
  const parsed = parseDurationMs(text);
  return parsed.ok ? parsed.value : 0;
}
