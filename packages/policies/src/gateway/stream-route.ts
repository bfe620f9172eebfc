// TLSRoute, TCPRoute and UDPRoute: whole connections (or flows) to backends, by weight.

import type { ObjectReference, ParentRef } from "../http-route/spec.ts";

/** Spec of a TLSRoute, TCPRoute or UDPRoute. */
export interface StreamRouteSpec {
  readonly parentRefs?: readonly ParentRef[];
  /** Server names; TLSRoute only. */
  readonly hostnames?: readonly string[];
  /** Exactly one. */
  readonly rules: readonly {
    readonly name?: string;
    readonly backendRefs: readonly (ObjectReference & { readonly weight: number })[];
  }[];
}
