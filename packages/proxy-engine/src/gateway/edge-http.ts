// HTTP of clients outside the mesh: the way in of their requests, one object a connection.

import type { HeaderList, RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import type { CloseCause, Conn, ConnHandler } from "@ripstop/net";
import type { Disturbance, PeerInfo } from "@ripstop/policy-api/proxy";
import type { CompiledRule } from "@ripstop/routing";
import { WheelTimer } from "@ripstop/net";
import type { HttpSession, RequestAcceptor } from "../1-accept/http-session.ts";
import { Http1Session } from "../1-accept/http1-session.ts";
import { Http2Session } from "../1-accept/http2-session.ts";
import { RefusedRequest } from "../1-accept/refused-request.ts";
import { detectProtocol } from "../3-detect/protocol-detector.ts";
import { RequestView } from "../5-filter/request-view.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import { denialRefusal, refusal, type Refusal } from "../7-connect/local-reply.ts";
import type { AskedFor, EdgeEntry, ExchangeOrigin, Rejudged, RouteRules } from "../7-connect/exchange-start.ts";
import { OutboundExchange } from "../7-connect/outbound-exchange.ts";
import { misdirected, noListener, noTunnels, policyNotInForce } from "../errors.ts";
import { HEAD_TIMEOUT_MS } from "../settings.ts";
import type { EdgePort } from "./edge-port.ts";
import type { GatewayContext } from "./gateway-context.ts";

/** Only this proxy says who asked, how and for what; a client's own words about it are not passed on. */
const FORWARDED = /^(x[-_]forwarded([-_].*)?|forwarded|x[-_]real[-_]ip)$/;
/** How important a request is decides what an overloaded workload refuses first: no outsider has a say in it. */
const PRIORITY = /^x[-_]request[-_]priority$/;
const LETTER_F = 0x66;
const LETTER_X = 0x78;
const LETTER_R = 0x72;

/** One judgement at a time: filters may not keep the view. */
const view = new RequestView();

/** The way in of one connection. */
export class EdgeHttp implements EdgeEntry, RequestAcceptor {
  readonly outside = true;
  readonly #context: GatewayContext;
  readonly #port: EdgePort;
  /** The listener that the server name chose, by name; undefined on plain connections. */
  readonly #chosen: string | undefined;
  readonly #peer: PeerInfo;
  readonly #origin: ExchangeOrigin;

  constructor(context: GatewayContext, port: EdgePort, parts: { readonly conn: Conn; readonly chosen?: string }) {
    this.#context = context;
    this.#port = port;
    this.#chosen = parts.chosen;
    this.#peer = { identity: "", namespace: "", serviceAccount: "", address: parts.conn.remoteAddress };
    this.#origin = { context, declared: undefined, clientAddress: this.#peer.address, edge: this };
  }

  get service(): string {
    return this.#context.gateway;
  }

  get port(): number {
    return this.#port.port;
  }

  get exchanges(): Set<Rejudged> {
    return this.#context.exchanges;
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    const { engine } = this.#context;
    if (head.method === "CONNECT" && head.protocol === "")
      return new RefusedRequest(engine, stream, head, refusal(noTunnels, noTunnels.title));
    const exchange = new OutboundExchange(this.#origin, stream, head, end);
    exchange.start();
    return exchange;
  }

  prepare(request: RequestHead): void {
    const { headers } = request;
    request.scheme = this.#chosen === undefined ? "http" : "https";
    removeClaims(headers, this.#context.trustsPriority);
    headers.append("x-forwarded-for", this.#peer.address);
    headers.append("x-forwarded-proto", request.scheme);
    headers.append("x-forwarded-host", request.authority);
    headers.append("x-forwarded-port", String(this.#port.port));
  }

  judge(request: RequestHead, { host, path, query }: AskedFor): Refusal | undefined {
    const { chain } = this.#context;
    if (chain === undefined) return refusal(policyNotInForce, "the policies of the gateway have not arrived");
    view.source = this.#peer;
    view.port = this.#port.port;
    view.http = true;
    view.method = request.method;
    view.host = host;
    view.path = path;
    view.query = query;
    view.headers = request.headers;
    const denial = chain.judge(view);
    return denial === undefined ? undefined : denialRefusal(denial);
  }

  /** Counts what `judge` let pass just now, by the rate limits of the gateway's workload. */
  admit(): Refusal | undefined {
    const { chain } = this.#context;
    if (chain?.counts !== true) return undefined;
    view.gateway = this.#context.gateway;
    view.listener = this.#chosen ?? this.#port.listenerFor(view.host)?.config.name ?? "";
    const denial = chain.admit(view);
    return denial === undefined ? undefined : denialRefusal(denial);
  }

  disturbance(rule: CompiledRule): Disturbance | undefined {
    const { chain } = this.#context;
    if (chain?.counts !== true) return undefined;
    view.route = rule.source;
    return chain.disturb(view);
  }

  rulesFor(host: string): RouteRules | Refusal {
    const listener = this.#port.listenerFor(host);
    if (listener === undefined) return refusal(noListener, `no listener on port ${this.#port.port} is for ${host}`);
    if (this.#chosen !== undefined && this.#chosen !== listener.config.name) {
      return refusal(misdirected, `${host} is of listener ${listener.config.name}, the connection of ${this.#chosen}`);
    }
    return listener.routes.http;
  }

  backend(service: string): Cluster | undefined {
    return this.#context.cluster(service);
  }
}

function removeClaims(headers: HeaderList, trustsPriority: boolean): void {
  for (let at = headers.length - 1; at >= 0; at--) {
    const name = headers.nameAt(at);
    const first = name.charCodeAt(0);
    if (first !== LETTER_X && first !== LETTER_F) continue;
    const isPriority = !trustsPriority && name.charCodeAt(2) === LETTER_R && PRIORITY.test(name);
    if (isPriority || FORWARDED.test(name)) {
      headers.remove(name);
      // It may have stood there more than once.
      if (at > headers.length) at = headers.length;
    }
  }
}

/** Serves a connection whose protocol ALPN has settled. */
export function serveEdgeTls(context: GatewayContext, conn: Conn, acceptor: RequestAcceptor): HttpSession {
  const parts = { engine: context.engine, acceptor, registry: context.sessions };
  return conn.tls?.alpn === "h2" ? new Http2Session(conn, parts) : new Http1Session(conn, parts);
}

const LONGEST_START = 24;

/** A plain connection until its first bytes say whether it is HTTP/1.1 or HTTP/2 with prior knowledge (RFC 9113 3.3). */
export class EdgeHttpStart implements ConnHandler {
  readonly #context: GatewayContext;
  readonly #conn: Conn;
  readonly #acceptor: RequestAcceptor;
  readonly #held: Buffer = Buffer.alloc(LONGEST_START);
  readonly #deadline: WheelTimer;
  #length = 0;

  constructor(context: GatewayContext, conn: Conn, acceptor: RequestAcceptor) {
    this.#context = context;
    this.#conn = conn;
    this.#acceptor = acceptor;
    this.#deadline = new WheelTimer(() => conn.destroy());
    context.engine.wheel.schedule(this.#deadline, HEAD_TIMEOUT_MS);
    conn.handler = this;
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    const taken = Math.min(end - start, LONGEST_START - this.#length);
    buf.copy(this.#held, this.#length, start, start + taken);
    this.#length += taken;
    const detected = detectProtocol(this.#held, 0, this.#length);
    if (detected === "more" && this.#length < LONGEST_START) return;
    const session = this.#serve(detected === "http2");
    session.onBytes(this.#held, 0, this.#length);
    if (start + taken < end) session.onBytes(buf, start + taken, end);
  }

  onEnd(): void {
    if (this.#length === 0) {
      this.#conn.destroy();
      return;
    }
    const session = this.#serve(false);
    session.onBytes(this.#held, 0, this.#length);
    session.onEnd();
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#context.engine.wheel.cancel(this.#deadline);
  }

  #serve(http2: boolean): HttpSession {
    const { engine, sessions } = this.#context;
    engine.wheel.cancel(this.#deadline);
    const parts = { engine, acceptor: this.#acceptor, registry: sessions };
    return http2 ? new Http2Session(this.#conn, parts) : new Http1Session(this.#conn, { ...parts, upgrades: true });
  }
}
