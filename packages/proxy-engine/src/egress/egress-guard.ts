// Destinations outside the mesh that no ExternalService declares: may they be called, and which were.

import { EgressMode, type Workload, type telemetry } from "@ripstop/model";
import { formatAuthority, type HostPort } from "../2-identify/authority.ts";
import { refusal, type Refusal } from "../7-connect/local-reply.ts";
import { egressDenied } from "../errors.ts";

/** How a destination is called. */
export type EgressProtocol = "http" | "tcp";

/** Judges calls of hosts that the mesh does not know. */
export interface EgressCheck {
  /** Why a request or connection is refused; undefined when it may go on. */
  check(target: HostPort, protocol: EgressProtocol): Refusal | undefined;
}

/** Destinations between two reports; what is beyond is let pass (or refused) and not listed. */
const MAX_SEEN = 1_000;

/** How a host was called. */
export interface SeenCall {
  readonly protocol: EgressProtocol;
  readonly denied: boolean;
  /** The Gateway that led it out, "NAMESPACE/NAME", and the service that called it; absent: this workload, directly. */
  readonly gateway?: string;
  readonly source?: string;
}

interface Seen extends Omit<SeenCall, "denied"> {
  readonly target: HostPort;
  connections: number;
  denied: number;
}

/** The guard of one hosted workload. */
export class EgressGuard implements EgressCheck {
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
    this.note(target, { protocol, denied });
    if (!denied) return undefined;
    const address = formatAuthority(target.host, target.port);
    return refusal(
      egressDenied,
      `${address} is outside the mesh, no ExternalService that ${this.#workloadId} may use declares it, and its namespace lets nothing else out`,
    );
  }

  /** Puts a call on the list. */
  note(target: HostPort, { denied, ...call }: SeenCall): void {
    const key = `${call.protocol} ${formatAuthority(target.host, target.port)} ${call.gateway ?? ""} ${call.source ?? ""}`;
    let seen = this.#seen.get(key);
    if (seen === undefined) {
      if (this.#seen.size >= MAX_SEEN) return;
      seen = { target, ...call, connections: 0, denied: 0 };
      this.#seen.set(key, seen);
    }
    seen.connections++;
    if (denied) seen.denied++;
  }

  /** What was called since the last report. */
  take(): telemetry.EgressSeen[] {
    if (this.#seen.size === 0) return [];
    const seen = [...this.#seen.values()].map(({ target, protocol, connections, denied, gateway, source }) => ({
      workload: this.#workloadId,
      host: target.host,
      port: target.port,
      protocol,
      count: connections,
      denied,
      ...(gateway === undefined ? {} : { gateway }),
      ...(source === undefined ? {} : { source }),
    }));
    this.#seen = new Map();
    return seen;
  }
}
