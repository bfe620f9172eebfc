// What the change of one route costs in a real mesh: a control plane, `ripstop gateway` with many routes, and one HTTPRoute
// that is applied again and again. The time is the control plane's own: from the commit to the proxy's acknowledgement.

import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ControlApi } from "@ripstop/agent-engine";
import type { ApplyResponse, LiveStatus } from "@ripstop/model";
import { median } from "./median.ts";
import { freePort } from "./processes.ts";

const executable = join(dirname(fileURLToPath(import.meta.url)), "../../apps/ripstop/dist/bundle/ripstop.js");
const SERVICES = 10;
const BATCH = 500;
const LONGEST_MS = 300_000;

/** Times in milliseconds. */
export interface RouteChange {
  readonly routes: number;
  /** From commit to acknowledgement. */
  readonly medianMs: number;
  readonly maxMs: number;
  /** From the request to `apply` to its answer: validation and the store. */
  readonly applyMedianMs: number;
  /** Until all routes were applied and live, once. */
  readonly loadMs: number;
}

function route(at: number, version: number): object {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `route-${at}`, namespace: "shop" },
    spec: {
      parentRefs: [{ name: "edge", namespace: "infra" }],
      hostnames: [`service-${at}.example.com`],
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: `/v${version}` } }],
          backendRefs: [{ name: `service-${at % SERVICES}`, port: 80 }],
        },
      ],
    },
  };
}

function frame(port: number): readonly object[] {
  const apiVersion = "gateway.networking.k8s.io/v1";
  const services = Array.from({ length: SERVICES }, (_one, at) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: `service-${at}`, namespace: "shop" },
    spec: { selector: { app: `service-${at}` }, ports: [{ port: 80 }] },
  }));
  const listeners = [{ name: "http", port, protocol: "HTTP", allowedRoutes: { namespaces: { from: "All" } } }];
  return [
    {
      apiVersion,
      kind: "GatewayClass",
      metadata: { name: "ripstop" },
      spec: { controllerName: "ripstop.mesh/control" },
    },
    {
      apiVersion,
      kind: "Gateway",
      metadata: { name: "edge", namespace: "infra" },
      spec: { gatewayClassName: "ripstop", listeners },
    },
    ...services,
  ];
}

/** Loads `routes` routes and changes one of them `changes` times. */
export async function measureRouteChange(routes: number, changes: number): Promise<RouteChange> {
  const home = mkdtempSync(join(tmpdir(), "ripstop-routes-"));
  const children: ChildProcess[] = [];
  const start = (...args: readonly string[]): void => {
    children.push(spawn(process.execPath, [executable, ...args, "--home", home], { stdio: "ignore" }));
  };
  try {
    start("control");
    const file = join(home, "control.json");
    while (!existsSync(file)) await pause();
    const { apiSocket } = JSON.parse(readFileSync(file, "utf8")) as { apiSocket: string };
    const api = new ControlApi(apiSocket);
    const startMs = performance.now();
    await apply(api, frame(await freePort()));
    for (let from = 0; from < routes; from += BATCH) {
      const count = Math.min(BATCH, routes - from);
      await apply(
        api,
        Array.from({ length: count }, (_one, at) => route(from + at, 1)),
      );
    }
    start("gateway", "edge", "--namespace", "infra");
    await untilReady(api);
    const loadMs = performance.now() - startMs;
    const times: number[] = [];
    const applying: number[] = [];
    for (let change = 0; change < changes; change++) {
      const at = Math.floor((change * routes) / changes);
      const beforeMs = performance.now();
      const revision = await apply(api, [route(at, 2 + change)]);
      applying.push(performance.now() - beforeMs);
      times.push(await live(api, revision));
    }
    return {
      routes,
      medianMs: median(times),
      maxMs: Math.max(...times),
      applyMedianMs: median(applying),
      loadMs,
    };
  } finally {
    for (const child of children.reverse()) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    rmSync(home, { recursive: true, force: true });
  }
}

async function apply(api: ControlApi, resources: readonly object[]): Promise<number> {
  const documents = resources.map((resource, at) => ({ file: `${at}.json`, text: JSON.stringify(resource) }));
  const answer = await api.call<ApplyResponse>(
    "POST",
    "/v1/apply",
    { documents, author: "bench", reason: "", dryRun: false },
    LONGEST_MS,
  );
  if (!answer.ok) throw new Error(JSON.stringify(answer.error));
  return answer.value.revision;
}

/** Milliseconds from commit to the last acknowledgement. */
async function live(api: ControlApi, revision: number): Promise<number> {
  const path = `/v1/revisions/${revision}/live?waitMs=30000`;
  const answer = await api.call<LiveStatus>("GET", path, undefined, LONGEST_MS);
  if (!answer.ok || answer.value.live !== 1)
    throw new Error(`the change did not become live: ${JSON.stringify(answer)}`);
  return answer.value.elapsedMs;
}

async function untilReady(api: ControlApi): Promise<void> {
  const endMs = performance.now() + LONGEST_MS;
  while (performance.now() < endMs) {
    const answer = await api.call<{ workloads: { ready: boolean }[] }>("GET", "/v1/workloads", undefined, LONGEST_MS);
    if (answer.ok && answer.value.workloads.some(({ ready }) => ready)) return;
    await pause();
  }
  throw new Error("the gateway did not become ready");
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
