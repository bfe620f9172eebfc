// All routes of one service, by port.

import type { Routes } from "@ripstop/model";
import { compilePortRoutes, type CompiledBackend, type CompiledRule, type PortMatcher } from "./port-matcher.ts";
import type { RouteFilters } from "./route-filters.ts";

/** The compiled routes of one service. */
export class RoutesMatcher {
  readonly #ports = new Map<number, PortMatcher>();
  /** Ports whose connections follow the first rule. */
  readonly #connections = new Set<number>();

  constructor(routes: Routes) {
    for (const entry of routes.ports) {
      if (entry.http.length === 0) continue;
      this.#ports.set(entry.port, compilePortRoutes(entry.http));
      if (entry.connections === true) this.#connections.add(entry.port);
    }
  }

  /** The routes of service port `port`, or undefined when none are attached: requests then go to the service itself. */
  forPort(port: number): PortMatcher | undefined {
    return this.#ports.get(port) ?? this.#ports.get(0);
  }

  /** Where whole connections to service port `port` go (a TCPRoute); undefined: to the service itself, or by request. */
  forConnections(port: number): CompiledRule | undefined {
    if (this.#connections.size === 0) return undefined;
    const found = this.#ports.has(port) ? port : 0;
    return this.#connections.has(found) ? this.#ports.get(found)?.rules[0] : undefined;
  }

  /** Every service that a rule names as a backend or to mirror to: "NAMESPACE/NAME", each once. */
  backendServices(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const matcher of this.#ports.values()) for (const rule of matcher.rules) addServices(rule, found);
    return found;
  }
}

/** Adds every service that a rule names as a backend or to mirror to. */
export function addServices(
  rule: { readonly backends: readonly CompiledBackend[]; readonly filters?: RouteFilters | undefined },
  found: Set<string>,
): void {
  addMirrors(rule.filters, found);
  for (const backend of rule.backends) {
    if (backend.service !== "") found.add(backend.service);
    addMirrors(backend.filters, found);
  }
}

function addMirrors(filters: RouteFilters | undefined, found: Set<string>): void {
  for (const { service } of filters?.mirrors ?? []) if (service !== "") found.add(service);
}

/** Compiles the routes of a service. */
export function compileRoutes(routes: Routes): RoutesMatcher {
  return new RoutesMatcher(routes);
}
