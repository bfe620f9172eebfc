// What a proxy of another mesh put into a tunnel: finds out what it is. HTTP is served request by request, each judged by
// the policies in force; anything else is judged as a connection and joined to the application. The declared protocol
// decides first, then the first bytes; while the client is silent the application may speak first, if the connection as
// such is allowed. No timeout ever turns HTTP into raw bytes.

import type { Timer } from "@ripstop/core";
import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import { Protocol, type InboundPort } from "@ripstop/model";
import type { CloseCause, Conn, ConnHandler, Connecting, DialEvents } from "@ripstop/net";
import type { ApplicationClient, HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { RequestAcceptor } from "../1-accept/http-session.ts";
import { Http1Session } from "../1-accept/http1-session.ts";
import { Http2Session } from "../1-accept/http2-session.ts";
import { RefusedRequest } from "../1-accept/refused-request.ts";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import { judgeConnection } from "../5-filter/judge-connection.ts";
import { removeMeshFields } from "../5-filter/request-duties.ts";
import { InboundExchange } from "../7-connect/inbound-exchange.ts";
import { LiveTunnel } from "../7-connect/live-tunnel.ts";
import { refusal, type Refusal } from "../7-connect/local-reply.ts";
import { applicationUnreachable, tunnelRefused } from "../errors.ts";
import { recordRefusedConnection } from "../telemetry/record-connection.ts";
import { FIRST_BYTE_TIMEOUT_MS, HEAD_TIMEOUT_MS, SILENCE_MS } from "../settings.ts";
import { detectProtocol } from "./protocol-detector.ts";

/** What is known of the tunnel. */
export interface InnerConnectionFacts {
  readonly workload: HostedWorkload;
  readonly peer: InboundPeer;
  readonly port: InboundPort;
  readonly sourceService: string;
  readonly authority: string;
  readonly client: ApplicationClient;
}

/** First bytes that are held before the client is told to wait. */
const MAX_HELD = 64 * 1024;
const NO_BYTES: Buffer = Buffer.alloc(0);

/** Takes the connection over in its constructor. */
export class InnerConnection implements ConnHandler, DialEvents {
  readonly #conn: Conn;
  readonly #facts: InnerConnectionFacts;
  #deadline: Timer;
  readonly #silence: Timer | undefined;
  #held: Buffer = NO_BYTES;
  #clientEnded = false;
  #dialing: Connecting | undefined = undefined;
  /** The application's side, connected and silent so far. */
  #server: Conn | undefined = undefined;
  /** Not HTTP: join as soon as the application is connected. */
  #raw = false;
  #decided = false;
  /** Limits have counted it. */
  #counted = false;

  constructor(conn: Conn, facts: InnerConnectionFacts) {
    this.#conn = conn;
    this.#facts = facts;
    const { clock } = facts.workload.engine;
    this.#deadline = clock.after(FIRST_BYTE_TIMEOUT_MS, () => this.#giveUp());
    const mayServerSpeakFirst = facts.port.protocol === Protocol.UNSPECIFIED;
    this.#silence = mayServerSpeakFirst ? clock.after(SILENCE_MS, () => this.#dialWhileSilent()) : undefined;
    conn.handler = this;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    const bytes = buf.subarray(start, end);
    const isFirst = this.#held.length === 0;
    this.#held = isFirst ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
    if (this.#held.length >= MAX_HELD) this.#conn.pause();
    if (this.#raw) return;
    if (isFirst) {
      this.#silence?.clear();
      this.#deadline.clear();
      this.#deadline = this.#facts.workload.engine.clock.after(HEAD_TIMEOUT_MS, () => this.#giveUp());
    }
    const detected = detectProtocol(this.#held, 0, this.#held.length);
    if (detected === "http1" || detected === "http2") this.#serveHttp(detected === "http2");
    else if (this.#facts.port.protocol !== Protocol.UNSPECIFIED) {
      // Declared as HTTP: what cannot be a preface is for the HTTP/1.1 codec to refuse.
      if (detected !== "more") this.#serveHttp(false);
    } else if (detected !== "more") this.#goRaw();
  }

  onEnd(): void {
    this.#clientEnded = true;
    if (this.#raw) return;
    if (this.#facts.port.protocol === Protocol.UNSPECIFIED) this.#goRaw();
    else this.#giveUp();
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#leave();
  }

  onConnected(conn: Conn): void {
    this.#dialing = undefined;
    this.#server = conn;
    if (this.#raw) {
      this.#join();
      return;
    }
    this.#deadline.clear();
    const { tunnelIdleMs, clock } = this.#facts.workload.engine;
    if (tunnelIdleMs > 0) this.#deadline = clock.after(tunnelIdleMs, () => this.#giveUp());
    conn.handler = {
      onBytes: (buf, start, end) => {
        const greeting = Buffer.from(buf.subarray(start, end));
        this.#raw = true;
        this.#join();
        this.#conn.write(greeting, 0, greeting.length);
      },
      onEnd: () => {
        this.#raw = true;
        this.#join();
      },
      onDrain: () => undefined,
      onClose: () => {
        this.#server = undefined;
      },
    };
  }

  onFailed(cause: CloseCause): void {
    this.#dialing = undefined;
    if (!this.#raw) return;
    const { id } = this.#facts.workload;
    this.#refused(refusal(applicationUnreachable, `the application of ${id}: ${cause.message}`));
  }

  #goRaw(): void {
    this.#raw = true;
    this.#silence?.clear();
    this.#deadline.clear();
    const refused = this.#judge();
    if (refused !== undefined) this.#refused(refused);
    else if (this.#server !== undefined) this.#join();
    else this.#dial();
  }

  #dialWhileSilent(): void {
    const { workload, peer } = this.#facts;
    if (this.#held.length === 0 && judgeConnection(workload, peer) === undefined) this.#dial();
  }

  #dial(): void {
    const { workload, port, client } = this.#facts;
    this.#dialing ??= workload.dialApplication(port, client, this);
  }

  #serveHttp(http2: boolean): void {
    this.#leave();
    const { workload, peer } = this.#facts;
    const options = {
      engine: workload.engine,
      acceptor: new InnerAcceptor(workload, peer),
      registry: workload.inboundSessions,
    };
    const session = http2 ? new Http2Session(this.#conn, options) : new Http1Session(this.#conn, options);
    const held = this.#held;
    this.#held = NO_BYTES;
    session.onBytes(held, 0, held.length);
    this.#conn.resume();
  }

  #join(): void {
    const server = this.#server;
    const { workload, peer } = this.#facts;
    if (server === undefined || this.#decided) return;
    const refused = this.#judge();
    if (refused !== undefined) {
      this.#refused(refused);
      return;
    }
    this.#decided = true;
    this.#silence?.clear();
    this.#deadline.clear();
    const held = this.#held;
    this.#held = NO_BYTES;
    if (held.length > 0) server.write(held, 0, held.length);
    const tunnel = new LiveTunnel(this.#conn, server, {
      engine: workload.engine,
      edge: workload.inboundEdge(peer, this.#facts.sourceService, "tcp"),
      registry: workload.tunnels,
      authority: this.#facts.authority,
      workload: workload.id,
      tlsVersion: peer.tlsVersion,
      recheck: () => judgeConnection(workload, peer) === undefined,
    });
    tunnel.countEarly(held.length, 0);
    if (this.#clientEnded) server.end();
  }

  /** As a raw connection, which is new the first time. */
  #judge(): Refusal | undefined {
    const isNew = !this.#counted;
    this.#counted = true;
    return judgeConnection(this.#facts.workload, this.#facts.peer, isNew);
  }

  #refused(refused: Refusal): void {
    const { workload, peer, sourceService, authority } = this.#facts;
    recordRefusedConnection(workload.engine, workload.inboundEdge(peer, sourceService, "tcp"), {
      refused,
      authority,
      workload: workload.id,
      tlsVersion: peer.tlsVersion,
    });
    this.#giveUp();
  }

  #giveUp(): void {
    if (this.#decided) return;
    this.#leave();
    this.#conn.destroy(true);
  }

  /** Lets go of everything but the client's connection. */
  #leave(): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#silence?.clear();
    this.#deadline.clear();
    this.#dialing?.cancel();
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.handler = {
      onBytes: () => undefined,
      onEnd: () => undefined,
      onDrain: () => undefined,
      onClose: () => undefined,
    };
    server.destroy();
  }
}

/** Requests inside of a tunnel: an application's own, so that nothing in them speaks for a proxy. */
class InnerAcceptor implements RequestAcceptor {
  readonly #workload: HostedWorkload;
  readonly #peer: InboundPeer;

  constructor(workload: HostedWorkload, peer: InboundPeer) {
    this.#workload = workload;
    this.#peer = peer;
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    const workload = this.#workload;
    if (head.method === "CONNECT" && head.protocol === "")
      return new RefusedRequest(
        workload.engine,
        stream,
        head,
        refusal(tunnelRefused, "a tunnel leads to the application, and to nothing behind it"),
      );
    removeMeshFields(head.headers);
    const exchange = new InboundExchange(workload, this.#peer, stream, { head, end });
    exchange.start();
    return exchange;
  }
}
