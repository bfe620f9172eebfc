// What the accepting side decides in a handshake, whoever drives it: whose certificate to show, and whether the peer is
// acceptable.

import type { SecureContext } from "node:tls";
import type { AcceptTlsOptions } from "./accept-options.ts";
import { acceptPeer, type AcceptedPeer, type PeerRefusal } from "./accept-peer.ts";
import { UnknownCaller, UnknownServerName } from "./handshake-problem.ts";
import type { Handshake } from "./handshake.ts";
import { parseMeshServerName, type MeshServerName } from "./mesh-server-name.ts";
import { revocationText } from "./revocation-list.ts";

type Choice = Pick<MeshServerName, "workloadId" | "caller">;

/** The decisions of one listener. */
export class InboundChoice {
  readonly alpn: string;
  readonly #options: AcceptTlsOptions;

  constructor(options: AcceptTlsOptions) {
    this.#options = options;
    this.alpn = options.alpn ?? "h2";
  }

  /** The context for a server name. Throws UnknownServerName or UnknownCaller. */
  contextOf(serverName: string): SecureContext {
    const { identities } = this.#options;
    const name = parseMeshServerName(serverName);
    const plain = name && identities.serverContext(name.workloadId);
    if (!name || !plain) throw new UnknownServerName();
    if (name.caller === "") return plain;
    const context = identities.serverContextFor(name.workloadId, name.caller);
    if (!context) throw new UnknownCaller();
    return context;
  }

  /** The facts of the connection, or why it is refused. */
  judge(handshake: Handshake, serverName: string): AcceptedPeer | PeerRefusal {
    const { identities, verifyPeer } = this.#options;
    const choice = this.#choose(serverName);
    const own = choice && identities.ownRevocation(choice.workloadId);
    if (own) return { reason: "own_identity_revoked", message: `the own ${revocationText(own.spiffeId, own.by)}` };
    if (!choice || !identities.serverContext(choice.workloadId)) {
      return { reason: "unknown_server_name", message: "the peer asks for a workload that is not served here" };
    }
    // A resumed session proves nothing about the domain that its server name claims: the table remembers who was proven.
    const { caller } = choice;
    const provenTrustDomain = caller === "" || handshake.resumed ? undefined : identities.trustDomainOf(caller);
    return acceptPeer(handshake, { identities, verifyPeer, alpn: this.alpn, provenTrustDomain }, serverName);
  }

  /** Proxies of other meshes (HBONE) send no server name: they mean the one workload that is served to them. */
  #choose(serverName: string): Choice | undefined {
    if (serverName !== "") return parseMeshServerName(serverName);
    const workloadId = this.#options.namelessWorkloadId;
    return workloadId === undefined ? undefined : { workloadId, caller: "" };
  }
}
