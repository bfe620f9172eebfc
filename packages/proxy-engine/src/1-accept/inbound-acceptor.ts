// The inbound side: connections of verified peers, each for one workload and port by its server name.

import {
  ResponseHead,
  StreamErrorCode,
  type HeaderList,
  type RequestHead,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import { Protocol, type InboundPort } from "@ripstop/model";
import { parseMeshServerName, type CloseCause, type Conn, type Connecting, type DialEvents } from "@ripstop/net";
import { identifyPeer, type InboundPeer } from "../2-identify/inbound-peer.ts";
import { parseAuthority } from "../2-identify/authority.ts";
import { claimedService } from "../5-filter/request-duties.ts";
import { RequestView } from "../5-filter/request-view.ts";
import { auditRequest, denialRefusal, InboundExchange } from "../7-connect/inbound-exchange.ts";
import { LiveTunnel } from "../7-connect/live-tunnel.ts";
import { refusal, sendRefusal, type Refusal } from "../7-connect/local-reply.ts";
import { StreamConn } from "../7-connect/stream-conn.ts";
import { applicationUnreachable, policyNotInForce, portNotServed, tunnelRefused } from "../errors.ts";
import { MESH_HTTP2_LIMITS } from "../settings.ts";
import type { HostedWorkload } from "./hosted-workload.ts";
import { Http2Session, type RequestAcceptor } from "./http-sessions.ts";

/** The window is large because requests of many clients share the connection; a stalled one uses up its stream's window only. */
const INBOUND_SETTINGS = {
  maxConcurrentStreams: 1000,
  priorities: false,
  initialWindowBytes: 256 * 1024,
  connectionWindowBytes: 16 * 1024 * 1024,
} as const;

/** Serves a verified connection; closes it when it is for no workload of this proxy. */
export function acceptInbound(conn: Conn, workloads: ReadonlyMap<string, HostedWorkload>): void {
  const name = parseMeshServerName(conn.tls?.serverName ?? "");
  const workload = name === undefined ? undefined : workloads.get(name.workloadId);
  const peer = name === undefined ? undefined : identifyPeer(conn, name.port);
  if (workload === undefined || peer === undefined) {
    conn.handler = {
      onBytes: () => undefined,
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    };
    conn.destroy();
    return;
  }
  const acceptor = new InboundAcceptor(workload, peer, conn);
  new Http2Session(conn, {
    engine: workload.engine,
    acceptor,
    registry: workload.inboundSessions,
    settings: INBOUND_SETTINGS,
    limits: MESH_HTTP2_LIMITS,
  });
}

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
      const tunnel = new InboundTunnel({ workload: this.#workload, peer: this.#peer, stream, conn: this.#conn }, head);
      tunnel.start();
      return tunnel;
    }
    const exchange = new InboundExchange(this.#workload, this.#peer, stream, { head, end });
    exchange.start();
    return exchange;
  }
}

interface TunnelParts {
  readonly workload: HostedWorkload;
  readonly peer: InboundPeer;
  readonly stream: ServerStream;
  readonly conn: Conn;
}

const view = new RequestView();
const DIAL_TIMEOUT_MS = 5_000;

/** One HBONE tunnel: judged before anything is dialled, and again whenever policies change. */
class InboundTunnel implements ServerStreamHandler, DialEvents {
  readonly #parts: TunnelParts;
  readonly #request: RequestHead;
  readonly #sourceService: string;
  #dialing: Connecting | undefined = undefined;
  #conn: StreamConn | undefined = undefined;
  #port: InboundPort | undefined = undefined;
  #over = false;

  constructor(parts: TunnelParts, head: RequestHead) {
    this.#parts = parts;
    this.#request = parts.workload.engine.heads.take();
    this.#request.copyFrom(head);
    this.#sourceService = claimedService(head.headers, parts.peer);
    parts.workload.engine.live.exchanges++;
  }

  start(): void {
    const { workload, peer } = this.#parts;
    const refused = this.#judge();
    if (refused !== undefined) {
      workload.inboundEdge(peer, this.#sourceService, "tcp").recordRefused(refused.policy !== "");
      this.#refuse(refused);
      return;
    }
    auditRequest(workload, view);
    const port = workload.view.port(peer.port);
    if (port === undefined) {
      this.#refuse(refusal(portNotServed, `${workload.id} has no port ${peer.port}`));
      return;
    }
    if (port.protocol === Protocol.HTTP1 || port.protocol === Protocol.HTTP2 || port.protocol === Protocol.GRPC) {
      this.#refuse(refusal(tunnelRefused, `port ${peer.port} of ${workload.id} is declared as HTTP`));
      return;
    }
    this.#port = port;
    const address = parseAuthority(port.applicationAddress) ?? { host: "127.0.0.1", port: peer.port };
    this.#dialing = workload.connector.dialPlain(address, DIAL_TIMEOUT_MS, this);
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    const { workload, peer, stream, conn: outer } = this.#parts;
    // Policies may have changed while it was dialled.
    const refused = this.#judge();
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
    const client = new StreamConn(stream, {
      remoteAddress: outer.remoteAddress,
      remotePort: outer.remotePort,
      localPort: outer.localPort,
      tls: outer.tls,
    });
    this.#conn = client;
    new LiveTunnel(client, conn, {
      engine: workload.engine,
      edge: workload.inboundEdge(peer, this.#sourceService, "tcp"),
      registry: workload.tunnels,
      authority: this.#request.authority,
      workload: workload.id,
      tlsVersion: peer.tlsVersion,
      recheck: () => this.#judge() === undefined,
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
    if (this.#conn !== undefined) this.#conn.onBody(buf, start, end);
    else if (this.#over) this.#parts.stream.consumed(end - start);
    else this.#early(buf, start, end);
  }

  onTrailers(trailers: HeaderList): void {
    this.#conn?.onTrailers(trailers);
  }

  onEnd(): void {
    if (this.#conn !== undefined) this.#conn.onEnd();
    else if (!this.#over) this.#parts.stream.reset(StreamErrorCode.CANCEL);
  }

  onWritable(): void {
    this.#conn?.onWritable();
  }

  onReset(code: number, cause: string): void {
    this.#conn?.onReset(code, cause);
    this.#finish();
  }

  #early(_buf: Buffer, _start: number, _end: number): void {
    // A tunnel's client waits for the answer; one that does not is cut.
    this.#parts.stream.reset(StreamErrorCode.PROTOCOL_ERROR);
    this.#finish();
  }

  #judge(): Refusal | undefined {
    const { workload, peer } = this.#parts;
    const { chain } = workload.view;
    if (chain === undefined) return refusal(policyNotInForce, workload.view.missing);
    view.setConnection(peer, peer.port);
    const denial = chain.judge(view);
    return denial === undefined ? undefined : denialRefusal(denial);
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
