// A GRPCRoute as the HTTP requests that gRPC makes of its calls (gRPC over HTTP/2: POST /SERVICE/METHOD, content type
// application/grpc), so that one matcher serves both.

import type { Resource } from "@ripstop/resources";

import { distinct } from "../http-route/precedence.ts";
import type { HttpRouteMatch, HttpRouteSpec, NamedMatch } from "../http-route/spec.ts";
import type { GrpcRouteMatch, GrpcRouteSpec } from "./spec.ts";

const CONTENT: NamedMatch = { type: "RegularExpression", name: "content-type", value: "application/grpc([+;].*)?" };

/** The route with its matches as those of an HTTPRoute, ranked as GRPCRoute says. Its kind stays. */
export function asHttpRoute(route: Resource<GrpcRouteSpec>): Resource<HttpRouteSpec> {
  const { rules = [{}], ...spec } = route.spec;
  return {
    ...route,
    spec: {
      ...spec,
      rules: rules.map(({ matches = [], ...rule }) => ({
        ...rule,
        matches: (matches.length === 0 ? [{}] : matches).map(asHttpMatch),
      })),
    },
  };
}

function asHttpMatch(match: GrpcRouteMatch): HttpRouteMatch {
  const { method, headers = [] } = match;
  return {
    path: pathOf(method),
    method: "POST",
    headers: [...headers, CONTENT],
    // Most characters of the service, then of the method, then most headers (GRPCRouteRule.matches).
    ranks: [method?.service?.length ?? 0, method?.method?.length ?? 0, distinct(headers, true)],
  };
}

function pathOf(call: GrpcRouteMatch["method"]): HttpRouteMatch["path"] {
  const { type, service = "", method = "" } = call ?? { type: "Exact" };
  if (type === "RegularExpression") {
    const part = (pattern: string): string => (pattern === "" ? "[^/]+" : `(?:${unanchored(pattern)})`);
    return { type: "RegularExpression", value: `/${part(service)}/${part(method)}` };
  }
  if (service === "" && method === "") return { type: "PathPrefix", value: "/" };
  if (method === "") return { type: "PathPrefix", value: `/${service}` };
  if (service === "") return { type: "RegularExpression", value: `/[^/]+/${method}` };
  return { type: "Exact", value: `/${service}/${method}` };
}

/** Patterns match whole names anyway. */
function unanchored(pattern: string): string {
  return pattern.replace(/^\^/, "").replace(/(?<!\\)\$$/, "");
}
