// An index finds exactly what trying all rules in their order finds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HeaderList } from "@ripstop/http";
import { PathMatch_Type, type GatewayRoute, type HttpRule } from "@ripstop/model";
import { compareAttached, compileGatewayRoute, hostnameFit, ListenerRoutes } from "./gateway-routes.ts";
import { RouteIndex, type IndexedRule } from "./route-index.ts";
import { compilePortRoutes, compileRule, type RouteRequest } from "./port-matcher.ts";

const RUNS = { numRuns: 500 };

const segment = fc.constantFrom("a", "b", "ab", "c");
const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
const asked = fc.tuple(path, fc.constantFrom("", "/", "//")).map(([start, end]) => start + end);
const hostname = fc.constantFrom("a.com", "x.a.com", "y.x.a.com", "b.com", "*.a.com", "*.x.a.com", "*.com");
const host = fc.constantFrom("a.com", "x.a.com", "y.x.a.com", "z.y.x.a.com", "b.com", "com", "other", ".com", "");

const pathMatch = fc.oneof(
  fc.constant(undefined),
  path.map((value) => ({ type: PathMatch_Type.PREFIX, value })),
  path.map((value) => ({ type: PathMatch_Type.PREFIX, value: `${value}/` })),
  asked.map((value) => ({ type: PathMatch_Type.EXACT, value })),
  fc.constantFrom("/a.*", "/[ab]/c", ".*").map((value) => ({ type: PathMatch_Type.REGEX, value })),
);

const ruleParts = fc.record({
  path: pathMatch,
  method: fc.constantFrom("", "", "GET", "PUT"),
  header: fc.constantFrom("", "", "1", "2"),
  hostnames: fc.uniqueArray(hostname, { maxLength: 2 }),
});

const requests = fc.array(
  fc.record({ host, path: asked, method: fc.constantFrom("GET", "PUT"), header: fc.constantFrom("", "1", "2") }),
  { minLength: 1, maxLength: 20 },
);

type RuleParts = typeof ruleParts extends fc.Arbitrary<infer T> ? T : never;

function httpRule(source: string, parts: RuleParts): HttpRule {
  return {
    source,
    hostnames: parts.hostnames,
    path: parts.path,
    method: parts.method,
    headers: parts.header === "" ? [] : [{ name: "x", value: parts.header, regex: false }],
    query: [],
    filters: [],
    backends: [],
    requestTimeoutMs: 0,
    backendTimeoutMs: 0,
  };
}

function request(parts: { host: string; path: string; method: string; header: string }): RouteRequest {
  const headers = new HeaderList();
  if (parts.header !== "") headers.append("x", parts.header);
  return { host: parts.host, method: parts.method, path: parts.path, query: "", headers };
}

describe("a route index", () => {
  it("finds what the first rule in order would be, for any rules in any order", () => {
    const many = fc.array(ruleParts, { minLength: 16, maxLength: 60 });
    fc.assert(
      fc.property(many, requests, (parts, all) => {
        const rules = parts.map((one, at) => httpRule(String(at), one));
        const matcher = compilePortRoutes(rules);
        const compiled = rules.map(compileRule);
        for (const one of all.map(request)) {
          const expected = compiled.find((rule) => rule.matches(one));
          assert.equal(matcher.match(one)?.source, expected?.source, JSON.stringify(one));
        }
      }),
      RUNS,
    );
  });

  const routeParts = fc.record({
    created: fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
    hostnames: fc.uniqueArray(hostname, { maxLength: 3 }),
    rules: fc.array(fc.tuple(ruleParts, fc.array(fc.nat({ max: 2 }), { maxLength: 3 })), {
      minLength: 1,
      maxLength: 4,
    }),
  });

  it("gives a gateway's request to the most specific host name, then by precedence, also after routes came and went", () => {
    fc.assert(
      fc.property(
        fc.array(routeParts, { maxLength: 20 }),
        fc.array(fc.nat({ max: 19 })),
        requests,
        (parts, gone, all) => {
          const routes = parts.map(({ created, hostnames, rules }, at) => {
            const name = `ns/gw/HTTPRoute/ns/route-${at}`;
            const http = rules.map(([one, ranks], rule) => ({
              ...httpRule(`${at} ${rule}`, one),
              hostnames: [],
              precedence: { ranks },
            }));
            const route: GatewayRoute = { name, created, attachments: [], http, streams: [] };
            return { hostnames, rules: compileGatewayRoute(route) };
          });
          const listener = new ListenerRoutes();
          for (const { rules, hostnames } of routes) listener.attach(rules, hostnames);
          const dead = new Set(gone);
          for (const [at, { rules, hostnames }] of routes.entries())
            if (dead.has(at)) listener.detach(rules, hostnames);
          const left = routes.filter((_route, at) => !dead.has(at));
          for (const one of all.map(request)) {
            const pairs = left.flatMap(({ rules, hostnames }) =>
              rules.flatMap((rule) =>
                (hostnames.length === 0 ? [""] : hostnames).map((name) => ({ rule, fit: hostnameFit(name, one.host) })),
              ),
            );
            pairs.sort((a, b) => b.fit - a.fit || compareAttached(a.rule, b.rule));
            const expected = pairs.find(({ rule, fit }) => fit > 0 && rule.rule.matches(one));
            assert.equal(listener.match(one)?.source, expected?.rule.rule.source, JSON.stringify(one));
          }
        },
      ),
      RUNS,
    );
  });

  it("looks at as many of 10,000 rules as of 10, whatever they differ by", () => {
    const shapes = [
      (at: number) => ({ name: `h${at}.a.com`, path: "/", host: `h${at}.a.com`, asked: "/x" }),
      (at: number) => ({ name: `*.h${at}.a.com`, path: "/", host: `x.h${at}.a.com`, asked: "/x" }),
      (at: number) => ({ name: "a.com", path: `/v/${at}`, host: "a.com", asked: `/v/${at}/x` }),
    ];
    for (const shape of shapes) {
      for (const count of [10, 10_000]) {
        let looks = 0;
        const index = new RouteIndex<{ readonly rule: IndexedRule; readonly at: number }>((a, b) => a.at - b.at, true);
        for (let at = 0; at < count; at++) {
          const { name, path: value } = shape(at);
          const rule = compileRule({
            ...httpRule(String(at), { path: undefined, method: "", header: "", hostnames: [] }),
            path: { type: PathMatch_Type.PREFIX, value },
          });
          const matches = (one: RouteRequest): boolean => {
            looks++;
            return rule.matches(one);
          };
          index.add({ rule: Object.assign(Object.create(rule) as IndexedRule, { matches }), at }, [name]);
        }
        const { host: askedHost, asked: askedPath } = shape(7);
        const found = index.match(request({ host: askedHost, path: askedPath, method: "GET", header: "" }));
        assert.equal(found?.rule.source, "7");
        assert.equal(looks, 1);
      }
    }
  });

  it("is empty again when all routes are gone", () => {
    const listener = new ListenerRoutes();
    const rule = httpRule("a", { path: undefined, method: "", header: "", hostnames: [] });
    const route: GatewayRoute = { name: "n/g/HTTPRoute/n/r", created: "", attachments: [], http: [rule], streams: [] };
    const rules = compileGatewayRoute(route);
    const any = request({ host: "x.a.com", path: "/", method: "GET", header: "" });
    for (const hostnames of [[], ["*.a.com", "x.a.com"]]) {
      listener.attach(rules, hostnames);
      assert.equal(listener.match(any)?.source, "a");
      listener.detach(rules, hostnames);
      assert.equal(listener.match(any), undefined);
    }
  });
});

describe("a host name", () => {
  it("fits exactly, by suffix over any number of labels, or always", () => {
    const fits = (name: string, asked: string): boolean => hostnameFit(name, asked) > 0;
    assert.ok(fits("", "a.com"));
    assert.ok(fits("a.com", "a.com"));
    assert.ok(!fits("a.com", "x.a.com"));
    assert.ok(fits("*.a.com", "y.x.a.com"));
    assert.ok(!fits("*.a.com", "a.com"));
    assert.ok(!fits("*.a.com", "xa.com"));
  });

  it("decides as exact, then the longer wildcard, then all", () => {
    const order = ["a.x.com", "*.x.com", "*.com", ""];
    const fits = order.map((name) => hostnameFit(name, "a.x.com"));
    assert.deepEqual(
      [...fits].sort((a, b) => b - a),
      fits,
    );
    assert.equal(new Set(fits).size, order.length);
  });
});
