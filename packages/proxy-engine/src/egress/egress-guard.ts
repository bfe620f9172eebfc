// Destinations outside the mesh that no ExternalService declares: may they be called, and which were.

import { EgressMode, type Workload, type telemetry } from "@ripstop/model";
import { formatAuthority, type HostPort } from "../2-identify/authority.ts";
import { refusal, type Refusal } from "../7-connect/local-reply.ts";
import { egressDenied } from "../errors.ts";

/** How a destination is called. */
export type EgressProtocol = "http" | "tcp";

/** Destinations between two reports; what is beyond is let pass (or refused) and not listed. */
const MAX_SEEN = 1_000;

interface Seen {
  readonly target: HostPort;
  readonly protocol: EgressProtocol;
  connections: number;
  denied: number;
}

/** The guard of one hosted workload. */
export class EgressGuard {
  readonly #workloadId: string;
  readonly #workload: () => Workload | undefined;
  #seen = new Map<string, Seen>();

  constructor(workloadId: string, workload: () => Workload | undefined) {
    this.#workloadId = workloadId;
    this.#workload = workload;
  }

  /** Notes a request or connection to a host that the mesh does not know. Why it is refused; undefined when it may go on. */
  check(target: HostPort, protocol: EgressProtocol): Refusal | undefined {
    const denied = this.#workload()?.egress === EgressMode.DENY;
    const address = formatAuthority(target.host, target.port);
    const key = `${protocol} ${address}`;
    let seen = this.#seen.get(key);
    if (seen === undefined && this.#seen.size < MAX_SEEN) {
      seen = { target, protocol, connections: 0, denied: 0 };
      this.#seen.set(key, seen);
    }
    if (seen !== undefined) {
      seen.connections++;
      if (denied) seen.denied++;
    }
    if (!denied) return undefined;
    return refusal(
      egressDenied,
      `${address} is outside the mesh, no ExternalService that ${this.#workloadId} may use declares it, and its namespace lets nothing else out`,
    );
  }

  /** What was called since the last report. */
  take(): telemetry.EgressSeen[] {
    if (this.#seen.size === 0) return [];
    const seen = [...this.#seen.values()].map(({ target, protocol, connections, denied }) => ({
      workload: this.#workloadId,
      host: target.host,
      port: target.port,
      protocol,
      count: connections,
      denied,
    }));
    this.#seen = new Map();
    return seen;
  }
}
