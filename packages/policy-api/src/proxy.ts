// The proxy side of a policy: a filter made from compiled config. Loads no control-side code.

import type { ErrorKind } from "@ripstop/core";
import type { HeaderList } from "@ripstop/http";

/** Who is at the other end, as far as the handshake proved it. */
export interface PeerInfo {
  /** Verified SPIFFE id; "" when the connection is plain. */
  readonly identity: string;
  /** "" when there is no identity. */
  readonly namespace: string;
  /** "" when there is no identity. */
  readonly serviceAccount: string;
  readonly address: string;
}

/** A connection about to be served, or a request about to be forwarded, as policies see it. One object, reused. */
export interface RequestInfo {
  readonly source: PeerInfo;
  /** Workload port that it is for. */
  readonly port: number;
  /** False for a TCP connection: the HTTP fields below are then "" and `headers` is empty. */
  readonly http: boolean;
  readonly method: string;
  /** Lower case, without port. */
  readonly host: string;
  /** Canonical path without query: the very text that is matched, logged and forwarded. */
  readonly path: string;
  readonly query: string;
  readonly headers: HeaderList;
}

/** Why a policy refuses. */
export interface Denial {
  readonly kind: ErrorKind;
  /** "NAMESPACE/NAME" of the policy. */
  readonly policy: string;
  /** The deciding clause: "spec.rules[1].from", or "no rule matched". */
  readonly clause: string;
  /** One plain sentence for the caller: names policy and clause, but not what the clause would accept. */
  readonly message: string;
  /** The same for the operator (log, tap, admin), with what the clause wants. Never sent to the caller. */
  readonly detail?: string;
}

/** A request that passed and that a policy wants on record. */
export interface AuditRecord {
  /** "NAMESPACE/NAME" of the policy. */
  readonly policy: string;
  /** The clause that matched: "spec.rules[1]". */
  readonly clause: string;
}

/** A policy in force on one workload. Pure: same request and state, same verdict; never throws. */
export interface Filter {
  /** Undefined lets the request pass. Called once per request, or once per TCP connection. */
  onRequest(request: RequestInfo): Denial | undefined;
  /** The first policy that wants this request, which passed, on record. Absent when no policy ever does. */
  audit?(request: RequestInfo): AuditRecord | undefined;
}

/** One compiled policy as received. */
export interface PolicyConfig {
  /** "NAMESPACE/NAME". */
  readonly name: string;
  readonly config: Uint8Array;
}

/** What a policy folder exports to the proxy (`filter.ts`). */
export interface FilterFactory {
  /** Folder name, as in Policy.kind. */
  readonly kind: string;
  /** Filters run in this order; gaps of 100. */
  readonly order: number;
  /**
   * Makes one filter out of all policies of this kind that guard a workload (so that DENY can go before ALLOW across
   * policies). Throws on config it cannot read: the update is then refused and the last good one stays.
   */
  create(configs: readonly PolicyConfig[]): Filter;
}
