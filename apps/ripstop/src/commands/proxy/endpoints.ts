// `ripstop proxy show NAME endpoints`: who gets requests, with what weight, and why somebody does not.

import { formatTable } from "../../output/table.ts";

/** One endpoint of one service in use, as the proxy's admin socket tells it. */
export interface ShownEndpoint {
  readonly service: string;
  readonly id: string;
  readonly address: string;
  readonly zone: string;
  readonly weight: number;
  readonly effectiveWeight: number;
  /** "ready", or why it gets no requests. */
  readonly state: string;
  readonly inflight: number;
  readonly latencyMs: number;
  /** 0 ... 1. */
  readonly errorRate: number;
}

/** The endpoints in a proxy's answer about its config; what the answer does not tell is "" or 0. */
export function endpointsOf(config: unknown): readonly ShownEndpoint[] {
  return list(config, "workloads")
    .flatMap((workload) => list(workload, "services"))
    .flatMap((service) =>
      list(service, "endpoints").map((endpoint) => ({
        service: text(service, "service"),
        id: text(endpoint, "id"),
        address: text(endpoint, "address"),
        zone: text(endpoint, "zone"),
        weight: number(endpoint, "weight"),
        effectiveWeight: number(endpoint, "effectiveWeight"),
        state: stateOf(endpoint),
        inflight: number(endpoint, "inflight"),
        latencyMs: number(endpoint, "latencyMs"),
        errorRate: number(endpoint, "errorRate"),
      })),
    );
}

/** The same for people. */
export function endpointsTable(endpoints: readonly ShownEndpoint[]): string {
  return formatTable(
    [
      { title: "service", cell: ({ service }) => service },
      { title: "endpoint", cell: ({ id }) => id },
      { title: "address", cell: ({ address }) => address },
      { title: "zone", cell: ({ zone }) => zone || "-" },
      { title: "state", cell: ({ state }) => state },
      { title: "weight", cell: ({ weight }) => String(weight), right: true },
      { title: "effective", cell: ({ effectiveWeight }) => effectiveWeight.toFixed(2), right: true },
      { title: "inflight", cell: ({ inflight }) => String(inflight), right: true },
      { title: "latency ms", cell: ({ latencyMs }) => latencyMs.toFixed(1), right: true },
      { title: "errors", cell: ({ errorRate }) => `${(errorRate * 100).toFixed(0)} %`, right: true },
    ],
    endpoints,
  );
}

function stateOf(endpoint: unknown): string {
  const is = (name: string): boolean => field(endpoint, name) === true;
  if (!is("healthy")) return "not ready";
  if (is("ejected")) return "ejected";
  if (is("probing")) return "to be probed";
  if (field(endpoint, "checkedHealthy") === false) return "fails checks";
  if (is("resting")) return "rests";
  return number(endpoint, "weight") === 0 ? "weight 0" : "ready";
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

function list(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

function text(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === "string" ? found : "";
}

function number(value: unknown, name: string): number {
  const found = field(value, name);
  return typeof found === "number" ? found : 0;
}
