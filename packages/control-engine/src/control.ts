// The control plane in one piece: wires store, registry, compiler, authority, config stream and API.

import { randomInt } from "node:crypto";
import { join } from "node:path";

import { err, ok, RipstopError, type Clock, type Result } from "@ripstop/core";
import {
  startDiscoveryServer,
  type DiscoveryServer,
  type PeerVerifier,
  type ServerTls,
  type SharedStore,
} from "@ripstop/discovery/server";
import { controlSpiffeId, createPeerVerification, parseSpiffeId } from "@ripstop/identity";
import {
  adoptAuthority,
  openAuthority,
  openJwtIssuer,
  SealingKey,
  shareAuthority,
  startOwnIdentity,
  type AuthorityOptions,
  type KeyedSvid,
  type KeyKind,
  type SharedAuthority,
} from "@ripstop/identity/authority";
import { formatBundle } from "@ripstop/identity/jwt";
import { parseWorkerStreamId, trustBundleType, type ControlInfo, type IdentityHealth } from "@ripstop/model";
import { revocationText } from "@ripstop/net";
import { policyKinds, servicePolicyKinds } from "@ripstop/policies/control";
import { KindRegistry } from "@ripstop/resources";
import {
  metricNames,
  type Counter,
  type Gauge,
  type Logger,
  type MetricName,
  type MetricRegistry,
} from "@ripstop/telemetry";

import { allKinds } from "./all-kinds.ts";
import { identityRoutes } from "./api/identity-routes.ts";
import { AuditLog } from "./api/audit/audit-log.ts";
import { listenOnLoopback, listenOnSocket, type ApiListener } from "./api/api-server.ts";
import { historyRoutes } from "./api/history-routes.ts";
import { openAccess } from "./api/open-access.ts";
import type { ResourceLimits } from "./api/resources/resource-ledger.ts";
import { backupRoutes } from "./api/backup-routes.ts";
import { observeRoutes } from "./api/observe-routes.ts";
import { resourceRoutes } from "./api/resource-routes.ts";
import { rotationRoutes } from "./api/rotation-routes.ts";
import type { Route } from "./api/router.ts";
import { StaticFiles } from "./api/static-files.ts";
import { workloadIdentityRoutes } from "./api/workload-identity-routes.ts";
import { workloadRoutes, type WorkloadRoutesOptions } from "./api/workload-routes.ts";
import { Compiler } from "./compile/compiler.ts";
import { Conditions, type ConditionTimes } from "./compile/conditions.ts";
import { tellTrouble } from "./compile/tell-trouble.ts";
import { HostResolver } from "./dns/host-resolver.ts";
import { workloadKey } from "./damping/damping-key.ts";
import { EgressLog } from "./egress/egress-log.ts";
import { EventLog } from "./events/event-log.ts";
import {
  authorityFailed,
  authorityKeyUnusable,
  listenFailed,
  replicaOptionsInvalid,
  trustDomainFixed,
} from "./errors.ts";
import type { Failure } from "./failure.ts";
import {
  distributeRevocations,
  hasRevokedCertificate,
  issuanceRules,
  refuseRevoked,
} from "./identity/enforce-revocations.ts";
import { IssuedIdentities } from "./identity/issued-identities.ts";
import { Revocations } from "./identity/revocations.ts";
import { BundleDirectory, type BundleNumber } from "./federation/bundle-directory.ts";
import { startBundleEndpoint } from "./federation/bundle-endpoint.ts";
import { Federation, type FederationRecord } from "./federation/federation.ts";
import { readMemory, removeControlFile, writeControlFile, writeMemory, type MeshMemory } from "./home/home-files.ts";
import { isProcessAlive, lockHome } from "./home/home-lock.ts";
import { AbsentWorkloads, type AbsentWorkload } from "./identity/absent-workloads.ts";
import { identityHealth } from "./identity/identity-health.ts";
import { IdentityWatch } from "./identity/identity-watch.ts";
import { RotationKeeper } from "./identity/rotation-keeper.ts";
import { startImports, type StartedImports } from "./imports/start-imports.ts";
import { ShareKeeper } from "./limits/share-keeper.ts";
import { startJoining, type Joining } from "./join/start-joining.ts";
import { MirrorLog } from "./mirror/mirror-log.ts";
import { formatAddress, onPort, type HostAndPort } from "./on-port.ts";
import type { RegisteredWorkload } from "./registry/registered-workload.ts";
import { Registry } from "./registry/registry.ts";
import { consistentReads } from "./replicas/consistency.ts";
import { askPeer } from "./replicas/ask-peer.ts";
import { MeshStreams } from "./replicas/mesh-streams.ts";
import { peerRoutes } from "./replicas/peer-routes.ts";
import { ReplicaKeeper } from "./replicas/replica-keeper.ts";
import { openStore, type EtcdSettings } from "./store/open-store.ts";
import type { Replication, Store } from "./store/store.ts";
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
  /**
   * File with the key that seals the certificate authority in etcd: this control plane is one of several that have the
   * same file and the same etcd. Absent: the authority lies in the home, and no other control plane may use the prefix.
   */
  readonly authorityKeyFile?: string;
  /** Host by which proxies and hosts reach this control plane; default: where it listens. */
  readonly replicaHost?: string;
  /** Revisions kept for `ripstop history`, diff and rollback; default 1 000. */
  readonly keepRevisions?: number;
  /** Wanted port of the config stream; likewise. */
  readonly streamPort?: number;
  /** Where the config stream listens; exactly there. Default: loopback, `streamPort`. */
  readonly streamAddress?: HostAndPort;
  /** Where the join listener listens; exactly there. Default: loopback, the port of the last start, else a free one. */
  readonly joinAddress?: HostAndPort;
  /** Serves the API over TLS to callers with a token; absent, it does not. */
  readonly api?: {
    readonly address: HostAndPort;
    /** PEM files of its certificate; absent: the control plane's SVID. */
    readonly files?: { readonly certificateFile: string; readonly keyFile: string };
  };
  /** What one namespace may have; default: generous. */
  readonly limits?: ResourceLimits;
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
  /** Serves the own bundle to other trust domains; absent, it does not. */
  readonly bundleEndpoint?: {
    /** "HOST:PORT"; port 0 is a free one. */
    readonly address: string;
    /** PEM files of a certificate of the Web PKI (https_web); absent: the control plane's SVID (https_spiffe). */
    readonly web?: { readonly certificateFile: string; readonly keyFile: string };
  };
}

/** A running control plane. */
export interface Control {
  readonly apiSocket: string;
  /** "HOST:PORT". */
  readonly streamAddress: string;
  /** "HOST:PORT" of the join listener. */
  readonly joinAddress: string;
  /** "HOST:PORT" of the API over TLS; undefined when it is off. */
  readonly apiAddress: string | undefined;
  readonly dashboardUrl: string;
  readonly trustDomain: string;
  /** The routes of the API. */
  readonly routes: readonly Pick<Route, "method" | "path">[];
  /** "https://HOST:PORT/" of the bundle endpoint; undefined when it is off. */
  readonly bundleEndpointUrl: string | undefined;
  /** Sentences for the user: a port that was taken and what was used instead. */
  readonly notices: readonly string[];
  /** Ends streams and listeners, closes the store; what is registered stays for the next start. */
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
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
  const seal = await sealingKey(options);
  if (!seal.ok) return seal;
  const store = await openStore({
    home,
    clock,
    etcd: options.etcd,
    ...(seal.value === undefined ? {} : { shared: { meshId: seal.value.meshId } }),
    ...(options.keepRevisions === undefined ? {} : { keepRevisions: options.keepRevisions }),
  });
  undo.push(() => store.close());
  const revocations = new Revocations({ clock, trustDomain: trustDomain.value, table: store.table("revocations") });
  undo.push(() => revocations.close());
  const issued = new IssuedIdentities(clock, store.table("identities"));
  undo.push(() => issued.close());
  const rules = issuanceRules({ revocations, issued, events });
  const { replication } = store;
  const leads = (): boolean => replication?.isLeader ?? true;
  const shared =
    seal.value === undefined
      ? undefined
      : shareAuthority({
          records: store.table<string>("authority"),
          seal: seal.value,
          directory: join(home, "authority"),
          leads,
        });
  if (shared !== undefined && replication !== undefined) {
    const adopted = await foundAuthority(shared, replication, join(home, "authority"));
    if (!adopted.ok) return adopted;
  }
  const opened = await openAuthority({
    ...rules,
    directory: join(home, "authority"),
    trustDomain: trustDomain.value,
    clock,
    metrics,
    ...(options.svidTtlMs === undefined ? {} : { defaultTtlMs: options.svidTtlMs }),
    ...(options.caKey === undefined ? {} : { keyKind: options.caKey }),
    ...(options.rootLifetimeMs === undefined ? {} : { rootLifetimeMs: options.rootLifetimeMs }),
    ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
    ...(options.externalCaDirectory === undefined ? {} : externalCa(options.externalCaDirectory, events)),
    ...(shared === undefined ? {} : { shared }),
    ...given({ logger }),
  });
  if (!opened.ok) return err({ kind: authorityFailed, message: `${opened.error.code}: ${opened.error.message}` });
  const authority = opened.value;
  undo.push(() => authority.close());
  const jwt = await openJwtIssuer({
    directory: join(home, "authority"),
    trustDomain: trustDomain.value,
    clock,
    metrics,
    mayIssue: rules.mayIssue,
    ...(shared === undefined ? {} : { shared }),
    ...given({ logger }),
  });
  if (!jwt.ok) return err({ kind: authorityFailed, message: `${jwt.error.code}: ${jwt.error.message}` });
  undo.push(() => jwt.value.close());
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
    ...(replication === undefined ? {} : { replication }),
    ...given({ logger }),
  });
  undo.push(() => registry.close());
  const federation = new Federation({
    store,
    table: store.table<FederationRecord>("federation"),
    clock,
    trustDomain: trustDomain.value,
    ownRoots: () => authority.bundle().der,
    events,
    ...given({ logger }),
  });
  undo.push(() => federation.close());
  const bundles = new BundleDirectory({
    authority,
    jwt: jwt.value,
    federation,
    table: store.table<BundleNumber>("bundle-numbers"),
    clock,
    leads,
    ...given({ logger }),
  });
  undo.push(() => bundles.close());
  const resolver: HostResolver = new HostResolver({
    clock,
    onChanged: (host) => compiler.addressesChanged(host),
    isWanted: (host) => compiler.usesAddresses(host),
  });
  undo.push(() => resolver.close());
  const imported = startImports({ store, registry, clock, events, ...given({ logger }) });
  undo.push(() => imported.close());
  const compiler: Compiler = new Compiler({
    imports: imported.imports,
    damper: imported.damper,
    addressesOf: (host) => resolver.addresses(host),
    store,
    registry,
    policyKinds,
    servicePolicyKinds,
    trustDomain: trustDomain.value,
    bundle: () => authority.bundle(),
    revocations: () => revocations.list(),
    federated: () => federation.bundles(),
    clock,
    onTrouble: tellTrouble(events, metrics),
    ...given({ logger }),
  });
  undo.push(() => compiler.close());
  imported.connect(compiler);
  undo.push(federation.onChange(() => compiler.bundleChanged()));
  const conditions = new Conditions({
    store,
    compiler,
    clock,
    table: store.table<ConditionTimes>("conditions"),
    leads,
    ...given({ logger }),
  });
  undo.push(() => conditions.close());
  const collector = new Collector({
    clock,
    workload: (id) => registry.get(id),
    workloads: () => registry.values(),
    canonicalService: (name) => compiler.world.canonicalService(name),
  });

  const tls = ({ chainPem, keyPem }: KeyedSvid): ServerTls => ({ chainPem, keyPem, rootsPem: authority.bundle().pem });
  // Filled in once the endpoint listens; its callbacks may be called from then on.
  const endpoint: { server?: DiscoveryServer } = {};
  const mirrors = new MirrorLog({ workload: (id) => registry.get(id) });
  const egress = new EgressLog({ clock, workload: (id) => registry.get(id) });
  const shares = new ShareKeeper({
    clock,
    namespaceOf: (workloadId) => registry.get(workloadId)?.namespace,
    ...(replication === undefined ? {} : { partOf: (namespace) => partOfLimits(registry, replication.id, namespace) }),
    send: (proxyId, slot, limits) =>
      void endpoint.server?.send(proxyId, { ...collector.taps.command(), limits: { shares: limits } }, slot),
  });
  undo.push(() => shares.close());
  const verifyPeer = refuseRevoked(options.verifyPeer ?? createPeerVerification(clock), revocations);
  const wantedStream = options.streamAddress ?? { port: options.streamPort ?? memory.streamPort ?? 0 };
  const stream = await onPort(wantedStream, "config stream", notices, async (port) => {
    const started = await startDiscoveryServer({
      source: compiler,
      tls: tls(own.value.current),
      verifyPeer,
      authorize: (proxyId, identity) => registry.get(proxyId)?.spiffeId === identity,
      clock,
      metrics,
      host: options.streamAddress?.host ?? LOOPBACK,
      port,
      ...(replication === undefined ? {} : { shared: sharedStore(store, replication) }),
      onReport(proxyId, report, slot) {
        collector.onReport(proxyId, report, slot);
        shares.onReport(proxyId, slot, report);
        egress.onReport(report);
        mirrors.onReport(proxyId, report);
      },
      onTelemetryClosed: (proxyId, slot) => shares.onClosed(proxyId, slot),
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
  undo.push(distributeRevocations({ revocations, issued, compiler, discovery, clock }));
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
    acknowledged(id) {
      const here = discovery.acknowledged(id, trustBundleType.typeUrl, trustDomain.value);
      if (here !== undefined || replication === undefined) return here;
      // Connected elsewhere: what its supervisor says of the bundle that its proxy uses has come with a heartbeat there.
      const owner = registry.get(id)?.replica;
      if (!replication.replicas.some((one) => one.id === owner && one.id !== replication.id)) return undefined;
      return registry.inForce(id)?.bundleSequence === authority.bundle().sequence;
    },
    leads,
    peers: () => (replication?.replicas ?? []).filter(({ id }) => id !== replication?.id),
  });
  undo.push(() => rotation.close());
  const health = (): IdentityHealth =>
    identityHealth({ authority, clock, workloads: registry.values(), rotation: rotation.status() });
  const holding = (): number => rotation.status().holding.length;
  const watch = new IdentityWatch({ clock, events, metrics, health, holding });
  undo.push(() => watch.close());
  undo.push(
    collector.taps.onChange(() => {
      for (const proxyId of connectedProxies(discovery)) discovery.send(proxyId, collector.taps.command());
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
  let keeper: ReplicaKeeper | undefined;
  const info = (): ControlInfo => ({
    version: options.version,
    trustDomain: trustDomain.value,
    revision: store.revision,
    proxies: connectedProxies(discovery).size,
    dashboardUrl,
    streamAddress: discovery.address,
    joinAddress,
    startedMs,
    ...(keeper === undefined || replication === undefined
      ? {}
      : { replicas: keeper.views, cutOffMs: Math.round(replication.cutOffMs) }),
  });
  const workloads: WorkloadRoutesOptions = {
    registry,
    authority,
    collector,
    controlIdentity,
    controlAddresses: () => keeper?.addresses.streams ?? [discovery.address],
    ...(replication === undefined
      ? {}
      : {
          replicas: {
            addresses: () => keeper?.addresses ?? { streams: [discovery.address], joins: [] },
            cutOffMs: () => replication.cutOffMs,
          },
        }),
    isConnected: (id) => discovery.isConnected(id),
    heldDown: (workload) => imported.damper.holding(workloadKey(workload)),
    // With a certificate that is revoked by itself the workload is out until it has another one.
    mayRenewNow: (workload) => rotation.mayRenewNow(workload) || hasRevokedCertificate(workload, revocations),
    onJoinRefused: (who, { kind, message }) =>
      events.addLimited({
        severity: "warning",
        type: "JoinRefused",
        subject: who,
        message: `${kind.code}: ${message.slice(0, 512)}`,
      }),
  };
  const streams = new MeshStreams({
    own: discovery,
    clock,
    replication,
    ask: (to, patienceMs) =>
      askPeer({ own: own.value, rootsPem: () => authority.bundle().pem, controlIdentity, clock }, to, patienceMs),
  });
  undo.push(() => streams.close());
  const audit = new AuditLog({ directory: join(home, "audit"), ...given({ logger }) });
  const joining = await startJoining({
    clock,
    trustDomain: trustDomain.value,
    store,
    authority,
    own: own.value,
    workloads,
    identities: { registry, jwt: jwt.value, bundles },
    metrics,
    events,
    ...(options.joinAddress === undefined ? {} : { address: options.joinAddress }),
    wantedPort: memory.joinPort ?? 0,
    veto({ spiffeId, serialNumber }) {
      const revocation = revocations.find(spiffeId, serialNumber);
      return revocation === undefined ? undefined : revocationText(spiffeId, revocation);
    },
    notices,
    ...(replication === undefined
      ? {}
      : { peerRoutes: (callers) => peerRoutes({ callers, controlIdentity, streams: discovery, audit }) }),
    ...given({ logger }),
  });
  if (!joining.ok) return joining;
  undo.push(() => joining.value.close());
  undo.push(authority.onBundleChange(() => joining.value.refreshTls()));
  const joinAddress = joining.value.address;
  if (replication !== undefined) {
    const reachable = (host: string | undefined, port: number): string =>
      formatAddress(options.replicaHost ?? host ?? LOOPBACK, port);
    const started = new ReplicaKeeper({
      replication,
      clock,
      events,
      record: () => ({
        version: options.version,
        streamAddress: reachable(options.streamAddress?.host, discovery.port),
        joinAddress: reachable(options.joinAddress?.host, joining.value.port),
        startedMs,
        proxies: connectedProxies(discovery).size,
        rootSha256: own.value.current.rootSha256,
      }),
      proxies: () => connectedProxies(discovery),
      move: (proxyId) => discovery.move(proxyId),
      random: () => randomInt(2 ** 32) / 2 ** 32,
    });
    keeper = started;
    undo.push(() => started.close());
    undo.push(own.value.watch(() => started.announce()));
  }
  const kinds = new KindRegistry(allKinds);
  const access = openAccess({
    store,
    kinds,
    clock,
    version: options.version,
    mesh: streams,
    log: audit,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  undo.push(() => access.close());
  const { ledger } = access;
  const reads = [
    ...historyRoutes({ store, kinds, ledger, clock }),
    ...resourceRoutes({
      store,
      kinds,
      ledger,
      clock,
      withStatus: (resource) => imported.imports.withStatus(federation.withStatus(conditions.withStatus(resource))),
      waitLive: (revision, waitMs) => streams.waitLive(revision, waitMs),
    }),
  ];
  const routes = [
    ...access.routes,
    ...backupRoutes({ home, trustDomain: trustDomain.value, store, kinds, ledger, clock, revocations }),
    ...joining.value.routes,
    ...consistentReads(reads, replication),
    ...workloadRoutes(workloads),
    ...rotationRoutes({ authority, rotation, events, health }),
    ...identityRoutes({ authority, registry, revocations, issued, compiler, discovery, streams, events, clock }),
    ...workloadIdentityRoutes({ registry, jwt: jwt.value, bundles }),
    ...observeRoutes({
      collector,
      egress,
      mirrors,
      metrics,
      events,
      info,
      beforeMetrics: gauges({ metrics, store, registry, compiler, collector, watch, joining: joining.value, imported }),
    }),
  ];
  const api = { routes, logger, audit: access.audit };
  const files = options.dashboardDirectory === undefined ? undefined : new StaticFiles(options.dashboardDirectory);
  const wantedDashboard = options.dashboardPort ?? memory.dashboardPort ?? 0;
  const dashboard = await onPort<ApiListener>({ port: wantedDashboard }, "dashboard", notices, (port) =>
    listenOnLoopback(port, files, api),
  );
  if (!dashboard.ok) return dashboard;
  undo.push(() => dashboard.value.close());
  dashboardUrl = `http://127.0.0.1:${dashboard.value.port}/`;
  const apiSocket = join(home, "control.sock");
  const socket = await listenOnSocket(apiSocket, api);
  if (!socket.ok) return socket;
  undo.push(() => socket.value.close());

  let apiAddress: string | undefined;
  if (options.api !== undefined) {
    const { address, files: pem } = options.api;
    const rootsPem = (): string => authority.bundle().pem;
    const certificate =
      pem === undefined ? { source: "svid" as const, own: own.value, rootsPem } : { source: "files" as const, ...pem };
    const serving = await access.listen(address, certificate, api);
    if (!serving.ok) return serving;
    undo.push(() => serving.value.close());
    apiAddress = serving.value.address;
  }

  const { bundleEndpoint } = options;
  let bundleEndpointUrl: string | undefined;
  if (bundleEndpoint !== undefined) {
    const { address, web } = bundleEndpoint;
    const serving = await startBundleEndpoint({
      address,
      proof: web === undefined ? { profile: "https_spiffe", identity: own.value } : { profile: "https_web", ...web },
      clock,
      document: () => formatBundle(bundles.own),
      ...given({ logger }),
    });
    if (!serving.ok) return serving;
    undo.push(() => serving.value.close());
    bundleEndpointUrl = serving.value.url;
  }

  writeMemory(home, {
    trustDomain: trustDomain.value,
    streamPort: discovery.port,
    dashboardPort: dashboard.value.port,
    joinPort: joining.value.port,
  });
  const streamAddress = discovery.address;
  writeControlFile(home, {
    pid: process.pid,
    apiSocket,
    streamAddress,
    joinAddress,
    dashboardUrl,
    trustDomain: trustDomain.value,
  });
  undo.push(() => removeControlFile(home));
  logger?.info("control plane started", {
    home,
    trustDomain: trustDomain.value,
    streamAddress,
    joinAddress,
    dashboardUrl,
    revision: store.revision,
  });
  return ok({
    apiSocket,
    streamAddress,
    joinAddress,
    apiAddress,
    dashboardUrl,
    trustDomain: trustDomain.value,
    routes,
    bundleEndpointUrl,
    notices,
  });
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

/** The key of an authority that several share; undefined when this control plane is alone. */
async function sealingKey(options: ControlOptions): Promise<Result<SealingKey | undefined, Failure>> {
  const { authorityKeyFile, etcd, externalCaDirectory } = options;
  if (authorityKeyFile === undefined) return ok(undefined);
  if (etcd === undefined) return err({ kind: replicaOptionsInvalid, message: "there is no --etcd" });
  if (externalCaDirectory !== undefined)
    return err({ kind: replicaOptionsInvalid, message: `--external-ca ${externalCaDirectory}` });
  const key = await SealingKey.read(authorityKeyFile);
  return key.ok ? key : err({ kind: authorityKeyUnusable, message: key.error });
}

/** Kept when the shared authority may be opened: it is there, or this control plane leads and makes it. */
async function foundAuthority(
  shared: SharedAuthority,
  replication: Replication,
  directory: string,
): Promise<Result<undefined, Failure>> {
  const adopted = await adoptAuthority(shared, directory);
  if (!adopted.ok) return err({ kind: authorityKeyUnusable, message: adopted.error });
  return new Promise((resolve) => {
    const check = (): void => {
      if (!shared.isFounded && !replication.isLeader) return;
      for (const stop of stops) stop();
      resolve(ok(undefined));
    };
    const stops = [replication.onChange(check), shared.state.watch(check), shared.jwtKeys.watch(check)];
    check();
  });
}

function chooseTrustDomain({ trustDomain, home }: ControlOptions, memory: MeshMemory): Result<string, Failure> {
  const chosen = trustDomain ?? memory.trustDomain ?? DEFAULT_TRUST_DOMAIN;
  const valid = parseSpiffeId(`spiffe://${chosen}`);
  if (!valid.ok)
    return err({ kind: trustDomainFixed, message: `${JSON.stringify(chosen)} is no trust domain: ${valid.error}` });
  if (memory.trustDomain === undefined || memory.trustDomain === chosen) return ok(chosen);
  return err({ kind: trustDomainFixed, message: `${home} is of ${memory.trustDomain}, not ${chosen}` });
}

interface Gauged {
  readonly metrics: MetricRegistry;
  readonly store: Store;
  readonly registry: Registry;
  readonly compiler: Compiler;
  readonly collector: Collector;
  readonly joining: Joining;
  readonly watch: IdentityWatch;
  readonly imported: StartedImports;
}

function gauges({ metrics, store, registry, compiler, collector, joining, watch, imported }: Gauged): () => void {
  const gauge = ({ name, help }: MetricName): Gauge => metrics.gauge(name, help);
  const counter = ({ name, help }: MetricName): Counter => metrics.counter(name, help);
  const revision = gauge(metricNames.STORE_REVISION);
  const workloads = gauge(metricNames.WORKLOADS);
  const held = gauge(metricNames.WORKLOADS_HELD);
  const joined = gauge(metricNames.IDENTITY_NODES);
  const computed = counter(metricNames.COMPILED);
  const remembered = gauge(metricNames.COMPILED_RESOURCES);
  const waiting = gauge(metricNames.COMPILE_WAITING);
  const tapsDropped = counter(metricNames.TAP_EVENTS_DROPPED);
  const edgesDropped = counter(metricNames.GRAPH_EDGES_DROPPED);
  return () => {
    revision.set(store.revision);
    workloads.set(registry.size);
    held.set(registry.held);
    joined.set(joining.nodes);
    computed.add(compiler.statistics.computed - computed.value);
    remembered.set(compiler.statistics.remembered);
    waiting.set(compiler.statistics.waiting);
    tapsDropped.add(collector.taps.dropped - tapsDropped.value);
    edgesDropped.add(collector.edgesDropped - edgesDropped.value);
    watch.measure();
    imported.measure(metrics);
  };
}

/** The fields that are there: for options that may be absent but not undefined. */
function given({ logger }: { readonly logger: Logger | undefined }): { readonly logger?: Logger } {
  return logger === undefined ? {} : { logger };
}

/** The store, as the config stream sees it. */
function sharedStore(store: Store, replication: Replication): SharedStore {
  return {
    get revision() {
      return store.revision;
    },
    readBarrier: () => replication.readBarrier(),
  };
}

/** Ids of the proxies that have a config stream; the workers of one count once. */
function connectedProxies(discovery: DiscoveryServer): Set<string> {
  return new Set(discovery.proxies().map(({ proxyId }) => parseWorkerStreamId(proxyId).proxyId));
}

/** The part of a namespace's workloads whose proxies are connected to this replica: so much of its shared limits is its own. */
function partOfLimits(registry: Registry, replica: string, namespace: string): number {
  let own = 0;
  let all = 0;
  for (const workload of registry.list()) {
    if (workload.namespace !== namespace) continue;
    all++;
    if (workload.replica === replica) own++;
  }
  return all === 0 ? 1 : own / all;
}
