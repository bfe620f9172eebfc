// HTTPRoute: what it attaches to, where it leads, and what its status says when that does not work.

import type { Case } from "../case.ts";
import {
  gateway,
  grant,
  http,
  httpRoute,
  NAMESPACE,
  OTHER_NAMESPACE,
  parent,
  path,
  resource,
  rule,
  to,
  plainService,
} from "../manifests.ts";

const ACCEPTED = "Accepted=True/Accepted";
const RESOLVED = "ResolvedRefs=True/ResolvedRefs";

/** The cases. */
export const httpRefs: readonly Case[] = [
  {
    name: "cross-namespace",
    holds: "a route of another namespace attaches where the listener allows it, with its own namespace's backends",
    features: ["HTTPRoute"],
    tests: ["HTTPRouteCrossNamespace"],
    resources: [httpRoute("cross-namespace", [rule("web")], {}, { namespace: OTHER_NAMESPACE })],
    steps: [
      { ask: {}, expect: { backend: "web" } },
      { status: `HTTPRoute ${OTHER_NAMESPACE}/cross-namespace`, at: "parents.0", conditions: [ACCEPTED, RESOLVED] },
    ],
  },
  {
    name: "not-allowed-namespace",
    holds: "a listener takes routes of its own namespace only, unless it says otherwise",
    features: ["HTTPRoute"],
    rules: [16],
    tests: ["HTTPRouteInvalidCrossNamespaceParentRef"],
    resources: [
      resource("Gateway", "not-allowed-namespace", { gatewayClassName: "ripstop", listeners: [http("http")] }),
      httpRoute(
        "not-allowed-namespace",
        [rule("web")],
        { parentRefs: [{ name: "not-allowed-namespace", namespace: NAMESPACE }] },
        { namespace: OTHER_NAMESPACE },
      ),
    ],
    steps: [
      { ask: { via: "not-allowed-namespace" }, expect: { status: 404 } },
      {
        status: `HTTPRoute ${OTHER_NAMESPACE}/not-allowed-namespace`,
        at: "parents.0",
        conditions: ["Accepted=False/NotAllowedByListeners", RESOLVED],
      },
      { status: "Gateway conformance/not-allowed-namespace", at: "listeners.http", fields: { attachedRoutes: 0 } },
    ],
  },
  {
    name: "disallowed-kind",
    holds: "a listener that takes other kinds only refuses a route by its kind",
    features: ["HTTPRoute"],
    rules: [16],
    tests: ["HTTPRouteDisallowedKind"],
    resources: [
      gateway("disallowed-kind", [http("http", { allowedRoutes: { kinds: [{ kind: "GRPCRoute" }] } })]),
      httpRoute("disallowed-kind", [rule("v1")], { parentRefs: [{ name: "disallowed-kind" }] }),
    ],
    steps: [
      parent("HTTPRoute", "disallowed-kind", "Accepted=False/NotAllowedByListeners"),
      { ask: { via: "disallowed-kind" }, expect: { status: 404 } },
    ],
  },
  {
    name: "no-matching-section",
    holds: "a sectionName that no listener has is NoMatchingParent",
    features: ["HTTPRoute"],
    rules: [16],
    tests: ["HTTPRouteInvalidParentRefNotMatchingSectionName"],
    resources: [
      httpRoute("no-matching-section", [rule("v1")], { parentRefs: [{ name: "edge", sectionName: "none" }] }),
    ],
    steps: [
      parent("HTTPRoute", "no-matching-section", "Accepted=False/NoMatchingParent"),
      { ask: {}, expect: { status: 404 } },
    ],
  },
  {
    name: "no-matching-port",
    holds: "a port that no listener has is NoMatchingParent",
    features: ["HTTPRouteParentRefPort"],
    rules: [16],
    tests: ["HTTPRouteInvalidParentRefNotMatchingListenerPort"],
    resources: [httpRoute("no-matching-port", [rule("v1")], { parentRefs: [{ name: "edge", port: 81 }] })],
    steps: [
      parent("HTTPRoute", "no-matching-port", "Accepted=False/NoMatchingParent"),
      { ask: {}, expect: { status: 404 } },
    ],
  },
  {
    name: "section-and-port",
    holds: "sectionName and port must fit one and the same listener",
    features: ["HTTPRouteParentRefPort"],
    rules: [16],
    tests: ["HTTPRouteInvalidParentRefSectionNameNotMatchingPort"],
    resources: [
      httpRoute("section-and-port", [rule("v1")], { parentRefs: [{ name: "edge", sectionName: "http", port: 8080 }] }),
    ],
    steps: [
      parent("HTTPRoute", "section-and-port", "Accepted=False/NoMatchingParent"),
      { ask: { port: 8080 }, expect: { status: 404 } },
    ],
  },
  {
    name: "backend-unknown-kind",
    holds: "a backend of an unknown kind is InvalidKind and 500; the route is accepted all the same",
    features: ["HTTPRoute"],
    rules: [16, 17],
    tests: ["HTTPRouteInvalidBackendRefUnknownKind"],
    resources: [
      httpRoute("backend-unknown-kind", [
        { backendRefs: [{ group: "unknown.example", kind: "Nonsense", name: "v1", port: 8080 }] },
      ]),
    ],
    steps: [
      parent("HTTPRoute", "backend-unknown-kind", ACCEPTED, "ResolvedRefs=False/InvalidKind"),
      { ask: {}, expect: { status: 500 } },
    ],
  },
  {
    name: "backend-not-found",
    holds: "a backend that is not there is BackendNotFound and 500; the route is accepted all the same",
    features: ["HTTPRoute"],
    rules: [16, 17],
    tests: ["HTTPRouteInvalidNonExistentBackendRef"],
    resources: [httpRoute("backend-not-found", [rule("nowhere")])],
    steps: [
      parent("HTTPRoute", "backend-not-found", ACCEPTED, "ResolvedRefs=False/BackendNotFound"),
      { ask: {}, expect: { status: 500 } },
    ],
  },
  {
    name: "backend-not-granted",
    holds: "a backend of another namespace without a grant is RefNotPermitted and 500",
    features: ["HTTPRoute", "ReferenceGrant"],
    rules: [16, 19],
    tests: ["HTTPRouteInvalidCrossNamespaceBackendRef"],
    resources: [
      httpRoute("backend-not-granted", [{ backendRefs: [to("ungranted", { namespace: "conformance-closed" })] }]),
    ],
    steps: [
      parent("HTTPRoute", "backend-not-granted", ACCEPTED, "ResolvedRefs=False/RefNotPermitted"),
      { ask: {}, expect: { status: 500 } },
    ],
  },
  {
    name: "invalid-grants",
    holds: "grants that differ in namespace, kind, group, name or place grant nothing",
    features: ["ReferenceGrant"],
    rules: [19],
    tests: ["HTTPRouteInvalidReferenceGrant"],
    resources: [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "guarded", namespace: OTHER_NAMESPACE },
        spec: { selector: { app: "backend-web" }, ports: [{ port: 8080, targetPort: "web-port" }] },
      },
      grant("wrong-name", "HTTPRoute", { kind: "Service", name: "other" }),
      grant("wrong-kind", "GRPCRoute", { kind: "Service", name: "guarded" }),
      grant("wrong-target", "HTTPRoute", { kind: "Secret", name: "guarded" }),
      grant("wrong-place", "HTTPRoute", { kind: "Service" }, { namespace: NAMESPACE }),
      resource(
        "ReferenceGrant",
        "wrong-from",
        {
          from: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "elsewhere" }],
          to: [{ group: "", kind: "Service", name: "guarded" }],
        },
        { namespace: OTHER_NAMESPACE },
      ),
      httpRoute("invalid-grants", [{ backendRefs: [to("guarded", { namespace: OTHER_NAMESPACE })] }]),
    ],
    steps: [
      parent("HTTPRoute", "invalid-grants", ACCEPTED, "ResolvedRefs=False/RefNotPermitted"),
      { ask: {}, expect: { status: 500 } },
    ],
  },
  {
    name: "partially-invalid",
    holds: "the rule with the backend that is not granted fails with 500, the other works",
    features: ["ReferenceGrant"],
    rules: [17, 19],
    tests: ["HTTPRoutePartiallyInvalidViaInvalidReferenceGrant"],
    resources: [
      httpRoute("partially-invalid", [
        { matches: [path("PathPrefix", "/v2")], backendRefs: [to("ungranted", { namespace: "conformance-closed" })] },
        rule("v1"),
      ]),
    ],
    steps: [
      parent("HTTPRoute", "partially-invalid", ACCEPTED, "ResolvedRefs=False/RefNotPermitted"),
      { ask: {}, expect: { backend: "v1" } },
      { ask: { path: "/v2" }, expect: { status: 500 } },
    ],
  },
  {
    name: "reference-grant",
    holds: "a grant lets traffic to another namespace through; without it, later, the traffic stops",
    features: ["ReferenceGrant"],
    rules: [19],
    tests: ["HTTPRouteReferenceGrant"],
    resources: [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "granted", namespace: OTHER_NAMESPACE },
        spec: { selector: { app: "backend-web" }, ports: [{ port: 8080, targetPort: "web-port" }] },
      },
      grant("reference-grant", "HTTPRoute", { kind: "Service", name: "granted" }),
      httpRoute("reference-grant", [{ backendRefs: [to("granted", { namespace: OTHER_NAMESPACE })] }]),
    ],
    steps: [
      { ask: {}, expect: { backend: "web" } },
      parent("HTTPRoute", "reference-grant", ACCEPTED, RESOLVED),
      { remove: `ReferenceGrant ${OTHER_NAMESPACE}/reference-grant` },
      { ask: {}, expect: { status: 500 } },
      parent("HTTPRoute", "reference-grant", ACCEPTED, "ResolvedRefs=False/RefNotPermitted"),
    ],
  },
  {
    name: "no-backend-refs",
    holds: "a rule without backends and without a filter that answers is a 500",
    features: ["HTTPRoute"],
    rules: [17],
    tests: ["HTTPRouteNoBackendRefs"],
    resources: [httpRoute("no-backend-refs", [{ matches: [path("PathPrefix", "/")] }])],
    steps: [{ ask: {}, expect: { status: 500 } }, parent("HTTPRoute", "no-backend-refs", ACCEPTED)],
  },
  {
    name: "invalid-share",
    holds: "of two equal backends, one invalid, half of the requests fail with 500",
    features: ["HTTPRoute"],
    rules: [17],
    resources: [httpRoute("invalid-share", [{ backendRefs: [to("v1"), to("nowhere")] }])],
    steps: [
      { ask: {}, expect: { status: [200, 500] } },
      { share: {}, count: 300, of: { v1: 50, "": 50 }, within: 8 },
      { ask: { path: "/x" }, expect: { status: [200, 500] } },
    ],
  },
  {
    name: "no-ready-endpoints",
    holds: "a Service without instances is a 503",
    features: ["HTTPRoute"],
    rules: [17],
    resources: [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "empty", namespace: NAMESPACE },
        spec: { selector: { app: "nobody" }, ports: [{ port: 8080 }] },
      },
      httpRoute("no-ready-endpoints", [rule("empty")]),
    ],
    steps: [{ ask: {}, expect: { status: 503 } }, parent("HTTPRoute", "no-ready-endpoints", ACCEPTED, RESOLVED)],
  },
  {
    name: "weight-zero",
    holds: "a weight of 0 gets nothing, no weight is 1",
    features: ["HTTPRoute"],
    rules: [17],
    tests: ["HTTPRouteWeight"],
    resources: [
      httpRoute("weight-zero", [
        { backendRefs: [to("v1", { weight: 70 }), to("v2", { weight: 30 }), to("v3", { weight: 0 })] },
      ]),
      httpRoute("weight-default", [{ backendRefs: [to("v1"), to("v2")] }]),
    ],
    steps: [
      { ask: {}, expect: { backend: ["v1", "v2"] } },
      { share: {}, count: 500, of: { v1: 70, v2: 30, v3: 0 } },
      { ask: { host: "weight-default.example" }, expect: {} },
      { share: { host: "weight-default.example" }, count: 500, of: { v1: 50, v2: 50 } },
    ],
  },
  {
    name: "route-generation",
    holds: "conditions are of the route's new generation after a change",
    features: ["HTTPRoute"],
    rules: [15, 18],
    tests: ["HTTPRouteObservedGenerationBump"],
    resources: [httpRoute("route-generation", [rule("v1")])],
    steps: [
      parent("HTTPRoute", "route-generation", ACCEPTED, RESOLVED),
      { apply: [httpRoute("route-generation", [rule("v2")])] },
      parent("HTTPRoute", "route-generation", ACCEPTED, RESOLVED, "!PartiallyInvalid"),
      { ask: {}, expect: { backend: "v2" } },
      { apply: [httpRoute("route-generation", [rule("nowhere")])] },
      parent("HTTPRoute", "route-generation", ACCEPTED, "ResolvedRefs=False/BackendNotFound"),
    ],
  },
  {
    name: "service-types",
    holds: "headless Services can be backends as others can",
    features: ["HTTPRoute"],
    tests: ["HTTPRouteServiceTypes"],
    resources: [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "headless", namespace: NAMESPACE },
        spec: { clusterIP: "None", selector: { app: "backend-v2" }, ports: [{ port: 8080, targetPort: "v2-port" }] },
      },
      httpRoute("service-types", [rule("headless")]),
    ],
    steps: [{ ask: {}, expect: { backend: "v2" } }],
  },
  {
    name: "manual-endpoints",
    holds: "Services with EndpointSlices written by hand can be backends",
    features: ["HTTPRoute"],
    tests: ["HTTPRouteServiceTypes"],
    resources: [...plainService("manual-endpoints", "v1"), httpRoute("manual-endpoints", [rule("manual-endpoints")])],
    steps: [
      { ask: {}, expect: { backend: "v1", got: { "x-ripstop-source-identity": null } } },
      { apply: plainService("manual-endpoints", "v2") },
      { ask: {}, expect: { backend: "v2" } },
      { remove: `EndpointSlice ${NAMESPACE}/manual-endpoints` },
      { ask: {}, expect: { status: 503 } },
    ],
  },
];
