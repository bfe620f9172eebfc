// What an outbound exchange or connection needs of the workload that it comes from.

import type { Conn } from "@ripstop/net";
import type { HostPort } from "../2-identify/authority.ts";
import type { HostTable } from "../4-route/host-table.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import type { Connector } from "../7-connect/connector.ts";
import type { LiveTunnel } from "../7-connect/live-tunnel.ts";
import type { HttpPool } from "../7-connect/http-pool.ts";
import type { EgressCheck } from "../egress/egress-guard.ts";
import type { Engine } from "../engine.ts";
import type { SessionRegistry } from "./http-session.ts";
import type { Edge } from "../telemetry/edge.ts";

/** The outbound side of a hosted workload. */
export interface OutboundContext {
  readonly engine: Engine;
  readonly hosts: HostTable;
  readonly connector: Connector;
  /** Service that the workload belongs to, for telemetry. */
  readonly sourceService: string;
  /** SPIFFE id of the workload. */
  readonly spiffeId: string;
  /** Whether the address is one of this proxy's own listeners. */
  isOwnAddress(target: HostPort): boolean;
  /** Finds out what `conn`, a connection of the application to `target`, carries, and serves it. */
  serveConnection(conn: Conn, target: HostPort): void;
  /** Calls of hosts that the mesh does not know. */
  readonly egress: EgressCheck;
  /** Connections to a host outside the mesh. */
  egressPool(target: HostPort): HttpPool;
  /** Telemetry slots; `fallback` names the destination when there is no endpoint. */
  edge(endpoint: UpstreamEndpoint | undefined, fallback: string, protocol: string): Edge;
  /** Live HTTP connections of the application. */
  readonly sessions: SessionRegistry;
  /** When inbound requests with a deadline end (monotonic ms), by their x-request-id. */
  readonly deadlines: ReadonlyMap<string, number>;
  /** Live raw connections. */
  readonly tunnels: Set<LiveTunnel>;
}
