// Starts how workloads come into the mesh and stay in it: joining, heartbeats, and the other control planes to go to.

import { randomInt } from "node:crypto";
import { join } from "node:path";

import { ok, type Result } from "@ripstop/core";
import { revocationText } from "@ripstop/net";

import type { WorkloadRoutesOptions } from "../api/workload-routes.ts";
import { AuditLog } from "../api/audit/audit-log.ts";
import type { Failure } from "../failure.ts";
import { workloadKey } from "../damping/damping-key.ts";
import { hasRevokedCertificate } from "../identity/enforce-revocations.ts";
import { startJoining, type Joining } from "../join/start-joining.ts";
import { formatAddress } from "../on-port.ts";
import { askPeer } from "../replicas/ask-peer.ts";
import { MeshStreams } from "../replicas/mesh-streams.ts";
import { peerRoutes } from "../replicas/peer-routes.ts";
import { ReplicaKeeper } from "../replicas/replica-keeper.ts";
import { given, LOOPBACK, type Ground } from "./ground.ts";
import type { MeshIdentity } from "./start-identity.ts";
import type { MeshModel } from "./start-model.ts";
import type { MeshRotation } from "./start-rotation.ts";
import { connectedProxies, type MeshStream } from "./start-stream.ts";

/** How workloads come in and stay. */
export interface MeshEntrances {
  readonly workloads: WorkloadRoutesOptions;
  readonly streams: MeshStreams;
  readonly audit: AuditLog;
  readonly joining: Joining;
  /** There, when several control planes share the store. */
  readonly keeper: ReplicaKeeper | undefined;
  readonly startedMs: number;
}

/** Listens for hosts, and joins the other control planes. */
export async function startEntrances(
  ground: Ground,
  { authority, jwt, revocations, own, controlIdentity }: MeshIdentity,
  {
    registry,
    bundles,
    discovery,
    collector,
    rotation,
    imported,
  }: Pick<
    MeshModel & MeshStream & MeshRotation,
    "registry" | "bundles" | "discovery" | "collector" | "rotation" | "imported"
  >,
): Promise<Result<MeshEntrances, Failure>> {
  const { options, undo, notices, memory, trustDomain, events, store } = ground;
  const { home, clock, metrics } = options;
  const { replication } = store;
  const startedMs = clock.nowMs();
  let keeper: ReplicaKeeper | undefined;
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
      askPeer({ own: own, rootsPem: () => authority.bundle().pem, controlIdentity, clock }, to, patienceMs),
  });
  undo.push(() => streams.close());
  const audit = new AuditLog({ directory: join(home, "audit"), ...given(options) });
  const joining = await startJoining({
    clock,
    trustDomain,
    store,
    authority,
    own,
    workloads,
    identities: { registry, jwt, bundles },
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
    ...given(options),
  });
  if (!joining.ok) return joining;
  undo.push(() => joining.value.close());
  undo.push(authority.onBundleChange(() => joining.value.refreshTls()));
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
        rootSha256: own.current.rootSha256,
      }),
      proxies: () => connectedProxies(discovery),
      move: (proxyId) => discovery.move(proxyId),
      random: () => randomInt(2 ** 32) / 2 ** 32,
    });
    keeper = started;
    undo.push(() => started.close());
    undo.push(own.watch(() => started.announce()));
  }
  return ok({ workloads, streams, audit, joining: joining.value, keeper, startedMs });
}
