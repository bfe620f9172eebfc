// Finds the handler of a request: exact segments and parameters, no regular expressions over input.

import type { IncomingMessage, ServerResponse } from "node:http";

import type { Failure } from "../failure.ts";
import type { ApiCaller } from "./access/api-caller.ts";

/** One request. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Values of the route's parameters, by name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Who calls. What a route needs as a whole is checked before; what depends on resources, its handler checks. */
  readonly caller: ApiCaller;
  /** What the audit log is to say of this call; the handler fills it in. */
  readonly facts: CallFacts;
}

/** What a call did. */
export interface CallFacts {
  /** The revision that it made; 0 when it made none. */
  revision: number;
  /** "HTTPRoute shop/catalog". */
  resources: readonly string[];
  /** The reason that the caller gave. */
  reason: string;
}

/** Answers a call itself, or returns why it failed. */
export type Handler = (call: Call) => Promise<Failure | undefined>;

/** A method, a path such as "/v1/resources/:kind/:namespace/:name", and who answers. */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly handler: Handler;
}

/** What a path leads to. */
export interface Match {
  /** As the route wrote it: "/v1/resources/:kind/:namespace/:name". */
  readonly path: string;
  readonly handlers: ReadonlyMap<string, Handler>;
  readonly params: Readonly<Record<string, string>>;
}

/** Routes by their segments. */
export class Router {
  readonly #routes: { readonly segments: readonly string[]; readonly handlers: Map<string, Handler> }[] = [];

  constructor(routes: Iterable<Route>) {
    for (const { method, path, handler } of routes) {
      const segments = path.split("/").slice(1);
      const known = this.#routes.find((route) => route.segments.join("/") === segments.join("/"));
      if (known) known.handlers.set(method, handler);
      else this.#routes.push({ segments, handlers: new Map([[method, handler]]) });
    }
  }

  /** The handlers of `path` by method, or undefined. A path that is not valid percent-encoding leads nowhere. */
  match(path: string): Match | undefined {
    const parts = path.split("/").slice(1);
    for (const { segments, handlers } of this.#routes) {
      if (segments.length !== parts.length) continue;
      const params = matchSegments(segments, parts);
      if (params !== undefined) return { path: `/${segments.join("/")}`, handlers, params };
    }
    return undefined;
  }
}

function matchSegments(
  segments: readonly string[],
  parts: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index] ?? "";
    if (!segment.startsWith(":")) {
      if (segment !== part) return undefined;
      continue;
    }
    try {
      params[segment.slice(1)] = decodeURIComponent(part);
    } catch {
      return undefined;
    }
    if (part === "") return undefined;
  }
  return params;
}
