// Which requests a rule is for, as users write it.

import type { AuthorizationFrom, AuthorizationTo } from "../authorization/schema.ts";

/** Matches when one of `from`, one of `to` and all of `headers` match; what is left out matches everything. */
export interface RequestMatch {
  readonly from?: readonly AuthorizationFrom[];
  readonly to?: readonly AuthorizationTo[];
  readonly headers?: readonly HeaderMatchSpec[];
}

/** A header field that the request must have. */
export interface HeaderMatchSpec {
  readonly name: string;
  readonly type: "Present" | "Exact" | "Prefix";
  /** Absent with Present. */
  readonly value?: string;
}

/** A Service, Gateway or route in the policy's own namespace. */
export interface TargetRef {
  /** That of the kind. */
  readonly group?: string;
  readonly kind: "Service" | "Gateway" | "HTTPRoute" | "GRPCRoute";
  readonly name: string;
  /** Of a Gateway: the listener. Absent: all of them. */
  readonly sectionName?: string;
}
