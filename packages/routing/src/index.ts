// L3: route matching, pure functions of (routes, request).

export { chooseBackend } from "./choose-backend.ts";
export type { CorsPolicy } from "./cors.ts";
export { compileHeaderModifier, type HeaderEdits } from "./header-edits.ts";
export type { PathEdit } from "./path-edit.ts";
export {
  compilePortRoutes,
  PortMatcher,
  type CompiledBackend,
  type CompiledRule,
  type RouteRequest,
} from "./port-matcher.ts";
export type { Redirect, RedirectedRequest } from "./redirect.ts";
export { takesMirror, type Rewrite, type RouteFilters } from "./route-filters.ts";
export { compileRoutes, RoutesMatcher } from "./routes-matcher.ts";
export { queryValue, splitTarget, type SplitTarget } from "./query.ts";
