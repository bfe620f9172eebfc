// Gateway API matching rules, one by one.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList } from "@ripstop/http";
import { PathMatch_Type, type Backend, type HttpRule } from "@ripstop/model";
import { chooseBackend } from "./choose-backend.ts";
import { compilePortRoutes, type RouteRequest } from "./port-matcher.ts";
import { compileRoutes } from "./routes-matcher.ts";

function rule(source: string, parts: Partial<HttpRule> = {}): HttpRule {
  return {
    source,
    hostnames: [],
    path: undefined,
    method: "",
    headers: [],
    query: [],
    filters: [],
    backends: [],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
    ...parts,
  };
}

function request(
  parts: Partial<Omit<RouteRequest, "headers">> & { headers?: readonly (readonly [string, string])[] } = {},
): RouteRequest {
  const headers = new HeaderList();
  for (const [name, value] of parts.headers ?? []) headers.append(name, value);
  return { host: "catalog", method: "GET", path: "/", query: "", ...parts, headers };
}

function matched(rules: readonly HttpRule[], asked: RouteRequest): string | undefined {
  return compilePortRoutes(rules).match(asked)?.source;
}

const prefix = (value: string): Partial<HttpRule> => ({ path: { type: PathMatch_Type.PREFIX, value } });
const exact = (value: string): Partial<HttpRule> => ({ path: { type: PathMatch_Type.EXACT, value } });
const regex = (value: string): Partial<HttpRule> => ({ path: { type: PathMatch_Type.REGEX, value } });

describe("matching a request", () => {
  it("takes the first rule that matches, in the given order", () => {
    const rules = [rule("narrow", prefix("/a/b")), rule("wide", prefix("/a"))];
    assert.equal(matched(rules, request({ path: "/a/b/c" })), "narrow");
    assert.equal(matched(rules, request({ path: "/a/c" })), "wide");
    assert.equal(matched(rules, request({ path: "/b" })), undefined);
    assert.equal(matched([...rules].reverse(), request({ path: "/a/b/c" })), "wide");
  });

  it("compares prefixes element by element, without regard to a trailing slash, with regard to case", () => {
    for (const value of ["/abc", "/abc/"]) {
      for (const path of ["/abc", "/abc/", "/abc/def"])
        assert.equal(matched([rule("r", prefix(value))], request({ path })), "r", path);
      for (const path of ["/abcd", "/ab", "/ABC", "/x/abc"])
        assert.equal(matched([rule("r", prefix(value))], request({ path })), undefined, path);
    }
    assert.equal(matched([rule("r", prefix("/"))], request({ path: "/anything" })), "r");
    assert.equal(matched([rule("r")], request({ path: "/anything" })), "r");
  });

  it("compares exact paths byte for byte", () => {
    assert.equal(matched([rule("r", exact("/abc"))], request({ path: "/abc" })), "r");
    assert.equal(matched([rule("r", exact("/abc"))], request({ path: "/abc/" })), undefined);
  });

  it("takes names literally and wildcards as suffixes of any number of labels", () => {
    const rules = [rule("r", { hostnames: ["*.example.com", "a.b"] })];
    for (const host of ["x.example.com", "x.y.example.com", "a.b"])
      assert.equal(matched(rules, request({ host })), "r", host);
    for (const host of ["example.com", "xexample.com", "axb", "a.b.c"])
      assert.equal(matched(rules, request({ host })), undefined, host);
  });

  it("wants every header and query match, names of headers in any case, only the first match of a name", () => {
    const rules = [
      rule("r", {
        method: "POST",
        headers: [
          { name: "X-Version", value: "2", regex: false },
          { name: "x-version", value: "3", regex: false },
        ],
        query: [{ name: "q", value: "a b", regex: false }],
      }),
    ];
    const headers = [["x-version", "2"]] as const;
    assert.equal(matched(rules, request({ method: "POST", headers, query: "x=1&q=a%20b" })), "r");
    assert.equal(matched(rules, request({ method: "POST", headers, query: "q=a+b&q=c" })), "r");
    assert.equal(matched(rules, request({ method: "POST", headers, query: "q=c&q=a+b" })), undefined);
    assert.equal(matched(rules, request({ method: "GET", headers, query: "q=a+b" })), undefined);
    assert.equal(matched(rules, request({ method: "POST", query: "q=a+b" })), undefined);
    assert.equal(matched(rules, request({ method: "POST", headers, query: "Q=a+b" })), undefined);
  });

  it("sees a repeated header as one value, so that no copy hides behind the first", () => {
    const rules = [rule("r", { headers: [{ name: "role", value: "reader", regex: false }] })];
    assert.equal(
      matched(
        rules,
        request({
          headers: [
            ["role", "reader"],
            ["role", "admin"],
          ],
        }),
      ),
      undefined,
    );
  });

  it("matches regular expressions against the whole text", () => {
    assert.equal(matched([rule("r", regex("/v[12]/.*"))], request({ path: "/v1/x" })), "r");
    assert.equal(matched([rule("r", regex("/v[12]"))], request({ path: "/v1/x" })), undefined);
    const byHeader = [rule("r", { headers: [{ name: "agent", value: "curl/.*", regex: true }] })];
    assert.equal(matched(byHeader, request({ headers: [["agent", "curl/8"]] })), "r");
  });
});

describe("the routes of a service", () => {
  it("are chosen by port, with port 0 for all others, and none attached means none", () => {
    const routes = compileRoutes({
      service: "shop/catalog",
      ports: [
        {
          port: 80,
          http: [rule("eighty", { backends: [{ service: "shop/a", port: 80, weight: 1, invalid: "", filters: [] }] })],
        },
        {
          port: 0,
          http: [rule("any", { backends: [{ service: "shop/b", port: 80, weight: 1, invalid: "", filters: [] }] })],
        },
        { port: 90, http: [] },
      ],
    });
    assert.equal(routes.forPort(80)?.match(request())?.source, "eighty");
    assert.equal(routes.forPort(8080)?.match(request())?.source, "any");
    assert.deepEqual([...routes.backendServices()].sort(), ["shop/a", "shop/b"]);
    assert.equal(compileRoutes({ service: "s", ports: [{ port: 80, http: [] }] }).forPort(80), undefined);
  });

  it("take whole connections on the ports that say so, and on no other", () => {
    const routes = compileRoutes({
      service: "shop/catalog",
      ports: [
        { port: 0, http: [rule("all")], connections: true },
        { port: 80, http: [rule("requests")] },
        { port: 90, http: [rule("ninety")], connections: true },
      ],
    });
    const sources = [80, 90, 70].map((port) => routes.forConnections(port)?.source);
    assert.deepEqual(sources, [undefined, "ninety", "all"]);
    assert.equal(routes.forPort(70)?.match(request())?.source, "all");
    assert.equal(compileRoutes({ service: "s", ports: [] }).forConnections(80), undefined);
  });
});

describe("choosing a backend", () => {
  const backend = (weight: number): Backend => ({ service: "s", port: 80, weight, invalid: "", filters: [] });

  it("gives each its share, nothing to weight 0", () => {
    const [compiled] = compilePortRoutes([rule("r", { backends: [backend(90), backend(0), backend(10)] })]).rules;
    assert.ok(compiled);
    const counts = [0, 0, 0];
    for (let at = 0; at < 1000; at++) {
      const chosen = chooseBackend(compiled, at / 1000);
      counts[chosen] = (counts[chosen] ?? 0) + 1;
    }
    assert.deepEqual(counts, [900, 0, 100]);
  });

  it("gives none when all weights are 0 or there are no backends", () => {
    for (const backends of [[], [backend(0)]]) {
      const [compiled] = compilePortRoutes([rule("r", { backends })]).rules;
      assert.ok(compiled);
      assert.equal(chooseBackend(compiled, 0.5), -1);
    }
  });
});
