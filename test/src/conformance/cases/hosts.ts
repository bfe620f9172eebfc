// Host names, listeners and TLS names: which listener and which route a request belongs to.

import type { Case, Step } from "../case.ts";
import { gateway, http, httpRoute, https, listener, parent, path, rule } from "../manifests.ts";

const at = (name: string, sectionName?: string): Readonly<Record<string, unknown>> => ({
  parentRefs: [{ name, ...(sectionName === undefined ? {} : { sectionName }) }],
});

/** Status of a request by server name and host, as the table of upstream's misdirected requests has it. */
function misdirected(sni: string, host: string, status: number, backend?: string): Step {
  return {
    ask: { via: "misdirected", scheme: "https", sni, host },
    expect: { status, ...(backend === undefined ? {} : { backend }) },
  };
}

/** The cases. */
export const hosts: readonly Case[] = [
  {
    name: "host-precedence",
    holds:
      "the most specific host name decides before any match does; the Host's port counts for nothing and is sent on",
    features: ["HTTPRoute"],
    rules: [2, 6],
    tests: ["HTTPRouteListenerHostnameMatching"],
    resources: [
      gateway("host-precedence", [http("all")]),
      httpRoute("host-precedence-exact", [rule("v1")], {
        ...at("host-precedence"),
        hostnames: ["very.specific.example.com"],
      }),
      httpRoute("host-precedence-wide", [rule("v2", path("Exact", "/exact")), rule("v2")], {
        ...at("host-precedence"),
        hostnames: ["*.example.com"],
      }),
      httpRoute("host-precedence-wider", [rule("v3")], {
        ...at("host-precedence"),
        hostnames: ["*.specific.example.com"],
      }),
    ],
    steps: [
      { ask: { via: "host-precedence", host: "very.specific.example.com", path: "/exact" }, expect: { backend: "v1" } },
      {
        ask: { via: "host-precedence", host: "very.specific.example.com:1234" },
        expect: { backend: "v1", host: "very.specific.example.com:1234" },
      },
      { ask: { via: "host-precedence", host: "VERY.specific.example.com" }, expect: { backend: "v1" } },
      { ask: { via: "host-precedence", host: "other.specific.example.com" }, expect: { backend: "v3" } },
      { ask: { via: "host-precedence", host: "a.b.example.com" }, expect: { backend: "v2" } },
      { ask: { via: "host-precedence", host: "example.com" }, expect: { status: 404 } },
      { ask: { via: "host-precedence", host: "notexample.com" }, expect: { status: 404 } },
    ],
  },
  {
    name: "hostname-intersection",
    holds:
      "a route works for those of its host names that are its listener's too; without one in common it is not attached",
    features: ["HTTPRoute"],
    rules: [7, 16],
    tests: ["HTTPRouteHostnameIntersection"],
    resources: [
      gateway("hostname-intersection", [
        http("exact", { hostname: "very.specific.com" }),
        http("wild", { hostname: "*.wild.io" }),
        http("other", { hostname: "*.anotherwild.io" }),
      ]),
      httpRoute("hi-specific", [rule("v1", path("PathPrefix", "/s1"))], {
        ...at("hostname-intersection"),
        hostnames: ["non.matching.com", "*.nonmatchingwildcard.io", "very.specific.com"],
      }),
      httpRoute("hi-wild", [rule("v2", path("PathPrefix", "/s2"))], {
        ...at("hostname-intersection"),
        hostnames: ["foo.wild.io", "bar.wild.io", "foo.bar.wild.io", "wild.io"],
      }),
      httpRoute("hi-wider", [rule("v3", path("PathPrefix", "/s3"))], {
        ...at("hostname-intersection"),
        hostnames: ["*.anotherwild.io"],
      }),
      httpRoute("hi-none", [rule("v1", path("PathPrefix", "/s5"))], {
        ...at("hostname-intersection"),
        hostnames: ["specific.but.wrong.com", "wildcard.io"],
      }),
    ],
    steps: [
      { ask: { via: "hostname-intersection", host: "very.specific.com", path: "/s1" }, expect: { backend: "v1" } },
      { ask: { via: "hostname-intersection", host: "non.matching.com", path: "/s1" }, expect: { status: 404 } },
      {
        ask: { via: "hostname-intersection", host: "foo.nonmatchingwildcard.io", path: "/s1" },
        expect: { status: 404 },
      },
      { ask: { via: "hostname-intersection", host: "foo.wild.io", path: "/s1" }, expect: { status: 404 } },
      { ask: { via: "hostname-intersection", host: "foo.bar.wild.io", path: "/s2" }, expect: { backend: "v2" } },
      { ask: { via: "hostname-intersection", host: "wild.io", path: "/s2" }, expect: { status: 404 } },
      { ask: { via: "hostname-intersection", host: "one.two.anotherwild.io", path: "/s3" }, expect: { backend: "v3" } },
      { ask: { via: "hostname-intersection", host: "anotherwild.io", path: "/s3" }, expect: { status: 404 } },
      { ask: { via: "hostname-intersection", host: "specific.but.wrong.com", path: "/s5" }, expect: { status: 404 } },
      parent("HTTPRoute", "hi-specific", "Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"),
      parent("HTTPRoute", "hi-none", "Accepted=False/NoMatchingListenerHostname", "ResolvedRefs=True/ResolvedRefs"),
    ],
  },
  {
    name: "hostnames-by-listener",
    holds:
      "a host name outside the listener's is not served there, though the route is attached through another listener",
    features: ["HTTPRoute"],
    rules: [7],
    resources: [
      gateway("hostnames-by-listener", [
        http("one", { hostname: "one.example.org" }),
        http("two", { port: 8080, hostname: "two.example.org" }),
      ]),
      httpRoute("hostnames-by-listener", [rule("v1")], {
        ...at("hostnames-by-listener"),
        hostnames: ["one.example.org", "two.example.org"],
      }),
    ],
    steps: [
      { ask: { via: "hostnames-by-listener", host: "one.example.org" }, expect: { backend: "v1" } },
      { ask: { via: "hostnames-by-listener", host: "two.example.org", port: 8080 }, expect: { backend: "v1" } },
      { ask: { via: "hostnames-by-listener", host: "two.example.org" }, expect: { status: 404 } },
      { ask: { via: "hostnames-by-listener", host: "one.example.org", port: 8080 }, expect: { status: 404 } },
    ],
  },
  {
    name: "listener-isolation",
    holds: "only the routes of the most specific listener count: no falling through to a wider one",
    features: ["GatewayHTTPListenerIsolation"],
    rules: [8],
    tests: ["GatewayHTTPListenerIsolation"],
    resources: [
      gateway("listener-isolation", [
        http("empty"),
        http("wild", { hostname: "*.example.com" }),
        http("wilder", { hostname: "*.foo.example.com" }),
        http("exact", { hostname: "abc.foo.example.com" }),
      ]),
      ...["empty", "wild", "wilder", "exact"].map((name) =>
        httpRoute(`isolation-${name}`, [rule("v1", path("PathPrefix", `/${name}`))], {
          ...at("listener-isolation", name),
          hostnames: undefined,
        }),
      ),
    ],
    steps: (
      [
        ["bar.com", "empty"],
        ["bar.example.com", "wild"],
        ["bar.foo.example.com", "wilder"],
        ["abc.foo.example.com", "exact"],
      ] as const
    ).flatMap(([host, its]) =>
      ["empty", "wild", "wilder", "exact"].map((name): Step => ({
        ask: { via: "listener-isolation", host, path: `/${name}` },
        expect: name === its ? { backend: "v1" } : { status: 404 },
      })),
    ),
  },
  {
    name: "listener-ports",
    holds: "parentRef.port attaches to the listeners of that port, sectionName to the listener of that name",
    features: ["HTTPRouteParentRefPort"],
    tests: ["HTTPRouteListenerPortMatching"],
    resources: [
      gateway("listener-ports", [http("one"), http("two", { port: 8080 })]),
      httpRoute("listener-ports-80", [rule("v1")], {
        parentRefs: [{ name: "listener-ports", port: 80 }],
        hostnames: undefined,
      }),
      httpRoute("listener-ports-8080", [rule("v2")], {
        parentRefs: [{ name: "listener-ports", port: 8080, sectionName: "two" }],
        hostnames: undefined,
      }),
    ],
    steps: [
      { ask: { via: "listener-ports" }, expect: { backend: "v1" } },
      { ask: { via: "listener-ports", port: 8080 }, expect: { backend: "v2" } },
    ],
  },
  {
    name: "destination-port",
    holds: "routes for one host and path, each of one port of the Gateway, get the requests that come to their port",
    features: ["HTTPRouteDestinationPortMatching"],
    resources: [
      httpRoute("destination-port", [rule("v1", path("PathPrefix", "/same"))], {
        parentRefs: [{ name: "edge", port: 80 }],
      }),
      httpRoute("destination-port-8080", [rule("v2", path("PathPrefix", "/same"))], {
        parentRefs: [{ name: "edge", port: 8080 }],
        hostnames: ["destination-port.example"],
      }),
    ],
    steps: [
      { ask: { path: "/same" }, expect: { backend: "v1" } },
      { ask: { path: "/same", port: 8080 }, expect: { backend: "v2" } },
      { ask: { path: "/same", port: 8080, host: "destination-port.example:8080" }, expect: { backend: "v2" } },
      { ask: { path: "/other" }, expect: { status: 404 } },
    ],
  },
  {
    name: "several-gateways",
    holds: "one route can be attached to several Gateways, and is judged for each",
    features: ["HTTPRoute"],
    rules: [15],
    tests: ["HTTPRouteMultipleGateways"],
    resources: [
      gateway("several-gateways-1", [http("http")]),
      gateway("several-gateways-2", [http("http", { hostname: "other.example.org" })]),
      httpRoute("several-gateways", [rule("v1")], {
        parentRefs: [{ name: "edge" }, { name: "several-gateways-1" }, { name: "several-gateways-2" }],
      }),
    ],
    steps: [
      { ask: {}, expect: { backend: "v1" } },
      { ask: { via: "several-gateways-1" }, expect: { backend: "v1" } },
      { ask: { via: "several-gateways-2" }, expect: { status: 404 } },
      parent("HTTPRoute", "several-gateways", "Accepted=True"),
      {
        status: "HTTPRoute conformance/several-gateways",
        at: "parents.2",
        conditions: ["Accepted=False/NoMatchingListenerHostname"],
        fields: {
          "parentRef.name": "several-gateways-2",
          "parentRef.kind": "Gateway",
          "parentRef.group": "gateway.networking.k8s.io",
        },
      },
    ],
  },
  {
    name: "port-8080",
    holds: "a listener on port 8080 works as one on 80",
    features: ["GatewayPort8080"],
    tests: ["GatewayWithAttachedRoutesWithPort8080"],
    resources: [
      gateway("port-8080", [http("http", { port: 8080 })]),
      httpRoute("port-8080", [rule("v1")], at("port-8080")),
    ],
    steps: [
      { ask: { via: "port-8080", port: 8080 }, expect: { backend: "v1" } },
      { status: "Gateway conformance/port-8080", at: "listeners.http", fields: { attachedRoutes: 1 } },
    ],
  },
  {
    name: "https-listener",
    holds: "HTTPS listeners end TLS with the Secret's certificate and tell nothing of it to the backend's path",
    features: ["HTTPRoute"],
    tests: ["HTTPRouteHTTPSListener"],
    resources: [
      gateway("https-listener", [https("https"), https("own", { hostname: "own.example" })]),
      httpRoute("https-listener", [rule("v1")], { ...at("https-listener"), hostnames: ["https-listener.example"] }),
      httpRoute("https-own", [rule("v2")], { ...at("https-listener", "own"), hostnames: undefined }),
    ],
    steps: [
      { ask: { via: "https-listener", scheme: "https" }, expect: { backend: "v1" } },
      { ask: { via: "https-listener", scheme: "https", host: "own.example" }, expect: { backend: "v2" } },
      { ask: { via: "https-listener", scheme: "https", host: "unknown.example" }, expect: { status: 404 } },
      listener("https-listener", "https", "Accepted=True", "Programmed=True", "ResolvedRefs=True"),
    ],
  },
  {
    name: "misdirected",
    holds:
      "421 when another listener than the connection's is the better one for the host, 404 when none has a route for it",
    features: ["GatewayHTTPSListenerDetectMisdirectedRequests"],
    rules: [9],
    tests: ["HTTPRouteHTTPSListenerDetectMisdirectedRequests"],
    resources: [
      gateway("misdirected", [
        https("first", { hostname: "example.org" }),
        https("second", { hostname: "second-example.org" }),
        https("wild", { hostname: "*.wildcard.example" }),
        https("catch-all"),
      ]),
      httpRoute("misdirected-1", [rule("v1")], { ...at("misdirected", "first"), hostnames: ["example.org"] }),
      httpRoute("misdirected-2", [rule("v2")], { ...at("misdirected", "second"), hostnames: ["second-example.org"] }),
      httpRoute("misdirected-3", [rule("v3")], { ...at("misdirected", "wild"), hostnames: ["*.wildcard.example"] }),
      httpRoute("misdirected-4", [rule("v1")], { ...at("misdirected", "catch-all"), hostnames: ["known.example"] }),
    ],
    steps: [
      misdirected("example.org", "example.org", 200, "v1"),
      misdirected("example.org", "second-example.org", 421),
      misdirected("example.org", "a.wildcard.example", 421),
      misdirected("example.org", "unknown-example.org", 421),
      misdirected("second-example.org", "second-example.org", 200, "v2"),
      misdirected("second-example.org", "example.org", 421),
      misdirected("second-example.org", "unknown-example.org", 421),
      misdirected("a.wildcard.example", "a.wildcard.example", 200, "v3"),
      misdirected("a.wildcard.example", "b.wildcard.example", 200, "v3"),
      misdirected("a.wildcard.example", "example.org", 421),
      misdirected("known.example", "known.example", 200, "v1"),
      misdirected("known.example", "example.org", 421),
      misdirected("known.example", "unknown-example.org", 404),
      misdirected("unknown-example.org", "unknown-example.org", 404),
      misdirected("unknown-example.org", "second-example.org", 421),
    ],
  },
  {
    name: "misdirected-no-listener",
    holds: "404 when no listener is for the host",
    features: ["GatewayHTTPSListenerDetectMisdirectedRequests"],
    rules: [9],
    resources: [
      gateway("misdirected-none", [
        https("one", { hostname: "one.example.org" }),
        https("two", { hostname: "two.example.org" }),
      ]),
      httpRoute("misdirected-none", [rule("v1")], { ...at("misdirected-none"), hostnames: undefined }),
    ],
    steps: [
      { ask: { via: "misdirected-none", scheme: "https", host: "one.example.org" }, expect: { backend: "v1" } },
      {
        ask: { via: "misdirected-none", scheme: "https", sni: "one.example.org", host: "two.example.org" },
        expect: { status: 421 },
      },
      {
        ask: { via: "misdirected-none", scheme: "https", sni: "one.example.org", host: "none.example.org" },
        expect: { status: 404 },
      },
    ],
  },
];
