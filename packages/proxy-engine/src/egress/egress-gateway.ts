// The way out of the mesh by one Gateway: workloads call over mutual TLS, are judged by their identity, and are led on to the
// hosts outside that their namespace reaches through this Gateway, and to nothing else.

import { parseSpiffeId } from "@ripstop/identity";
import { parseMeshServerName, type Conn } from "@ripstop/net";
import type { RequestAcceptor } from "../1-accept/http-session.ts";
import { refuseConnection, serveInbound } from "../1-accept/inbound-acceptor.ts";
import type { HostedWorkload } from "../1-accept/hosted-workload.ts";
import type { OutboundContext } from "../1-accept/outbound-context.ts";
import { RefusedRequest } from "../1-accept/refused-request.ts";
import { formatAuthority } from "../2-identify/authority.ts";
import { identifyPeer, type InboundPeer } from "../2-identify/inbound-peer.ts";
import type { HostTable } from "../4-route/host-table.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import { refusal, type Refusal } from "../7-connect/local-reply.ts";
import { egressNotLed, tooManyWaiting } from "../errors.ts";
import type { GatewayContext } from "../gateway/gateway-context.ts";
import { EgressCaller } from "./egress-caller.ts";

/** Namespaces of callers that are led out by one proxy. */
const MAX_NAMESPACES = 1_024;

/** What the way out needs. */
export interface EgressGatewayOptions {
  readonly gateway: GatewayContext;
  readonly workload: HostedWorkload;
  /** The hosts that callers of a namespace reach through the Gateway. */
  newHosts(clientNamespace: string): HostTable;
}

/** The way out. */
export class EgressGateway {
  readonly #options: EgressGatewayOptions;
  /** By namespace of the callers. */
  readonly #contexts = new Map<string, OutboundContext>();

  constructor(options: EgressGatewayOptions) {
    this.#options = options;
  }

  /** Serves a connection of a verified peer to a listener; closes it when it is for another workload. */
  accept(conn: Conn, listener: string): void {
    const name = parseMeshServerName(conn.tls?.serverName ?? "");
    const peer = identifyPeer(conn, name?.port ?? 0);
    const { workload, gateway } = this.#options;
    if (name?.workloadId !== workload.id || peer === undefined) refuseConnection(conn);
    else {
      const context = this.#contextFor(peer);
      const acceptor: RequestAcceptor =
        "kind" in context
          ? { onRequest: (stream, head) => new RefusedRequest(gateway.engine, stream, head, context) }
          : new EgressCaller({ gateway, workload, context, peer, conn, listener });
      serveInbound(conn, workload, acceptor);
    }
  }

  /** Clusters of all hosts that are in use. */
  *clusters(): Iterable<Cluster> {
    for (const { hosts } of this.#contexts.values()) yield* hosts.clusters.values();
  }

  close(): void {
    for (const { hosts } of this.#contexts.values()) hosts.close();
    this.#contexts.clear();
  }

  /** What calls of a peer go out by, or why they do not. */
  #contextFor({ identity, namespace }: InboundPeer): OutboundContext | Refusal {
    const { workload, gateway } = this.#options;
    const [theirs, ours] = [parseSpiffeId(identity), parseSpiffeId(workload.spiffeId)];
    // A namespace of another trust domain only shares its name with one of this mesh.
    if (!theirs.ok || !ours.ok || theirs.value.trustDomain !== ours.value.trustDomain || namespace === "")
      return refusal(egressNotLed, `Gateway ${gateway.gateway} leads out workloads of its own trust domain only`);
    const known = this.#contexts.get(namespace);
    if (known !== undefined) return known;
    if (this.#contexts.size >= MAX_NAMESPACES)
      return refusal(tooManyWaiting, `callers of ${MAX_NAMESPACES} namespaces are led out already`);
    const made = contextOf(gateway, namespace, this.#options.newHosts(namespace));
    this.#contexts.set(namespace, made);
    return made;
  }
}

/** Calls of one namespace on their way from the Gateway to hosts outside. */
function contextOf(gateway: GatewayContext, namespace: string, hosts: HostTable): OutboundContext {
  const { engine, connector, sessions, tunnels, deadlines, spiffeId } = gateway;
  return {
    engine,
    connector,
    sessions,
    tunnels,
    deadlines,
    spiffeId,
    hosts,
    get sourceService() {
      return gateway.sourceService;
    },
    // What is not led out is never taken for a host that may be called as it is.
    egress: {
      check: ({ host, port }) =>
        refusal(
          egressNotLed,
          `${formatAuthority(host, port)} is no host that namespace ${namespace} reaches through Gateway ${gateway.gateway}`,
        ),
    },
    isOwnAddress: (target) => gateway.isOwnAddress(target),
    serveConnection: (conn) => conn.destroy(),
    egressPool: (target) => gateway.egressPool(target),
    edge: (endpoint, fallback, protocol) => gateway.edge(endpoint, fallback, protocol),
  };
}
