// The routes of one gateway listener: what is attached, in the order of the Gateway API.

import type { GatewayRoute, HttpRule, StreamRule } from "@ripstop/model";
import {
  compileBackend,
  compileRule,
  type CompiledBackend,
  type CompiledRule,
  type RouteRequest,
} from "./port-matcher.ts";
import { RouteIndex, type IndexedRule } from "./route-index.ts";

/** One match of one rule of an attached route, with what decides its place. */
export interface AttachedRule {
  readonly rule: IndexedRule;
  readonly ranks: readonly number[];
  /** creationTimestamp of the route. */
  readonly created: string;
  /** "NAMESPACE/NAME" of the route. */
  readonly route: string;
  /** Place in the route. */
  readonly position: number;
}

/** The compiled rules of a route, made once however many listeners it is attached to. */
export function compileGatewayRoute(route: GatewayRoute): readonly AttachedRule[] {
  const name = routeOf(route.name);
  return route.http.map((rule: HttpRule, position) => ({
    rule: compileRule({ ...rule, hostnames: [] }),
    ranks: rule.precedence?.ranks ?? [],
    created: route.created,
    route: name,
    position,
  }));
}

/** "NAMESPACE/NAME" of the route that a GatewayRoute is of. */
export function routeOf(name: string): string {
  return name.split("/").slice(-2).join("/");
}

/** Negative when `a` goes first: by rank, then the older route, then by name, then by place in the route. */
export function compareAttached(a: AttachedRule, b: AttachedRule): number {
  const count = Math.max(a.ranks.length, b.ranks.length);
  for (let at = 0; at < count; at++) {
    const difference = (b.ranks[at] ?? 0) - (a.ranks[at] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  if (a.route !== b.route) return a.route < b.route ? -1 : 1;
  return a.position - b.position;
}

/** The HTTP rules of one listener; changes one route at a time. */
export class ListenerRoutes {
  readonly #index = new RouteIndex<AttachedRule>(compareAttached, true);

  /** Attaches the rules of a route under host names; none means all that the listener takes. */
  attach(rules: readonly AttachedRule[], hostnames: readonly string[]): void {
    for (const rule of rules) this.#index.add(rule, hostnames);
  }

  /** Takes them away again; the same arguments as when they were attached. */
  detach(rules: readonly AttachedRule[], hostnames: readonly string[]): void {
    for (const rule of rules) this.#index.remove(rule, hostnames);
  }

  /** The rule that decides, or undefined (a 404). */
  match(request: RouteRequest): CompiledRule | undefined {
    return this.#index.match(request)?.rule;
  }
}

/**
 * How well a listener or route with `hostname` ("" for all) fits a host: 0 not at all; an exact name before a wildcard, a
 * longer wildcard before a shorter one, anything before "".
 */
export function hostnameFit(hostname: string, host: string): number {
  if (hostname === "") return 1;
  if (!hostname.startsWith("*.")) return hostname === host ? Number.MAX_SAFE_INTEGER : 0;
  const suffix = hostname.slice(1);
  return host.length > suffix.length && host.endsWith(suffix) ? 1 + suffix.length : 0;
}

/** Where whole connections go, ready to choose from. */
export interface CompiledStreamRule {
  readonly source: string;
  readonly backends: readonly CompiledBackend[];
  readonly totalWeight: number;
}

/** Makes a rule for connections ready. */
export function compileStreamRule({ source, backends }: StreamRule): CompiledStreamRule {
  return {
    source,
    backends: backends.map((backend) => compileBackend(backend, "/")),
    totalWeight: backends.reduce((sum, { weight }) => sum + weight, 0),
  };
}
