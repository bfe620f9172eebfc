// HTTPRoute (gateway.networking.k8s.io/v1): the spec as it is after defaults. The schema is in schema.ts.

import type { SessionPersistenceSpec } from "../session-persistence.ts";

/** Attaches rules to parents. */
export interface HttpRouteSpec {
  readonly parentRefs?: readonly ParentRef[];
  /** Of requests that come in by a Gateway. Means nothing for a Service parent (GEP-1294 "hostnames field"). */
  readonly hostnames?: readonly string[];
  readonly rules: readonly HttpRouteRule[];
  /** Experimental (GEP-3793); only None is taken. */
  readonly useDefaultGateways?: string;
}

/** What a route attaches to. */
export interface ParentRef {
  readonly group: string;
  readonly kind: string;
  /** Default: the route's own. */
  readonly namespace?: string;
  readonly name: string;
  /** Name of a port of the Service. */
  readonly sectionName?: string;
  readonly port?: number;
}

/** Requests that match one of `matches` go through `filters` to one of `backendRefs`. */
export interface HttpRouteRule {
  readonly name?: string;
  readonly matches: readonly HttpRouteMatch[];
  readonly filters?: readonly HttpRouteFilterSpec[];
  readonly backendRefs?: readonly HttpBackendRef[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: RetrySpec;
  readonly sessionPersistence?: SessionPersistenceSpec;
}

/** What is tried again (GEP-1731). */
export interface RetrySpec {
  /** 400 ... 599. */
  readonly codes?: readonly number[];
  /** Retries, not tries; at least 1. Default: the service's. */
  readonly attempts?: number;
  /** Least time before the next try. Default: none. */
  readonly backoff?: string;
}

/** All of what is given must match. */
export interface HttpRouteMatch {
  readonly path: { readonly type: "Exact" | "PathPrefix" | "RegularExpression"; readonly value: string };
  readonly method?: string;
  readonly headers?: readonly NamedMatch[];
  readonly queryParams?: readonly NamedMatch[];
  /** Not of the resource: what decides its place when it is no match of an HTTPRoute (GRPCRoute has ranks of its own). */
  readonly ranks?: readonly number[];
}

/** A header or query parameter and the value that it must have. */
export interface NamedMatch {
  readonly type: "Exact" | "RegularExpression";
  readonly name: string;
  readonly value: string;
}

/** The filter types of the Gateway API; validation refuses those that Ripstop cannot do. */
export const filterTypes = [
  "RequestHeaderModifier",
  "ResponseHeaderModifier",
  "RequestMirror",
  "RequestRedirect",
  "URLRewrite",
  "ExtensionRef",
  "CORS",
  "ExternalAuth",
] as const;

/** One step that a request or response goes through. */
export interface HttpRouteFilterSpec {
  readonly type: (typeof filterTypes)[number];
  readonly requestHeaderModifier?: HeaderModifierSpec;
  readonly responseHeaderModifier?: HeaderModifierSpec;
  readonly requestRedirect?: RequestRedirectSpec;
  readonly urlRewrite?: UrlRewriteSpec;
  readonly requestMirror?: RequestMirrorSpec;
  readonly cors?: CorsSpec;
}

/** Answers with a redirect. */
export interface RequestRedirectSpec {
  readonly scheme?: "http" | "https";
  readonly hostname?: string;
  readonly path?: PathModifierSpec;
  readonly port?: number;
  readonly statusCode: 301 | 302 | 303 | 307 | 308;
}

/** Changes what the backend is asked for. */
export interface UrlRewriteSpec {
  readonly hostname?: string;
  readonly path?: PathModifierSpec;
}

/** The new path of a redirect or rewrite. */
export interface PathModifierSpec {
  readonly type: "ReplaceFullPath" | "ReplacePrefixMatch";
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

/** Sends copies of requests; percent and fraction exclude each other, default all. */
export interface RequestMirrorSpec {
  readonly backendRef: ObjectReference;
  readonly percent?: number;
  readonly fraction?: { readonly numerator: number; readonly denominator: number };
}

/** Which pages of other origins may ask. */
export interface CorsSpec {
  readonly allowOrigins?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  /** Seconds; at least 1. */
  readonly maxAge: number;
}

/** Header fields to set, add and remove; one action a name. */
export interface HeaderModifierSpec {
  readonly set?: readonly { readonly name: string; readonly value: string }[];
  readonly add?: readonly { readonly name: string; readonly value: string }[];
  readonly remove?: readonly string[];
}

/** Something that takes requests. */
export interface ObjectReference {
  readonly group: string;
  readonly kind: string;
  /** Default: the route's own. */
  readonly namespace?: string;
  readonly name: string;
  readonly port?: number;
}

/** A Service that takes a share of the requests. */
export interface HttpBackendRef extends ObjectReference {
  /** 0 … 1 000 000, default 1. */
  readonly weight: number;
  /** For requests that go to this backend, after those of the rule. */
  readonly filters?: readonly HttpRouteFilterSpec[];
}
