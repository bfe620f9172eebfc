// HTTP of the hosted application to one host and port: on a declared upstream's port, or inside a CONNECT tunnel.

import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import type { Conn } from "@ripstop/net";
import { addForwardedFor } from "../5-filter/request-duties.ts";
import type { HostPort } from "../2-identify/authority.ts";
import { declaredTarget, type ExchangeOrigin } from "../7-connect/exchange-start.ts";
import { OutboundExchange } from "../7-connect/outbound-exchange.ts";
import type { HttpSession, RequestAcceptor } from "./http-session.ts";
import { Http1Session } from "./http1-session.ts";
import { Http2Session } from "./http2-session.ts";
import type { OutboundContext } from "./outbound-context.ts";

/** How to serve. */
export interface OutboundHttpOptions {
  readonly acceptor: RequestAcceptor;
  readonly http2: boolean;
}

/** Serves `conn` as HTTP; bytes that were read before are to be fed to the result. */
export function serveOutboundHttp(context: OutboundContext, conn: Conn, options: OutboundHttpOptions): HttpSession {
  const { engine, sessions: registry } = context;
  const parts = { engine, acceptor: options.acceptor, registry };
  if (options.http2) return new Http2Session(conn, parts);
  return new Http1Session(conn, { ...parts, upgrades: conn.tls === undefined });
}

/** Takes requests that all go to one host and port, or, without `declared`, to the host that each of them names. */
export class OutboundAcceptor implements RequestAcceptor {
  readonly #origin: ExchangeOrigin;
  /** Of a connection that began with a PROXY protocol header; "" for the application beside the proxy. */
  readonly #clientAddress: string;

  /** `client` is where the requests come from. */
  constructor(context: OutboundContext, declared: HostPort | undefined, client: Conn) {
    this.#clientAddress = client.proxied === true ? client.remoteAddress : "";
    this.#origin = {
      context,
      declared: declared === undefined ? undefined : declaredTarget(declared),
      clientAddress: client.remoteAddress,
      edge: undefined,
    };
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    if (this.#clientAddress !== "") addForwardedFor(head.headers, this.#clientAddress);
    const exchange = new OutboundExchange(this.#origin, stream, head, end);
    exchange.start();
    return exchange;
  }
}
