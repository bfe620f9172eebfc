// TCPRoute (gateway.networking.k8s.io/v1): where whole TCP connections of a Gateway or of a Service go.

import type { Kind, Resource } from "@ripstop/resources";
import { tcpRouteSchema } from "@ripstop/resources/gateway-api";

import type { StreamRouteSpec } from "../gateway/stream-route.ts";
import type { HttpRouteSpec } from "../http-route/spec.ts";

/** The kind TCPRoute. */
export const kind: Kind<StreamRouteSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1alpha2"],
  kind: "TCPRoute",
  plural: "tcproutes",
  shortNames: [],
  namespaced: true,
  schema: tcpRouteSchema,
  validate: () => [],
};

/** The route in the words of an HTTPRoute: everything to its backends, by weight. */
export function tcpAsHttpRoute(route: Resource<StreamRouteSpec>): Resource<HttpRouteSpec> {
  const { parentRefs = [], rules } = route.spec;
  const matches = [{ path: { type: "PathPrefix" as const, value: "/" } }];
  return { ...route, spec: { parentRefs, rules: rules.map((rule) => ({ ...rule, matches })) } };
}
