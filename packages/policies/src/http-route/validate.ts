// What the schema of HTTPRoute cannot say: the CRD's CEL rules, list-map keys, and what Ripstop cannot do yet.

import { parseDurationMs } from "@ripstop/core";
import { textPatternProblem } from "@ripstop/http";
import type { Resource, Violation } from "@ripstop/resources";

import type {
  HeaderModifierSpec,
  HttpBackendRef,
  HttpRouteFilterSpec,
  HttpRouteMatch,
  HttpRouteRule,
  HttpRouteSpec,
  NamedMatch,
  ParentRef,
} from "./spec.ts";

type Found = Pick<Violation, "path" | "message" | "remedy">;

/** Most matches in all rules of one route (CRD). */
const MAX_MATCHES = 128;
const PATH_CHARACTERS = /^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})+$/;
const HOST = /^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/i;
const FIELD_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** Header fields that belong to the connection or the message framing, never to a route. */
const FRAMING_FIELDS: ReadonlySet<string> = new Set([
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
};

/** Every violation of the rules beyond the schema. */
export function validateHttpRoute(route: Resource<HttpRouteSpec>): Found[] {
  const found: Found[] = [];
  checkParents(route.spec.parentRefs ?? [], route.metadata.namespace, found);
  const { rules } = route.spec;
  let matches = 0;
  const names = new Set<string>();
  for (const [at, rule] of rules.entries()) {
    const path = `spec.rules[${at}]`;
    matches += rule.matches.length;
    if (rule.name !== undefined && names.has(rule.name)) {
      found.push({
        path: `${path}.name`,
        message: `another rule is called "${rule.name}" too`,
        remedy: "give every rule of the route a name of its own, or none",
      });
    }
    if (rule.name !== undefined) names.add(rule.name);
    checkRule(rule, path, found);
  }
  if (matches > MAX_MATCHES) {
    found.push({
      path: "spec.rules",
      message: `the rules have ${matches} matches in all`,
      remedy: `keep it to ${MAX_MATCHES} a route; spread them over several routes`,
    });
  }
  return found;
}

function checkParents(parents: readonly ParentRef[], routeNamespace: string, found: Found[]): void {
  const seen = new Set<string>();
  const firstOf = new Map<string, ParentRef>();
  for (const [at, parent] of parents.entries()) {
    const path = `spec.parentRefs[${at}]`;
    if (parent.group !== "" || parent.kind !== "Service") {
      found.push({
        path: `${path}.kind`,
        message: `a parent of kind ${parent.kind}${parent.group === "" ? "" : `.${parent.group}`} is not supported yet`,
        remedy: 'attach the route to a Service: `group: ""` and `kind: Service`',
      });
      continue;
    }
    const target = `${parent.namespace ?? routeNamespace}/${parent.name}`;
    const whole = `${target}/${parent.port ?? ""}/${parent.sectionName ?? ""}`;
    const first = firstOf.get(target) ?? parent;
    firstOf.set(target, first);
    if (seen.has(whole)) {
      found.push({ path, message: `Service ${target} is named twice`, remedy: "name each parent once" });
    } else if (
      (first.port === undefined) !== (parent.port === undefined) ||
      (first.sectionName === undefined) !== (parent.sectionName === undefined)
    ) {
      found.push({
        path,
        message: `Service ${target} is named several times, and not every time in the same way`,
        remedy: "give each a port, or each a sectionName, or name the Service once without",
      });
    }
    seen.add(whole);
  }
}

function checkRule(rule: HttpRouteRule, path: string, found: Found[]): void {
  for (const [at, match] of rule.matches.entries()) checkMatch(match, `${path}.matches[${at}]`, found);
  checkFilters(rule.filters ?? [], `${path}.filters`, found);
  for (const [at, backend] of (rule.backendRefs ?? []).entries()) {
    checkBackend(backend, `${path}.backendRefs[${at}]`, found);
  }
  checkTimeouts(rule, path, found);
  for (const field of ["retry", "sessionPersistence"] as const) {
    if (!(field in rule)) continue;
    found.push({
      path: `${path}.${field}`,
      message: `${field} is not supported yet`,
      remedy: field === "retry" ? "remove it; safe retries within a budget are on by default" : "remove it",
    });
  }
}

function checkMatch(match: HttpRouteMatch, path: string, found: Found[]): void {
  const { type, value } = match.path;
  if (type === "RegularExpression") {
    checkRegularExpression(value, `${path}.path.value`, found);
  } else {
    const problem = pathProblem(value);
    if (problem !== undefined) {
      found.push({
        path: `${path}.path.value`,
        message: `"${value}" ${problem}`,
        remedy: 'write an absolute path as the application sees it, for example "/books"',
      });
    }
  }
  for (const field of ["headers", "queryParams"] as const) {
    const seen = new Set<string>();
    for (const [at, entry] of (match[field] ?? []).entries()) {
      const place = `${path}.${field}[${at}]`;
      if (seen.has(entry.name)) {
        found.push({
          path: `${place}.name`,
          message: `"${entry.name}" is named twice`,
          remedy: "name each once; two values for one name can never both match",
        });
      }
      seen.add(entry.name);
      if (entry.type === "RegularExpression") checkRegularExpression(entry.value, `${place}.value`, found);
      if (field === "headers") checkHeaderMatch(entry, place, found);
    }
  }
}

function checkHeaderMatch({ type, name, value }: NamedMatch, path: string, found: Found[]): void {
  const key = name.toLowerCase();
  if (key === "host") {
    if (type === "Exact" && HOST.test(value)) return;
    found.push({
      path: `${path}.value`,
      message: `"${value}" is not one host name`,
      remedy: "write a whole name without port, and a match of type Exact for each name",
    });
  } else if (FRAMING_FIELDS.has(key)) {
    found.push({
      path: `${path}.name`,
      message: `"${name}" belongs to the connection and never reaches a route`,
      remedy: "match a field that the caller sets for the application",
    });
  }
}

function pathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "does not start with /";
  if (path.includes("//")) return "has an empty segment (//)";
  if (/(^|\/)\.{1,2}(\/|$)/.test(path)) return "has a segment . or ..";
  if (/%2f/i.test(path)) return "holds an encoded slash";
  if (path.includes("#")) return "holds #, which is never sent";
  if (!PATH_CHARACTERS.test(path)) return "holds a character that a path may not hold (write it percent-encoded)";
  return undefined;
}

function checkRegularExpression(pattern: string, path: string, found: Found[]): void {
  const problem = textPatternProblem(pattern);
  if (problem === undefined) return;
  found.push({
    path,
    message: `the pattern ${problem}`,
    remedy: "use characters, classes, groups, | and * + ? {m,n}; no look-around and no back-references",
  });
}

function checkFilters(filters: readonly HttpRouteFilterSpec[], path: string, found: Found[]): void {
  const seen = new Set<string>();
  for (const [at, filter] of filters.entries()) {
    const place = `${path}[${at}]`;
    const own = FILTER_FIELDS[filter.type];
    for (const field of Object.values(FILTER_FIELDS)) {
      if (field !== own && field in filter) {
        found.push({
          path: `${place}.${field}`,
          message: `${field} does not belong in a filter of type ${filter.type}`,
          remedy: `remove it, or make it a filter of its own`,
        });
      }
    }
    if (filter.type !== "RequestHeaderModifier" && filter.type !== "ResponseHeaderModifier") {
      found.push({
        path: `${place}.type`,
        message: `the filter ${filter.type} is not supported yet`,
        remedy: "remove it; RequestHeaderModifier and ResponseHeaderModifier are supported",
      });
      continue;
    }
    if (seen.has(filter.type)) {
      found.push({
        path: `${place}.type`,
        message: `${filter.type} is there twice`,
        remedy: "put all changes into one filter of that type",
      });
    }
    seen.add(filter.type);
    const modifier =
      filter.type === "RequestHeaderModifier" ? filter.requestHeaderModifier : filter.responseHeaderModifier;
    if (modifier === undefined) {
      found.push({ path: place, message: `${own} is missing`, remedy: `give ${own} with set, add or remove` });
    } else {
      checkModifier(modifier, `${place}.${own}`, found);
    }
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

function checkBackend(backend: HttpBackendRef, path: string, found: Found[]): void {
  if (backend.group === "" && backend.kind === "Service" && backend.port === undefined) {
    found.push({ path: `${path}.port`, message: "the port is missing", remedy: "name the port of the Service" });
  }
  if ("filters" in backend) {
    found.push({
      path: `${path}.filters`,
      message: "filters of a single backend are not supported yet",
      remedy: "put them into the rule's filters, or make a rule of its own for this backend",
    });
  }
}

function checkTimeouts(rule: HttpRouteRule, path: string, found: Found[]): void {
  const { request, backendRequest } = rule.timeouts ?? {};
  if (request === undefined || backendRequest === undefined) return;
  const requestMs = parseDurationMs(request);
  const backendMs = parseDurationMs(backendRequest);
  if (!requestMs.ok || !backendMs.ok) return;
  if (requestMs.value === 0 || backendMs.value <= requestMs.value) return;
  found.push({
    path: `${path}.timeouts.backendRequest`,
    message: `one try may take ${backendRequest}, longer than the whole request with its ${request}`,
    remedy: "make backendRequest at most as long as request (0s: no limit for the whole request)",
  });
}
