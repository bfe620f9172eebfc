// All routes of the API, each over the parts that it answers from.

import type { ControlInfo } from "@ripstop/model";
import type { KindRegistry } from "@ripstop/resources";

import { backupRoutes } from "../api/backup-routes.ts";
import { historyRoutes } from "../api/history-routes.ts";
import { identityRoutes } from "../api/identity-routes.ts";
import { observeRoutes } from "../api/observe-routes.ts";
import type { ApiAccess } from "../api/open-access.ts";
import { resourceRoutes } from "../api/resource-routes.ts";
import { rotationRoutes } from "../api/rotation-routes.ts";
import type { Route } from "../api/router.ts";
import { workloadIdentityRoutes } from "../api/workload-identity-routes.ts";
import { workloadRoutes } from "../api/workload-routes.ts";
import { consistentReads } from "../replicas/consistency.ts";
import { controlGauges } from "./control-gauges.ts";
import type { Ground } from "./ground.ts";
import type { MeshEntrances } from "./start-entrances.ts";
import type { MeshIdentity } from "./start-identity.ts";
import type { MeshModel } from "./start-model.ts";
import type { MeshRotation } from "./start-rotation.ts";
import { connectedProxies, type MeshStream } from "./start-stream.ts";

/** All parts that the API answers from. */
export interface ControlParts extends MeshIdentity, MeshModel, MeshStream, MeshRotation, MeshEntrances {}

/** What the routes need beside the parts. */
export interface ControlRoutesOptions {
  readonly kinds: KindRegistry;
  readonly access: ApiAccess;
  /** "" until it is served. */
  readonly dashboardUrl: () => string;
}

/** The routes, in the order in which they are looked at. */
export function controlRoutes(
  ground: Ground,
  parts: ControlParts,
  { kinds, access, dashboardUrl }: ControlRoutesOptions,
): readonly Route[] {
  const { options, trustDomain, events, store } = ground;
  const { home, clock, metrics } = options;
  const { replication } = store;
  const { ledger } = access;
  const { authority, jwt, revocations, issued, registry, federation, bundles, compiler, conditions, imported } = parts;
  const { discovery, collector, egress, mirrors, rotation, watch, health } = parts;
  const { workloads, streams, joining, keeper, startedMs } = parts;
  const info = (): ControlInfo => ({
    version: options.version,
    trustDomain,
    revision: store.revision,
    proxies: connectedProxies(discovery).size,
    dashboardUrl: dashboardUrl(),
    streamAddress: discovery.address,
    joinAddress: joining.address,
    startedMs,
    ...(keeper === undefined || replication === undefined
      ? {}
      : { replicas: keeper.views, cutOffMs: Math.round(replication.cutOffMs) }),
  });
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
  return [
    ...access.routes,
    ...backupRoutes({ home, trustDomain, store, kinds, ledger, clock, revocations }),
    ...joining.routes,
    ...consistentReads(reads, replication),
    ...workloadRoutes(workloads),
    ...rotationRoutes({ authority, rotation, events, health }),
    ...identityRoutes({ authority, registry, revocations, issued, compiler, discovery, streams, events, clock }),
    ...workloadIdentityRoutes({ registry, jwt, bundles }),
    ...observeRoutes({
      collector,
      egress,
      mirrors,
      metrics,
      events,
      info,
      beforeMetrics: controlGauges({ metrics, store, registry, compiler, collector, watch, joining, imported }),
    }),
  ];
}
