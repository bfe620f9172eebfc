// The control plane in one piece: wires store, registry, compiler, authority, config stream and API.

import { join } from "node:path";

import { err, ok, RipstopError, type Clock, type Result } from "@ripstop/core";
import {
  startDiscoveryServer,
  type DiscoveryServer,
  type PeerVerifier,
  type ServerTls,
} from "@ripstop/discovery/server";
import { controlSpiffeId, createPeerVerification, parseSpiffeId } from "@ripstop/identity";
import {
  openAuthority,
  startOwnIdentity,
  type AuthorityOptions,
  type KeyedSvid,
  type KeyKind,
} from "@ripstop/identity/authority";
import { trustBundleType, type ControlInfo, type IdentityHealth } from "@ripstop/model";
import { policyKinds, policyResourceKinds } from "@ripstop/policies/control";
import { coreKinds, KindRegistry } from "@ripstop/resources";
import {
  metricNames,
  type Counter,
  type Gauge,
  type Logger,
  type MetricName,
  type MetricRegistry,
} from "@ripstop/telemetry";

import { listenOnLoopback, listenOnSocket, type ApiListener } from "./api/api-server.ts";
import { historyRoutes } from "./api/history-routes.ts";
import { observeRoutes } from "./api/observe-routes.ts";
import { resourceRoutes } from "./api/resource-routes.ts";
import { rotationRoutes } from "./api/rotation-routes.ts";
import { StaticFiles } from "./api/static-files.ts";
import { workloadRoutes } from "./api/workload-routes.ts";
import { Compiler } from "./compile/compiler.ts";
import { Conditions, type ConditionTimes } from "./compile/conditions.ts";
import { EventLog } from "./events/event-log.ts";
import { authorityFailed, listenFailed, trustDomainFixed } from "./errors.ts";
import type { Failure } from "./failure.ts";
import { readMemory, removeControlFile, writeControlFile, writeMemory, type MeshMemory } from "./home/home-files.ts";
import { isProcessAlive, lockHome } from "./home/home-lock.ts";
import { AbsentWorkloads, type AbsentWorkload } from "./identity/absent-workloads.ts";
import { identityHealth } from "./identity/identity-health.ts";
import { IdentityWatch } from "./identity/identity-watch.ts";
import { RotationKeeper } from "./identity/rotation-keeper.ts";
import type { RegisteredWorkload } from "./registry/registered-workload.ts";
import { Registry } from "./registry/registry.ts";
import { openStore, type EtcdSettings } from "./store/open-store.ts";
import type { Store } from "./store/store.ts";
import { Collector } from "./telemetry/collector.ts";

/** How to start a control plane. */
export interface ControlOptions {
  /** Folder of the mesh (made with mode 0700): store, keys, sockets. */
  readonly home: string;
  readonly clock: Clock;
  /** Version of the program, for /v1/info. */
  readonly version: string;
  readonly metrics: MetricRegistry;
  /** Checks the SVIDs of proxies; default: as the SPIFFE X.509-SVID standard says. */
  readonly verifyPeer?: PeerVerifier;
  readonly logger?: Logger;
  /** Default: what the home was made with, else "mesh.local". */
  readonly trustDomain?: string;
  /** Folder of the built dashboard; absent, only the API is served. */
  readonly dashboardDirectory?: string;
  /** Wanted port of the dashboard; default the one of the last start, else a free one. Taken: a free one, with a notice. */
  readonly dashboardPort?: number;
  /** Keeps resources in etcd instead of in the home. */
  readonly etcd?: EtcdSettings;
  /** Revisions kept for `ripstop history`, diff and rollback; default 1 000. */
  readonly keepRevisions?: number;
  /** Wanted port of the config stream; likewise. */
  readonly streamPort?: number;
  /** Lifetime of SVIDs, 10 s … 24 h; default 1 h. */
  readonly svidTtlMs?: number;
  /** Kind of the keys of roots and intermediates that are made from now on; default EC P-256. */
  readonly caKey?: KeyKind;
  /** Folder of an intermediate that was made elsewhere: tls.crt (its chain), tls.key, ca.crt (the roots); watched. */
  readonly externalCaDirectory?: string;
  /** Lifetime of roots that are made from now on; default 10 years. */
  readonly rootLifetimeMs?: number;
  /** Called after each durable step of a rotation or recovery, with its name: for tests of crashes. */
  readonly checkpoint?: (step: string) => void;
}

/** A running control plane. */
export interface Control {
  readonly apiSocket: string;
  /** "HOST:PORT". */
  readonly streamAddress: string;
  readonly dashboardUrl: string;
  readonly trustDomain: string;
  /** Sentences for the user: a port that was taken and what was used instead. */
  readonly notices: readonly string[];
  /** Ends streams and listeners, closes the store; what is registered stays for the next start. */
  close(): Promise<void>;
}

const STREAM_HOST = "127.0.0.1";
const DEFAULT_TRUST_DOMAIN = "mesh.local";

/** Starts a control plane on a home; fails with a Failure that says why and what to do. */
export async function startControl(options: ControlOptions): Promise<Result<Control, Failure>> {
  const lock = lockHome(options.home);
  if (!lock.ok) return lock;
  // Undone from the last to the first, at the end or when a later step fails.
  const undo: (() => Promise<void> | void)[] = [() => lock.value.release()];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const started = await assemble(options, undo);
    if (!started.ok) {
      await close();
      return started;
    }
    return ok({ ...started.value, close });
  } catch (error) {
    await close();
    if (error instanceof RipstopError) return err({ kind: error.kind, message: error.message });
    throw error;
  }
}

async function assemble(
  options: ControlOptions,
  undo: (() => Promise<void> | void)[],
): Promise<Result<Omit<Control, "close">, Failure>> {
  const { home, clock, logger, metrics } = options;
  const notices: string[] = [];
  const memory = readMemory(home);
  const trustDomain = chooseTrustDomain(options, memory);
  if (!trustDomain.ok) return trustDomain;

  const events = new EventLog(clock, logger);
  const store = await openStore({
    home,
    clock,
    etcd: options.etcd,
    ...(options.keepRevisions === undefined ? {} : { keepRevisions: options.keepRevisions }),
  });
  undo.push(() => store.close());
  const opened = await openAuthority({
    directory: join(home, "authority"),
    trustDomain: trustDomain.value,
    clock,
    metrics,
    ...(options.svidTtlMs === undefined ? {} : { defaultTtlMs: options.svidTtlMs }),
    ...(options.caKey === undefined ? {} : { keyKind: options.caKey }),
    ...(options.rootLifetimeMs === undefined ? {} : { rootLifetimeMs: options.rootLifetimeMs }),
    ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
    ...(options.externalCaDirectory === undefined ? {} : externalCa(options.externalCaDirectory, events)),
    ...given({ logger }),
  });
  if (!opened.ok) return err({ kind: authorityFailed, message: `${opened.error.code}: ${opened.error.message}` });
  const authority = opened.value;
  undo.push(() => authority.close());
  const controlIdentity = controlSpiffeId(trustDomain.value);
  const own = await startOwnIdentity({
    authority,
    spiffeId: controlIdentity,
    clock,
    ...(options.svidTtlMs === undefined ? {} : { ttlMs: options.svidTtlMs }),
    ...given({ logger }),
  });
  if (!own.ok) return err({ kind: authorityFailed, message: `${own.error.code}: ${own.error.message}` });
  undo.push(() => own.value.close());

  const registry = new Registry({
    clock,
    trustDomain: trustDomain.value,
    table: store.table<RegisteredWorkload>("workloads"),
    isProcessAlive,
    ...given({ logger }),
  });
  undo.push(() => registry.close());
  const compiler = new Compiler({
    store,
    registry,
    policyKinds,
    trustDomain: trustDomain.value,
    bundle: () => authority.bundle(),
    ...given({ logger }),
  });
  undo.push(() => compiler.close());
  const conditions = new Conditions({
    store,
    compiler,
    clock,
    table: store.table<ConditionTimes>("conditions"),
    ...given({ logger }),
  });
  undo.push(() => conditions.close());
  const collector = new Collector({
    clock,
    workload: (id) => registry.get(id),
    workloads: () => registry.list(),
    canonicalService: (name) => compiler.world.canonicalService(name),
  });

  const tls = ({ chainPem, keyPem }: KeyedSvid): ServerTls => ({ chainPem, keyPem, rootsPem: authority.bundle().pem });
  // Filled in once the endpoint listens; its callbacks may be called from then on.
  const endpoint: { server?: DiscoveryServer } = {};
  const wantedStream = options.streamPort ?? memory.streamPort ?? 0;
  const stream = await onPort(wantedStream, "config stream", notices, async (port) => {
    const started = await startDiscoveryServer({
      source: compiler,
      tls: tls(own.value.current),
      verifyPeer: options.verifyPeer ?? createPeerVerification(clock),
      authorize: (proxyId, identity) => registry.get(proxyId)?.spiffeId === identity,
      clock,
      metrics,
      host: STREAM_HOST,
      port,
      onReport: (proxyId, report) => collector.onReport(proxyId, report),
      onTelemetryOpen: (proxyId) => void endpoint.server?.send(proxyId, collector.taps.command()),
      ...given({ logger }),
    });
    return started.ok ? started : err({ kind: listenFailed, message: started.error });
  });
  if (!stream.ok) return stream;
  const discovery: DiscoveryServer = stream.value;
  endpoint.server = discovery;
  undo.push(() => discovery.close());
  undo.push(own.value.watch((svid) => discovery.setTls(tls(svid))));
  undo.push(
    authority.onBundleChange(() => {
      compiler.bundleChanged();
      discovery.setTls(tls(own.value.current));
      if (own.value.current.rootSha256 !== authority.signingRootSha256) void own.value.renewNow();
    }),
  );
  const absent = new AbsentWorkloads({ registry, table: store.table<AbsentWorkload>("absent"), clock, isProcessAlive });
  undo.push(() => absent.close());
  const rotation = new RotationKeeper({
    authority,
    registry,
    absent,
    events,
    clock,
    controlIdentity,
    ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
    ownRootSha256: () => own.value.current.rootSha256,
    acknowledged: (id) => discovery.acknowledged(id, trustBundleType.typeUrl, trustDomain.value),
  });
  undo.push(() => rotation.close());
  const health = (): IdentityHealth =>
    identityHealth({ authority, clock, workloads: registry.list(), rotation: rotation.status() });
  const holding = (): number => rotation.status().holding.length;
  const watch = new IdentityWatch({ clock, events, metrics, health, holding });
  undo.push(() => watch.close());
  undo.push(
    collector.taps.onChange(() => {
      for (const { proxyId } of discovery.proxies()) discovery.send(proxyId, collector.taps.command());
    }),
  );
  undo.push(
    registry.onChange((changes) => {
      for (const { before, after } of changes) {
        if (after !== undefined || before === undefined) continue;
        collector.forget(before.id);
        discovery.disconnect(before.id, "the workload is not registered any more");
      }
    }),
  );

  const startedMs = clock.nowMs();
  let dashboardUrl = "";
  const info = (): ControlInfo => ({
    version: options.version,
    trustDomain: trustDomain.value,
    revision: store.revision,
    proxies: discovery.proxies().length,
    dashboardUrl,
    streamAddress: discovery.address,
    startedMs,
  });
  const kinds = new KindRegistry([...coreKinds, ...policyResourceKinds]);
  const routes = [
    ...historyRoutes({ store, kinds }),
    ...resourceRoutes({
      store,
      kinds,
      conditions,
      waitLive: (revision, waitMs) => discovery.waitLive(revision, waitMs),
    }),
    ...workloadRoutes({
      registry,
      authority,
      collector,
      controlIdentity,
      controlAddresses: () => [discovery.address],
      isConnected: (id) => discovery.isConnected(id),
      mayRenewNow: (workload) => rotation.mayRenewNow(workload),
    }),
    ...rotationRoutes({ authority, rotation, events, health }),
    ...observeRoutes({
      collector,
      metrics,
      events,
      info,
      beforeMetrics: gauges({ metrics, store, registry, compiler, collector, watch }),
    }),
  ];
  const api = { routes, logger };
  const files = options.dashboardDirectory === undefined ? undefined : new StaticFiles(options.dashboardDirectory);
  const wantedDashboard = options.dashboardPort ?? memory.dashboardPort ?? 0;
  const dashboard = await onPort<ApiListener>(wantedDashboard, "dashboard", notices, (port) =>
    listenOnLoopback(port, files, api),
  );
  if (!dashboard.ok) return dashboard;
  undo.push(() => dashboard.value.close());
  dashboardUrl = `http://127.0.0.1:${dashboard.value.port}/`;
  const apiSocket = join(home, "control.sock");
  const socket = await listenOnSocket(apiSocket, api);
  if (!socket.ok) return socket;
  undo.push(() => socket.value.close());

  writeMemory(home, {
    trustDomain: trustDomain.value,
    streamPort: discovery.port,
    dashboardPort: dashboard.value.port,
  });
  const streamAddress = discovery.address;
  writeControlFile(home, { pid: process.pid, apiSocket, streamAddress, dashboardUrl, trustDomain: trustDomain.value });
  undo.push(() => removeControlFile(home));
  logger?.info("control plane started", {
    home,
    trustDomain: trustDomain.value,
    streamAddress,
    dashboardUrl,
    revision: store.revision,
  });
  return ok({ apiSocket, streamAddress, dashboardUrl, trustDomain: trustDomain.value, notices });
}

/** The names that a Kubernetes TLS secret and cert-manager give these files. */
function externalCa(directory: string, events: EventLog): Pick<AuthorityOptions, "external" | "onExternalRefused"> {
  return {
    external: { chain: join(directory, "tls.crt"), key: join(directory, "tls.key"), roots: join(directory, "ca.crt") },
    onExternalRefused: (reason) =>
      events.add({
        severity: "critical",
        type: "ExternalCaRefused",
        subject: directory,
        message: `The new files of the external intermediate are refused, what was there before goes on: ${reason}.`,
      }),
  };
}

function chooseTrustDomain({ trustDomain, home }: ControlOptions, memory: MeshMemory): Result<string, Failure> {
  const chosen = trustDomain ?? memory.trustDomain ?? DEFAULT_TRUST_DOMAIN;
  const valid = parseSpiffeId(`spiffe://${chosen}`);
  if (!valid.ok)
    return err({ kind: trustDomainFixed, message: `${JSON.stringify(chosen)} is no trust domain: ${valid.error}` });
  if (memory.trustDomain === undefined || memory.trustDomain === chosen) return ok(chosen);
  return err({ kind: trustDomainFixed, message: `${home} is of ${memory.trustDomain}, not ${chosen}` });
}

/** Listens on the wanted port, or on a free one when that is taken, which is said. */
async function onPort<T extends { readonly port: number }>(
  wanted: number,
  what: string,
  notices: string[],
  listen: (port: number) => Promise<Result<T, Failure>>,
): Promise<Result<T, Failure>> {
  const first = await listen(wanted);
  if (first.ok || wanted === 0) return first;
  const second = await listen(0);
  if (second.ok) notices.push(`Port ${wanted} of the ${what} is taken; it uses ${second.value.port} instead.`);
  return second;
}

interface Gauged {
  readonly metrics: MetricRegistry;
  readonly store: Store;
  readonly registry: Registry;
  readonly compiler: Compiler;
  readonly collector: Collector;
  readonly watch: IdentityWatch;
}

function gauges({ metrics, store, registry, compiler, collector, watch }: Gauged): () => void {
  const gauge = ({ name, help }: MetricName): Gauge => metrics.gauge(name, help);
  const counter = ({ name, help }: MetricName): Counter => metrics.counter(name, help);
  const revision = gauge(metricNames.STORE_REVISION);
  const workloads = gauge(metricNames.WORKLOADS);
  const held = gauge(metricNames.WORKLOADS_HELD);
  const computed = counter(metricNames.COMPILED);
  const remembered = gauge(metricNames.COMPILED_RESOURCES);
  const tapsDropped = counter(metricNames.TAP_EVENTS_DROPPED);
  const edgesDropped = counter(metricNames.GRAPH_EDGES_DROPPED);
  return () => {
    revision.set(store.revision);
    workloads.set(registry.size);
    held.set(registry.held);
    computed.add(compiler.statistics.computed - computed.value);
    remembered.set(compiler.statistics.remembered);
    tapsDropped.add(collector.taps.dropped - tapsDropped.value);
    edgesDropped.add(collector.edgesDropped - edgesDropped.value);
    watch.measure();
  };
}

/** The fields that are there: for options that may be absent but not undefined. */
function given({ logger }: { readonly logger: Logger | undefined }): { readonly logger?: Logger } {
  return logger === undefined ? {} : { logger };
}
