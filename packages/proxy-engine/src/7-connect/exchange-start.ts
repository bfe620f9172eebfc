// How an outbound exchange begins, and where its routes come from: the application's side of a mesh, or a gateway's listener.

import type { RequestHead } from "@ripstop/http";
import type { Disturbance } from "@ripstop/policy-api/proxy";
import type { CompiledRule, RouteRequest } from "@ripstop/routing";
import type { OutboundContext } from "../1-accept/outbound-context.ts";
import { formatAuthority, type HostPort } from "../2-identify/authority.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { ExchangeFacts } from "../telemetry/record-exchange.ts";
import type { Refusal } from "./local-reply.ts";

/** Where the requests of one connection come from. One object a connection: an exchange has only a reference. */
export interface ExchangeOrigin {
  readonly context: OutboundContext;
  /** The declared upstream that the connection was made to; undefined for the HTTP proxy. */
  readonly declared: DeclaredTarget | undefined;
  /** Address of the client, as its connection shows it. */
  readonly clientAddress: string;
  /** The gateway that the requests come in by; undefined for those of the application. */
  readonly edge: EdgeEntry | undefined;
}

/** Rules in force: those of a service's port, or of a gateway's listener. */
export interface RouteRules {
  match(request: RouteRequest): CompiledRule | undefined;
}

/** Gives the clusters of the backends that rules name. */
export interface BackendSource {
  /** The service, or the gateway: "NAMESPACE/NAME". */
  readonly service: string;
  backend(service: string): Cluster | undefined;
}

/** What the client asked for, before routes changed it. */
export interface AskedFor {
  readonly host: string;
  readonly path: string;
  readonly query: string;
}

/** An exchange that can be judged again. */
export interface Rejudged {
  recheck(): void;
}

/** The way in of requests that come by a gateway: from outside the mesh, or from workloads on their way out of it. */
export interface EdgeEntry extends BackendSource {
  /** Callers are not of the mesh: they learn neither addresses nor names of policies. */
  readonly outside: boolean;
  /** The listener's port, as the Gateway names it. */
  readonly port: number;
  /** Exchanges under way, to be judged again. */
  readonly exchanges: Set<Rejudged>;
  /** Replaces what only the edge may say. */
  prepare(request: RequestHead): void;
  /** Why policies refuse the request; undefined when they do not. */
  judge(request: RequestHead, asked: AskedFor): Refusal | undefined;
  /** Counts the request that `judge` let pass; once, and in the same turn. */
  admit(): Refusal | undefined;
  /** What a fault does on purpose to the request that `admit` let pass, which follows this rule; in the same turn. */
  disturbance(rule: CompiledRule): Disturbance | undefined;
  /** The routes for a host, or why there are none; undefined where the host itself, and the port, say where it goes. */
  rulesFor(host: string): RouteRules | Refusal | undefined;
  /** Counts the hop to the gateway too, when the caller is one of the mesh. */
  recorded?(facts: ExchangeFacts, target: HostPort, protocol: string): void;
}

/** A declared upstream. */
export interface DeclaredTarget extends HostPort {
  /** As requests to it say it. */
  readonly authority: string;
}

/** `target` with its text, made once for all requests. */
export function declaredTarget({ host, port }: HostPort): DeclaredTarget {
  return { host, port, authority: port === 0 ? host : formatAuthority(host, port) };
}
