// The inbound side: connections of verified peers. A proxy of this mesh names workload and port by its server name; one of
// another mesh sends no name (HBONE as Istio's ztunnel speaks it) and names host and port in each tunnel.

import { type RequestHead, type ServerStream, type ServerStreamHandler } from "@ripstop/http";
import { parseMeshServerName, type Conn } from "@ripstop/net";
import { identifyPeer, type InboundPeer } from "../2-identify/inbound-peer.ts";
import { parseAuthority } from "../2-identify/authority.ts";
import { namesWorkload } from "../2-identify/tunnel-target.ts";
import { InboundExchange } from "../7-connect/inbound-exchange.ts";
import { refusal } from "../7-connect/local-reply.ts";
import { tunnelsOnly, wrongDestination } from "../errors.ts";
import { MESH_HTTP2_LIMITS } from "../settings.ts";
import type { HostedWorkload } from "./hosted-workload.ts";
import type { RequestAcceptor } from "./http-session.ts";
import { Http2Session } from "./http2-session.ts";
import { InboundTunnel } from "./inbound-tunnel.ts";
import { RefusedRequest } from "./refused-request.ts";

/** The window is large because requests of many clients share the connection; a stalled one uses up its stream's window only. */
const INBOUND_SETTINGS = {
  maxConcurrentStreams: 1000,
  priorities: false,
  initialWindowBytes: 256 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
} as const;

/**
 * Serves a verified connection; closes it when it is for no workload of this proxy. `nameless` is the workload of the
 * listener, which peers get that send no server name.
 */
export function acceptInbound(
  conn: Conn,
  workloads: ReadonlyMap<string, HostedWorkload>,
  nameless: HostedWorkload,
): void {
  const serverName = conn.tls?.serverName ?? "";
  const name = parseMeshServerName(serverName);
  const workload = name === undefined ? (serverName === "" ? nameless : undefined) : workloads.get(name.workloadId);
  const peer = identifyPeer(conn, name?.port ?? 0);
  if (workload === undefined || peer === undefined) {
    refuseConnection(conn);
    return;
  }
  const hbone = name === undefined;
  serveInbound(
    conn,
    workload,
    hbone ? new HboneAcceptor(workload, peer, conn) : new InboundAcceptor(workload, peer, conn),
  );
}

/** Closes a connection that nobody serves. */
export function refuseConnection(conn: Conn): void {
  conn.handler = {
    onBytes: () => undefined,
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: () => undefined,
  };
  conn.destroy();
}

/** Serves a verified peer of `workload` over HTTP/2. */
export function serveInbound(conn: Conn, workload: HostedWorkload, acceptor: RequestAcceptor): void {
  new Http2Session(conn, {
    engine: workload.engine,
    acceptor,
    registry: workload.inboundSessions,
    settings: INBOUND_SETTINGS,
    limits: MESH_HTTP2_LIMITS,
  });
}

/** Requests and tunnels of a proxy of this mesh. */
class InboundAcceptor implements RequestAcceptor {
  readonly #workload: HostedWorkload;
  readonly #peer: InboundPeer;
  readonly #conn: Conn;

  constructor(workload: HostedWorkload, peer: InboundPeer, conn: Conn) {
    this.#workload = workload;
    this.#peer = peer;
    this.#conn = conn;
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    if (head.method === "CONNECT" && head.protocol === "") {
      const parts = { workload: this.#workload, peer: this.#peer, stream, conn: this.#conn, ownMesh: true };
      const tunnel = new InboundTunnel(parts, head);
      tunnel.start();
      return tunnel;
    }
    const exchange = new InboundExchange(this.#workload, this.#peer, stream, { head, end });
    exchange.start();
    return exchange;
  }
}

/** Tunnels of a proxy of another mesh, each to the port that its authority names. */
class HboneAcceptor implements RequestAcceptor {
  readonly #workload: HostedWorkload;
  readonly #peer: InboundPeer;
  readonly #conn: Conn;

  constructor(workload: HostedWorkload, peer: InboundPeer, conn: Conn) {
    this.#workload = workload;
    this.#peer = peer;
    this.#conn = conn;
  }

  onRequest(stream: ServerStream, head: RequestHead, _end: boolean): ServerStreamHandler {
    const workload = this.#workload;
    if (head.method !== "CONNECT" || head.protocol !== "") {
      return new RefusedRequest(
        workload.engine,
        stream,
        head,
        refusal(tunnelsOnly, "without a server name there are only tunnels (CONNECT HOST:PORT)"),
      );
    }
    const target = parseAuthority(head.authority);
    if (target === undefined || target.port === 0 || !namesWorkload(target.host, workload, this.#conn.localAddress)) {
      return new RefusedRequest(
        workload.engine,
        stream,
        head,
        refusal(wrongDestination, `the tunnel is for ${head.authority}, which is not served here`),
      );
    }
    const peer: InboundPeer = { ...this.#peer, port: target.port };
    const tunnel = new InboundTunnel({ workload, peer, stream, conn: this.#conn, ownMesh: false }, head);
    tunnel.start();
    return tunnel;
  }
}
