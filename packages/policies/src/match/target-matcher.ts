// Proxy side: for which requests of a gateway a policy is.

import type { RequestInfo } from "@ripstop/policy-api/proxy";

import type { Target } from "./config.gen.ts";

/** Whether one of the targets is met; without targets the policy is for all that reaches its workload. */
export function meetsTargets(targets: readonly Target[], request: RequestInfo): boolean {
  if (targets.length === 0) return true;
  for (let at = 0; at < targets.length; at++) {
    const target = targets[at];
    if (target === undefined) continue;
    if (target.route !== "" ? isOfRoute(request.route, target.route) : isOfListener(request, target)) return true;
  }
  return false;
}

function isOfListener({ gateway, listener }: RequestInfo, target: Target): boolean {
  return gateway !== "" && gateway === target.gateway && (target.listener === "" || target.listener === listener);
}

/** `source` is a rule's: the route, a space, and where in the route. */
function isOfRoute(source: string, route: string): boolean {
  return source.startsWith(route) && (source.length === route.length || source.charAt(route.length) === " ");
}
