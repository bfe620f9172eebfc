// What the accepting side of mutual TLS needs, whoever drives the handshakes.

import type { Clock } from "@ripstop/core";
import type { TierName } from "../tiers/tier.ts";
import type { IdentityTable } from "./identity-table.ts";
import type { VerifyPeer } from "./peer-verdict.ts";
import type { TlsObserver } from "./tls-observer.ts";

/** How to accept mutual TLS. */
export interface AcceptTlsOptions {
  readonly identities: IdentityTable;
  readonly verifyPeer: VerifyPeer;
  readonly observer: TlsObserver;
  readonly clock: Clock;
  /** For tests; default the process's tier. */
  readonly tierName?: TierName;
  /** Default "h2". */
  readonly alpn?: string;
  /**
   * The workload that peers get which send no server name: proxies of other meshes. Default none, and they are refused.
   */
  readonly namelessWorkloadId?: string;
  /** Connections begin with a PROXY protocol header; one without is closed. Default false. */
  readonly proxyProtocol?: boolean;
  /** From accept to the verified peer; default 10 s. */
  readonly handshakeTimeoutMs?: number;
  /** Handshakes under way, silent peers included; default 1,024. Above, new connections are closed. */
  readonly maxHandshakes?: number;
  /** Handshakes started per turn of the event loop, so that a burst does not stall traffic; default 4. */
  readonly handshakesPerTurn?: number;
}

/** The options' time limit. */
export function handshakeTimeoutMs(options: AcceptTlsOptions): number {
  return options.handshakeTimeoutMs ?? 10_000;
}

/** The options' most handshakes under way. */
export function maxHandshakes(options: AcceptTlsOptions): number {
  return options.maxHandshakes ?? 1_024;
}
