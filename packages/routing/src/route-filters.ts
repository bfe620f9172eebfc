// The filters of a rule, or of one of its backends, ready to apply.

import type { HttpRouteFilter, RequestMirror } from "@ripstop/model";
import { compileCors, type CorsPolicy } from "./cors.ts";
import { compileHeaderModifier, type HeaderEdits } from "./header-edits.ts";
import { compilePathEdit, type PathEdit } from "./path-edit.ts";
import { compileRedirect, type Redirect } from "./redirect.ts";

/** What a URL rewrite changes (Gateway API HTTPURLRewriteFilter). */
export interface Rewrite {
  /** "" leaves the request's. */
  readonly hostname: string;
  /** Undefined leaves the request's. */
  readonly path: PathEdit | undefined;
}

/** All filters in one place. */
export interface RouteFilters {
  readonly requestEdits: readonly HeaderEdits[];
  readonly responseEdits: readonly HeaderEdits[];
  readonly redirect: Redirect | undefined;
  readonly rewrite: Rewrite | undefined;
  readonly mirrors: readonly RequestMirror[];
  readonly cors: CorsPolicy | undefined;
}

/**
 * Makes filters ready; undefined when there are none, so that requests of plain rules look at nothing else. `prefix` is
 * the path prefix of the match that they belong to. A filter of a kind that is not known is left out.
 */
export function compileRouteFilters(filters: readonly HttpRouteFilter[], prefix: string): RouteFilters | undefined {
  if (filters.length === 0) return undefined;
  const requestEdits: HeaderEdits[] = [];
  const responseEdits: HeaderEdits[] = [];
  const mirrors: RequestMirror[] = [];
  let redirect: Redirect | undefined;
  let rewrite: Rewrite | undefined;
  let cors: CorsPolicy | undefined;
  for (const { filter } of filters) {
    switch (filter?.$case) {
      case "requestHeaders":
        requestEdits.push(compileHeaderModifier(filter.value));
        break;
      case "responseHeaders":
        responseEdits.push(compileHeaderModifier(filter.value));
        break;
      case "redirect":
        redirect = compileRedirect(filter.value, prefix);
        break;
      case "rewrite":
        rewrite = { hostname: filter.value.hostname, path: compilePathEdit(filter.value.path, prefix) };
        break;
      case "mirror":
        mirrors.push(filter.value);
        break;
      case "cors":
        cors = compileCors(filter.value);
        break;
      case undefined:
        break;
    }
  }
  return { requestEdits, responseEdits, redirect, rewrite, mirrors, cors };
}

/** Whether a request is copied; `random` is in [0, 1). */
export function takesMirror(mirror: RequestMirror, random: number): boolean {
  return random * mirror.denominator < mirror.numerator;
}
