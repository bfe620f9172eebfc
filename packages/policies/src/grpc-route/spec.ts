// GRPCRoute (gateway.networking.k8s.io/v1): the spec as it is after defaults.

import type { HttpBackendRef, HttpRouteFilterSpec, NamedMatch, ParentRef } from "../http-route/spec.ts";
import type { SessionPersistenceSpec } from "../session-persistence.ts";

/** Attaches rules for gRPC calls to parents. */
export interface GrpcRouteSpec {
  readonly parentRefs?: readonly ParentRef[];
  /** Of calls that come in by a Gateway. */
  readonly hostnames?: readonly string[];
  readonly rules?: readonly GrpcRouteRule[];
  readonly useDefaultGateways?: string;
}

/** Calls that match one of `matches` go through `filters` to one of `backendRefs`. */
export interface GrpcRouteRule {
  readonly name?: string;
  /** None: every call. */
  readonly matches?: readonly GrpcRouteMatch[];
  readonly filters?: readonly HttpRouteFilterSpec[];
  readonly backendRefs?: readonly HttpBackendRef[];
  readonly sessionPersistence?: SessionPersistenceSpec;
}

/** All of what is given must match. */
export interface GrpcRouteMatch {
  readonly method?: {
    readonly type: "Exact" | "RegularExpression";
    readonly service?: string;
    readonly method?: string;
  };
  readonly headers?: readonly NamedMatch[];
}
