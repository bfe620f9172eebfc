// TLSRoute, TCPRoute and UDPRoute: connections by server name or port; of UDP the statuses.

import type { Case, Manifest, Step } from "../case.ts";
import { gateway, grant, NAMESPACE, OTHER_NAMESPACE, resource } from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

const pass = (name: string, more: Part = {}): Part => ({
  ...{ name, port: 443, protocol: "TLS", hostname: "*.example", tls: { mode: "Passthrough" } },
  ...more,
});
const terminate = (name: string, more: Part = {}): Part =>
  pass(name, { tls: { mode: "Terminate", certificateRefs: [{ name: "certificate" }] }, ...more });
const tlsRoute = (
  name: string,
  to: Part,
  backends: readonly Part[],
  hostnames: readonly string[] = [`${name}.example`],
): Manifest => resource("TLSRoute", name, { parentRefs: [to], hostnames, rules: [{ backendRefs: backends }] });
const v = (name: string, more: Part = {}): Part => ({ name, port: 9002, ...more });
const t = (name: string, more: Part = {}): Part => ({ name, port: 9001, ...more });
const parentOf = (kind: string, name: string, ...conditions: readonly string[]): Step => ({
  status: `${kind} ${NAMESPACE}/${name}`,
  at: "parents.0",
  conditions,
});
const kinds = (name: string, of: string, kind: string): Step => ({
  status: `Gateway ${NAMESPACE}/${name}`,
  at: `listeners.${of}`,
  conditions: ["Accepted=True/Accepted"],
  fields: { supportedKinds: [{ group: "gateway.networking.k8s.io", kind }] },
});

/** Statuses that TCPRoute and UDPRoute have in common. */
function statusesOf(kind: "TCPRoute" | "UDPRoute", protocol: "TCP" | "UDP"): readonly Case[] {
  const low = protocol.toLowerCase();
  const made = (name: string, to: Part, backends: readonly Part[]): Manifest =>
    resource(kind, name, { parentRefs: [to], rules: [{ backendRefs: backends }] });
  const listeners = [
    { name: "one", port: 7001, protocol },
    { name: "two", port: 7002, protocol },
  ];
  const attached = (name: string, one: number, two: number): readonly Step[] => [
    { status: `Gateway ${NAMESPACE}/${name}`, at: "listeners.one", fields: { attachedRoutes: one } },
    { status: `Gateway ${NAMESPACE}/${name}`, at: "listeners.two", fields: { attachedRoutes: two } },
  ];
  return [
    {
      name: `${low}-no-backend`,
      holds: "a backend that is not there is BackendNotFound; the route stays accepted",
      features: [kind],
      rules: [16],
      tests: [`${kind}InvalidBackendRefNonexistent`],
      resources: [
        gateway(`${low}-no-backend`, listeners),
        made(`${low}-no-backend`, { name: `${low}-no-backend` }, [t("nowhere")]),
      ],
      steps: [parentOf(kind, `${low}-no-backend`, "Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound")],
    },
    {
      name: `${low}-no-grant`,
      holds: "a backend of another namespace needs a grant: RefNotPermitted, then resolved",
      features: [kind, "ReferenceGrant"],
      rules: [19],
      tests: [`${kind}InvalidCrossNamespaceBackendRef`, `${kind}ReferenceGrant`],
      resources: [
        gateway(`${low}-no-grant`, listeners),
        made(`${low}-no-grant`, { name: `${low}-no-grant` }, [t("web", { namespace: OTHER_NAMESPACE })]),
      ],
      steps: [
        parentOf(kind, `${low}-no-grant`, "Accepted=True/Accepted", "ResolvedRefs=False/RefNotPermitted"),
        { apply: [grant(`${low}-grant`, kind, { kind: "Service", name: "web" })] },
        parentOf(kind, `${low}-no-grant`, "Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"),
        { remove: `ReferenceGrant ${OTHER_NAMESPACE}/${low}-grant` },
        parentOf(kind, `${low}-no-grant`, "ResolvedRefs=False/RefNotPermitted"),
      ],
    },
    {
      name: `${low}-no-listener`,
      holds: `a parentRef that no listener fits is NoMatchingParent; one of another protocol is NotAllowedByListeners`,
      features: [kind],
      rules: [16],
      tests: [protocol === "TCP" ? "TCPRouteInvalidNonTCPListener" : "UDPRouteNotAllowedByListeners"],
      resources: [
        gateway(`${low}-no-listener`, [...listeners, pass("tls")]),
        made(`${low}-no-listener`, { name: `${low}-no-listener`, sectionName: "none" }, [t("v1")]),
        made(`${low}-other-listener`, { name: `${low}-no-listener`, sectionName: "tls" }, [t("v1")]),
      ],
      steps: [
        parentOf(kind, `${low}-no-listener`, "Accepted=False/NoMatchingParent"),
        parentOf(kind, `${low}-other-listener`, "Accepted=False/NotAllowedByListeners"),
        { status: `Gateway ${NAMESPACE}/${low}-no-listener`, at: "listeners.tls", fields: { attachedRoutes: 0 } },
      ],
    },
    {
      name: `${low}-attach-all`,
      holds: "a parentRef without section attaches to all listeners, one with section and port to that one",
      features: [kind],
      rules: [14],
      tests: [
        protocol === "TCP" ? "TCPRouteParentRefAttachAll" : "UDPRouteParentRefAttachAllListeners",
        `${kind}ParentRefPortAndSectionName`,
      ],
      resources: [
        gateway(`${low}-attach-all`, listeners),
        made(`${low}-attach-all`, { name: `${low}-attach-all` }, [t("v1")]),
        made(`${low}-attach-one`, { name: `${low}-attach-all`, sectionName: "two", port: 7002 }, [t("v1")]),
      ],
      steps: attached(`${low}-attach-all`, 1, 2),
    },
    {
      name: `${low}-two-routes`,
      holds: "two routes on one listener are both accepted",
      features: [kind],
      rules: [32],
      tests: [`${kind}MultipleRoutesAttachment`],
      resources: [
        gateway(`${low}-two-routes`, listeners),
        made(`${low}-two-routes-1`, { name: `${low}-two-routes`, sectionName: "one" }, [t("v1")]),
        made(`${low}-two-routes-2`, { name: `${low}-two-routes`, sectionName: "one" }, [t("v2")]),
      ],
      steps: [
        parentOf(kind, `${low}-two-routes-1`, "Accepted=True/Accepted"),
        parentOf(kind, `${low}-two-routes-2`, "Accepted=True/Accepted"),
        ...attached(`${low}-two-routes`, 2, 0),
      ],
    },
  ];
}

/** The cases. */
export const streams: readonly Case[] = [
  {
    name: "tls-passthrough",
    holds: "a TLSRoute passes connections on by server name, as they are",
    features: ["TLSRoute"],
    rules: [32],
    tests: ["TLSRouteSimpleSameNamespace", "TLSRouteListenerPassthroughSupportedKinds"],
    resources: [
      gateway("tls-passthrough", [pass("tls")]),
      tlsRoute("tls-passthrough", { name: "tls-passthrough" }, [v("v1")]),
    ],
    steps: [
      { ask: { via: "tls-passthrough", scheme: "tls" }, expect: { backend: "v1" } },
      { ask: { via: "tls-passthrough", scheme: "tls", host: "other.example" }, expect: { failed: true } },
      parentOf("TLSRoute", "tls-passthrough", "Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"),
      kinds("tls-passthrough", "tls", "TLSRoute"),
    ],
  },
  {
    name: "tls-terminate",
    holds: "a TLSRoute of a listener that ends TLS carries the bytes inside",
    features: ["TLSRouteModeTerminate"],
    rules: [32],
    tests: [
      "TLSRouteTerminateSimpleSameNamespace",
      "TLSRouteListenerTerminateSupportedKinds",
      "TLSRouteListenerTerminateNotSupported",
    ],
    resources: [
      gateway("tls-terminate", [terminate("tls")]),
      tlsRoute("tls-terminate", { name: "tls-terminate" }, [t("v1")]),
    ],
    steps: [
      { ask: { via: "tls-terminate", scheme: "tls" }, expect: { backend: "v1" } },
      kinds("tls-terminate", "tls", "TLSRoute"),
    ],
  },
  {
    name: "tls-mixed",
    holds: "listeners that pass TLS on and that end it share a port",
    features: ["TLSRouteModeMixed"],
    rules: [32],
    tests: ["TLSRouteMixedTerminationSameNamespace", "TLSRouteListenerMixedTerminationNotSupported"],
    resources: [
      gateway("tls-mixed", [
        pass("pass", { hostname: "tls-mixed-pass.example" }),
        terminate("end", { hostname: "tls-mixed-end.example" }),
      ]),
      tlsRoute("tls-mixed-pass", { name: "tls-mixed", sectionName: "pass" }, [v("v1")]),
      tlsRoute("tls-mixed-end", { name: "tls-mixed", sectionName: "end" }, [t("v2")]),
    ],
    steps: [
      { ask: { via: "tls-mixed", scheme: "tls", host: "tls-mixed-pass.example" }, expect: { backend: "v1" } },
      { ask: { via: "tls-mixed", scheme: "tls", host: "tls-mixed-end.example" }, expect: { backend: "v2" } },
    ],
  },
  {
    name: "tls-hostname-intersection",
    holds: "a TLSRoute works for the names that are its listener's too",
    features: ["TLSRoute"],
    rules: [7],
    tests: ["TLSRouteHostnameIntersection"],
    resources: [
      gateway("tls-intersection", [pass("tls", { hostname: "*.wild.io" })]),
      tlsRoute("tls-intersection", { name: "tls-intersection" }, [v("v1")], ["a.wild.io", "b.other.io"]),
    ],
    steps: [
      { ask: { via: "tls-intersection", scheme: "tls", host: "a.wild.io" }, expect: { backend: "v1" } },
      { ask: { via: "tls-intersection", scheme: "tls", host: "b.other.io" }, expect: { failed: true } },
      { ask: { via: "tls-intersection", scheme: "tls", host: "c.wild.io" }, expect: { failed: true } },
    ],
  },
  {
    name: "tls-bad-refs",
    holds:
      "backends that are missing or of unknown kind, listeners and names that do not fit, grants that do not: each has its reason",
    features: ["TLSRoute"],
    rules: [16, 17, 19],
    tests: [
      "TLSRouteInvalidBackendRefNonexistent",
      "TLSRouteInvalidBackendRefUnknownKind",
      "TLSRouteInvalidNoMatchingListener",
      "TLSRouteInvalidNoMatchingListenerHostname",
      "TLSRouteInvalidReferenceGrant",
    ],
    resources: [
      gateway("tls-bad", [pass("tls")]),
      tlsRoute("tls-bad-missing", { name: "tls-bad" }, [v("nowhere")]),
      tlsRoute("tls-bad-kind", { name: "tls-bad" }, [v("v1", { group: "example.com", kind: "Odd" })]),
      tlsRoute("tls-bad-section", { name: "tls-bad", sectionName: "none" }, [v("v1")]),
      tlsRoute("tls-bad-host", { name: "tls-bad" }, [v("v1")], ["elsewhere.org"]),
      tlsRoute("tls-bad-grant", { name: "tls-bad" }, [v("ungranted", { namespace: "conformance-closed" })]),
    ],
    steps: [
      parentOf("TLSRoute", "tls-bad-missing", "Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound"),
      parentOf("TLSRoute", "tls-bad-kind", "Accepted=True/Accepted", "ResolvedRefs=False/InvalidKind"),
      parentOf("TLSRoute", "tls-bad-section", "Accepted=False/NoMatchingParent"),
      parentOf("TLSRoute", "tls-bad-host", "Accepted=False/NoMatchingListenerHostname"),
      parentOf("TLSRoute", "tls-bad-grant", "Accepted=True/Accepted", "ResolvedRefs=False/RefNotPermitted"),
      { ask: { via: "tls-bad", scheme: "tls", host: "tls-bad-missing.example" }, expect: { failed: true } },
    ],
  },
  {
    name: "tls-needs-hostnames",
    holds: "a TLSRoute without host names is refused",
    features: ["TLSRoute"],
    rules: [32],
    steps: [
      {
        refused: resource("TLSRoute", "tls-needs-hostnames", {
          parentRefs: [{ name: "edge" }],
          rules: [{ backendRefs: [v("v1")] }],
        }),
        says: /hostnames/,
      },
    ],
  },
  {
    name: "tcp-traffic",
    holds:
      "a TCPRoute carries the connections of its listener, shares by weight; those of an invalid backend are refused",
    features: ["TCPRoute"],
    rules: [17, 32],
    tests: ["TCPRouteWeightedRouting"],
    resources: [
      gateway("tcp-traffic", [
        { name: "one", port: 7003, protocol: "TCP" },
        { name: "two", port: 7004, protocol: "TCP" },
      ]),
      resource("TCPRoute", "tcp-traffic", {
        parentRefs: [{ name: "tcp-traffic", sectionName: "one" }],
        rules: [{ backendRefs: [t("v1", { weight: 70 }), t("v2", { weight: 30 }), t("v3", { weight: 0 })] }],
      }),
      resource("TCPRoute", "tcp-half", {
        parentRefs: [{ name: "tcp-traffic", sectionName: "two" }],
        rules: [{ backendRefs: [t("v1"), t("nowhere")] }],
      }),
    ],
    steps: [
      { ask: { via: "tcp-traffic", scheme: "tcp", port: 7003 }, expect: { backend: ["v1", "v2"] } },
      {
        share: { via: "tcp-traffic", scheme: "tcp", port: 7003 },
        count: 300,
        of: { v1: 70, v2: 30, v3: 0 },
        within: 8,
      },
      { share: { via: "tcp-traffic", scheme: "tcp", port: 7004 }, count: 200, of: { v1: 50, "": 50 }, within: 9 },
    ],
  },
  ...statusesOf("TCPRoute", "TCP"),
  ...statusesOf("UDPRoute", "UDP"),
  {
    name: "udp-traffic",
    holds: "a UDPRoute carries datagrams, by weight",
    features: ["UDPRoute"],
    tests: ["UDPRoute", "UDPRouteWeightedRouting"],
    unsupported: "no proxy carries UDP yet",
    steps: [],
  },
];
