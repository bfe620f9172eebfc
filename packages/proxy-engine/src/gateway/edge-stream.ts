// A connection of a client outside the mesh that goes to a backend as raw bytes: TCPRoute, TLSRoute.

import { Protocol } from "@ripstop/model";
import type { CloseCause, Conn, ConnHandler } from "@ripstop/net";
import type { PeerInfo } from "@ripstop/policy-api/proxy";
import { chooseBackend, type CompiledStreamRule } from "@ripstop/routing";
import { formatAuthority } from "../2-identify/authority.ts";
import { RequestView } from "../5-filter/request-view.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import { LiveTunnel } from "../7-connect/live-tunnel.ts";
import { denialRefusal, refusal, type Refusal } from "../7-connect/local-reply.ts";
import { TunnelAttempt, type TunnelEvents } from "../7-connect/tunnel-attempt.ts";
import { connectFailed, invalidBackend, noRouteMatched, policyNotInForce } from "../errors.ts";
import { recordRefusedConnection } from "../telemetry/record-connection.ts";
import type { GatewayContext } from "./gateway-context.ts";

const view = new RequestView();
const MAX_HELD = 64 * 1024;

/** Where a connection came in. */
export interface EdgeStreamFrom {
  /** Name of the listener. */
  readonly listener: string;
  /** Undefined: no route is attached. */
  readonly rule: CompiledStreamRule | undefined;
  /** Of the listener. */
  readonly port: number;
  /** "" without TLS. */
  readonly serverName: string;
}

/** Joins the client to a backend. Make it in the turn in which the connection comes. */
export class EdgeStream implements ConnHandler, TunnelEvents {
  readonly #context: GatewayContext;
  readonly #conn: Conn;
  readonly #from: EdgeStreamFrom;
  readonly #peer: PeerInfo;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #ended = false;
  #over = false;
  #tunnel: TunnelAttempt | undefined = undefined;
  #service = "";

  constructor(context: GatewayContext, conn: Conn, from: EdgeStreamFrom) {
    this.#context = context;
    this.#conn = conn;
    this.#from = from;
    this.#peer = { identity: "", namespace: "", serviceAccount: "", address: conn.remoteAddress };
    conn.handler = this;
    this.#start();
  }

  #start(): void {
    const { rule, port } = this.#from;
    const refused = this.#refusedBy(true);
    if (refused !== undefined) {
      this.#give(refused);
      return;
    }
    if (rule === undefined) {
      this.#give(refusal(noRouteMatched, "no route is attached for it"));
      return;
    }
    const backend = rule.backends[chooseBackend(rule, this.#context.engine.random())];
    const cluster = backend === undefined ? undefined : this.#context.cluster(backend.service);
    if (backend === undefined || backend.service === "" || cluster === undefined) {
      const why = backend?.invalid || "it has no backend that can be used";
      this.#give(refusal(invalidBackend, `${rule.source}: ${why}`));
      return;
    }
    this.#service = backend.service;
    const servicePort = backend.port === 0 ? port : backend.port;
    const target = { cluster, servicePort, protocol: Protocol.TCP, client: this.#conn };
    this.#tunnel = new TunnelAttempt(this.#context, target, this);
    this.#tunnel.start();
  }

  onBytes(buf: Buffer, start: number, end: number): void {
    if (this.#over) return;
    this.#held.push(Buffer.from(buf.subarray(start, end)));
    this.#heldBytes += end - start;
    if (this.#heldBytes >= MAX_HELD) this.#conn.pause();
  }

  onEnd(): void {
    this.#ended = true;
  }

  onDrain(): void {}

  onClose(_cause: CloseCause): void {
    this.#over = true;
    this.#held = [];
    this.#tunnel?.cancel();
  }

  onTunnelOpen(server: Conn, endpoint: UpstreamEndpoint): void {
    if (this.#over) {
      server.destroy();
      return;
    }
    this.#over = true;
    const { engine, tunnels } = this.#context;
    // Before the splice, so that its view of the queue includes them.
    for (const held of this.#held) server.write(held, 0, held.length);
    this.#held = [];
    const tunnel = new LiveTunnel(this.#conn, server, {
      engine,
      edge: this.#context.edge(endpoint, this.#service, "tcp"),
      registry: tunnels,
      authority: this.#authority,
      workload: endpoint.id,
      tlsVersion: this.#tunnel?.tlsVersion ?? "",
      recheck: () => this.#refusedBy(false) === undefined,
    });
    tunnel.countEarly(this.#heldBytes, 0);
    if (this.#ended) server.end();
  }

  get #authority(): string {
    return formatAuthority(this.#from.serverName || this.#conn.localAddress, this.#from.port);
  }

  onTunnelFailed(cause: string, denied: boolean): void {
    this.#give(refusal(connectFailed, cause), denied);
  }

  /** Why policies refuse the connection; undefined when they do not. One that `isNew` is counted by the limits. */
  #refusedBy(isNew: boolean): Refusal | undefined {
    const { chain, gateway } = this.#context;
    if (chain === undefined) return refusal(policyNotInForce, "the policies of the gateway have not arrived");
    view.setConnection(this.#peer, this.#from.port);
    view.gateway = gateway;
    view.listener = this.#from.listener;
    const denial = chain.judge(view) ?? (isNew && chain.counts ? chain.admit(view) : undefined);
    return denial === undefined ? undefined : denialRefusal(denial);
  }

  /** `denied`: a policy of this proxy, or of the peer, refused it. */
  #give(refused: Refusal, denied: boolean = refused.policy !== ""): void {
    if (this.#over) return;
    this.#over = true;
    this.#held = [];
    const { engine, gateway } = this.#context;
    const { port, serverName } = this.#from;
    recordRefusedConnection(engine, this.#context.edge(undefined, this.#service || gateway, "tcp"), {
      refused,
      denied,
      authority: this.#authority,
      workload: "",
      tlsVersion: "",
    });
    const { kind, detail: cause } = refused;
    engine.log.warn("connection refused", { code: kind.code, gateway, port, serverName, cause });
    this.#conn.destroy(true);
  }
}
