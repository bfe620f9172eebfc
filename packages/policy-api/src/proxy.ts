// The proxy side of a policy: a filter made from compiled config. Loads no control-side code.

import type { Clock, ErrorKind } from "@ripstop/core";
import type { HeaderList } from "@ripstop/http";
import type { MetricRegistry } from "@ripstop/telemetry";

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
  /**
   * False for a TCP connection: the HTTP fields below are then "" and `headers` is empty. At an egress gateway `host` is the
   * one that the connection is for all the same.
   */
  readonly http: boolean;
  readonly method: string;
  /** Lower case, without port. */
  readonly host: string;
  /** Canonical path without query: the very text that is matched, logged and forwarded. */
  readonly path: string;
  readonly query: string;
  readonly headers: HeaderList;
  /** "NAMESPACE/NAME" of the Gateway that it came in by; "" for what came from the mesh. Known to `admit` and `disturb`. */
  readonly gateway: string;
  /** Name of that Gateway's listener. Known to `admit` and `disturb`. */
  readonly listener: string;
  /** The rule that it follows: "HTTPRoute shop/catalog rule 0 match 1". Known to `disturb`, for what came in by a Gateway. */
  readonly route: string;
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
  /** HTTP status in place of that of `kind`. */
  readonly status?: number;
  /** gRPC status in place of that of `kind`. */
  readonly grpcStatus?: number;
  /** Further header fields of the answer: names in lower case, and values. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
}

/** What a fault does to one request on purpose; what is absent is left alone. */
export interface Disturbance {
  /** "NAMESPACE/NAME" of the policy. */
  readonly policy: string;
  /** The clause that matched: "spec.rules[0]". */
  readonly clause: string;
  /** Wait before the request goes on. 0: none. */
  readonly delayMs: number;
  /** Answers in place of the application. */
  readonly abort: Denial | undefined;
  /** The connection breaks off before any answer. */
  readonly reset: boolean;
  /** Most bytes of the response body in a second. 0: as fast as it comes. */
  readonly bytesPerSecond: number;
  /** The response breaks off after so many bytes of its body. -1: it does not. */
  readonly cutAfterBytes: number;
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
  /**
   * For policies that count: asked once for each HTTP request and each raw connection that every `onRequest` let pass, and
   * not again when policies change while it is under way. Undefined lets it pass. Absent when the policy does not count.
   */
  admit?(request: RequestInfo): Denial | undefined;
  /** What to do to an HTTP request that was admitted. Undefined: nothing. Absent when the policy never disturbs. */
  disturb?(request: RequestInfo): Disturbance | undefined;
}

/** How much of a limit that several proxies share was asked for at this one. */
export interface LimitDemand {
  /** "NAMESPACE/NAME/RULE". */
  readonly limit: string;
  /** Digest of the values that the limit counts by; "" when it counts all requests together. */
  readonly key: string;
  /** Requests since the last call, as a part of what the whole limit lets through in a second. */
  readonly asked: number;
}

/** What this proxy may let through of a limit that several share. */
export interface LimitShare {
  readonly limit: string;
  readonly key: string;
  /** Part of the limit, 0 ... 1. */
  readonly share: number;
}

/** What a filter remembers. It outlives the filter for as long as a filter of the workload keeps it under its name. */
export interface FilterState {
  /** Of a limit that is shared: what was asked for since the last call. At most some hundred entries. */
  takeDemands?(): readonly LimitDemand[];
  /** Of a limit that is shared: what the control plane hands out. Other limits' shares are ignored. */
  takeShares?(shares: readonly LimitShare[]): void;
}

/** What filters may use beside their config. */
export interface FilterTools {
  readonly clock: Clock;
  readonly metrics: MetricRegistry;
  /** Processes that serve this workload together, from 1. */
  readonly workers: number;
  /** A number in [0, 1). */
  random(): number;
  /**
   * The state that an earlier filter of the workload kept under `name`, else a new one. Put into the name what the state
   * depends on, and the policy's kind and name first.
   */
  keep<T extends FilterState>(name: string, make: () => T): T;
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
  create(configs: readonly PolicyConfig[], tools: FilterTools): Filter;
}
