// HTTPRoute: which rule of which route a request belongs to.

import type { Case } from "../case.ts";
import { httpRoute, path, rule, to } from "../manifests.ts";

const header = (name: string, value: string, type = "Exact"): object => ({ name, value, type });

/** The cases. */
export const httpMatching: readonly Case[] = [
  {
    name: "simple-same-namespace",
    holds: "a route without matches carries everything to its backend",
    features: ["Gateway", "HTTPRoute"],
    tests: ["HTTPRouteSimpleSameNamespace"],
    resources: [httpRoute("simple-same-namespace", [rule("v1")])],
    steps: [
      { ask: {}, expect: { backend: "v1" } },
      { ask: { path: "/any/where?q=1", method: "POST", body: "x" }, expect: { backend: "v1", path: "/any/where?q=1" } },
      {
        status: "HTTPRoute conformance/simple-same-namespace",
        at: "parents.0",
        conditions: ["Accepted=True/Accepted", "ResolvedRefs=True/ResolvedRefs"],
        fields: { controllerName: "ripstop.mesh/control" },
      },
    ],
  },
  {
    name: "exact-path",
    holds: "Exact is byte-exact: case and a slash at the end count",
    features: ["HTTPRoute"],
    rules: [4],
    tests: ["HTTPRouteExactPathMatching"],
    resources: [httpRoute("exact-path", [rule("v1", path("Exact", "/one")), rule("v2", path("Exact", "/two/"))])],
    steps: [
      { ask: { path: "/one" }, expect: { backend: "v1" } },
      { ask: { path: "/one?q=1" }, expect: { backend: "v1" } },
      { ask: { path: "/two/" }, expect: { backend: "v2" } },
      { ask: { path: "/" }, expect: { status: 404 } },
      { ask: { path: "/one/" }, expect: { status: 404 } },
      { ask: { path: "/One" }, expect: { status: 404 } },
      { ask: { path: "/two" }, expect: { status: 404 } },
      { ask: { path: "/one/example" }, expect: { status: 404 } },
    ],
  },
  {
    name: "path-prefix",
    holds: "PathPrefix goes by whole path elements, minds case, and ignores a slash at its own end",
    features: ["HTTPRoute"],
    rules: [4],
    tests: ["HTTPRouteMatching"],
    resources: [
      httpRoute("path-prefix", [rule("v1", path("PathPrefix", "/abc")), rule("v2", path("PathPrefix", "/xyz/"))]),
    ],
    steps: [
      ...["/abc", "/abc/", "/abc/def", "/abc?q"].map((one) => ({ ask: { path: one }, expect: { backend: "v1" } })),
      ...["/xyz", "/xyz/", "/xyz/a"].map((one) => ({ ask: { path: one }, expect: { backend: "v2" } })),
      ...["/abcd", "/ABC", "/ab", "/xyza"].map((one) => ({ ask: { path: one }, expect: { status: 404 } })),
    ],
  },
  {
    name: "match-precedence",
    holds:
      "exact path, then longest prefix, then method, then most headers, then most query parameters; for each match",
    features: ["HTTPRoute", "HTTPRouteMethodMatching", "HTTPRouteQueryParamMatching"],
    rules: [1],
    tests: ["HTTPRoutePathMatchOrder"],
    resources: [
      httpRoute("match-precedence", [
        rule("v1", path("PathPrefix", "/match"), path("PathPrefix", "/long/prefix/of/some")),
        rule("v2", path("PathPrefix", "/match/prefix"), path("Exact", "/match/exact")),
        rule("v3", path("PathPrefix", "/match/prefix/long"), path("Exact", "/match")),
        rule("v1", path("PathPrefix", "/m", { headers: [header("a", "1")] })),
        rule("v2", path("PathPrefix", "/m", { method: "PUT" })),
        rule("v3", path("PathPrefix", "/m", { headers: [header("a", "1"), header("b", "2")] })),
        rule("v1", path("PathPrefix", "/q", { queryParams: [{ name: "a", value: "1" }] })),
        rule(
          "v2",
          path("PathPrefix", "/q", {
            queryParams: [
              { name: "a", value: "1" },
              { name: "b", value: "2" },
            ],
          }),
        ),
        rule("v3", path("PathPrefix", "/q", { headers: [header("h", "1")] })),
      ]),
    ],
    steps: [
      { ask: { path: "/match" }, expect: { backend: "v3" } },
      { ask: { path: "/match/exact" }, expect: { backend: "v2" } },
      { ask: { path: "/match/any" }, expect: { backend: "v1" } },
      { ask: { path: "/match/prefix/x" }, expect: { backend: "v2" } },
      { ask: { path: "/match/prefix/long/x" }, expect: { backend: "v3" } },
      { ask: { path: "/m", headers: { a: "1" } }, expect: { backend: "v1" } },
      { ask: { path: "/m", headers: { a: "1", b: "2" } }, expect: { backend: "v3" } },
      { ask: { path: "/m", method: "PUT", headers: { a: "1", b: "2" } }, expect: { backend: "v2" } },
      { ask: { path: "/q?a=1" }, expect: { backend: "v1" } },
      { ask: { path: "/q?a=1&b=2" }, expect: { backend: "v2" } },
      { ask: { path: "/q?a=1&b=2", headers: { h: "1" } }, expect: { backend: "v3" } },
    ],
  },
  {
    name: "first-rule-wins",
    holds: "of equal matches of one route the first rule's decides",
    features: ["HTTPRoute"],
    rules: [1],
    resources: [
      httpRoute("first-rule-wins", [rule("v1", path("PathPrefix", "/same")), rule("v2", path("PathPrefix", "/same"))]),
    ],
    steps: [{ ask: { path: "/same" }, expect: { backend: "v1" } }],
  },
  {
    name: "matching-across-routes",
    holds: "the rules of several routes for one host are judged together; of equal matches the first name decides",
    features: ["HTTPRoute"],
    rules: [1],
    tests: ["HTTPRouteMatchingAcrossRoutes"],
    resources: [
      httpRoute(
        "matching-across-routes",
        [rule("v1", path("PathPrefix", "/")), rule("v1", { headers: [header("version", "one")] })],
        {},
        { name: "matching-across-routes-1" },
      ),
      httpRoute(
        "matching-across-routes",
        [
          rule("v2", path("PathPrefix", "/v2")),
          rule("v2", { headers: [header("version", "two")] }),
          rule("v2", path("PathPrefix", "/")),
        ],
        {},
        { name: "matching-across-routes-2" },
      ),
    ],
    steps: [
      { ask: { path: "/" }, expect: { backend: "v1" } },
      { ask: { path: "/v2" }, expect: { backend: "v2" } },
      { ask: { path: "/v2/example" }, expect: { backend: "v2" } },
      { ask: { path: "/v2example" }, expect: { backend: "v1" } },
      { ask: { headers: { version: "two" } }, expect: { backend: "v2" } },
      { ask: { path: "/v2", headers: { version: "one" } }, expect: { backend: "v2" } },
    ],
  },
  {
    name: "older-route-wins",
    holds: "of equal matches the older route's decides, whatever its name",
    features: ["HTTPRoute"],
    rules: [1],
    resources: [httpRoute("older-route-wins", [rule("v2")], {}, { name: "older-route-wins-z" })],
    steps: [
      { ask: {}, expect: { backend: "v2" } },
      // Creation times are whole seconds: the next one must have begun.
      { ask: { headers: { "x-echo-delay": "1100" } }, expect: { backend: "v2" } },
      {
        apply: [
          httpRoute(
            "older-route-wins",
            [rule("v1"), rule("v1", path("Exact", "/live"))],
            {},
            { name: "older-route-wins-a" },
          ),
        ],
      },
      { ask: { path: "/live" }, expect: { backend: "v1" } },
      { ask: {}, expect: { backend: "v2" } },
    ],
  },
  {
    name: "header-matching",
    holds: "all headers of a match must fit, names in any case; of entries with one name only the first counts",
    features: ["HTTPRoute"],
    rules: [5],
    tests: ["HTTPRouteHeaderMatching"],
    resources: [
      httpRoute("header-matching", [
        rule("v1", { headers: [header("version", "one")] }),
        rule("v2", { headers: [header("version", "two")] }),
        rule("v1", { headers: [header("version", "two"), header("color", "orange")] }),
        rule("v1", { headers: [header("color", "blue")] }, { headers: [header("color", "green")] }),
        rule("v2", { headers: [header("color", "red")] }, { headers: [header("color", "yellow")] }),
      ]),
    ],
    steps: [
      { ask: { headers: { Version: "one" } }, expect: { backend: "v1" } },
      { ask: { headers: { VERSION: "two" } }, expect: { backend: "v2" } },
      { ask: { headers: { version: "two", color: "orange" } }, expect: { backend: "v1" } },
      { ask: { headers: { color: "green" } }, expect: { backend: "v1" } },
      { ask: { headers: { color: "yellow" } }, expect: { backend: "v2" } },
      { ask: { headers: { color: "purple" } }, expect: { status: 404 } },
      { ask: { headers: { version: "One" } }, expect: { status: 404 } },
      { ask: {}, expect: { status: 404 } },
    ],
  },
  {
    name: "header-duplicates",
    holds: "of entries with one name, in whatever case, only the first counts",
    features: ["HTTPRoute"],
    rules: [5],
    resources: [
      httpRoute("header-duplicates", [rule("v1", { headers: [header("Color", "red"), header("color", "blue")] })]),
    ],
    steps: [
      { ask: { headers: { color: "red" } }, expect: { backend: "v1" } },
      { ask: { headers: { color: "blue" } }, expect: { status: 404 } },
    ],
  },
  {
    name: "header-regex",
    holds: "a header can be matched by a regular expression, which must fit the whole value",
    features: ["HTTPRoute"],
    resources: [httpRoute("header-regex", [rule("v1", { headers: [header("user", "j.*n", "RegularExpression")] })])],
    steps: [
      { ask: { headers: { user: "jason" } }, expect: { backend: "v1" } },
      { ask: { headers: { user: "jason2" } }, expect: { status: 404 } },
    ],
  },
  {
    name: "method-matching",
    holds: "a match can name a method",
    features: ["HTTPRouteMethodMatching"],
    tests: ["HTTPRouteMethodMatching"],
    resources: [
      httpRoute("method-matching", [
        rule("v1", { method: "POST" }),
        rule("v2", { method: "GET" }),
        rule("v3", path("PathPrefix", "/path5", { method: "PATCH" })),
        rule("v1", { method: "PATCH" }),
      ]),
    ],
    steps: [
      { ask: { method: "POST" }, expect: { backend: "v1" } },
      { ask: { method: "GET" }, expect: { backend: "v2" } },
      { ask: { method: "HEAD" }, expect: { status: 404 } },
      { ask: { method: "PATCH", path: "/path5" }, expect: { backend: "v3" } },
      { ask: { method: "PATCH" }, expect: { backend: "v1" } },
    ],
  },
  {
    name: "query-matching",
    holds: "query parameters match by exact name and first value",
    features: ["HTTPRouteQueryParamMatching"],
    rules: [5],
    tests: ["HTTPRouteQueryParamMatching"],
    resources: [
      httpRoute("query-matching", [
        rule("v1", { queryParams: [{ name: "animal", value: "whale" }] }),
        rule("v2", { queryParams: [{ name: "animal", value: "dolphin" }] }),
        rule("v3", {
          queryParams: [
            { name: "animal", value: "dolphin" },
            { name: "color", value: "blue" },
          ],
        }),
        rule("v1", path("PathPrefix", "/path5", { queryParams: [{ name: "animal", value: "hydra" }] })),
      ]),
    ],
    steps: [
      { ask: { path: "/?animal=whale" }, expect: { backend: "v1" } },
      { ask: { path: "/?animal=dolphin" }, expect: { backend: "v2" } },
      { ask: { path: "/?animal=dolphin&color=blue" }, expect: { backend: "v3" } },
      { ask: { path: "/?color=blue&animal=dolphin" }, expect: { backend: "v3" } },
      { ask: { path: "/?animal=whale&animal=dolphin" }, expect: { backend: "v1" } },
      { ask: { path: "/path5?animal=hydra" }, expect: { backend: "v1" } },
      { ask: { path: "/?Animal=whale" }, expect: { status: 404 } },
      { ask: { path: "/?animal=hydra" }, expect: { status: 404 } },
      { ask: {}, expect: { status: 404 } },
    ],
  },
  {
    name: "query-regex",
    holds: "a query parameter can be matched by a regular expression",
    features: ["HTTPRouteQueryParamMatching"],
    resources: [
      httpRoute("query-regex", [
        rule("v1", { queryParams: [{ name: "id", value: "[0-9]+", type: "RegularExpression" }] }),
      ]),
    ],
    steps: [
      { ask: { path: "/?id=42" }, expect: { backend: "v1" } },
      { ask: { path: "/?id=42a" }, expect: { status: 404 } },
    ],
  },
  {
    name: "path-regex",
    holds: "a path can be matched by a regular expression",
    features: ["HTTPRoute"],
    resources: [httpRoute("path-regex", [rule("v1", path("RegularExpression", "/v[0-9]+/items"))])],
    steps: [
      { ask: { path: "/v12/items" }, expect: { backend: "v1" } },
      { ask: { path: "/vx/items" }, expect: { status: 404 } },
    ],
  },
  {
    name: "named-rule",
    holds: "rules can have names, which change nothing about traffic",
    features: ["HTTPRouteNamedRouteRule"],
    tests: ["HTTPRouteNamedRule"],
    resources: [
      httpRoute("named-rule", [
        { name: "named", matches: [path("PathPrefix", "/named")], backendRefs: [to("v1")] },
        rule("v2", path("PathPrefix", "/unnamed")),
      ]),
    ],
    steps: [
      { ask: { path: "/named" }, expect: { backend: "v1" } },
      { ask: { path: "/unnamed" }, expect: { backend: "v2" } },
    ],
  },
  {
    name: "named-rule-twice",
    holds: "two rules of one route cannot have one name",
    features: ["HTTPRouteNamedRouteRule"],
    steps: [
      {
        refused: httpRoute("named-rule-twice", [
          { name: "same", backendRefs: [to("v1")] },
          { name: "same", backendRefs: [to("v2")] },
        ]),
        says: /name/i,
      },
    ],
  },
];
