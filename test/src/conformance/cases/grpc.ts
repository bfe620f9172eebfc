// GRPCRoute at a gateway.

import type { Case, Step } from "../case.ts";
import { gateway, http, httpRoute, parent, route, rule } from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

const NOT_IMPLEMENTED = 12;
const backend = (name: string, more: Part = {}): Part => ({ name, port: 9000, ...more });
const call = (path: string, more: Part = {}): Step => ({
  ask: { scheme: "grpc", path, ...more },
  expect: { grpc: 0 },
});
const calls = (path: string, wanted: string, headers: Readonly<Record<string, string>> = {}): Step => ({
  ask: { scheme: "grpc", path, headers },
  expect: wanted === "" ? { grpc: NOT_IMPLEMENTED } : { grpc: 0, backend: wanted },
});
const method = (service: string | undefined, name: string | undefined, more: Part = {}): Part => ({
  method: { ...(service === undefined ? {} : { service }), ...(name === undefined ? {} : { method: name }), ...more },
});
const leads = (name: string, ...matches: readonly Part[]): Part => ({
  ...(matches.length === 0 ? {} : { matches }),
  backendRefs: [backend(name)],
});

/** The cases. */
export const grpc: readonly Case[] = [
  {
    name: "grpc-exact-method",
    holds: "calls match by service and method; others are Unimplemented",
    features: ["GRPCRoute"],
    rules: [3],
    tests: ["GRPCExactMethodMatching"],
    resources: [
      route("GRPCRoute", "grpc-exact-method", {
        rules: [leads("v1", method("echo.Echo", "Echo")), leads("v2", method("echo.Echo", "EchoTwo"))],
      }),
    ],
    steps: [
      calls("/echo.Echo/Echo", "v1"),
      calls("/echo.Echo/EchoTwo", "v2"),
      calls("/echo.Echo/EchoThree", ""),
      calls("/other.Echo/Echo", ""),
    ],
  },
  {
    name: "grpc-precedence",
    holds: "longest service, then longest method, then most headers",
    features: ["GRPCRoute"],
    rules: [3],
    resources: [
      route("GRPCRoute", "grpc-precedence", {
        rules: [
          leads("v1", method(undefined, "Echo")),
          leads("v2", method("echo.Echo", undefined)),
          leads("v3", { ...method("echo.Echo", undefined), headers: [{ name: "a", value: "1" }] }),
          leads("v1", method("echo.Echo", "Exact")),
        ],
      }),
    ],
    steps: [
      calls("/other.Echo/Echo", "v1"),
      calls("/echo.Echo/Echo", "v2"),
      calls("/echo.Echo/Echo", "v3", { a: "1" }),
      calls("/echo.Echo/Exact", "v1", { a: "1" }),
    ],
  },
  {
    name: "grpc-headers",
    holds: "calls match by metadata",
    features: ["GRPCRoute"],
    rules: [5],
    tests: ["GRPCRouteHeaderMatching"],
    resources: [
      route("GRPCRoute", "grpc-headers", {
        rules: [
          leads("v1", { headers: [{ name: "version", value: "one" }] }),
          leads("v2", { headers: [{ name: "version", value: "two" }] }),
          leads("v3", {
            headers: [
              { name: "version", value: "two" },
              { name: "color", value: "orange" },
            ],
          }),
        ],
      }),
    ],
    steps: [
      calls("/echo.Echo/Echo", "v1", { version: "one" }),
      calls("/echo.Echo/Echo", "v2", { version: "two" }),
      calls("/echo.Echo/Echo", "v3", { version: "two", color: "orange" }),
      calls("/echo.Echo/Echo", "", { version: "three" }),
    ],
  },
  {
    name: "grpc-listener-hostname",
    holds: "routes hold for the host names of their listeners; elsewhere calls are Unimplemented",
    features: ["GRPCRoute"],
    rules: [7, 8],
    tests: ["GRPCRouteListenerHostnameMatching"],
    resources: [
      gateway("grpc-hosts", [http("one", { hostname: "bar.com" }), http("two", { hostname: "*.bar.com" })]),
      route("GRPCRoute", "grpc-hosts-1", {
        parentRefs: [{ name: "grpc-hosts", sectionName: "one" }],
        hostnames: undefined,
        rules: [leads("v1")],
      }),
      route("GRPCRoute", "grpc-hosts-2", {
        parentRefs: [{ name: "grpc-hosts", sectionName: "two" }],
        hostnames: undefined,
        rules: [leads("v2")],
      }),
    ],
    steps: [
      {
        ask: { via: "grpc-hosts", scheme: "grpc", host: "bar.com", path: "/echo.Echo/Echo" },
        expect: { grpc: 0, backend: "v1" },
      },
      {
        ask: { via: "grpc-hosts", scheme: "grpc", host: "foo.bar.com", path: "/echo.Echo/Echo" },
        expect: { grpc: 0, backend: "v2" },
      },
      {
        ask: { via: "grpc-hosts", scheme: "grpc", host: "baz.com", path: "/echo.Echo/Echo" },
        expect: { grpc: NOT_IMPLEMENTED },
      },
    ],
  },
  {
    name: "grpc-weight",
    holds: "backends get their shares by weight",
    features: ["GRPCRoute"],
    tests: ["GRPCRouteWeight"],
    resources: [
      route("GRPCRoute", "grpc-weight", {
        rules: [
          { backendRefs: [backend("v1", { weight: 70 }), backend("v2", { weight: 30 }), backend("v3", { weight: 0 })] },
        ],
      }),
    ],
    steps: [
      call("/echo.Echo/Echo"),
      { share: { scheme: "grpc", path: "/echo.Echo/Echo" }, count: 500, of: { v1: 70, v2: 30, v3: 0 } },
    ],
  },
  {
    name: "grpc-named-rule",
    holds: "rules can have names",
    features: ["GRPCRouteNamedRouteRule"],
    tests: ["GRPCRouteNamedRule"],
    resources: [
      route("GRPCRoute", "grpc-named-rule", {
        rules: [{ name: "named", ...leads("v1", method("echo.Echo", "Echo")) }, leads("v2")],
      }),
    ],
    steps: [calls("/echo.Echo/Echo", "v1"), calls("/echo.Echo/Other", "v2")],
  },
  {
    name: "grpc-request-headers",
    holds: "metadata is set, added and removed",
    features: ["GRPCRouteRequestHeaderModifier"],
    rules: [22],
    tests: ["GRPCRouteRequestHeaderModifier"],
    resources: [
      route("GRPCRoute", "grpc-request-headers", {
        rules: [
          {
            filters: [
              {
                type: "RequestHeaderModifier",
                requestHeaderModifier: {
                  set: [{ name: "X-Set", value: "set" }],
                  add: [{ name: "X-Add", value: "added" }],
                  remove: ["X-Gone"],
                },
              },
            ],
            backendRefs: [backend("v1")],
          },
        ],
      }),
    ],
    steps: [
      {
        ask: { scheme: "grpc", path: "/echo.Echo/Echo", headers: { "x-set": "a", "x-add": "b", "x-gone": "c" } },
        expect: { grpc: 0, got: { "x-set": "set", "x-add": /^b, ?added$/, "x-gone": null } },
      },
    ],
  },
  {
    name: "grpc-and-http",
    holds: "of a GRPCRoute and an HTTPRoute for one host at one listener exactly one is accepted",
    features: ["GRPCRoute", "HTTPRoute"],
    rules: [3],
    resources: [
      gateway("grpc-and-http", [http("http")]),
      httpRoute("grpc-and-http", [rule("v1")], { parentRefs: [{ name: "grpc-and-http" }] }, { name: "a-http" }),
      route(
        "GRPCRoute",
        "grpc-and-http",
        { parentRefs: [{ name: "grpc-and-http" }], rules: [leads("v2")] },
        { name: "b-grpc" },
      ),
    ],
    steps: [
      parent("HTTPRoute", "a-http", "Accepted=True"),
      parent("GRPCRoute", "b-grpc", "Accepted=False"),
      { ask: { via: "grpc-and-http" }, expect: { backend: "v1" } },
    ],
  },
];
