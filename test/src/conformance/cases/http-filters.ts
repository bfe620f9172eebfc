// HTTPRoute: filters, time-outs, retries and the protocols of backends.

import type { Case, Step } from "../case.ts";
import { gateway, http, httpRoute, https, path, rule, to } from "../manifests.ts";

type Part = Readonly<Record<string, unknown>>;

const requestHeaders = (modifier: Part): Part => ({ type: "RequestHeaderModifier", requestHeaderModifier: modifier });
const responseHeaders = (modifier: Part): Part => ({
  type: "ResponseHeaderModifier",
  responseHeaderModifier: modifier,
});
const redirect = (requestRedirect: Part): Part => ({ filters: [{ type: "RequestRedirect", requestRedirect }] });
const rewrite = (urlRewrite: Part): Part => ({ type: "URLRewrite", urlRewrite });
const mirror = (name: string, more: Part = {}): Part => ({
  type: "RequestMirror",
  requestMirror: { backendRef: to(name), ...more },
});
const value = (name: string, text: string): Part => ({ name, value: text });
const at = (prefix: string, more: Part): Part => ({ matches: [path("PathPrefix", prefix)], ...more });
const moved = (from: string, location: string, status = 302): Step => ({
  ask: { path: from },
  expect: { status, headers: { location } },
});

/** A redirect with one status alone. */
function redirectStatus(statusCode: number, test: string): Case {
  const name = `redirect-${statusCode}`;
  return {
    name,
    holds: `a redirect can have the status ${statusCode}`,
    features: [`HTTPRoute${statusCode}RedirectStatusCode`],
    rules: [23],
    tests: [test],
    resources: [httpRoute(name, [redirect({ hostname: "example.org", statusCode })])],
    steps: [moved("/a?b=c", "http://example.org/a?b=c", statusCode)],
  };
}

/** The cases. */
export const httpFilters: readonly Case[] = [
  {
    name: "request-headers",
    holds: "set replaces, add appends, remove removes; names in any case",
    features: ["HTTPRoute"],
    rules: [22],
    tests: ["HTTPRouteRequestHeaderModifier"],
    resources: [
      httpRoute("request-headers", [
        at("/set", {
          filters: [requestHeaders({ set: [value("X-Header-Set", "set-overwrites-values")] })],
          backendRefs: [to("v1")],
        }),
        at("/add", {
          filters: [requestHeaders({ add: [value("X-Header-Add", "add-appends-values")] })],
          backendRefs: [to("v1")],
        }),
        at("/remove", { filters: [requestHeaders({ remove: ["X-Header-Remove"] })], backendRefs: [to("v1")] }),
        at("/multiple", {
          filters: [
            requestHeaders({
              set: [value("X-Header-Set-1", "header-set-1"), value("X-Header-Set-2", "header-set-2")],
              add: [value("X-Header-Add-1", "header-add-1"), value("X-Header-Add-2", "foo,bar,baz")],
              remove: ["X-Header-Remove-1"],
            }),
          ],
          backendRefs: [to("v1")],
        }),
      ]),
    ],
    steps: [
      { ask: { path: "/set" }, expect: { got: { "x-header-set": "set-overwrites-values" } } },
      {
        ask: { path: "/set", headers: { "x-header-set": "other", "Some-Other": "here" } },
        expect: { got: { "x-header-set": "set-overwrites-values", "some-other": "here" } },
      },
      { ask: { path: "/add" }, expect: { got: { "x-header-add": "add-appends-values" } } },
      {
        ask: { path: "/add", headers: { "X-HEADER-ADD": "some-other" } },
        expect: { got: { "x-header-add": /^some-other, ?add-appends-values$/ } },
      },
      { ask: { path: "/remove", headers: { "x-header-REMOVE": "val" } }, expect: { got: { "x-header-remove": null } } },
      {
        ask: { path: "/multiple", headers: { "X-Header-Set-2": "a", "X-Header-Add-2": "a", "X-Header-Remove-1": "a" } },
        expect: {
          got: {
            "x-header-set-1": "header-set-1",
            "x-header-set-2": "header-set-2",
            "x-header-add-1": "header-add-1",
            "x-header-add-2": /^a, ?foo,bar,baz$/,
            "x-header-remove-1": null,
          },
        },
      },
    ],
  },
  {
    name: "response-headers",
    holds: "responses' headers are set, added and removed",
    features: ["HTTPRouteResponseHeaderModification"],
    rules: [22],
    tests: ["HTTPRouteResponseHeaderModifier"],
    resources: [
      httpRoute("response-headers", [
        {
          filters: [
            responseHeaders({ set: [value("X-Set", "set")], add: [value("X-Add", "add")], remove: ["X-Remove"] }),
          ],
          backendRefs: [to("v1")],
        },
      ]),
    ],
    steps: [
      {
        ask: { headers: { "X-Echo-Set-Header": "x-set:old, x-add:old, x-remove:old, x-other:kept" } },
        expect: { headers: { "x-set": "set", "x-add": /^old, ?add$/, "x-remove": null, "x-other": "kept" } },
      },
    ],
  },
  {
    name: "backend-request-headers",
    holds: "filters of a backend change the requests to that backend alone, after those of the rule",
    features: ["HTTPRouteBackendRequestHeaderModification"],
    rules: [22],
    tests: ["HTTPRouteBackendRequestHeaderModifier", "HTTPRouteRequestHeaderModifierBackendWeights"],
    resources: [
      httpRoute("backend-request-headers", [
        at("/one", {
          backendRefs: [to("v1", { filters: [requestHeaders({ set: [value("X-Set", "v1")], remove: ["X-Gone"] })] })],
        }),
        at("/order", {
          filters: [requestHeaders({ set: [value("X-Order", "rule")] })],
          backendRefs: [to("v1", { filters: [requestHeaders({ add: [value("X-Order", "backend")] })] })],
        }),
        at("/weights", {
          backendRefs: [
            to("v1", { weight: 0, filters: [requestHeaders({ set: [value("X-Backend", "v1")] })] }),
            to("v2", { weight: 1, filters: [requestHeaders({ set: [value("X-Backend", "v2")] })] }),
          ],
        }),
      ]),
    ],
    steps: [
      { ask: { path: "/one", headers: { "x-gone": "1" } }, expect: { got: { "x-set": "v1", "x-gone": null } } },
      { ask: { path: "/order" }, expect: { got: { "x-order": /^rule, ?backend$/ } } },
      { ask: { path: "/weights" }, expect: { backend: "v2", got: { "x-backend": "v2" } } },
    ],
  },
  {
    name: "redirect-host-status",
    holds: "a redirect is a 302 unless it says otherwise; path and query are kept",
    features: ["HTTPRoute"],
    rules: [23],
    tests: ["HTTPRouteRedirectHostAndStatus"],
    resources: [
      httpRoute("redirect-host-status", [
        at("/host", redirect({ hostname: "example.org" })),
        at("/status", redirect({ hostname: "example.org", statusCode: 301 })),
        at("/nothing", redirect({ statusCode: 301, scheme: "https" })),
      ]),
    ],
    steps: [
      moved("/host/a?b=c", "http://example.org/host/a?b=c"),
      moved("/status", "http://example.org/status", 301),
      moved("/nothing", "https://redirect-host-status.example/nothing", 301),
    ],
  },
  {
    name: "redirect-path",
    holds: "a redirect replaces the whole path, or its prefix by elements",
    features: ["HTTPRoutePathRedirect"],
    rules: [23, 24],
    tests: ["HTTPRouteRedirectPath"],
    resources: [
      httpRoute("redirect-path", [
        at("/original-prefix", redirect({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/replacement" } })),
        at("/full", redirect({ path: { type: "ReplaceFullPath", replaceFullPath: "/full-replacement" } })),
        at(
          "/host",
          redirect({ hostname: "example.org", path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } }),
        ),
      ]),
    ],
    steps: [
      moved("/original-prefix/lemon?q=1", "http://redirect-path.example/replacement/lemon?q=1"),
      moved("/full/path/original", "http://redirect-path.example/full-replacement"),
      moved("/host/one/two", "http://example.org/one/two"),
      moved("/host", "http://example.org/"),
    ],
  },
  {
    name: "redirect-port",
    holds: "port: the one given, else the scheme's when there is one, else the listener's; 80 and 443 are left out",
    features: ["HTTPRoutePortRedirect"],
    rules: [23],
    tests: ["HTTPRouteRedirectPort"],
    resources: [
      httpRoute("redirect-port", [
        at("/port", redirect({ port: 8083 })),
        at("/port-host", redirect({ port: 8083, hostname: "example.org" })),
        at("/eighty", redirect({ port: 80 })),
        at("/none", redirect({ hostname: "example.org" })),
      ]),
    ],
    steps: [
      moved("/port", "http://redirect-port.example:8083/port"),
      moved("/port-host", "http://example.org:8083/port-host"),
      moved("/eighty", "http://redirect-port.example/eighty"),
      {
        ask: { path: "/none", host: "redirect-port.example:9999" },
        expect: { status: 302, headers: { location: "http://example.org/none" } },
      },
      {
        ask: { path: "/none", port: 8080 },
        expect: { status: 302, headers: { location: "http://example.org:8080/none" } },
      },
    ],
  },
  {
    name: "redirect-scheme",
    holds: "a scheme alone brings its own port",
    features: ["HTTPRouteSchemeRedirect"],
    rules: [23],
    tests: ["HTTPRouteRedirectScheme"],
    resources: [
      httpRoute("redirect-scheme", [
        at("/scheme", redirect({ scheme: "https" })),
        at("/scheme-host", redirect({ scheme: "https", hostname: "example.org" })),
      ]),
    ],
    steps: [
      moved("/scheme", "https://redirect-scheme.example/scheme"),
      moved("/scheme-host", "https://example.org/scheme-host"),
      {
        ask: { path: "/scheme", port: 8080 },
        expect: { status: 302, headers: { location: "https://redirect-scheme.example/scheme" } },
      },
    ],
  },
  {
    name: "redirect-port-scheme",
    holds: "scheme and port together, on HTTP, HTTPS and port 8080",
    features: ["HTTPRouteSchemeRedirect", "HTTPRoutePortRedirect", "GatewayPort8080"],
    rules: [23],
    tests: ["HTTPRouteRedirectPortAndScheme"],
    resources: [
      gateway("redirect-port-scheme", [http("http"), http("http-8080", { port: 8080 }), https("https")]),
      httpRoute(
        "redirect-port-scheme",
        [
          at("/nil-443", redirect({ hostname: "example.org", port: 443 })),
          at("/nil-80", redirect({ hostname: "example.org", port: 80 })),
          at("/nil-nil", redirect({ hostname: "example.org" })),
          at("/https-443", redirect({ hostname: "example.org", scheme: "https", port: 443 })),
          at("/https-8443", redirect({ hostname: "example.org", scheme: "https", port: 8443 })),
          at("/http-nil", redirect({ hostname: "example.org", scheme: "http" })),
        ],
        { parentRefs: [{ name: "redirect-port-scheme" }] },
      ),
    ],
    steps: (
      [
        ["http", 80, "/nil-443", "http://example.org:443/nil-443"],
        ["http", 80, "/https-443", "https://example.org/https-443"],
        ["http", 80, "/https-8443", "https://example.org:8443/https-8443"],
        ["http", 8080, "/nil-80", "http://example.org/nil-80"],
        ["http", 8080, "/nil-nil", "http://example.org:8080/nil-nil"],
        ["http", 8080, "/http-nil", "http://example.org/http-nil"],
        ["https", 443, "/nil-nil", "https://example.org/nil-nil"],
        ["https", 443, "/nil-80", "https://example.org:80/nil-80"],
        ["https", 443, "/http-nil", "http://example.org/http-nil"],
      ] as const
    ).map(([scheme, port, from, location]) => ({
      ask: { via: "redirect-port-scheme", scheme, port, path: from },
      expect: { status: 302, headers: { location } },
    })),
  },
  redirectStatus(303, "HTTPRoute303Redirect"),
  redirectStatus(307, "HTTPRoute307Redirect"),
  redirectStatus(308, "HTTPRoute308Redirect"),
  {
    name: "redirect-with-backends",
    holds: "a redirect and backends in one rule are refused",
    features: ["HTTPRoute"],
    rules: [23],
    steps: [
      {
        refused: httpRoute("redirect-with-backends", [
          { ...redirect({ hostname: "example.org" }), backendRefs: [to("v1")] },
        ]),
        says: /RequestRedirect/,
      },
    ],
  },
  {
    name: "rewrite-host",
    holds: "the backend is asked for the new host",
    features: ["HTTPRouteHostRewrite"],
    tests: ["HTTPRouteRewriteHost"],
    resources: [
      httpRoute("rewrite-host", [
        at("/one", { filters: [rewrite({ hostname: "one.example.org" })], backendRefs: [to("v1")] }),
        at("/host-and-headers", {
          filters: [rewrite({ hostname: "test.example.org" }), requestHeaders({ set: [value("X-Set", "set")] })],
          backendRefs: [to("v2")],
        }),
        rule("v1"),
      ]),
    ],
    steps: [
      { ask: { path: "/one" }, expect: { backend: "v1", host: "one.example.org", path: "/one" } },
      {
        ask: { path: "/host-and-headers" },
        expect: { backend: "v2", host: "test.example.org", got: { "x-set": "set" } },
      },
      { ask: { path: "/other" }, expect: { host: "rewrite-host.example" } },
    ],
  },
  {
    name: "rewrite-path",
    holds: "paths are rewritten whole or by prefix, element by element, the query kept",
    features: ["HTTPRoutePathRewrite"],
    rules: [24],
    tests: ["HTTPRouteRewritePath"],
    resources: [
      httpRoute("rewrite-path", [
        at("/prefix/one", {
          filters: [rewrite({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/one" } })],
          backendRefs: [to("v1")],
        }),
        at("/strip", {
          filters: [rewrite({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } })],
          backendRefs: [to("v1")],
        }),
        at("/empty", {
          filters: [rewrite({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "" } })],
          backendRefs: [to("v1")],
        }),
        at("/slash/", {
          filters: [rewrite({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/xyz/" } })],
          backendRefs: [to("v1")],
        }),
        at("/full/one", {
          filters: [rewrite({ path: { type: "ReplaceFullPath", replaceFullPath: "/one" } })],
          backendRefs: [to("v1")],
        }),
      ]),
    ],
    steps: (
      [
        ["/prefix/one/two?q=1", "/one/two?q=1"],
        ["/prefix/one", "/one"],
        ["/prefix/one/", "/one/"],
        ["/strip/one", "/one"],
        ["/strip", "/"],
        ["/empty", "/"],
        ["/empty/a", "/a"],
        ["/slash/a", "/xyz/a"],
        ["/full/one/two?q=1", "/one?q=1"],
      ] as const
    ).map(([from, wanted]) => ({ ask: { path: from }, expect: { path: wanted } })),
  },
  {
    name: "rewrite-prefix-needs-prefix",
    holds: "ReplacePrefixMatch without exactly one PathPrefix match is refused",
    features: ["HTTPRoutePathRewrite"],
    rules: [24],
    steps: [
      {
        refused: httpRoute("rewrite-prefix-needs-prefix", [
          {
            matches: [path("Exact", "/one")],
            filters: [rewrite({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" } })],
            backendRefs: [to("v1")],
          },
        ]),
        says: /PathPrefix/,
      },
    ],
  },
  {
    name: "backend-url-rewrite",
    holds: "a backend can have a rewrite of its own",
    features: ["HTTPRouteBackendURLRewrite"],
    tests: ["HTTPRouteBackendURLRewrite"],
    resources: [
      httpRoute("backend-url-rewrite", [
        at("/host", { backendRefs: [to("v1", { filters: [rewrite({ hostname: "one.example.org" })] })] }),
        at("/path", {
          backendRefs: [
            to("v1", { filters: [rewrite({ path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" } })] }),
          ],
        }),
      ]),
    ],
    steps: [
      { ask: { path: "/host" }, expect: { host: "one.example.org", path: "/host" } },
      { ask: { path: "/path/a?q=1" }, expect: { path: "/new/a?q=1" } },
    ],
  },
  {
    name: "backend-redirect",
    holds: "a backend can be a redirect for its share of the requests",
    features: ["HTTPRouteBackendRequestRedirect"],
    tests: ["HTTPRouteBackendRequestRedirect"],
    resources: [httpRoute("backend-redirect", [{ backendRefs: [to("v1", redirect({ hostname: "example.org" }))] }])],
    steps: [moved("/a?b=c", "http://example.org/a?b=c")],
  },
  {
    name: "mirror",
    holds: "a mirror gets the request too; its answer is ignored",
    features: ["HTTPRouteRequestMirror"],
    rules: [27],
    tests: ["HTTPRouteRequestMirror"],
    resources: [httpRoute("mirror", [{ filters: [mirror("v2")], backendRefs: [to("v1")] }])],
    steps: [
      { ask: { path: "/mirror-case" }, expect: { backend: "v1" } },
      { arrived: "/mirror-case", backend: "v2", times: 3 },
    ],
  },
  {
    name: "several-mirrors",
    holds: "several mirrors get it each",
    features: ["HTTPRouteRequestMultipleMirrors"],
    rules: [27],
    tests: ["HTTPRouteRequestMultipleMirrors"],
    resources: [httpRoute("several-mirrors", [{ filters: [mirror("v2"), mirror("v3")], backendRefs: [to("v1")] }])],
    steps: [
      { ask: { path: "/several-mirrors-case" }, expect: { backend: "v1" } },
      { arrived: "/several-mirrors-case", backend: "v2", times: 3 },
      { arrived: "/several-mirrors-case", backend: "v3", times: 3 },
    ],
  },
  {
    name: "mirror-percentage",
    holds: "a share of the requests is mirrored, by percent or by fraction; 0 percent is none",
    features: ["HTTPRouteRequestPercentageMirror"],
    rules: [27],
    tests: ["HTTPRouteRequestPercentageMirror"],
    resources: [
      httpRoute("mirror-percentage", [
        at("/percent-case", { filters: [mirror("v2", { percent: 20 })], backendRefs: [to("v1")] }),
        at("/fraction-case", {
          filters: [mirror("v2", { fraction: { numerator: 1, denominator: 2 } })],
          backendRefs: [to("v1")],
        }),
        at("/none-case", { filters: [mirror("v2", { percent: 0 })], backendRefs: [to("v1")] }),
      ]),
    ],
    steps: [
      { ask: { path: "/none-case" }, expect: { backend: "v1" } },
      { share: { path: "/percent-case" }, count: 200, of: { v1: 100 } },
      { share: { path: "/fraction-case" }, count: 200, of: { v1: 100 } },
      { arrived: "/percent-case", backend: "v2", times: 15, atMost: 70 },
      { arrived: "/fraction-case", backend: "v2", times: 70, atMost: 130 },
      { arrived: "/none-case", backend: "v2", times: 0, atMost: 0 },
    ],
  },
  {
    name: "mirror-invalid",
    holds: "a mirror that leads nowhere is told in the status and does not touch the request",
    features: ["HTTPRouteRequestMirror"],
    rules: [27],
    resources: [httpRoute("mirror-invalid", [{ filters: [mirror("nowhere")], backendRefs: [to("v1")] }])],
    steps: [
      { ask: {}, expect: { backend: "v1" } },
      {
        status: "HTTPRoute conformance/mirror-invalid",
        at: "parents.0",
        conditions: ["Accepted=True/Accepted", "ResolvedRefs=False/BackendNotFound"],
      },
    ],
  },
  {
    name: "mirror-percent-and-fraction",
    holds: "percent and fraction together are refused",
    features: ["HTTPRouteRequestPercentageMirror"],
    rules: [27],
    steps: [
      {
        refused: httpRoute("mirror-both", [
          { filters: [mirror("v2", { percent: 1, fraction: { numerator: 1 } })], backendRefs: [to("v1")] },
        ]),
        says: /percent/,
      },
    ],
  },
  {
    name: "cors",
    holds: "preflights are answered by the gateway, allowed origins are said back, others get no fields",
    features: ["HTTPRouteCORS"],
    rules: [28],
    tests: ["HTTPRouteCORS"],
    resources: [
      httpRoute("cors", [
        at("/cors", {
          filters: [
            {
              type: "CORS",
              cors: {
                allowOrigins: ["https://www.foo.com", "https://*.bar.com"],
                allowMethods: ["GET", "OPTIONS"],
                allowHeaders: ["x-header-1", "x-header-2"],
                exposeHeaders: ["x-header-3"],
                allowCredentials: true,
                maxAge: 3600,
              },
            },
          ],
          backendRefs: [to("v1")],
        }),
        at("/any", {
          filters: [{ type: "CORS", cors: { allowOrigins: ["*"], allowMethods: ["GET"], allowCredentials: true } }],
          backendRefs: [to("v1")],
        }),
        at("/plain", {
          filters: [{ type: "CORS", cors: { allowOrigins: ["https://www.foo.com"] } }],
          backendRefs: [to("v1")],
        }),
      ]),
    ],
    steps: [
      {
        ask: {
          method: "OPTIONS",
          path: "/cors",
          headers: {
            origin: "https://www.foo.com",
            "access-control-request-method": "GET",
            "access-control-request-headers": "x-header-1",
          },
        },
        expect: {
          status: [200, 204],
          backend: "",
          headers: {
            "access-control-allow-origin": "https://www.foo.com",
            "access-control-allow-methods": /GET/,
            "access-control-allow-headers": /x-header-1/,
            "access-control-allow-credentials": "true",
            "access-control-max-age": "3600",
          },
        },
      },
      {
        ask: { path: "/cors", headers: { origin: "https://a.b.bar.com" } },
        expect: {
          backend: "v1",
          headers: {
            "access-control-allow-origin": "https://a.b.bar.com",
            "access-control-expose-headers": /x-header-3/,
          },
        },
      },
      {
        ask: {
          method: "OPTIONS",
          path: "/cors",
          headers: { origin: "https://evil.com", "access-control-request-method": "GET" },
        },
        expect: { status: [200, 204, 403], headers: { "access-control-allow-origin": null } },
      },
      {
        ask: { path: "/cors", headers: { origin: "https://bar.com" } },
        expect: { headers: { "access-control-allow-origin": null } },
      },
      {
        ask: { path: "/any", headers: { origin: "https://any.org" } },
        expect: {
          headers: { "access-control-allow-origin": "https://any.org", "access-control-allow-credentials": "true" },
        },
      },
      {
        ask: { path: "/plain", headers: { origin: "https://www.foo.com" } },
        expect: {
          headers: { "access-control-allow-origin": "https://www.foo.com", "access-control-allow-credentials": null },
        },
      },
    ],
  },
  {
    name: "timeout-request",
    holds: "the request's time-out is a 504; 0s is none",
    features: ["HTTPRouteRequestTimeout"],
    rules: [25],
    tests: ["HTTPRouteTimeoutRequest"],
    resources: [
      httpRoute("timeout-request", [
        at("/limited", { timeouts: { request: "500ms" }, backendRefs: [to("v1")] }),
        at("/unlimited", { timeouts: { request: "0s" }, backendRefs: [to("v1")] }),
      ]),
    ],
    steps: [
      { ask: { path: "/limited" }, expect: { backend: "v1" } },
      { ask: { path: "/limited", headers: { "x-echo-delay": "1500" } }, expect: { status: 504 } },
      { ask: { path: "/unlimited", headers: { "x-echo-delay": "1000" } }, expect: { backend: "v1" } },
    ],
  },
  {
    name: "timeout-backend",
    holds: "the time-out of one try is a 504; it may be longer than a request's of 0s",
    features: ["HTTPRouteBackendTimeout"],
    rules: [25],
    tests: ["HTTPRouteTimeoutBackendRequest"],
    resources: [
      httpRoute("timeout-backend", [
        at("/limited", { timeouts: { backendRequest: "500ms" }, backendRefs: [to("v1")] }),
        at("/zero", { timeouts: { request: "0s", backendRequest: "500ms" }, backendRefs: [to("v1")] }),
      ]),
    ],
    steps: [
      { ask: { path: "/limited" }, expect: { backend: "v1" } },
      { ask: { path: "/limited", method: "POST", headers: { "x-echo-delay": "1500" } }, expect: { status: 504 } },
      { ask: { path: "/zero" }, expect: { backend: "v1" } },
    ],
  },
  {
    name: "timeout-order",
    holds: "a try's time-out longer than the request's, and a duration that is none, are refused",
    features: ["HTTPRouteRequestTimeout", "HTTPRouteBackendTimeout"],
    rules: [25],
    steps: [
      {
        refused: httpRoute("timeout-order", [
          { timeouts: { request: "1s", backendRequest: "2s" }, backendRefs: [to("v1")] },
        ]),
        says: /backendRequest/,
      },
      {
        refused: httpRoute("timeout-order", [{ timeouts: { request: "1.5s" }, backendRefs: [to("v1")] }]),
        says: /request/,
      },
    ],
  },
  {
    name: "retry",
    holds: "attempts counts retries: with 3, three failures are made good and four are not; only listed codes",
    features: ["HTTPRouteRetry"],
    rules: [26],
    tests: ["HTTPRouteRetry"],
    resources: [
      httpRoute("retry", [{ retry: { codes: [500, 503], attempts: 3, backoff: "10ms" }, backendRefs: [to("v1")] }]),
    ],
    steps: [
      { ask: {}, expect: { backend: "v1" } },
      {
        ask: { headers: { "x-echo-status": "500", "x-echo-failures": "3", "x-echo-key": "retry-3" } },
        expect: { status: 200 },
      },
      {
        ask: { headers: { "x-echo-status": "500", "x-echo-failures": "100", "x-echo-key": "retry-100" } },
        expect: { status: 500 },
      },
      { ask: { path: "/retry-other-case", headers: { "x-echo-status": "502" } }, expect: { status: 502 } },
      { arrived: "/retry-other-case", backend: "v1", times: 3, atMost: 3 },
    ],
  },
  {
    name: "retry-connection-error",
    holds: "with a retry stanza a broken connection is tried again, and is a 500, 502 or 503 when nothing is left",
    features: ["HTTPRouteRetryConnectionError"],
    rules: [26],
    tests: ["HTTPRouteRetryConnectionError"],
    resources: [
      httpRoute("retry-connection-error", [
        at("/broken", { retry: { attempts: 2 }, backendRefs: [{ name: "v1", port: 9009 }] }),
        at("/good", { retry: { attempts: 2 }, backendRefs: [to("v1")] }),
      ]),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "closed-port", namespace: "conformance" },
        spec: { selector: { app: "backend-v1" }, ports: [{ port: 8080, targetPort: 1 }] },
      },
      httpRoute("retry-closed-port", [{ retry: { attempts: 2 }, backendRefs: [to("closed-port")] }]),
    ],
    steps: [
      { ask: { path: "/good" }, expect: { backend: "v1" } },
      { ask: { host: "retry-closed-port.example" }, expect: { status: [500, 502, 503] } },
    ],
  },
  {
    name: "retry-backend-timeout",
    holds: "a try that takes too long is tried again when 504 is listed, within the request's time-out",
    features: ["HTTPRouteRetryBackendTimeout"],
    rules: [25, 26],
    tests: ["HTTPRouteRetryWithTimeouts"],
    resources: [
      httpRoute("retry-backend-timeout", [
        {
          timeouts: { request: "3s", backendRequest: "300ms" },
          retry: { codes: [504], attempts: 2, backoff: "10ms" },
          backendRefs: [to("v1")],
        },
      ]),
    ],
    steps: [
      { ask: {}, expect: { backend: "v1" } },
      { ask: { path: "/retry-timeout-case", headers: { "x-echo-delay": "800" } }, expect: { status: 504 } },
      { arrived: "/retry-timeout-case", backend: "v1", times: 6, atMost: 9 },
    ],
  },
  {
    name: "backend-h2c",
    holds: "a port of appProtocol kubernetes.io/h2c is spoken to in HTTP/2 with prior knowledge",
    features: ["HTTPRouteBackendProtocolH2C"],
    rules: [31],
    tests: ["HTTPRouteBackendProtocolH2C"],
    resources: [httpRoute("backend-h2c", [{ backendRefs: [{ name: "v1", port: 8081 }] }])],
    steps: [
      { ask: {}, expect: { backend: "v1", protocol: "HTTP/2.0" } },
      { ask: { scheme: "h2c" }, expect: { backend: "v1", protocol: "HTTP/2.0" } },
    ],
  },
  {
    name: "backend-websocket",
    holds: "WebSocket passes to a port of appProtocol kubernetes.io/ws",
    features: ["HTTPRouteBackendProtocolWebSocket"],
    rules: [31],
    tests: ["HTTPRouteBackendProtocolWebSocket"],
    resources: [httpRoute("backend-websocket", [{ backendRefs: [{ name: "v1", port: 8082 }] }])],
    steps: [{ ask: { scheme: "ws" }, expect: { status: 101, backend: "v1" } }],
  },
  {
    name: "backend-odd-protocol",
    holds: "an appProtocol that is not known is ResolvedRefs=False, UnsupportedProtocol",
    features: ["HTTPRoute"],
    rules: [31, 16],
    resources: [httpRoute("backend-odd-protocol", [{ backendRefs: [{ name: "v1", port: 9003 }] }])],
    steps: [
      {
        status: "HTTPRoute conformance/backend-odd-protocol",
        at: "parents.0",
        conditions: ["Accepted=True/Accepted", "ResolvedRefs=False/UnsupportedProtocol"],
      },
    ],
  },
  {
    name: "session-cookie",
    holds:
      "a session stays with the backend of its first request, of which alone the weights decide; another rule has another",
    features: ["HTTPRouteSessionPersistence"],
    rules: [33],
    resources: [
      httpRoute("session-cookie", [
        at("/a", {
          sessionPersistence: { sessionName: "session-a", type: "Cookie" },
          backendRefs: [to("v1"), to("v2", { weight: 0 })],
        }),
        at("/b", { sessionPersistence: { sessionName: "session-b" }, backendRefs: [to("v2")] }),
      ]),
    ],
    steps: [
      { ask: { path: "/a" }, expect: { backend: "v1", headers: { "set-cookie": /session-a=.*;.*Path=\//i } } },
      { ask: { path: "/a" }, expect: { headers: { "set-cookie": /^(?!.*(expires|max-age)).*$/i } } },
      { ask: { path: "/b", headers: { cookie: "a=1; session-a=x; b=2" } }, expect: { backend: "v2" } },
    ],
  },
  {
    name: "session-permanent",
    holds: "a permanent session needs an absolute time-out",
    features: ["HTTPRouteSessionPersistence"],
    rules: [33],
    steps: [
      {
        refused: httpRoute("session-permanent", [
          { sessionPersistence: { cookieConfig: { lifetimeType: "Permanent" } }, backendRefs: [to("v1")] },
        ]),
        says: /absoluteTimeout/,
      },
    ],
  },
];
