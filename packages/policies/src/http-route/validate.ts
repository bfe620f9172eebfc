// What the schema of HTTPRoute cannot say: the CRD's CEL rules, list-map keys, and what Ripstop cannot do yet.

import { parseDurationMs } from "@ripstop/core";
import { textPatternProblem } from "@ripstop/http";
import type { Resource } from "@ripstop/resources";

import { GATEWAY_GROUP } from "../gateway/condition.ts";
import { checkSessionPersistence } from "../session-persistence.ts";
import type { HttpBackendRef, HttpRouteMatch, HttpRouteRule, HttpRouteSpec, NamedMatch, ParentRef } from "./spec.ts";
import { checkFilters, FRAMING_FIELDS, pathProblem, type Found } from "./validate-filters.ts";

/** Most matches in all rules of one route (CRD). */
const MAX_MATCHES = 128;
const HOST = /^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?(\.[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?)*$/i;
/** Every violation of the rules beyond the schema. */
export function validateHttpRoute(route: Resource<HttpRouteSpec>): Found[] {
  const found: Found[] = [];
  checkParents(route.spec.parentRefs ?? [], route.metadata.namespace, found);
  checkDefaultGateways(route.spec, found);
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

/** GEP-3793 is experimental, and means that a route attaches to Gateways that it does not name. */
export function checkDefaultGateways(spec: { readonly useDefaultGateways?: string }, found: Found[]): void {
  if (spec.useDefaultGateways === undefined || spec.useDefaultGateways === "None") return;
  found.push({
    path: "spec.useDefaultGateways",
    message: "default Gateways are not supported yet",
    remedy: "name each Gateway in parentRefs",
  });
}

/** Adds what is wrong with the parents of an HTTPRoute or GRPCRoute. */
export function checkParents(parents: readonly ParentRef[], routeNamespace: string, found: Found[]): void {
  const seen = new Set<string>();
  const firstOf = new Map<string, ParentRef>();
  for (const [at, parent] of parents.entries()) {
    const path = `spec.parentRefs[${at}]`;
    const isGateway = parent.group === GATEWAY_GROUP && (parent.kind === "Gateway" || parent.kind === "ListenerSet");
    if (!isGateway && (parent.group !== "" || parent.kind !== "Service")) {
      found.push({
        path: `${path}.kind`,
        message: `a parent of kind ${parent.kind}${parent.group === "" ? "" : `.${parent.group}`} is not known`,
        remedy: 'attach the route to a Gateway, a ListenerSet, or a Service (`group: ""` and `kind: Service`)',
      });
      continue;
    }
    // How often and in which way a Gateway may be named is said by the published rules.
    if (isGateway) continue;
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
  checkFilters(rule.filters ?? [], { path: `${path}.filters`, matches: rule.matches }, found);
  const redirect = (rule.filters ?? []).findIndex(({ type }) => type === "RequestRedirect");
  if (redirect >= 0 && rule.backendRefs !== undefined && rule.backendRefs.length > 0) {
    found.push({
      path: `${path}.filters[${redirect}].type`,
      message: "the rule has a RequestRedirect and backendRefs too",
      remedy: "remove one of the two: a redirect answers, so that no backend is ever asked",
    });
  }
  for (const [at, backend] of (rule.backendRefs ?? []).entries()) {
    checkBackend(backend, `${path}.backendRefs[${at}]`, found);
    const place = { path: `${path}.backendRefs[${at}].filters`, matches: rule.matches };
    checkFilters(backend.filters ?? [], place, found);
  }
  checkTimeouts(rule, path, found);
  if (rule.sessionPersistence !== undefined)
    found.push(...checkSessionPersistence(rule.sessionPersistence, `${path}.sessionPersistence`));
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

function checkRegularExpression(pattern: string, path: string, found: Found[]): void {
  const problem = textPatternProblem(pattern);
  if (problem === undefined) return;
  found.push({
    path,
    message: `the pattern ${problem}`,
    remedy: "use characters, classes, groups, | and * + ? {m,n}; no look-around and no back-references",
  });
}

function checkBackend(backend: HttpBackendRef, path: string, found: Found[]): void {
  if (backend.group === "" && backend.kind === "Service" && backend.port === undefined) {
    found.push({ path: `${path}.port`, message: "the port is missing", remedy: "name the port of the Service" });
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
