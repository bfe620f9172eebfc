// Matching a request against the ordered rules of one port (Gateway API HTTPRouteRule): the first that matches decides.

import { compileTextPattern, type HeaderList, type TextPattern } from "@ripstop/http";
import {
  PathMatch_Type,
  type Backend,
  type HttpRule,
  type RetryPolicy,
  type SessionPersistence,
  type ValueMatch,
} from "@ripstop/model";
import { queryValue } from "./query.ts";
import { compileRouteFilters, type RouteFilters } from "./route-filters.ts";
import { RouteIndex, type IndexedRule, type PathKind } from "./route-index.ts";

/** What a rule can look at. */
export interface RouteRequest {
  /** Lower case, without port. */
  readonly host: string;
  readonly method: string;
  /** Canonical path without query. */
  readonly path: string;
  readonly query: string;
  readonly headers: HeaderList;
}

/** A backend ready to take requests. */
export interface CompiledBackend {
  /** "NAMESPACE/NAME"; "" when the reference is invalid. */
  readonly service: string;
  /** 0: the port that the request came in on. */
  readonly port: number;
  readonly weight: number;
  /** Why the reference is invalid; "" when it is valid. */
  readonly invalid: string;
  /** Of this backend alone, after those of the rule; undefined when there are none. */
  readonly filters: RouteFilters | undefined;
}

/** A rule ready to match and to apply. */
export interface CompiledRule {
  /** Which resource it came from, for explanations. */
  readonly source: string;
  readonly backends: readonly CompiledBackend[];
  /** Sum of the backends' weights. */
  readonly totalWeight: number;
  /** Undefined when there are none. */
  readonly filters: RouteFilters | undefined;
  /** In place of the service's defaults; undefined when the route says nothing. */
  readonly retry: RetryPolicy | undefined;
  /** In place of that of the service; undefined when the route says nothing. */
  readonly sessionPersistence: SessionPersistence | undefined;
  /** 0 = as the service says; below 0 = none. */
  readonly requestTimeoutMs: number;
  /** Time for one attempt; 0 = as the service says; below 0 = none. */
  readonly backendTimeoutMs: number;
  matches(request: RouteRequest): boolean;
}

/** Below so many rules, looking at one after the other costs less than an index. */
const INDEXED_FROM = 16;

/** The rules of one port, in order of precedence. */
export class PortMatcher {
  readonly rules: readonly CompiledRule[];
  readonly #index: RouteIndex<OrderedRule> | undefined;

  constructor(rules: readonly IndexedRule[]) {
    this.rules = rules;
    if (rules.length < INDEXED_FROM) return;
    this.#index = new RouteIndex((a, b) => a.order - b.order);
    for (const [order, rule] of rules.entries()) this.#index.add({ rule, order }, rule.hostnames);
  }

  /** The first rule that matches, or undefined (a 404). */
  match(request: RouteRequest): CompiledRule | undefined {
    if (this.#index !== undefined) return this.#index.match(request)?.rule;
    const rules = this.rules;
    for (let at = 0; at < rules.length; at++) {
      const rule = rules[at];
      if (rule?.matches(request) === true) return rule;
    }
    return undefined;
  }
}

interface OrderedRule {
  readonly rule: IndexedRule;
  readonly order: number;
}

/** Compiles one rule. */
export function compileRule(rule: HttpRule): IndexedRule {
  return new Rule(rule);
}

/** Compiles rules that are in order of precedence already. */
export function compilePortRoutes(rules: readonly HttpRule[]): PortMatcher {
  return new PortMatcher(rules.map((rule) => new Rule(rule)));
}

class Rule implements IndexedRule {
  readonly source: string;
  readonly backends: readonly CompiledBackend[];
  readonly totalWeight: number;
  readonly filters: RouteFilters | undefined;
  readonly retry: RetryPolicy | undefined;
  readonly sessionPersistence: SessionPersistence | undefined;
  readonly requestTimeoutMs: number;
  readonly backendTimeoutMs: number;
  readonly hostnames: readonly string[];
  readonly pathKind: PathKind;
  /** Exact path or prefix, the latter without a slash at its end. */
  readonly path: string;
  readonly #exactHosts: readonly string[];
  /** ".example.com" for "*.example.com". */
  readonly #hostSuffixes: readonly string[];
  readonly #anyHost: boolean;
  readonly #pathPattern: TextPattern | undefined;
  readonly #method: string;
  readonly #headers: readonly ValueMatcher[];
  readonly #query: readonly ValueMatcher[];

  constructor(rule: HttpRule) {
    this.source = rule.source;
    const prefix = rule.path?.type === PathMatch_Type.PREFIX ? rule.path.value : "/";
    this.backends = rule.backends.map((backend) => compileBackend(backend, prefix));
    this.totalWeight = rule.backends.reduce((sum, backend) => sum + backend.weight, 0);
    this.filters = compileRouteFilters(rule.filters, prefix);
    this.retry = rule.retry;
    this.sessionPersistence = rule.sessionPersistence;
    this.requestTimeoutMs = rule.noRequestTimeout === true ? -1 : rule.requestTimeoutMs;
    this.backendTimeoutMs = rule.noBackendTimeout === true ? -1 : rule.backendTimeoutMs;
    const hosts = rule.hostnames.map((name) => name.toLowerCase());
    this.hostnames = hosts;
    this.#anyHost = hosts.length === 0;
    this.#exactHosts = hosts.filter((name) => !name.startsWith("*."));
    this.#hostSuffixes = hosts.filter((name) => name.startsWith("*.")).map((name) => name.slice(1));
    const type = rule.path?.type ?? PathMatch_Type.PREFIX;
    const value = rule.path?.value ?? "/";
    this.#pathPattern = type === PathMatch_Type.REGEX ? compileTextPattern(value) : undefined;
    if (type === PathMatch_Type.EXACT) {
      this.pathKind = "exact";
      this.path = value;
    } else if (type === PathMatch_Type.REGEX) {
      this.pathKind = "regex";
      this.path = value;
    } else {
      // A trailing slash of a prefix is ignored; "/" matches everything.
      this.path = value.endsWith("/") ? value.slice(0, -1) : value;
      this.pathKind = this.path === "" ? "any" : "prefix";
    }
    this.#method = rule.method;
    this.#headers = firstOfEachName(rule.headers, (name) => name.toLowerCase());
    this.#query = firstOfEachName(rule.query, (name) => name);
  }

  matches(request: RouteRequest): boolean {
    if (this.#method !== "" && this.#method !== request.method) return false;
    if (!this.#matchesPath(request.path)) return false;
    if (!this.#anyHost && !this.#matchesHost(request.host)) return false;
    for (const header of this.#headers) if (!header.matches(headerValue(request.headers, header.name))) return false;
    for (const param of this.#query) if (!param.matches(queryValue(request.query, param.name))) return false;
    return true;
  }

  #matchesPath(path: string): boolean {
    switch (this.pathKind) {
      case "any":
        return true;
      case "exact":
        return path === this.path;
      case "prefix": {
        const prefix = this.path;
        return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f);
      }
      case "regex":
        return this.#pathPattern?.matches(path) === true;
    }
  }

  #matchesHost(host: string): boolean {
    for (const exact of this.#exactHosts) if (exact === host) return true;
    for (const suffix of this.#hostSuffixes) if (host.length > suffix.length && host.endsWith(suffix)) return true;
    return false;
  }
}

/** Makes a backend ready; `prefix` is the path prefix of the match that it belongs to. */
export function compileBackend(backend: Backend, prefix: string): CompiledBackend {
  const { service, port, weight, invalid } = backend;
  return { service, port, weight, invalid, filters: compileRouteFilters(backend.filters, prefix) };
}

/** Repeated fields count as one, comma-separated (RFC 9110 §5.3), so that no copy hides behind the first. */
function headerValue(headers: HeaderList, name: string): string | undefined {
  let at = headers.indexOf(name, 0);
  if (at < 0) return undefined;
  let value = headers.valueAt(at);
  for (at = headers.indexOf(name, at + 1); at >= 0; at = headers.indexOf(name, at + 1)) {
    value += `,${headers.valueAt(at)}`;
  }
  return value;
}

class ValueMatcher {
  readonly name: string;
  readonly #exact: string;
  readonly #pattern: TextPattern | undefined;

  constructor(name: string, match: ValueMatch) {
    this.name = name;
    this.#exact = match.value;
    this.#pattern = match.regex ? compileTextPattern(match.value) : undefined;
  }

  matches(value: string | undefined): boolean {
    if (value === undefined) return false;
    return this.#pattern === undefined ? value === this.#exact : this.#pattern.matches(value);
  }
}

/** Gateway API: of several matches on one name only the first counts. */
function firstOfEachName(matches: readonly ValueMatch[], normalise: (name: string) => string): ValueMatcher[] {
  const seen = new Set<string>();
  const kept: ValueMatcher[] = [];
  for (const match of matches) {
    const name = normalise(match.name);
    if (seen.has(name)) continue;
    seen.add(name);
    kept.push(new ValueMatcher(name, match));
  }
  return kept;
}
