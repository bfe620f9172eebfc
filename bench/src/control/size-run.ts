// One mesh of the wanted size from a cold start to a crash: memory, propagation of endpoints, recompiles, reconnects.

import type { ControlPlane } from "./control-plane.ts";
import { EndpointChanges, type ChangeTimes } from "./endpoint-changes.ts";
import { runHostile, type HostileRun } from "./hostile-run.ts";
import { namespaceOf, serviceName, type MeshShape } from "./mesh-shape.ts";
import type { ProxyFleet } from "./proxy-fleet.ts";
import { pause } from "../processes.ts";

/** What to do. */
export interface SizeRunOptions {
  readonly shape: MeshShape;
  readonly singleChanges: number;
  readonly changesPerSecond: number;
  readonly seconds: number;
  readonly documents: number;
}

/** What it showed; times in milliseconds, memory in bytes. */
export interface SizeRun {
  readonly readyMs: number;
  readonly memoryReady: number;
  readonly allSyncedMs: number;
  /** CPU for connecting all: on a busy machine it says more than the time. */
  readonly allSyncedCpu: CpuShare;
  readonly memoryConnected: number;
  readonly single: ChangeTimes;
  readonly sustained: ChangeTimes;
  readonly hot: ChangeTimes;
  readonly route: RouteChange;
  readonly apply: LargeApply;
  readonly hostile: HostileRun;
  readonly crash: Reconnect;
  readonly memoryEnd: number;
  readonly memoryPeak: number;
  /** Updates that were older than what the proxy had. */
  readonly wentBack: number;
  readonly proxyProcessesBytes: number;
}

/** CPU seconds of the control plane, and of the processes that simulate its proxies. */
export interface CpuShare {
  readonly control: number;
  readonly simulation: number;
}

/** A changed HTTPRoute. */
export interface RouteChange {
  readonly computed: number;
  /** Resources that are remembered, all together. */
  readonly remembered: number;
  readonly proxies: number;
  readonly liveMs: number;
}

/** A large apply beside steady endpoint changes. */
export interface LargeApply {
  readonly documents: number;
  readonly tookMs: number;
  readonly longestPauseMs: number;
  readonly beside: ChangeTimes;
}

/** The control plane is killed and started again. */
export interface Reconnect {
  readonly readyMs: number;
  readonly allSyncedMs: number;
  readonly cpu: CpuShare;
  readonly sent: number;
  readonly resumed: number;
}

const SYNC_LIMIT_MS = 300_000;
const DOCUMENTS_PER_REQUEST = 2_500;

/** Runs everything on a seeded home. */
export async function runSize(plane: ControlPlane, fleet: ProxyFleet, options: SizeRunOptions): Promise<SizeRun> {
  const { shape } = options;
  const say = (text: string): boolean => process.stderr.write(`${text}\n`);
  const readyMs = await plane.start();
  const memoryReady = plane.memory().resident;
  say(`ready after ${readyMs.toFixed(0)} ms, ${mb(memoryReady)}`);
  const files = await plane.proxyIdentity();
  const before = cpuOf(plane, fleet);
  const allSyncedMs = await fleet.connect(files, SYNC_LIMIT_MS);
  const allSyncedCpu = cpuSince(before, plane, fleet);
  await pause(2_000);
  const memoryConnected = plane.memory().resident;
  say(`all synced after ${allSyncedMs.toFixed(0)} ms, ${mb(memoryConnected)}`);
  const changes = new EndpointChanges(plane, fleet, shape);
  const { services } = changes;
  const single = await changes.run(services, options.singleChanges, 20);
  say(`single changes: ${JSON.stringify(single)}`);
  const sustained = await changes.run(services, options.changesPerSecond * options.seconds, options.changesPerSecond);
  say(`sustained: ${JSON.stringify(sustained)}`);
  const hot = await changes.run([0], 20, 1);
  say(`hot: ${JSON.stringify(hot)}`);
  const route = await changeRoute(plane, services[0] ?? 0);
  say(`route: ${JSON.stringify(route)}`);
  const apply = await applyMany(plane, changes, options.documents);
  say(`apply: ${JSON.stringify(apply)}`);
  const rate = options.changesPerSecond;
  const hostile = await runHostile({ files, shape }, changes, { count: rate * 5, perSecond: rate });
  say(`hostile: ${JSON.stringify(hostile)}`);
  const memoryPeak = plane.memory().peak;
  const memoryEnd = plane.memory().resident;
  const crash = await crashAndReturn(plane, fleet, changes);
  say(`crash: ${JSON.stringify(crash)}`);
  const { wentBack, residentBytes } = await fleet.state();
  return {
    readyMs,
    memoryReady,
    allSyncedMs,
    memoryConnected,
    single,
    sustained,
    hot,
    route,
    apply,
    hostile,
    crash,
    allSyncedCpu,
    memoryEnd,
    memoryPeak: Math.max(memoryPeak, plane.memory().peak),
    wentBack,
    proxyProcessesBytes: residentBytes,
  };
}

function cpuOf(plane: ControlPlane, fleet: ProxyFleet): CpuShare {
  return { control: plane.cpu(), simulation: fleet.cpu() };
}

function cpuSince(before: CpuShare, plane: ControlPlane, fleet: ProxyFleet): CpuShare {
  const now = cpuOf(plane, fleet);
  return { control: now.control - before.control, simulation: now.simulation - before.simulation };
}

/** Megabytes as text. */
export function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function routeDocument(service: number, path: string): object {
  const [namespace, name] = serviceName(service).split("/");
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: `r${service}`, namespace },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name }],
      rules: [{ matches: [{ path: { type: "PathPrefix", value: path } }], backendRefs: [{ name, port: 80 }] }],
    },
  };
}

function policyDocument(service: number): object {
  return {
    apiVersion: "ripstop.mesh/v1alpha1",
    kind: "AuthorizationPolicy",
    metadata: { name: `p${service}`, namespace: namespaceOf(service) },
    spec: {
      action: "ALLOW",
      targetRefs: [{ group: "", kind: "Service", name: `s${service}` }],
      rules: [{ from: [{ serviceAccounts: ["a"] }] }],
    },
  };
}

function apply(plane: ControlPlane, documents: readonly object[]): Promise<{ readonly revision: number }> {
  return plane.call("POST", "/v1/apply", {
    author: "bench",
    reason: "bench",
    dryRun: false,
    documents: [{ file: "bench.yaml", text: documents.map((document) => JSON.stringify(document)).join("\n---\n") }],
  });
}

async function changeRoute(plane: ControlPlane, service: number): Promise<RouteChange> {
  await apply(plane, [routeDocument(service, "/a")]);
  const before = await plane.metric("ripstop_compiled_total");
  const { revision } = await apply(plane, [routeDocument(service, "/b")]);
  const live = await plane.call<{ readonly total: number; readonly elapsedMs: number }>(
    "GET",
    `/v1/revisions/${revision}/live?waitMs=30000`,
  );
  return {
    computed: (await plane.metric("ripstop_compiled_total")) - before,
    remembered: await plane.metric("ripstop_compiled_resources"),
    proxies: live.total,
    liveMs: live.elapsedMs,
  };
}

async function applyMany(plane: ControlPlane, changes: EndpointChanges, documents: number): Promise<LargeApply> {
  const { services } = changes;
  const all = Array.from({ length: documents }, (_, at) => {
    const service = Math.floor(at / 2);
    return at % 2 === 0 ? routeDocument(service, "/") : policyDocument(service);
  });
  let isDone = false;
  let longestPauseMs = 0;
  const watch = (async () => {
    while (!isDone) {
      const startMs = performance.now();
      await plane.text("GET", "/healthz");
      longestPauseMs = Math.max(longestPauseMs, performance.now() - startMs);
      await pause(5);
    }
  })();
  const beside = changes.run(services, 100, 20);
  const startMs = performance.now();
  for (let at = 0; at < all.length; at += DOCUMENTS_PER_REQUEST)
    await apply(plane, all.slice(at, at + DOCUMENTS_PER_REQUEST));
  const tookMs = performance.now() - startMs;
  isDone = true;
  await watch;
  return { documents, tookMs, longestPauseMs, beside: await beside };
}

/** Kills the control plane and starts it again; until every proxy has a change that was made after the start. */
async function crashAndReturn(plane: ControlPlane, fleet: ProxyFleet, changes: EndpointChanges): Promise<Reconnect> {
  await plane.kill();
  await fleet.until(({ connected }) => connected === 0, SYNC_LIMIT_MS);
  const startMs = performance.now();
  const simulation = fleet.cpu();
  const readyMs = await plane.start();
  const { sequence } = await changes.change(0);
  // The service that all use is asked for among the first: who has its change has resumed its stream.
  await fleet.until(({ hotSequence }) => hotSequence >= sequence, SYNC_LIMIT_MS);
  return {
    readyMs,
    allSyncedMs: performance.now() - startMs,
    // The control plane is a new process: all of its CPU is for this.
    cpu: cpuSince({ control: 0, simulation }, plane, fleet),
    sent: await plane.metric("ripstop_config_resources_sent_total"),
    resumed: await plane.metric("ripstop_config_resources_resumed_total"),
  };
}
