// What the schema of HTTPRoute cannot say about filters: the CRD's CEL rules, and what could not be sent.

import type { Violation } from "@ripstop/resources";

import type {
  CorsSpec,
  HeaderModifierSpec,
  HttpRouteFilterSpec,
  HttpRouteMatch,
  PathModifierSpec,
  RequestMirrorSpec,
} from "./spec.ts";

/** A violation of the resource that is looked at. */
export type Found = Pick<Violation, "path" | "message" | "remedy">;

/** Where a list of filters stands. */
export interface FilterPlace {
  /** "spec.rules[0].filters". */
  readonly path: string;
  /** Of the rule. */
  readonly matches: readonly HttpRouteMatch[];
}

const PATH_CHARACTERS = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;
const FIELD_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** Header fields that belong to the connection or the message framing, never to a route. */
export const FRAMING_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const FILTER_FIELDS: Readonly<Record<HttpRouteFilterSpec["type"], string>> = {
  RequestHeaderModifier: "requestHeaderModifier",
  ResponseHeaderModifier: "responseHeaderModifier",
  RequestMirror: "requestMirror",
  RequestRedirect: "requestRedirect",
  URLRewrite: "urlRewrite",
  ExtensionRef: "extensionRef",
  CORS: "cors",
  ExternalAuth: "externalAuth",
};

/** The only filters that a list may hold several of. */
const REPEATABLE: ReadonlySet<string> = new Set(["RequestMirror", "ExtensionRef"]);

/** Adds what is wrong with the filters of a rule or of a backend. */
export function checkFilters(filters: readonly HttpRouteFilterSpec[], place: FilterPlace, found: Found[]): void {
  const seen = new Set<string>();
  for (const [at, filter] of filters.entries()) {
    const { type } = filter;
    const path = `${place.path}[${at}]`;
    const own = FILTER_FIELDS[type];
    for (const field of Object.values(FILTER_FIELDS)) {
      if (field === own || !(field in filter)) continue;
      found.push({
        path: `${path}.${field}`,
        message: `${field} does not belong in a filter of type ${type}`,
        remedy: `remove it, or make it a filter of its own`,
      });
    }
    if (type === "ExtensionRef" || type === "ExternalAuth") {
      found.push({
        path: `${path}.type`,
        message: `the filter ${type} is not supported`,
        remedy: "remove it; policies attach to routes and services by themselves",
      });
      continue;
    }
    if (seen.has(type) && !REPEATABLE.has(type)) {
      const remedy = "put all that it does into one filter of that type";
      found.push({ path: `${path}.type`, message: `${type} is there twice`, remedy });
    }
    seen.add(type);
    if (seen.has("RequestRedirect") && seen.has("URLRewrite") && /^(RequestRedirect|URLRewrite)$/.test(type)) {
      found.push({
        path: `${path}.type`,
        message: "RequestRedirect and URLRewrite exclude each other",
        remedy: "remove one of the two: a redirect answers, a rewrite passes the request on",
      });
    }
    if (!(own in filter)) {
      found.push({ path, message: `${own} is missing`, remedy: `say in ${own} what the filter does` });
    } else {
      checkFilter(filter, { path: `${path}.${own}`, matches: place.matches }, found);
    }
  }
}

function checkFilter(filter: HttpRouteFilterSpec, { path, matches }: FilterPlace, found: Found[]): void {
  const { requestHeaderModifier, responseHeaderModifier, requestRedirect, urlRewrite, requestMirror, cors } = filter;
  if (requestHeaderModifier !== undefined) checkModifier(requestHeaderModifier, path, found);
  if (responseHeaderModifier !== undefined) checkModifier(responseHeaderModifier, path, found);
  const pathModifier = requestRedirect?.path ?? urlRewrite?.path;
  if (pathModifier !== undefined) checkPathModifier(pathModifier, { path: `${path}.path`, matches }, found);
  if (requestMirror !== undefined) checkMirror(requestMirror, path, found);
  if (cors !== undefined) checkCors(cors, path, found);
}

/** Why a path can never be that of a request, as an end of the sentence '"PATH" ...'; undefined when it can. */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "does not start with /";
  if (path.includes("//")) return "has an empty segment (//)";
  if (/(^|\/)\.{1,2}(\/|$)/.test(path)) return "has a segment . or ..";
  if (/%2f/i.test(path)) return "holds an encoded slash";
  if (path.includes("#")) return "holds #, which is never sent";
  if (!PATH_CHARACTERS.test(path)) return "holds a character that a path may not hold (write it percent-encoded)";
  return undefined;
}

const PATH_FIELDS = { ReplaceFullPath: "replaceFullPath", ReplacePrefixMatch: "replacePrefixMatch" } as const;

function checkPathModifier(modifier: PathModifierSpec, { path, matches }: FilterPlace, found: Found[]): void {
  for (const type of ["ReplaceFullPath", "ReplacePrefixMatch"] as const) {
    const field = PATH_FIELDS[type];
    const value = modifier[field];
    if (type === modifier.type && value === undefined) {
      found.push({ path, message: `${field} is missing`, remedy: `give ${field}, as type ${type} wants` });
    } else if (type !== modifier.type && value !== undefined) {
      found.push({
        path: `${path}.${field}`,
        message: `${field} does not belong in a path of type ${modifier.type}`,
        remedy: `remove it, or write type: ${type}`,
      });
    }
    const problem = value === undefined || value === "" ? undefined : pathProblem(value);
    if (problem !== undefined) {
      const remedy = 'write an absolute path without query, for example "/books"';
      found.push({ path: `${path}.${field}`, message: `"${value}" ${problem}`, remedy });
    }
  }
  const [match] = matches;
  if (modifier.type !== "ReplacePrefixMatch" || (matches.length === 1 && match?.path.type === "PathPrefix")) return;
  found.push({
    path: `${path}.type`,
    message: "ReplacePrefixMatch needs a rule with exactly one match, and that of type PathPrefix",
    remedy: "make a rule of its own for each prefix, or use ReplaceFullPath",
  });
}

function checkMirror({ backendRef, percent, fraction }: RequestMirrorSpec, path: string, found: Found[]): void {
  if (backendRef.group === "" && backendRef.kind === "Service" && backendRef.port === undefined) {
    const remedy = "name the port of the Service";
    found.push({ path: `${path}.backendRef.port`, message: "the port is missing", remedy });
  }
  if (percent !== undefined && fraction !== undefined) {
    const remedy = "remove one of the two";
    found.push({ path: `${path}.fraction`, message: "percent and fraction are both given", remedy });
  }
  if (fraction !== undefined && fraction.numerator > fraction.denominator) {
    found.push({
      path: `${path}.fraction.numerator`,
      message: `${fraction.numerator} of ${fraction.denominator} is more than all`,
      remedy: "make it at most the denominator (default 100)",
    });
  }
}

function checkCors(cors: CorsSpec, path: string, found: Found[]): void {
  for (const field of ["allowOrigins", "allowMethods", "allowHeaders"] as const) {
    const values = cors[field] ?? [];
    if (values.length < 2 || !values.includes("*")) continue;
    found.push({
      path: `${path}.${field}`,
      message: '"*" stands beside others',
      remedy: 'write "*" alone, or leave it out',
    });
  }
  for (const [at, origin] of (cors.allowOrigins ?? []).entries()) {
    const port = /:([0-9]+)$/.exec(origin)?.[1];
    if (port === undefined || (Number(port) >= 1 && Number(port) <= 65_535)) continue;
    const remedy = "write a port from 1 to 65535, or none";
    found.push({ path: `${path}.allowOrigins[${at}]`, message: `there is no port ${port}`, remedy });
  }
}

function checkModifier(modifier: HeaderModifierSpec, path: string, found: Found[]): void {
  const actions = new Map<string, string>();
  const note = (name: string, place: string): void => {
    const key = name.toLowerCase();
    const other = actions.get(key);
    if (other !== undefined) {
      found.push({
        path: place,
        message: `"${name}" has another action already, at ${other}`,
        remedy: "give one action a header name; upper and lower case are the same",
      });
    } else {
      actions.set(key, place);
    }
    if (FRAMING_FIELDS.has(key)) {
      found.push({
        path: place,
        message: `"${name}" cannot be changed by a route`,
        remedy: "remove it; the proxy sets the fields of connection and framing itself",
      });
    }
  };
  for (const action of ["set", "add"] as const) {
    for (const [at, entry] of (modifier[action] ?? []).entries()) {
      note(entry.name, `${path}.${action}[${at}].name`);
      if (FIELD_VALUE.test(entry.value)) continue;
      found.push({
        path: `${path}.${action}[${at}].value`,
        message: "the value holds a character that no header value may hold",
        remedy: "leave out line breaks, control characters and characters beyond latin1",
      });
    }
  }
  for (const [at, name] of (modifier.remove ?? []).entries()) note(name, `${path}.remove[${at}]`);
}
