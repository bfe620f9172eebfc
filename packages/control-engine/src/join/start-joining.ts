// Puts the parts of joining together: proofs, tokens, nodes and the listener.

import { ok, type Clock, type Result } from "@ripstop/core";
import { PlatformJwtVerifier } from "@ripstop/identity/attestation";
import type { Authority, KeyedSvid, OwnIdentity } from "@ripstop/identity/authority";
import type { Logger, MetricRegistry } from "@ripstop/telemetry";

import type { Route } from "../api/router.ts";
import type { WorkloadIdentityRoutesOptions } from "../api/workload-identity-routes.ts";
import type { WorkloadRoutesOptions } from "../api/workload-routes.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Failure } from "../failure.ts";
import { formatAddress, onPort, type HostAndPort } from "../on-port.ts";
import type { Store } from "../store/store.ts";
import { Admission } from "./admission.ts";
import { Callers, type CallerVeto } from "./caller.ts";
import { joinRoutes } from "./join-routes.ts";
import { startJoinServer, type JoinServer, type JoinTls } from "./join-server.ts";
import { JoinTokens, type JoinTokenRecord } from "./join-tokens.ts";
import { Nodes, type NodeRecord } from "./nodes.ts";
import { PlatformTokens } from "./platform-tokens.ts";
import { tokenRoutes } from "./token-routes.ts";

/** What joining needs. */
export interface JoiningOptions {
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly store: Store;
  readonly authority: Authority;
  /** The control plane's own identity, which the listener shows. */
  readonly own: OwnIdentity;
  readonly workloads: WorkloadRoutesOptions;
  readonly identities: WorkloadIdentityRoutesOptions;
  readonly metrics: MetricRegistry;
  readonly events: EventLog;
  /** Exactly there; default: loopback, `wantedPort` or a free one. */
  readonly address?: HostAndPort;
  readonly wantedPort: number;
  readonly notices: string[];
  readonly logger?: Logger;
  /** Refuses callers whose certificate is sound. */
  readonly veto?: CallerVeto;
  /** Further routes of the listener: what the control planes of a mesh ask each other. */
  peerRoutes?(callers: Callers): readonly Route[];
}

/** Joining, running. */
export interface Joining {
  /** "HOST:PORT" of the listener. */
  readonly address: string;
  readonly port: number;
  /** For the API's socket: tokens and nodes. */
  readonly routes: readonly Route[];
  /** Nodes that have joined. */
  readonly nodes: number;
  /** New connections show the current SVID and are checked against the current roots. */
  refreshTls(): void;
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";

/** Starts the listener; fails when the address cannot be had. */
export async function startJoining(options: JoiningOptions): Promise<Result<Joining, Failure>> {
  const { clock, trustDomain, store, authority, own, metrics, events, logger } = options;
  const tokens = new JoinTokens({
    clock,
    trustDomain,
    table: store.table<JoinTokenRecord>("join-tokens"),
    roots: () => authority.bundle().der,
  });
  const nodes = new Nodes({ clock, trustDomain, table: store.table<NodeRecord>("nodes") });
  const admission = new Admission({
    clock,
    metrics,
    events,
    attestors: [tokens, new PlatformTokens(store, new PlatformJwtVerifier(clock))],
  });
  const callers = new Callers(trustDomain, clock, options.veto);
  const { workloads, identities } = options;
  const routes = [
    ...joinRoutes({ workloads, identities, admission, callers, nodes, store }),
    ...(options.peerRoutes?.(callers) ?? []),
  ];
  const tls = ({ chainPem, keyPem }: KeyedSvid): JoinTls => ({ chainPem, keyPem, rootsPem: authority.bundle().pem });
  const host = options.address?.host ?? LOOPBACK;
  const started = await onPort<JoinServer>(
    options.address ?? { port: options.wantedPort },
    "join listener",
    options.notices,
    (port) => startJoinServer({ host, port, tls: tls(own.current), routes, logger }),
  );
  if (!started.ok) return started;
  const server = started.value;
  const unwatch = own.watch((svid) => server.setTls(tls(svid)));
  const address = formatAddress(host, server.port);
  return ok({
    address,
    port: server.port,
    routes: tokenRoutes({ tokens, nodes, joinAddress: () => address }),
    get nodes() {
      return nodes.size;
    },
    refreshTls: () => server.setTls(tls(own.current)),
    close: () => {
      unwatch();
      return server.close();
    },
  });
}
