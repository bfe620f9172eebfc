// L3: route matching, pure functions of (routes, request).

export { chooseBackend } from "./choose-backend.ts";
export { compileHeaderModifier, type HeaderEdits } from "./header-edits.ts";
export { compilePortRoutes, PortMatcher, type CompiledRule, type RouteRequest } from "./port-matcher.ts";
export { compileRoutes, RoutesMatcher } from "./routes-matcher.ts";
export { splitTarget, type SplitTarget } from "./query.ts";
