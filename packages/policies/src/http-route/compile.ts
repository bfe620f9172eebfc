// HTTPRoutes to the ordered rules of one Service, as the clients of one namespace see it (GEP-1294).

import { parseDurationMs } from "@ripstop/core";
import {
  PathMatch_Type,
  type Backend,
  type HttpRule,
  type PathMatch,
  type PortRoutes,
  type RetryPolicy,
  type StreamRule,
  type ValueMatch,
} from "@ripstop/model";
import type { Resource } from "@ripstop/resources";

import { compileSessionPersistence } from "../session-persistence.ts";
import { toCanonicalPath } from "../canonical-path.ts";
import { compareMatches, ranksOf, type RankedMatch } from "./precedence.ts";
import {
  attachedPorts,
  backendReference,
  parentNamespace,
  type ResolveBackend,
  type RouteService,
} from "./references.ts";
import type { StreamRouteSpec } from "../gateway/stream-route.ts";
import { SPECIFICITY } from "./status.ts";
import { compileFilters } from "./compile-filters.ts";
import type { HttpRouteMatch, HttpRouteRule, HttpRouteSpec, NamedMatch, RetrySpec } from "./spec.ts";

/** A Service and whose view of it is wanted. */
export interface RouteView {
  readonly service: RouteService;
  readonly clientNamespace: string;
}

/** A route and the ports that it attaches to; undefined means all. */
interface Attachment {
  readonly route: Resource<HttpRouteSpec>;
  readonly ports: readonly number[] | undefined;
}

/**
 * The rules for requests from clients in `view.clientNamespace` to `view.service`, in order of precedence; port 0
 * stands for every port without an entry of its own. Empty when no route applies: requests then go to the service
 * itself.
 *
 * A route of the service's own namespace (producer) is for all clients. A route of another namespace (consumer) is
 * for the clients of that namespace only, and on its ports it replaces the producer's routes. `routes` may hold any
 * routes; those that attach elsewhere are passed over.
 */
export function compileRoutes(
  routes: readonly Resource<HttpRouteSpec>[],
  view: RouteView,
  resolveBackend: ResolveBackend,
): PortRoutes[] {
  const { service, clientNamespace } = view;
  const producers: Attachment[] = [];
  const consumers: Attachment[] = [];
  for (const route of routes) {
    const { namespace } = route.metadata;
    if (namespace === service.namespace) producers.push(...attachments(route, service));
    else if (namespace === clientNamespace) consumers.push(...attachments(route, service));
  }
  const compiled: PortRoutes[] = [];
  for (const port of [0, ...namedPorts([...producers, ...consumers])]) {
    const chosen = onPort(consumers, port);
    const attached = chosen.length > 0 ? chosen : onPort(producers, port);
    if (attached.length === 0) continue;
    const { kind, routes: held } = mostSpecific(attached);
    const connections = kind === "TCPRoute" ? { connections: true } : {};
    compiled.push({ port, http: compileRules(held, resolveBackend), ...connections });
  }
  return compiled;
}

function attachments(route: Resource<HttpRouteSpec>, service: RouteService): Attachment[] {
  const found: Attachment[] = [];
  for (const parent of route.spec.parentRefs ?? []) {
    if (parent.group !== "" || parent.kind !== "Service") continue;
    if (parent.name !== service.name || parentNamespace(route, parent) !== service.namespace) continue;
    found.push({ route, ports: attachedPorts(parent, service) });
  }
  return found;
}

/** Every port that some route names, ascending. */
function namedPorts(attached: readonly Attachment[]): number[] {
  return [...new Set(attached.flatMap(({ ports }) => ports ?? []))].toSorted((a, b) => a - b);
}

/** The routes for `port`, each once; port 0 stands for the ports that no route names. */
function onPort(attached: readonly Attachment[], port: number): Resource<HttpRouteSpec>[] {
  const routes = new Set<Resource<HttpRouteSpec>>();
  for (const { route, ports } of attached) if (ports === undefined || ports.includes(port)) routes.add(route);
  return [...routes];
}

/** Of several kinds of route on one port only one holds. */
function mostSpecific(all: readonly Resource<HttpRouteSpec>[]): {
  readonly kind: string;
  readonly routes: readonly Resource<HttpRouteSpec>[];
} {
  const kind = SPECIFICITY.find((one) => all.some((route) => route.kind === one)) ?? "";
  return { kind, routes: all.filter((route) => route.kind === kind) };
}

/** The rules of a route that comes in by a Gateway: every match with its ranks, in the order of rules and matches. */
export function compileGatewayRules(route: Resource<HttpRouteSpec>, resolveBackend: ResolveBackend): HttpRule[] {
  return route.spec.rules.flatMap((rule, ruleIndex) => {
    const action = compileAction(route, rule, resolveBackend);
    return rule.matches.map((spec, match) => ({
      ...compileMatch({ route, rule: ruleIndex, match, spec }, action),
      precedence: { ranks: [...ranksOf(spec)] },
    }));
  });
}

/** The rules of a TLSRoute, TCPRoute or UDPRoute. */
export function compileStreamRules(route: Resource<StreamRouteSpec>, resolveBackend: ResolveBackend): StreamRule[] {
  const { namespace, name } = route.metadata;
  return route.spec.rules.map(({ backendRefs }, index) => ({
    source: `${route.kind} ${namespace}/${name} rule ${index}`,
    backends: backendRefs
      .filter(({ weight }) => weight > 0)
      .map((backend) => {
        const resolved = resolveBackend(backendReference(route, backend));
        const { weight } = backend;
        return resolved.ok
          ? { service: resolved.value.service, port: resolved.value.port, weight, invalid: "", filters: [] }
          : { service: "", port: backend.port ?? 0, weight, invalid: resolved.error.message, filters: [] };
      }),
  }));
}

function compileRules(routes: readonly Resource<HttpRouteSpec>[], resolveBackend: ResolveBackend): HttpRule[] {
  const ranked: RankedMatch[] = [];
  const actions = new Map<HttpRouteRule, Action>();
  for (const route of routes) {
    for (const [rule, ruleSpec] of route.spec.rules.entries()) {
      actions.set(ruleSpec, compileAction(route, ruleSpec, resolveBackend));
      for (const [match, spec] of ruleSpec.matches.entries()) ranked.push({ route, rule, match, spec });
    }
  }
  ranked.sort(compareMatches);
  return ranked.flatMap((entry) => {
    const ruleSpec = entry.route.spec.rules[entry.rule];
    const action = ruleSpec === undefined ? undefined : actions.get(ruleSpec);
    return action === undefined ? [] : [compileMatch(entry, action)];
  });
}

/** What all matches of a rule have in common. */
type Action = Pick<
  HttpRule,
  | "filters"
  | "backends"
  | "requestTimeoutMs"
  | "backendTimeoutMs"
  | "noRequestTimeout"
  | "noBackendTimeout"
  | "retry"
  | "sessionPersistence"
>;

function compileAction(route: Resource<HttpRouteSpec>, rule: HttpRouteRule, resolveBackend: ResolveBackend): Action {
  const backends: Backend[] = [];
  for (const backend of rule.backendRefs ?? []) {
    // A session stays with its backend when that gets no new ones (GEP-1619).
    if (backend.weight === 0 && rule.sessionPersistence === undefined) continue;
    const resolved = resolveBackend(backendReference(route, backend));
    const { weight } = backend;
    const filters = compileFilters(route, backend.filters ?? [], resolveBackend);
    backends.push(
      resolved.ok
        ? { service: resolved.value.service, port: resolved.value.port, weight, invalid: "", filters }
        : { service: "", port: backend.port ?? 0, weight, invalid: resolved.error.message, filters },
    );
  }
  const { request, backendRequest } = rule.timeouts ?? {};
  const requestTimeoutMs = durationMs(request);
  const backendTimeoutMs = durationMs(backendRequest);
  return {
    filters: compileFilters(route, rule.filters ?? [], resolveBackend),
    backends,
    requestTimeoutMs,
    backendTimeoutMs,
    // A route's "0s" is no time-out at all (GEP-1742), whatever else would give it one.
    ...(request !== undefined && requestTimeoutMs === 0 ? { noRequestTimeout: true } : {}),
    ...(backendRequest !== undefined && backendTimeoutMs === 0 ? { noBackendTimeout: true } : {}),
    ...(rule.retry === undefined ? {} : { retry: compileRetry(rule.retry) }),
    ...(rule.sessionPersistence === undefined
      ? {}
      : { sessionPersistence: compileSessionPersistence(rule.sessionPersistence, placeOf(route, rule)) }),
  };
}

/** Names one rule of one route. */
function placeOf({ kind, metadata, spec }: Resource<HttpRouteSpec>, rule: HttpRouteRule): string {
  return `${kind} ${metadata.namespace}/${metadata.name} ${rule.name ?? spec.rules.indexOf(rule)}`;
}

function compileRetry({ codes = [], attempts = 0, backoff }: RetrySpec): RetryPolicy {
  return { codes: [...codes], attempts, backoffMs: durationMs(backoff) };
}

function compileMatch({ route, rule, match, spec }: RankedMatch, action: Action): HttpRule {
  const { namespace, name } = route.metadata;
  const ruleName = route.spec.rules[rule]?.name;
  const called = ruleName === undefined ? "" : ` (${ruleName})`;
  return {
    source: `${route.kind} ${namespace}/${name} rule ${rule}${called} match ${match}`,
    // GEP-1294: the route's `hostnames` mean nothing for a Service parent; a match on the header Host does.
    hostnames: hostOf(spec),
    path: compilePath(spec),
    method: spec.method ?? "",
    headers: compileValues(spec.headers, true).filter(({ name }) => name !== "host"),
    query: compileValues(spec.queryParams, false),
    ...action,
  };
}

/** The host that the match wants, if it matches the header Host: messages carry the host apart from other fields. */
function hostOf({ headers }: HttpRouteMatch): string[] {
  const host = headers?.find(({ name }) => name.toLowerCase() === "host");
  return host === undefined ? [] : [host.value.toLowerCase()];
}

function compilePath({ path }: HttpRouteMatch): PathMatch {
  const value = path.type === "RegularExpression" ? path.value : toCanonicalPath(path.value);
  return { type: PATH_TYPES[path.type], value };
}

const PATH_TYPES: Readonly<Record<"Exact" | "PathPrefix" | "RegularExpression", PathMatch_Type>> = {
  Exact: PathMatch_Type.EXACT,
  PathPrefix: PathMatch_Type.PREFIX,
  RegularExpression: PathMatch_Type.REGEX,
};

/** Of entries with one name only the first counts; header names have no case. */
function compileValues(entries: readonly NamedMatch[] | undefined, headers: boolean): ValueMatch[] {
  const values = new Map<string, ValueMatch>();
  for (const entry of entries ?? []) {
    const name = headers ? entry.name.toLowerCase() : entry.name;
    if (!values.has(name)) values.set(name, { name, value: entry.value, regex: entry.type === "RegularExpression" });
  }
  return [...values.values()];
}

/** 0 (no limit) for "0s", and for what validation would have refused. */
function durationMs(text: string | undefined): number {
  if (text === undefined) return 0;
  const parsed = parseDurationMs(text);
  return parsed.ok ? parsed.value : 0;
}
