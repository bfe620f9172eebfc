// Mesh: routes of Services, followed by clients inside of the mesh.

import type { Case } from "../case.ts";
import {
  call,
  grant,
  meshRoute,
  NAMESPACE,
  OTHER_NAMESPACE,
  parentService,
  path,
  port,
  resource,
  rule,
  service,
  to,
} from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

const redirect = (requestRedirect: Part): Part => ({ filters: [{ type: "RequestRedirect", requestRedirect }] });
const at = (prefix: string, more: Part): Part => ({ matches: [path("PathPrefix", prefix)], ...more });
const value = (name: string, text: string): Part => ({ name, value: text });

/** What a case of redirects is called, and what it shows. */
interface RedirectCase extends Pick<Case, "name" | "holds" | "features" | "rules" | "tests"> {
  /** Port of the Service; default 80, which locations leave out. */
  readonly port?: number;
  /** Path asked for → its redirect, and where that leads ("SELF" is the Service's host); the status is 302 or as it says. */
  readonly redirects: Readonly<Record<string, { readonly with: Part; readonly to: string }>>;
}

function meshRedirects({ port: number = 80, redirects, ...told }: RedirectCase): Case {
  const { name } = told;
  const self = `${name}.${NAMESPACE}`;
  const rules = Object.entries(redirects).map(([asked, one]) =>
    // A prefix to replace is the first segment.
    at(asked.split("/", 2).join("/"), redirect(one.with)),
  );
  return {
    ...told,
    resources: [service(name, "backend-v1", { ports: [port(number, "backend-v1")] }), meshRoute(name, rules)],
    steps: Object.entries(redirects).map(([asked, one]) => ({
      ask: { from: NAMESPACE, host: number === 80 ? self : `${self}:${number}`, path: asked },
      expect: {
        status: Number(one.with["statusCode"] ?? 302),
        headers: { location: one.to.replace("SELF", self) },
      },
    })),
  };
}

/** The cases. */
export const mesh: readonly Case[] = [
  {
    name: "mesh-basic",
    holds: "a Service without a route is forwarded plainly",
    features: ["Mesh"],
    rules: [21],
    tests: ["MeshBasic"],
    resources: [service("mesh-basic", "backend-v1")],
    steps: [
      { ask: call("mesh-basic"), expect: { backend: "v1" } },
      { ask: { ...call("mesh-basic"), from: OTHER_NAMESPACE }, expect: { backend: "v1" } },
    ],
  },
  {
    name: "mesh-simple",
    holds: "a route of a Service decides for all its clients where their requests go",
    features: ["Mesh", "HTTPRoute"],
    rules: [20],
    tests: ["MeshHTTPRouteSimpleSameNamespace", "MeshTrafficSplit"],
    resources: [
      service("mesh-simple", "backend-v1"),
      meshRoute("mesh-simple", [rule("v2", path("Exact", "/v2")), rule("v1", path("Exact", "/v1"))]),
    ],
    steps: [
      { ask: call("mesh-simple", { path: "/v2" }), expect: { backend: "v2" } },
      { ask: { ...call("mesh-simple", { path: "/v2" }), from: OTHER_NAMESPACE }, expect: { backend: "v2" } },
      { ask: call("mesh-simple", { path: "/v1" }), expect: { backend: "v1" } },
      {
        status: "HTTPRoute conformance/mesh-simple",
        at: "parents.0",
        conditions: ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"],
        fields: { "parentRef.kind": "Service" },
      },
    ],
  },
  {
    name: "mesh-no-match",
    holds: "with a route, what matches none is a 404",
    features: ["Mesh", "MeshHTTPRouteQueryParamMatching"],
    rules: [21],
    tests: ["MeshHTTPRouteQueryParamMatching"],
    resources: [
      service("mesh-no-match", "backend-v1"),
      meshRoute("mesh-no-match", [
        rule("v1", { queryParams: [{ name: "animal", value: "whale" }] }),
        rule("v2", { queryParams: [{ name: "animal", value: "dolphin" }] }),
      ]),
    ],
    steps: [
      { ask: call("mesh-no-match", { path: "/?animal=whale" }), expect: { backend: "v1" } },
      { ask: call("mesh-no-match", { path: "/?animal=dolphin" }), expect: { backend: "v2" } },
      { ask: call("mesh-no-match"), expect: { status: 404 } },
      { ask: call("mesh-no-match", { path: "/?animal=shark" }), expect: { status: 404 } },
    ],
  },
  {
    name: "mesh-matching",
    holds: "paths and headers match as they do at a gateway",
    features: ["Mesh", "HTTPRoute"],
    rules: [1, 4],
    tests: ["MeshHTTPRouteMatching"],
    resources: [
      service("mesh-matching", "backend-v1"),
      meshRoute("mesh-matching", [
        rule("v1", path("PathPrefix", "/"), { headers: [{ name: "version", value: "one" }] }),
        rule("v2", path("PathPrefix", "/v2"), { headers: [{ name: "version", value: "two" }] }),
      ]),
    ],
    steps: [
      { ask: call("mesh-matching"), expect: { backend: "v1" } },
      { ask: call("mesh-matching", { path: "/example" }), expect: { backend: "v1" } },
      { ask: call("mesh-matching", { path: "/v2/example" }), expect: { backend: "v2" } },
      { ask: call("mesh-matching", { path: "/v2example" }), expect: { backend: "v1" } },
      { ask: call("mesh-matching", { headers: { version: "two" } }), expect: { backend: "v2" } },
    ],
  },
  {
    name: "mesh-chained",
    holds: "the routes of a Service that is a backend of a route do not apply",
    features: ["Mesh"],
    rules: [20],
    resources: [
      service("mesh-chained-front", "backend-v1"),
      service("mesh-chained-back", "backend-v2"),
      meshRoute("mesh-chained-front", [rule("mesh-chained-back")]),
      meshRoute("mesh-chained-back", [redirect({ hostname: "example.org" })]),
    ],
    steps: [
      { ask: call("mesh-chained-front"), expect: { backend: "v2" } },
      { ask: call("mesh-chained-back"), expect: { status: 302 } },
    ],
  },
  {
    name: "mesh-ports",
    holds: "parentRef.port, or sectionName, limits a route to one port of the Service",
    features: ["Mesh", "HTTPRouteParentRefPort"],
    rules: [20],
    tests: ["MeshPorts"],
    resources: [
      service("mesh-ports", "backend-v1", {
        ports: [port(8080, "backend-v1"), port(8081, "backend-v1"), port(8082, "backend-v1")],
      }),
      meshRoute("mesh-ports", [rule("v2")], { port: 8080 }),
      resource("HTTPRoute", "mesh-ports-section", {
        parentRefs: [parentService("mesh-ports", { sectionName: "p8082" })],
        rules: [rule("v3")],
      }),
    ],
    steps: [
      { ask: call("mesh-ports"), expect: { backend: "v2" } },
      { ask: { from: NAMESPACE, host: "mesh-ports.conformance:8081" }, expect: { backend: "v1" } },
      { ask: { from: NAMESPACE, host: "mesh-ports.conformance:8082" }, expect: { backend: "v3" } },
    ],
  },
  {
    name: "mesh-consumer",
    holds:
      "a route of another namespace is for that namespace's clients alone, and replaces the Service's own for them",
    features: ["MeshConsumerRoute"],
    rules: [20],
    tests: ["MeshConsumerRoute"],
    resources: [
      service("mesh-consumer", "backend-v1"),
      meshRoute("mesh-consumer", [rule("v2"), rule("v3", path("PathPrefix", "/producer"))]),
      resource(
        "HTTPRoute",
        "mesh-consumer",
        {
          parentRefs: [parentService("mesh-consumer", { namespace: NAMESPACE })],
          rules: [
            {
              matches: [path("PathPrefix", "/")],
              filters: [
                { type: "ResponseHeaderModifier", responseHeaderModifier: { set: [value("x-consumer", "yes")] } },
              ],
              backendRefs: [to("web")],
            },
          ],
        },
        { namespace: OTHER_NAMESPACE },
      ),
    ],
    steps: [
      { ask: call("mesh-consumer"), expect: { backend: "v2", headers: { "x-consumer": null } } },
      { ask: call("mesh-consumer", { path: "/producer" }), expect: { backend: "v3" } },
      {
        ask: { ...call("mesh-consumer"), from: OTHER_NAMESPACE },
        expect: { backend: "web", headers: { "x-consumer": "yes" } },
      },
      { ask: { ...call("mesh-consumer", { path: "/producer" }), from: OTHER_NAMESPACE }, expect: { backend: "web" } },
    ],
  },
  {
    name: "mesh-no-grant",
    holds: "routes of Services need no grant for backends of other namespaces",
    features: ["Mesh"],
    rules: [19],
    resources: [
      service("mesh-no-grant", "backend-v1"),
      meshRoute("mesh-no-grant", [{ backendRefs: [to("web", { namespace: OTHER_NAMESPACE })] }]),
      grant("mesh-unrelated", "HTTPRoute", { kind: "Service", name: "unrelated" }),
    ],
    steps: [{ ask: call("mesh-no-grant"), expect: { backend: "web" } }],
  },
  {
    name: "mesh-request-headers",
    holds: "requests' headers are set, added and removed",
    features: ["Mesh", "HTTPRoute"],
    rules: [22],
    tests: ["MeshHTTPRouteRequestHeaderModifier"],
    resources: [
      service("mesh-request-headers", "backend-v1"),
      meshRoute("mesh-request-headers", [
        {
          filters: [
            {
              type: "RequestHeaderModifier",
              requestHeaderModifier: {
                set: [value("X-Set", "set")],
                add: [value("X-Add", "added")],
                remove: ["X-Gone"],
              },
            },
          ],
          backendRefs: [to("v1")],
        },
      ]),
    ],
    steps: [
      {
        ask: call("mesh-request-headers", { headers: { "x-set": "a", "x-add": "b", "x-gone": "c" } }),
        expect: { got: { "x-set": "set", "x-add": /^b, ?added$/, "x-gone": null } },
      },
    ],
  },
  {
    name: "mesh-backend-request-headers",
    holds: "filters of a backend are for the requests to that backend",
    features: ["MeshHTTPRouteBackendRequestHeaderModification"],
    rules: [22],
    tests: ["MeshHTTPRouteBackendRequestHeaderModifier"],
    resources: [
      service("mesh-backend-headers", "backend-v1"),
      meshRoute("mesh-backend-headers", [
        {
          backendRefs: [
            to("v2", {
              filters: [{ type: "RequestHeaderModifier", requestHeaderModifier: { set: [value("X-Set", "v2")] } }],
            }),
          ],
        },
      ]),
    ],
    steps: [{ ask: call("mesh-backend-headers"), expect: { backend: "v2", got: { "x-set": "v2" } } }],
  },
  {
    name: "mesh-rewrite-path",
    holds: "paths are rewritten whole or by prefix",
    features: ["MeshHTTPRouteRewritePath"],
    rules: [24],
    tests: ["MeshHTTPRouteRewritePath"],
    resources: [
      service("mesh-rewrite", "backend-v1"),
      meshRoute("mesh-rewrite", [
        at("/prefix/one", {
          filters: [
            { type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/one" } } },
          ],
          backendRefs: [to("v1")],
        }),
        at("/full/one", {
          filters: [{ type: "URLRewrite", urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: "/one" } } }],
          backendRefs: [to("v1")],
        }),
      ]),
    ],
    steps: [
      { ask: call("mesh-rewrite", { path: "/prefix/one/two" }), expect: { path: "/one/two" } },
      { ask: call("mesh-rewrite", { path: "/full/one/two" }), expect: { path: "/one" } },
    ],
  },
  meshRedirects({
    name: "mesh-redirect-host",
    holds: "a redirect changes host and status",
    features: ["Mesh", "HTTPRoute"],
    rules: [23],
    tests: ["MeshHTTPRouteRedirectHostAndStatus"],
    redirects: {
      "/host": { with: { hostname: "example.org" }, to: "http://example.org/host" },
      "/status": { with: { hostname: "example.org", statusCode: 301 }, to: "http://example.org/status" },
    },
  }),
  meshRedirects({
    name: "mesh-redirect-path",
    holds: "a redirect replaces the path or its prefix",
    features: ["MeshHTTPRouteRedirectPath"],
    rules: [23, 24],
    tests: ["MeshHTTPRouteRedirectPath"],
    redirects: {
      "/old/a": { with: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" } }, to: "http://SELF/new/a" },
      "/full/a": { with: { path: { type: "ReplaceFullPath", replaceFullPath: "/whole" } }, to: "http://SELF/whole" },
    },
  }),
  meshRedirects({
    name: "mesh-redirect-port",
    holds: "a redirect changes the port, else keeps the Service's",
    features: ["MeshHTTPRouteRedirectPort"],
    rules: [23],
    tests: ["MeshHTTPRouteRedirectPort"],
    port: 8080,
    redirects: {
      "/port": { with: { port: 8083 }, to: "http://SELF:8083/port" },
      "/none": { with: { hostname: "example.org" }, to: "http://example.org:8080/none" },
    },
  }),
  meshRedirects({
    name: "mesh-scheme-redirect",
    holds: "a redirect changes the scheme, and the port with it",
    features: ["MeshHTTPRouteSchemeRedirect"],
    rules: [23],
    tests: ["MeshHTTPRouteSchemeRedirect"],
    port: 8080,
    redirects: { "/a": { with: { scheme: "https" }, to: "https://SELF/a" } },
  }),
  ...[303, 307, 308].map((statusCode) =>
    meshRedirects({
      name: `mesh-redirect-${statusCode}`,
      holds: `a redirect of a Service can have the status ${statusCode}`,
      features: [`MeshHTTPRoute${statusCode}RedirectStatusCode`],
      rules: [23],
      tests: [`MeshHTTPRoute${statusCode}Redirect`],
      redirects: { "/a": { with: { hostname: "example.org", statusCode }, to: "http://example.org/a" } },
    }),
  ),
  {
    name: "mesh-named-rule",
    holds: "rules can have names",
    features: ["MeshHTTPRouteNamedRouteRule"],
    tests: ["MeshHTTPRouteNamedRule"],
    resources: [
      service("mesh-named", "backend-v1"),
      meshRoute("mesh-named", [
        { name: "named", matches: [path("PathPrefix", "/named")], backendRefs: [to("v2")] },
        rule("v1"),
      ]),
    ],
    steps: [
      { ask: call("mesh-named", { path: "/named" }), expect: { backend: "v2" } },
      { ask: call("mesh-named"), expect: { backend: "v1" } },
    ],
  },
  {
    name: "mesh-weight",
    holds: "backends get their shares by weight",
    features: ["Mesh", "HTTPRoute"],
    tests: ["MeshHTTPRouteWeight", "MeshTrafficSplit"],
    resources: [
      service("mesh-weight", "backend-v1"),
      meshRoute("mesh-weight", [
        { backendRefs: [to("v1", { weight: 70 }), to("v2", { weight: 30 }), to("v3", { weight: 0 })] },
      ]),
    ],
    steps: [
      { ask: call("mesh-weight"), expect: { backend: ["v1", "v2"] } },
      { share: call("mesh-weight"), count: 500, of: { v1: 70, v2: 30, v3: 0 } },
    ],
  },
  {
    name: "mesh-grpc-weight",
    holds: "calls of a GRPCRoute get their shares by weight",
    features: ["Mesh", "GRPCRoute"],
    tests: ["MeshGRPCRouteWeight"],
    resources: [
      service("mesh-grpc", "backend-v1", { ports: [port(9000, "backend-v1", { appProtocol: "kubernetes.io/h2c" })] }),
      resource("GRPCRoute", "mesh-grpc", {
        parentRefs: [parentService("mesh-grpc")],
        rules: [
          {
            backendRefs: [
              { name: "v1", port: 9000, weight: 70 },
              { name: "v2", port: 9000, weight: 30 },
            ],
          },
        ],
      }),
    ],
    steps: [
      {
        ask: { from: NAMESPACE, host: "mesh-grpc.conformance:9000", scheme: "grpc", path: "/echo.Echo/Call" },
        expect: { grpc: 0, backend: ["v1", "v2"] },
      },
      {
        share: { from: NAMESPACE, host: "mesh-grpc.conformance:9000", scheme: "grpc", path: "/echo.Echo/Call" },
        count: 500,
        of: { v1: 70, v2: 30 },
      },
    ],
  },
  {
    name: "mesh-grpc-headers",
    holds: "a GRPCRoute of a Service changes the calls' metadata",
    features: ["Mesh", "GRPCRouteRequestHeaderModifier"],
    tests: ["MeshGRPCRouteRequestHeaderModifier"],
    resources: [
      service("mesh-grpc-headers", "backend-v1", {
        ports: [port(9000, "backend-v1", { appProtocol: "kubernetes.io/h2c" })],
      }),
      resource("GRPCRoute", "mesh-grpc-headers", {
        parentRefs: [parentService("mesh-grpc-headers")],
        rules: [
          {
            filters: [{ type: "RequestHeaderModifier", requestHeaderModifier: { set: [value("x-set", "set")] } }],
            backendRefs: [{ name: "v1", port: 9000 }],
          },
        ],
      }),
    ],
    steps: [
      {
        ask: { from: NAMESPACE, host: "mesh-grpc-headers.conformance:9000", scheme: "grpc", path: "/echo.Echo/Call" },
        expect: { grpc: 0, got: { "x-set": "set" } },
      },
    ],
  },
];
