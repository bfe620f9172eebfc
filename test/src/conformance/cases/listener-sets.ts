// ListenerSets: listeners that others add to a Gateway.

import type { Case, Manifest } from "../case.ts";
import { gateway, http, httpRoute, https, NAMESPACE, OTHER_NAMESPACE, resource, rule } from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

const open = (from: string, more: Part = {}): Part => ({ allowedListeners: { namespaces: { from, ...more } } });
const set = (name: string, to: string, listeners: readonly Part[], namespace: string = NAMESPACE): Manifest =>
  resource(
    "ListenerSet",
    name,
    {
      parentRef: { name: to, namespace: NAMESPACE },
      listeners: listeners.map((one) => ({ allowedRoutes: { namespaces: { from: "All" } }, ...one })),
    },
    { namespace },
  );
const toSet = (name: string, section?: string, namespace: string = NAMESPACE): Part => ({
  kind: "ListenerSet",
  name,
  namespace,
  ...(section === undefined ? {} : { sectionName: section }),
});
const whole = (
  name: string,
  conditions: readonly string[],
  namespace: string = NAMESPACE,
): { status: string; conditions: readonly string[] } => ({
  status: `ListenerSet ${namespace}/${name}`,
  conditions,
});
const own = http("own", { port: 8081 });
const one = http("one", { hostname: "*.example" });

function notAllowed(name: string, test: string, more: Part): Case {
  return {
    name,
    holds: "a Gateway that does not allow the ListenerSet's namespace refuses it: NotAllowed, no traffic",
    features: ["ListenerSet"],
    rules: [11],
    tests: [test],
    resources: [gateway(name, [own], more), set(name, name, [one], OTHER_NAMESPACE)],
    steps: [
      whole(name, ["Accepted=False/NotAllowed"], OTHER_NAMESPACE),
      { ask: { via: name }, expect: { failed: true } },
      { status: `Gateway ${NAMESPACE}/${name}`, conditions: ["Accepted=True"], fields: { attachedListenerSets: 0 } },
    ],
  };
}

/** The cases. */
export const listenerSets: readonly Case[] = [
  {
    name: "listener-set-http",
    holds: "a ListenerSet's listeners carry its routes' traffic; the Gateway counts the set",
    features: ["ListenerSet"],
    rules: [11],
    tests: ["ListenerSetHTTPRouting"],
    resources: [
      gateway("listener-set-http", [own], open("All")),
      set("listener-set-http", "listener-set-http", [one, http("two", { port: 8080 })]),
      httpRoute("listener-set-http", [rule("v1")], { parentRefs: [toSet("listener-set-http", "one")] }),
      httpRoute("listener-set-two", [rule("v2")], { parentRefs: [toSet("listener-set-http", "two")] }),
      httpRoute("listener-set-own", [rule("v3")], { parentRefs: [{ name: "listener-set-http" }] }),
    ],
    steps: [
      { ask: { via: "listener-set-http" }, expect: { backend: "v1" } },
      { ask: { via: "listener-set-http", port: 8080, host: "listener-set-two.example" }, expect: { backend: "v2" } },
      { ask: { via: "listener-set-http", port: 8081, host: "listener-set-own.example" }, expect: { backend: "v3" } },
      { ask: { via: "listener-set-http", host: "listener-set-own.example" }, expect: { status: 404 } },
      { ...whole("listener-set-http", ["Accepted=True/Accepted", "Programmed=True/Programmed"]) },
      { status: "Gateway conformance/listener-set-http", fields: { attachedListenerSets: 1 } },
    ],
  },
  notAllowed("listener-set-default", "ListenerSetDefaultNotAllowed", {}),
  notAllowed("listener-set-none", "ListenerSetAllowedNamespaceNone", open("None")),
  notAllowed("listener-set-same", "ListenerSetAllowedNamespaceSame", open("Same")),
  {
    name: "listener-set-selector",
    holds: "a Gateway can allow namespaces by their labels",
    features: ["ListenerSet"],
    rules: [11],
    tests: ["ListenerSetAllowedNamespaceSelector"],
    resources: [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: OTHER_NAMESPACE, labels: { team: "web" } } },
      gateway("listener-set-selector", [own], open("Selector", { selector: { matchLabels: { team: "web" } } })),
      set("listener-set-selector", "listener-set-selector", [one], OTHER_NAMESPACE),
      set("listener-set-unselected", "listener-set-selector", [http("one", { port: 8080 })]),
      httpRoute("listener-set-selector", [rule("v1")], {
        parentRefs: [toSet("listener-set-selector", undefined, OTHER_NAMESPACE)],
      }),
    ],
    steps: [
      { ask: { via: "listener-set-selector" }, expect: { backend: "v1" } },
      whole("listener-set-selector", ["Accepted=True/Accepted"], OTHER_NAMESPACE),
      whole("listener-set-unselected", ["Accepted=False/NotAllowed"]),
    ],
  },
  {
    name: "listener-set-route-namespaces",
    holds: "a set's listener takes routes of its own namespace unless it says otherwise",
    features: ["ListenerSet"],
    rules: [11],
    tests: ["ListenerSetAllowedRoutesNamespaces"],
    resources: [
      gateway("listener-set-route-ns", [own], open("All")),
      set("listener-set-route-ns", "listener-set-route-ns", [
        http("one", { allowedRoutes: { namespaces: { from: "Same" } } }),
      ]),
      httpRoute("ls-ns-same", [rule("v1")], { parentRefs: [toSet("listener-set-route-ns")] }),
      httpRoute(
        "ls-ns-other",
        [rule("web")],
        { parentRefs: [toSet("listener-set-route-ns")] },
        { namespace: OTHER_NAMESPACE },
      ),
    ],
    steps: [
      { ask: { via: "listener-set-route-ns", host: "ls-ns-same.example" }, expect: { backend: "v1" } },
      { ask: { via: "listener-set-route-ns", host: "ls-ns-other.example" }, expect: { status: 404 } },
      {
        status: `HTTPRoute ${OTHER_NAMESPACE}/ls-ns-other`,
        at: "parents.0",
        conditions: ["Accepted=False/NotAllowedByListeners"],
      },
    ],
  },
  {
    name: "listener-set-kinds",
    holds: "supportedKinds of a set's listener are those of its protocol that it asks for",
    features: ["ListenerSet"],
    rules: [11, 13],
    tests: ["ListenerSetAllowedRoutesSupportedKinds"],
    resources: [
      gateway("listener-set-kinds", [own], open("All")),
      set("listener-set-kinds", "listener-set-kinds", [
        http("one", { allowedRoutes: { kinds: [{ kind: "HTTPRoute" }, { kind: "Odd" }] } }),
      ]),
    ],
    steps: [
      {
        status: "ListenerSet conformance/listener-set-kinds",
        at: "listeners.one",
        conditions: ["ResolvedRefs=False/InvalidRouteKinds"],
        fields: { supportedKinds: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }] },
      },
    ],
  },
  {
    name: "listener-set-two-parents",
    holds: "a route of Gateway and ListenerSet is judged for each by itself, with an entry each",
    features: ["ListenerSet"],
    rules: [11, 15],
    tests: ["ListenerSetDualParentRefIndependence", "ListenerSetRouteStatusScopedToParentRef"],
    resources: [
      gateway("listener-set-dual", [http("own", { port: 8081, hostname: "other.test" })], open("All")),
      set("listener-set-dual", "listener-set-dual", [one]),
      httpRoute("listener-set-two-parents", [rule("v1")], {
        parentRefs: [{ name: "listener-set-dual" }, toSet("listener-set-dual")],
      }),
    ],
    steps: [
      { ask: { via: "listener-set-dual" }, expect: { backend: "v1" } },
      {
        status: "HTTPRoute conformance/listener-set-two-parents",
        at: "parents.0",
        conditions: ["Accepted=False/NoMatchingListenerHostname"],
        fields: { "parentRef.kind": "Gateway" },
      },
      {
        status: "HTTPRoute conformance/listener-set-two-parents",
        at: "parents.1",
        conditions: ["Accepted=True/Accepted"],
        fields: { "parentRef.kind": "ListenerSet" },
      },
    ],
  },
  {
    name: "listener-set-section",
    holds: "a route of the Gateway does not see the sections of its ListenerSets",
    features: ["ListenerSet"],
    rules: [11],
    tests: ["ListenerSetGatewayParentSectionNameNotFound"],
    resources: [
      gateway("listener-set-section", [own], open("All")),
      set("listener-set-section", "listener-set-section", [one]),
      httpRoute("listener-set-section", [rule("v1")], {
        parentRefs: [{ name: "listener-set-section", sectionName: "one" }],
      }),
    ],
    steps: [
      {
        status: "HTTPRoute conformance/listener-set-section",
        at: "parents.0",
        conditions: ["Accepted=False/NoMatchingParent"],
      },
      { ask: { via: "listener-set-section" }, expect: { status: 404 } },
    ],
  },
  {
    name: "listener-set-hostname-conflict",
    holds:
      "of two listeners that are the same the earlier wins: the Gateway's, then sets by age and name; the later is Conflicted",
    features: ["ListenerSet"],
    rules: [11],
    tests: ["ListenerSetHostnameConflict"],
    resources: [
      gateway("listener-set-conflict", [http("own", { hostname: "own.test" })], open("All")),
      set("listener-set-conflict-a", "listener-set-conflict", [
        http("same", { hostname: "own.test" }),
        http("first", { hostname: "listener-set-hostname-conflict.example" }),
      ]),
      set("listener-set-conflict-b", "listener-set-conflict", [
        http("second", { hostname: "listener-set-hostname-conflict.example" }),
      ]),
      httpRoute("listener-set-hostname-conflict", [rule("v1")], {
        parentRefs: [toSet("listener-set-conflict-a", "first")],
      }),
    ],
    steps: [
      { ask: { via: "listener-set-conflict" }, expect: { backend: "v1" } },
      whole("listener-set-conflict-a", ["Accepted=True/ListenersNotValid"]),
      {
        status: "ListenerSet conformance/listener-set-conflict-a",
        at: "listeners.same",
        conditions: [
          "Conflicted=True/HostnameConflict",
          "Accepted=False/HostnameConflict",
          "Programmed=False/HostnameConflict",
        ],
      },
      {
        status: "ListenerSet conformance/listener-set-conflict-a",
        at: "listeners.first",
        conditions: ["Accepted=True/Accepted"],
      },
      whole("listener-set-conflict-b", ["Accepted=False/ListenersNotValid"]),
      { status: "Gateway conformance/listener-set-conflict", fields: { attachedListenerSets: 1 } },
    ],
  },
  {
    name: "listener-set-protocol-conflict",
    holds:
      "a listener of another protocol on a port that is taken is Conflicted, ProtocolConflict; the earlier goes on",
    features: ["ListenerSet"],
    rules: [11],
    tests: ["ListenerSetProtocolConflict"],
    resources: [
      gateway("listener-set-protocol", [http("own")], open("All")),
      set("listener-set-protocol", "listener-set-protocol", [{ name: "tcp", port: 80, protocol: "TCP" }]),
      httpRoute("listener-set-protocol-conflict", [rule("v1")], { parentRefs: [{ name: "listener-set-protocol" }] }),
    ],
    steps: [
      { ask: { via: "listener-set-protocol" }, expect: { backend: "v1" } },
      {
        status: "ListenerSet conformance/listener-set-protocol",
        at: "listeners.tcp",
        conditions: ["Conflicted=True/ProtocolConflict", "Accepted=False/ProtocolConflict"],
      },
    ],
  },
  {
    name: "listener-set-secret",
    holds: "a Secret of another namespace than the set's needs a grant for kind ListenerSet",
    features: ["ListenerSet", "ReferenceGrant"],
    rules: [11, 19],
    tests: ["ListenerSetReferenceGrant"],
    resources: [
      gateway("listener-set-secret", [own], open("All")),
      set(
        "listener-set-secret",
        "listener-set-secret",
        [{ ...https("https"), tls: { certificateRefs: [{ name: "certificate", namespace: NAMESPACE }] } }],
        OTHER_NAMESPACE,
      ),
    ],
    steps: [
      {
        status: `ListenerSet ${OTHER_NAMESPACE}/listener-set-secret`,
        at: "listeners.https",
        conditions: ["ResolvedRefs=False/RefNotPermitted", "Programmed=False"],
      },
      {
        apply: [
          resource("ReferenceGrant", "listener-set-secret", {
            from: [{ group: "gateway.networking.k8s.io", kind: "ListenerSet", namespace: OTHER_NAMESPACE }],
            to: [{ group: "", kind: "Secret", name: "certificate" }],
          }),
        ],
      },
      {
        status: `ListenerSet ${OTHER_NAMESPACE}/listener-set-secret`,
        at: "listeners.https",
        conditions: ["ResolvedRefs=True/ResolvedRefs", "Programmed=True/Programmed"],
      },
    ],
  },
];
