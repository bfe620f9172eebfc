// Starts the config stream, and what takes over the reports that come back on it.

import { err, ok, type Result } from "@ripstop/core";
import {
  startDiscoveryServer,
  type DiscoveryServer,
  type ServerTls,
  type SharedStore,
} from "@ripstop/discovery/server";
import { createPeerVerification } from "@ripstop/identity";
import type { KeyedSvid } from "@ripstop/identity/authority";
import { parseWorkerStreamId } from "@ripstop/model";

import { EgressLog } from "../egress/egress-log.ts";
import { listenFailed } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { distributeRevocations, refuseRevoked } from "../identity/enforce-revocations.ts";
import { ShareKeeper } from "../limits/share-keeper.ts";
import { MirrorLog } from "../mirror/mirror-log.ts";
import { onPort } from "../on-port.ts";
import type { Registry } from "../registry/registry.ts";
import type { Replication, Store } from "../store/store.ts";
import { Collector } from "../telemetry/collector.ts";
import { given, LOOPBACK, type Ground } from "./ground.ts";
import type { MeshIdentity } from "./start-identity.ts";
import type { MeshModel } from "./start-model.ts";

/** The config stream, and what was reported on it. */
export interface MeshStream {
  readonly discovery: DiscoveryServer;
  readonly collector: Collector;
  readonly egress: EgressLog;
  readonly mirrors: MirrorLog;
}

/** Listens for proxies. */
export async function startStream(
  ground: Ground,
  { authority, revocations, issued, own }: MeshIdentity,
  { registry, compiler }: MeshModel,
): Promise<Result<MeshStream, Failure>> {
  const { options, undo, notices, memory, store } = ground;
  const { clock, metrics } = options;
  const { replication } = store;
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
      tls: tls(own.current),
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
      ...given(options),
    });
    return started.ok ? started : err({ kind: listenFailed, message: started.error });
  });
  if (!stream.ok) return stream;
  const discovery: DiscoveryServer = stream.value;
  endpoint.server = discovery;
  undo.push(() => discovery.close());
  undo.push(own.watch((svid) => discovery.setTls(tls(svid))));
  undo.push(distributeRevocations({ revocations, issued, compiler, discovery, clock }));
  undo.push(
    authority.onBundleChange(() => {
      compiler.bundleChanged();
      discovery.setTls(tls(own.current));
      if (own.current.rootSha256 !== authority.signingRootSha256) void own.renewNow();
    }),
  );
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
  return ok({ discovery, collector, egress, mirrors });
}

/** The store, as the config stream sees it. */
function sharedStore(store: Store, replication: Replication): SharedStore {
  return {
    get revision() {
      return store.revision;
    },
    readBarrier: () => replication.readBarrier(),
    ...(store.tableProgress === undefined ? {} : { tables: store.tableProgress }),
  };
}

/** Ids of the proxies that have a config stream; the workers of one count once. */
export function connectedProxies(discovery: DiscoveryServer): Set<string> {
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
