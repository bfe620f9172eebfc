// The filters of an HTTPRoute as the proxy gets them.

import type { Cors, HeaderModifier, HttpRouteFilter, PathModifier, RequestMirror } from "@ripstop/model";
import type { Resource } from "@ripstop/resources";

import { toCanonicalPath } from "../canonical-path.ts";
import { backendReference, type ResolveBackend } from "./references.ts";
import type {
  CorsSpec,
  HeaderModifierSpec,
  HttpRouteFilterSpec,
  HttpRouteSpec,
  PathModifierSpec,
  RequestMirrorSpec,
} from "./spec.ts";

/** Filters of a rule or backend of `route`, in their order. A mirror that leads nowhere is left out (status says so). */
export function compileFilters(
  route: Resource<HttpRouteSpec>,
  filters: readonly HttpRouteFilterSpec[],
  resolveBackend: ResolveBackend,
): HttpRouteFilter[] {
  const compiled: HttpRouteFilter["filter"][] = [];
  for (const filter of filters) {
    const { requestHeaderModifier, responseHeaderModifier, requestRedirect, urlRewrite, requestMirror, cors } = filter;
    if (requestHeaderModifier !== undefined) {
      compiled.push({ $case: "requestHeaders", value: compileModifier(requestHeaderModifier) });
    }
    if (responseHeaderModifier !== undefined) {
      compiled.push({ $case: "responseHeaders", value: compileModifier(responseHeaderModifier) });
    }
    if (requestRedirect !== undefined) {
      const { scheme = "", hostname = "", port = 0, statusCode: status } = requestRedirect;
      const path = compilePath(requestRedirect.path);
      compiled.push({ $case: "redirect", value: { scheme, hostname, port, path, status } });
    }
    if (urlRewrite !== undefined) {
      const { hostname = "", path } = urlRewrite;
      compiled.push({ $case: "rewrite", value: { hostname, path: compilePath(path) } });
    }
    if (requestMirror !== undefined) {
      const value = compileMirror(route, requestMirror, resolveBackend);
      if (value !== undefined) compiled.push({ $case: "mirror", value });
    }
    if (cors !== undefined) compiled.push({ $case: "cors", value: compileCors(cors) });
  }
  return compiled.map((filter) => ({ filter }));
}

function compileModifier(modifier: HeaderModifierSpec): HeaderModifier {
  return {
    set: (modifier.set ?? []).map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    add: (modifier.add ?? []).map(({ name, value }) => ({ name: name.toLowerCase(), value })),
    remove: (modifier.remove ?? []).map((name) => name.toLowerCase()),
  };
}

function compilePath(path: PathModifierSpec | undefined): PathModifier | undefined {
  if (path === undefined) return undefined;
  return path.type === "ReplaceFullPath"
    ? { modifier: { $case: "full", value: toCanonicalPath(path.replaceFullPath ?? "") } }
    : { modifier: { $case: "prefix", value: toCanonicalPath(path.replacePrefixMatch ?? "") } };
}

function compileMirror(
  route: Resource<HttpRouteSpec>,
  { backendRef, percent = 100, fraction }: RequestMirrorSpec,
  resolveBackend: ResolveBackend,
): RequestMirror | undefined {
  const resolved = resolveBackend(backendReference(route, backendRef));
  if (!resolved.ok) return undefined;
  const { numerator, denominator } = fraction ?? { numerator: percent, denominator: 100 };
  return { service: resolved.value.service, port: resolved.value.port, numerator, denominator };
}

function compileCors(cors: CorsSpec): Cors {
  return {
    allowOrigins: [...(cors.allowOrigins ?? [])],
    allowCredentials: cors.allowCredentials ?? false,
    allowMethods: [...(cors.allowMethods ?? [])],
    allowHeaders: [...(cors.allowHeaders ?? [])],
    exposeHeaders: [...(cors.exposeHeaders ?? [])],
    maxAge: cors.maxAge,
  };
}
