// One HBONE tunnel of a peer (HTTP/2 CONNECT, RFC 9113 section 8.5): judged before anything is dialled, and again whenever
// policies change. A proxy of this mesh puts raw bytes into it only; one of another mesh puts everything into tunnels, so
// that what is inside is looked at, and HTTP is served request by request under the same policies.

import {
  ResponseHead,
  type HeaderList,
  type RequestHead,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import { Protocol, type InboundPort } from "@ripstop/model";
import type { CloseCause, Conn, Connecting, DialEvents } from "@ripstop/net";
import { forwardedFor } from "../2-identify/forwarded-for.ts";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import { InnerConnection } from "../3-detect/inner-connection.ts";
import { claimedService } from "../5-filter/request-duties.ts";
import { judgeConnection } from "../5-filter/judge-connection.ts";
import { LiveTunnel } from "../7-connect/live-tunnel.ts";
import { refusal, sendRefusal, type Refusal } from "../7-connect/local-reply.ts";
import { StreamConn } from "../7-connect/stream-conn.ts";
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
export class InboundTunnel implements ServerStreamHandler, DialEvents {
  readonly #parts: InboundTunnelParts;
  readonly #request: RequestHead;
  readonly #sourceService: string;
  /** Holds what the client sends before the answer, bounded by the stream's window. */
  readonly #client: StreamConn;
  #dialing: Connecting | undefined = undefined;
  #port: InboundPort | undefined = undefined;
  #over = false;

  constructor(parts: InboundTunnelParts, head: RequestHead) {
    const { conn, stream, workload, peer } = parts;
    this.#parts = parts;
    this.#request = workload.engine.heads.take();
    this.#request.copyFrom(head);
    this.#sourceService = claimedService(head.headers, peer);
    this.#client = new StreamConn(stream, {
      remoteAddress: conn.remoteAddress,
      remotePort: conn.remotePort,
      localAddress: conn.localAddress,
      localPort: conn.localPort,
      tls: conn.tls,
    });
    workload.engine.live.exchanges++;
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
        authority: this.#request.authority,
        workload: workload.id,
        tlsVersion: peer.tlsVersion,
      });
      this.#refuse(refused);
      return;
    }
    if (port === undefined) {
      this.#refuse(refusal(portNotServed, `${workload.id} has no port ${peer.port}`));
      return;
    }
    if (isHttp) {
      this.#refuse(refusal(tunnelRefused, `port ${peer.port} of ${workload.id} is declared as HTTP`));
      return;
    }
    this.#port = port;
    this.#dialing = workload.dialApplication(port, this.#applicationClient(), this);
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    const { workload, peer, stream } = this.#parts;
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
      this.#refuse(refused);
      return;
    }
    stream.sendResponse(new ResponseHead(), false);
    new LiveTunnel(this.#client, conn, {
      engine: workload.engine,
      edge: workload.inboundEdge(peer, this.#sourceService, "tcp"),
      registry: workload.tunnels,
      authority: this.#request.authority,
      workload: workload.id,
      tlsVersion: peer.tlsVersion,
      recheck: () => judgeConnection(workload, peer) === undefined,
    });
    this.#finish();
  }

  onFailed(cause: CloseCause): void {
    this.#dialing = undefined;
    const { workload, peer } = this.#parts;
    workload.inboundEdge(peer, this.#sourceService, "tcp").recordRefused(false);
    const address = this.#port?.applicationAddress ?? "";
    this.#refuse(refusal(applicationUnreachable, `the application of ${workload.id} at ${address}: ${cause.message}`));
  }

  onBody(buf: Buffer, start: number, end: number): void {
    this.#client.onBody(buf, start, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.#client.onTrailers(trailers);
  }

  onEnd(): void {
    this.#client.onEnd();
  }

  onWritable(): void {
    this.#client.onWritable();
  }

  onReset(code: number, cause: string): void {
    this.#client.onReset(code, cause);
    this.#finish();
  }

  /** The client as the tunnel's request tells it, else the peer. */
  #applicationClient(): ApplicationClient {
    const { conn } = this.#parts;
    const told = forwardedFor(this.#request.headers);
    if (told === undefined) return conn;
    return { remoteAddress: told.address, remotePort: told.port, localAddress: conn.localAddress };
  }

  /** Opens the tunnel; what is in it decides what becomes of it. */
  #lookInside(port: InboundPort): void {
    const { workload, peer, stream } = this.#parts;
    if (workload.view.chain === undefined) {
      this.#refuse(refusal(policyNotInForce, workload.view.missing));
      return;
    }
    stream.sendResponse(new ResponseHead(), false);
    new InnerConnection(this.#client, {
      workload,
      peer,
      port,
      sourceService: this.#sourceService,
      authority: this.#request.authority,
      client: this.#applicationClient(),
    });
    this.#finish();
  }

  #refuse(refused: Refusal): void {
    if (this.#over) return;
    const { engine } = this.#parts.workload;
    engine.log.info("tunnel refused", {
      code: refused.kind.code,
      cause: refused.detail,
      peer: this.#parts.peer.identity,
    });
    sendRefusal(this.#parts.stream, this.#request, refused, engine.clock.nowMs());
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#dialing?.cancel();
    const { engine } = this.#parts.workload;
    engine.live.exchanges--;
    engine.heads.release(this.#request);
  }
}
