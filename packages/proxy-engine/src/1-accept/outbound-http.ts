// HTTP of the hosted application: on a declared upstream's port, inside a CONNECT tunnel, or at the HTTP proxy.

import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import type { CloseCause, Conn, ConnHandler } from "@ripstop/net";
import type { HostPort } from "../2-identify/authority.ts";
import { OutboundExchange } from "../7-connect/outbound-exchange.ts";
import { ConnectRequest } from "./connect-request.ts";
import { Http1Session, Http2Session, type HttpSession, type RequestAcceptor } from "./http-sessions.ts";
import type { OutboundContext } from "./outbound-context.ts";

/** How to serve. */
export interface OutboundHttpOptions {
  /** Where every request goes; undefined at the HTTP proxy, where each request says so itself. */
  readonly declared: HostPort | undefined;
  readonly http2: boolean;
}

/** Serves `conn` as HTTP; bytes that were read before are to be fed to the result. */
export function serveOutboundHttp(context: OutboundContext, conn: Conn, options: OutboundHttpOptions): HttpSession {
  const acceptor = new OutboundAcceptor(context, options.declared);
  const { engine, sessions: registry } = context;
  return options.http2 ? new Http2Session(conn, { engine, acceptor, registry }) : new Http1Session(conn, { engine, acceptor, registry });
}

class OutboundAcceptor implements RequestAcceptor {
  readonly #context: OutboundContext;
  readonly #declared: HostPort | undefined;

  constructor(context: OutboundContext, declared: HostPort | undefined) {
    this.#context = context;
    this.#declared = declared;
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    if (head.method === "CONNECT" && this.#declared === undefined) {
      const tunnel = new ConnectRequest(this.#context, stream, head);
      tunnel.start();
      return tunnel;
    }
    const exchange = new OutboundExchange(this.#context, stream, head, { end, declared: this.#declared });
    exchange.start();
    return exchange;
  }
}

const PREFACE_START = Buffer.from("PRI * HTTP/2", "latin1");

/** A connection to the HTTP proxy: HTTP/1.1, or HTTP/2 with prior knowledge. */
export class ProxyConnection implements ConnHandler {
  readonly #context: OutboundContext;
  readonly #conn: Conn;

  constructor(context: OutboundContext, conn: Conn) {
    this.#context = context;
    this.#conn = conn;
    conn.handler = this;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    // Clients send the 24-byte preface in one piece.
    const http2 = end - start >= PREFACE_START.length && PREFACE_START.equals(buf.subarray(start, start + PREFACE_START.length));
    serveOutboundHttp(this.#context, this.#conn, { declared: undefined, http2 }).onBytes(buf, start, end);
  }

  onEnd(): void {
    this.#conn.destroy();
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {}
}
