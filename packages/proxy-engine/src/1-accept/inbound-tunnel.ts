// One HBONE tunnel of a peer (HTTP/2 CONNECT, RFC 9113 section 8.5): judged before anything is dialled, and again whenever
// policies change. A proxy of this mesh puts raw bytes into it only; one of another mesh puts everything into tunnels, so
// that what is inside is looked at, and HTTP is served request by request under the same policies.

import type { RequestHead, ServerStream } from "@ripstop/http";
import { Protocol, type InboundPort } from "@ripstop/model";
import type { CloseCause, Conn, Connecting, DialEvents } from "@ripstop/net";
import { forwardedFor } from "../2-identify/forwarded-for.ts";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import { InnerConnection } from "../3-detect/inner-connection.ts";
import { claimedService } from "../5-filter/request-duties.ts";
import { judgeConnection } from "../5-filter/judge-connection.ts";
import { LiveTunnel } from "../7-connect/live-tunnel.ts";
import { refusal } from "../7-connect/local-reply.ts";
import { TunnelRequest } from "../7-connect/tunnel-request.ts";
import { recordRefusedConnection } from "../telemetry/record-connection.ts";
import { applicationUnreachable, policyNotInForce, portNotServed, tunnelRefused } from "../errors.ts";
import type { ApplicationClient, HostedWorkload } from "./hosted-workload.ts";

/** What a tunnel is made of. */
export interface InboundTunnelParts {
  readonly workload: HostedWorkload;
  /** The caller, with the port that the tunnel is for. */
  readonly peer: InboundPeer;
  readonly stream: ServerStream;
  /** What carries the stream. */
  readonly conn: Conn;
  /** The other end is a proxy of this mesh. */
  readonly ownMesh: boolean;
}

/** One tunnel. Make it, then call `start`. */
export class InboundTunnel extends TunnelRequest implements DialEvents {
  readonly #parts: InboundTunnelParts;
  readonly #sourceService: string;
  #dialing: Connecting | undefined = undefined;
  #port: InboundPort | undefined = undefined;

  constructor(parts: InboundTunnelParts, head: RequestHead) {
    const { conn, stream, workload, peer } = parts;
    super({ engine: workload.engine, peer, stream, conn }, head);
    this.#parts = parts;
    this.#sourceService = claimedService(head.headers, peer);
  }

  /** Judges, then connects or looks inside. */
  start(): void {
    const { workload, peer, ownMesh } = this.#parts;
    const port = workload.view.port(peer.port);
    const isHttp =
      port?.protocol === Protocol.HTTP1 || port?.protocol === Protocol.HTTP2 || port?.protocol === Protocol.GRPC;
    if (!ownMesh && port !== undefined && (isHttp || port.protocol === Protocol.UNSPECIFIED)) {
      this.#lookInside(port);
      return;
    }
    const refused = judgeConnection(workload, peer, true);
    if (refused !== undefined) {
      recordRefusedConnection(workload.engine, workload.inboundEdge(peer, this.#sourceService, "tcp"), {
        refused,
        authority: this.request.authority,
        workload: workload.id,
        tlsVersion: peer.tlsVersion,
      });
      this.refuse(refused);
      return;
    }
    if (port === undefined) {
      this.refuse(refusal(portNotServed, `${workload.id} has no port ${peer.port}`));
      return;
    }
    if (isHttp) {
      this.refuse(refusal(tunnelRefused, `port ${peer.port} of ${workload.id} is declared as HTTP`));
      return;
    }
    this.#port = port;
    this.#dialing = workload.dialApplication(port, this.#applicationClient(), this);
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    const { workload, peer } = this.#parts;
    // Policies may have changed while it was dialled.
    const refused = judgeConnection(workload, peer);
    if (refused !== undefined) {
      conn.handler = {
        onBytes: () => undefined,
        onEnd: () => undefined,
        onDrain: () => undefined,
        onClose: () => undefined,
      };
      conn.destroy();
      this.refuse(refused);
      return;
    }
    this.open(
      () =>
        new LiveTunnel(this.client, conn, {
          engine: workload.engine,
          edge: workload.inboundEdge(peer, this.#sourceService, "tcp"),
          registry: workload.tunnels,
          authority: this.request.authority,
          workload: workload.id,
          tlsVersion: peer.tlsVersion,
          recheck: () => judgeConnection(workload, peer) === undefined,
        }),
    );
  }

  onFailed(cause: CloseCause): void {
    this.#dialing = undefined;
    const { workload, peer } = this.#parts;
    workload.inboundEdge(peer, this.#sourceService, "tcp").recordRefused(false);
    const address = this.#port?.applicationAddress ?? "";
    this.refuse(refusal(applicationUnreachable, `the application of ${workload.id} at ${address}: ${cause.message}`));
  }

  protected stop(): void {
    this.#dialing?.cancel();
  }

  /** The client as the tunnel's request tells it, else the peer. */
  #applicationClient(): ApplicationClient {
    const { conn } = this.#parts;
    const told = forwardedFor(this.request.headers);
    if (told === undefined) return conn;
    return { remoteAddress: told.address, remotePort: told.port, localAddress: conn.localAddress };
  }

  /** Opens the tunnel; what is in it decides what becomes of it. */
  #lookInside(port: InboundPort): void {
    const { workload, peer } = this.#parts;
    if (workload.view.chain === undefined) {
      this.refuse(refusal(policyNotInForce, workload.view.missing));
      return;
    }
    this.open(
      () =>
        new InnerConnection(this.client, {
          workload,
          peer,
          port,
          sourceService: this.#sourceService,
          authority: this.request.authority,
          client: this.#applicationClient(),
        }),
    );
  }
}
