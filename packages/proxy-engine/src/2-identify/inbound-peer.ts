// Who called, and for which workload and port, as the handshake proved and the server name says.

import { workloadOf } from "@ripstop/identity";
import type { Conn } from "@ripstop/net";
import type { PeerInfo } from "@ripstop/policy-api/proxy";
import type { Edge } from "../telemetry/edge.ts";

/** The caller of one inbound connection. */
export interface InboundPeer extends PeerInfo {
  /** Workload port that the connection is for. */
  readonly port: number;
  readonly tlsVersion: string;
  /** Where the connection was accepted. */
  readonly localAddress: string;
  /** Telemetry slots of the connection by protocol, made at first use. */
  readonly edges: (Edge | undefined)[];
}

/** Reads the facts of a connection. Undefined when it carries no verified identity. */
export function identifyPeer(conn: Conn, port: number): InboundPeer | undefined {
  const { tls } = conn;
  if (tls === undefined || tls.peerId === "") return undefined;
  const workload = workloadOf(tls.peerId);
  return {
    identity: tls.peerId,
    namespace: workload?.namespace ?? "",
    serviceAccount: workload?.serviceAccount ?? "",
    address: conn.remoteAddress,
    port,
    tlsVersion: tls.version,
    localAddress: conn.localAddress,
    edges: [],
  };
}
