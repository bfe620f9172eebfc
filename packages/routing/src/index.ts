// L3: route matching, pure functions of (routes, request).

export { chooseBackend } from "./choose-backend.ts";
export { addServices } from "./routes-matcher.ts";
export type { CorsPolicy } from "./cors.ts";
export {
  compareAttached,
  compileGatewayRoute,
  compileStreamRule,
  hostnameFit,
  ListenerRoutes,
  routeOf,
  type AttachedRule,
  type CompiledStreamRule,
} from "./gateway-routes.ts";
export { compileHeaderModifier, type HeaderEdits } from "./header-edits.ts";
export type { PathEdit } from "./path-edit.ts";
export {
  compilePortRoutes,
  compileRule,
  PortMatcher,
  type CompiledBackend,
  type CompiledRule,
  type RouteRequest,
} from "./port-matcher.ts";
export type { Redirect, RedirectedRequest } from "./redirect.ts";
export { takesMirror, type Rewrite, type RouteFilters } from "./route-filters.ts";
export { compileRoutes, RoutesMatcher } from "./routes-matcher.ts";
export { RouteIndex, type EntryOrder, type IndexedRule, type IndexEntry, type PathKind } from "./route-index.ts";
export { queryValue, splitTarget, type SplitTarget } from "./query.ts";
