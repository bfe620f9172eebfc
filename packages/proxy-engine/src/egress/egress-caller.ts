// One connection of a workload to an egress gateway: its requests, and its tunnels (CONNECT HOST:PORT) for what is not HTTP,
// all for one port of hosts outside. Judged by the caller's identity, counted as both hops.

import type { RequestHead, ServerStream, ServerStreamHandler } from "@ripstop/http";
import type { Conn } from "@ripstop/net";
import type { RequestAcceptor } from "../1-accept/http-session.ts";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { OutboundContext } from "../1-accept/outbound-context.ts";
import type { HostPort } from "../2-identify/authority.ts";
import type { InboundPeer } from "../2-identify/inbound-peer.ts";
import { claimedService } from "../5-filter/request-duties.ts";
import { RequestView } from "../5-filter/request-view.ts";
import type { AskedFor, EdgeEntry, ExchangeOrigin, Rejudged } from "../7-connect/exchange-start.ts";
import { auditRequest } from "../7-connect/inbound-exchange.ts";
import { denialRefusal, refusal, type Refusal } from "../7-connect/local-reply.ts";
import { OutboundExchange } from "../7-connect/outbound-exchange.ts";
import { policyNotInForce } from "../errors.ts";
import type { GatewayContext } from "../gateway/gateway-context.ts";
import type { Edge } from "../telemetry/edge.ts";
import { recordExchange, type ExchangeFacts } from "../telemetry/record-exchange.ts";
import { EgressTunnel } from "./egress-tunnel.ts";

/** One judgement at a time: filters may not keep the view. */
const view = new RequestView();

/** What a caller's connection is made of. */
export interface EgressCallerParts {
  readonly gateway: GatewayContext;
  /** Hosts the Gateway. */
  readonly workload: HostedWorkload;
  /** What calls of the caller's namespace go out by. */
  readonly context: OutboundContext;
  readonly peer: InboundPeer;
  readonly conn: Conn;
  /** Name of the listener that it came in by. */
  readonly listener: string;
}

/** The way in of one connection. */
export class EgressCaller implements EdgeEntry, RequestAcceptor {
  readonly parts: EgressCallerParts;
  readonly outside = false;
  readonly #origin: ExchangeOrigin;
  #sourceService = "";

  constructor(parts: EgressCallerParts) {
    this.parts = parts;
    const { context, peer } = parts;
    this.#origin = { context, declared: undefined, clientAddress: peer.address, edge: this };
  }

  get service(): string {
    return this.parts.gateway.gateway;
  }

  get port(): number {
    return this.parts.peer.port;
  }

  get exchanges(): Set<Rejudged> {
    return this.parts.gateway.exchanges;
  }

  onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    this.prepare(head);
    if (head.method === "CONNECT" && head.protocol === "") {
      const tunnel = new EgressTunnel(this, stream, head);
      tunnel.start();
      return tunnel;
    }
    const exchange = new OutboundExchange(this.#origin, stream, head, end);
    exchange.start();
    return exchange;
  }

  /** All calls of a connection are of one workload; its proxy says which service that is, for telemetry. */
  prepare({ headers }: RequestHead): void {
    if (this.#sourceService === "") this.#sourceService = claimedService(headers, this.parts.peer);
  }

  judge(request: RequestHead, { host, path, query }: AskedFor): Refusal | undefined {
    view.source = this.parts.peer;
    view.port = this.port;
    view.http = true;
    view.method = request.method;
    view.host = host;
    view.path = path;
    view.query = query;
    view.headers = request.headers;
    return this.#verdict();
  }

  /** Judges a tunnel to a host. */
  judgeTunnel(host: string): Refusal | undefined {
    view.setConnection(this.parts.peer, this.port, host);
    return this.#verdict();
  }

  /** Counts what `judge` let pass just now, by the rate limits of the gateway's workload, and puts it on record. */
  admit(): Refusal | undefined {
    const { gateway, listener } = this.parts;
    view.gateway = gateway.gateway;
    view.listener = listener;
    const denial = gateway.chain?.counts === true ? gateway.chain.admit(view) : undefined;
    if (denial !== undefined) return denialRefusal(denial);
    auditRequest(this.parts.workload, view);
    return undefined;
  }

  /** Faults are for routes, and there are none. */
  disturbance(): undefined {
    return undefined;
  }

  /** The host itself says where it is. */
  rulesFor(): undefined {
    return undefined;
  }

  backend(): undefined {
    return undefined;
  }

  /** The hop from the caller to the gateway. */
  inboundEdge(protocol: string): Edge {
    const { workload, peer } = this.parts;
    return workload.inboundEdge(peer, this.#sourceService, protocol);
  }

  recorded(facts: ExchangeFacts, { host }: HostPort, protocol: string): void {
    const { workload, peer, gateway } = this.parts;
    const at = { workload: workload.id, tlsVersion: peer.tlsVersion };
    recordExchange(gateway.engine, this.inboundEdge(protocol), facts, at);
    this.noteSeen(host, "http", facts.refused !== undefined && facts.refused.kind.status === 403);
  }

  /** For the list of what was called outside. */
  noteSeen(host: string, protocol: "http" | "tcp", denied: boolean): void {
    const { workload, peer, gateway } = this.parts;
    const source = this.#sourceService === "" ? peer.identity : this.#sourceService;
    workload.egress.note({ host, port: this.port }, { protocol, denied, gateway: gateway.gateway, source });
  }

  #verdict(): Refusal | undefined {
    const { chain } = this.parts.gateway;
    if (chain === undefined) return refusal(policyNotInForce, "the policies of the gateway have not arrived");
    const denial = chain.judge(view);
    return denial === undefined ? undefined : denialRefusal(denial);
  }
}
