// Rate limits, from YAML to verdict.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { HeaderList } from "@ripstop/http";
import type { Denial, Filter, LimitDemand, LimitShare, RequestInfo } from "@ripstop/policy-api/proxy";

import {
  caller,
  connection,
  filterTools,
  goldenTests,
  plainCaller,
  readResource,
  request,
  violationsOf,
  type TestTools,
} from "../fixtures.suite.ts";
import { RateLimitConfig } from "./config.gen.ts";
import { filterFactory } from "./filter.ts";
import { kind, policy } from "./index.ts";

const testdata = new URL("../../src/rate-limit/testdata/", import.meta.url);
const text = (spec: string): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: RateLimitPolicy, metadata: {name: p, namespace: shop}, spec: ${spec}}`;
const compile = (yaml: string): Uint8Array => policy.compile(readResource(kind, yaml), { trustDomain: "mesh.local" });

function filterOf(
  spec: string,
  tools: TestTools = filterTools(),
): { readonly filter: Filter; readonly tools: TestTools } {
  return { filter: filterFactory.create([{ name: "shop/p", config: compile(text(spec)) }], tools), tools };
}

const admit = (filter: Filter, info: RequestInfo = request()): Denial | undefined => filter.admit?.(info);
const passed = (filter: Filter, count: number, info: RequestInfo = request()): number =>
  Array.from({ length: count }, () => admit(filter, info)).filter((denial) => denial === undefined).length;
const withHeader = (name: string, value: string): HeaderList => {
  const headers = new HeaderList();
  headers.append(name, value);
  return headers;
};
const LIMIT = "limit: {requests: 2, period: 1s}";

describe("a RateLimitPolicy", () => {
  goldenTests(testdata, (yaml) => RateLimitConfig.decode(compile(yaml)));

  it("refuses what the schema cannot", () => {
    const found = violationsOf(
      kind,
      text(`{rules: [
        {name: a, limit: {requests: 1, period: 1ms}},
        {name: a, key: [{type: Header}], limit: {requests: 1, period: 1s}},
        {name: b, key: [{type: Path, name: x}], headers: [{name: x, type: Present, value: y}, {name: z}], limit: {requests: 1, period: 25h}}]}`),
    );
    assert.deepEqual(
      found.map((violation) => violation.split(" ")[0]),
      [
        "spec.rules[0].limit.period",
        "spec.rules[1].name",
        "spec.rules[1].key[0].name",
        "spec.rules[2].headers[0].value",
        "spec.rules[2].headers[1].value",
        "spec.rules[2].key[0].name",
        "spec.rules[2].limit.period",
      ],
    );
  });

  it("refuses with 429 what is too much, and says the rule, the limit and when to try again", () => {
    const { filter, tools } = filterOf(`{rules: [{name: all, ${LIMIT}}]}`);
    assert.equal(passed(filter, 2), 2);
    const denial = admit(filter);
    assert.equal(denial?.kind.status, 429);
    assert.equal(denial?.kind.grpcStatus, 8);
    assert.equal(denial?.policy, "shop/p");
    assert.equal(denial?.clause, "spec.rules[0] (all)");
    assert.match(denial?.message ?? "", /"all" of RateLimitPolicy shop\/p is used up; try again in 1 s/);
    assert.deepEqual(denial?.headers, [
      ["retry-after", "1"],
      ["ratelimit-policy", '"all";q=2;w=1'],
      ["ratelimit", '"all";r=0;t=1'],
    ]);
    tools.clock.advance(500);
    assert.equal(passed(filter, 2), 1);
  });

  it("says in Retry-After how long it really takes", () => {
    const { filter, tools } = filterOf("{rules: [{name: slow, limit: {requests: 1, period: 1m}}]}");
    assert.equal(passed(filter, 1), 1);
    tools.clock.advance(17_500);
    assert.deepEqual(admit(filter)?.headers?.[0], ["retry-after", "43"]);
  });

  it("counts by identity, header, path, address and any combination", () => {
    const rule = (key: string): Filter => filterOf(`{rules: [{name: r, key: [${key}], ${LIMIT}}]}`).filter;
    const web = request();
    const cart = request({ source: caller("shop", "cart") });
    const byIdentity = rule("{type: Identity}");
    assert.deepEqual([passed(byIdentity, 3, web), passed(byIdentity, 3, cart)], [2, 2]);
    const byHeader = rule("{type: Header, name: X-Key}");
    assert.equal(passed(byHeader, 3, request({ headers: withHeader("x-key", "a") })), 2);
    assert.equal(passed(byHeader, 3, request({ headers: withHeader("x-key", "b") })), 2);
    const byPath = rule("{type: Path}");
    assert.deepEqual([passed(byPath, 3, request({ path: "/a" })), passed(byPath, 3, request({ path: "/b" }))], [2, 2]);
    const byAddress = rule("{type: Address}");
    const from = (address: string): RequestInfo => request({ source: { ...plainCaller, address } });
    assert.deepEqual([passed(byAddress, 1, from("10.0.0.1:1")), passed(byAddress, 2, from("10.0.0.1:2"))], [1, 1]);
    assert.equal(passed(byAddress, 3, from("10.0.0.2:1")), 2);
    const both = rule("{type: Method}, {type: Path}");
    assert.equal(passed(both, 3, request({ method: "GET", path: "/a" })), 2);
    assert.equal(passed(both, 3, request({ method: "PUT", path: "/a" })), 2);
    assert.equal(passed(both, 3, request({ method: "GET", path: "/b" })), 2);
  });

  it("limits what a rule matches, and nothing else", () => {
    const { filter } = filterOf(
      `{rules: [{name: r, from: [{serviceAccounts: [web]}], to: [{methods: [GET], paths: ["/a/*"]}], headers: [{name: x-tier, value: free}], ${LIMIT}}]}`,
    );
    const free = withHeader("x-tier", "free");
    assert.equal(passed(filter, 3, request({ path: "/a/b", headers: free })), 2);
    for (const other of [
      request({ path: "/a/b" }),
      request({ path: "/b", headers: free }),
      request({ path: "/a/b", method: "PUT", headers: free }),
      request({ path: "/a/b", headers: free, source: caller("shop", "cart") }),
    ])
      assert.equal(passed(filter, 3, other), 3);
    // Another spelling that an application may take for the same path does not pass the limit by.
    assert.equal(passed(filter, 1, request({ path: "/A/b", headers: free })), 0);
  });

  it("holds all rules that match, and a request that one of them refuses is not counted by the others", () => {
    const { filter, tools } = filterOf(
      "{rules: [{name: many, limit: {requests: 3, period: 1s}}, {name: few, key: [{type: Path}], limit: {requests: 1, period: 1s}}]}",
    );
    assert.equal(passed(filter, 5, request({ path: "/a" })), 1);
    assert.equal(passed(filter, 5, request({ path: "/b" })), 1);
    assert.equal(passed(filter, 5, request({ path: "/c" })), 1);
    assert.match(admit(filter, request({ path: "/d" }))?.message ?? "", /"many"/);
    tools.clock.advance(1_000);
    assert.equal(passed(filter, 1, request({ path: "/d" })), 1);
  });

  it("in shadow mode counts what is too much and lets it pass", () => {
    const { filter, tools } = filterOf(`{rules: [{name: r, mode: Shadow, ${LIMIT}}]}`);
    assert.equal(passed(filter, 5), 5);
    assert.match(tools.metrics.render(), /ripstop_rate_limited_total\{mode="shadow",policy="shop\/p",rule="r"\} 3/);
  });

  it("goes on counting when its policy is compiled again, and anew when the limit is another", () => {
    const tools = filterTools();
    assert.equal(passed(filterOf(`{rules: [{name: r, ${LIMIT}}]}`, tools).filter, 3), 2);
    assert.equal(passed(filterOf(`{rules: [{name: r, to: [{methods: [GET]}], ${LIMIT}}]}`, tools).filter, 3), 0);
    assert.equal(passed(filterOf("{rules: [{name: r, limit: {requests: 3, period: 1s}}]}", tools).filter, 4), 3);
  });

  it("divides a local limit among the workers of a proxy", () => {
    const { filter } = filterOf("{rules: [{name: r, limit: {requests: 8, period: 1s}}]}", filterTools({ workers: 4 }));
    assert.equal(passed(filter, 8), 2);
  });

  describe("with scope Global", () => {
    const shared = "{rules: [{name: r, scope: Global, limit: {requests: 100, period: 1s}}]}";
    const demands = (tools: TestTools): readonly LimitDemand[] =>
      [...tools.states.values()].flatMap((state) => [...(state.takeDemands?.() ?? [])]);
    const give = (tools: TestTools, shares: readonly LimitShare[]): void => {
      for (const state of tools.states.values()) state.takeShares?.(shares);
    };

    it("reports what it is asked for, as a part of the limit, once", () => {
      const { filter, tools } = filterOf(shared);
      passed(filter, 50);
      assert.deepEqual(demands(tools), [{ limit: "shop/p/r", key: "", asked: 0.5 }]);
      assert.deepEqual(demands(tools), []);
    });

    it("lets its share through, from the first moment and after each change", () => {
      const { filter, tools } = filterOf(shared);
      assert.equal(passed(filter, 200), 25);
      give(tools, [
        { limit: "shop/p/r", key: "", share: 0.6 },
        { limit: "shop/other/r", key: "", share: 0 },
      ]);
      tools.clock.advance(1_000);
      assert.equal(passed(filter, 200), 60);
      give(tools, [{ limit: "shop/p/r", key: "", share: 0.1 }]);
      tools.clock.advance(10_000);
      assert.equal(passed(filter, 200), 10);
    });

    it("keeps the last share while nobody hands out another, through changes of its policy too", () => {
      const { filter, tools } = filterOf(shared);
      passed(filter, 1);
      give(tools, [{ limit: "shop/p/r", key: "", share: 0.5 }]);
      tools.clock.advance(60_000);
      assert.equal(passed(filterOf(shared, tools).filter, 200), 50);
    });

    it("says of keys only their digests, and takes shares by key", () => {
      const { filter, tools } = filterOf(
        "{rules: [{name: r, scope: Global, key: [{type: Header, name: authorization}], limit: {requests: 10, period: 1s}}]}",
      );
      const info = request({ headers: withHeader("authorization", "Bearer secret") });
      passed(filter, 5, info);
      const [demand] = demands(tools);
      assert.ok(demand);
      assert.match(demand.key, /^[\w-]{22}$/);
      assert.doesNotMatch(JSON.stringify(demand), /secret/);
      give(tools, [{ ...demand, share: 1 }]);
      tools.clock.advance(1_000);
      assert.equal(passed(filter, 20, info), 10);
    });

    it("reports the busiest keys when there are too many", () => {
      const { filter, tools } = filterOf(
        "{rules: [{name: r, scope: Global, key: [{type: Path}], limit: {requests: 100, period: 1s}}]}",
      );
      for (let at = 0; at < 500; at++) passed(filter, at === 499 ? 5 : 1, request({ path: `/${at}` }));
      const reported = demands(tools);
      assert.equal(reported.length, 200);
      assert.equal(reported[0]?.asked, 0.05);
    });

    it("ignores shares that make no sense", () => {
      const { filter, tools } = filterOf(shared);
      passed(filter, 1);
      for (const share of [-1, 2, Number.NaN]) give(tools, [{ limit: "shop/p/r", key: "", share }]);
      tools.clock.advance(10_000);
      assert.equal(passed(filter, 200), 25);
    });
  });

  describe("of connections", () => {
    const CONNECTIONS = "limit: {connections: 2, period: 1s}";
    const passes = (filter: Filter, count: number, fields: Partial<RequestInfo> = {}): number =>
      passed(filter, count, connection(fields));

    it("counts raw connections and no requests, and one of requests no raw connections", () => {
      const { filter } = filterOf(`{rules: [{name: c, ${CONNECTIONS}}, {name: r, ${LIMIT}}]}`);
      assert.equal(passes(filter, 5), 2);
      assert.equal(passed(filter, 5), 2);
    });

    it("counts by identity and address, for the ports and callers that it names", () => {
      const { filter } = filterOf(
        `{rules: [{name: c, from: [{serviceAccounts: [web]}], to: [{ports: [8080]}], key: [{type: Identity}, {type: Address}], ${CONNECTIONS}}]}`,
      );
      assert.equal(passes(filter, 5), 2);
      assert.equal(passes(filter, 5, { source: { ...caller("shop", "web"), address: "10.0.0.9:1" } }), 2);
      assert.equal(passes(filter, 5, { source: caller("shop", "cart") }), 5);
      assert.equal(passes(filter, 5, { port: 9090 }), 5);
    });

    it("lets pass in shadow mode, and counts what is too much", () => {
      const { filter, tools } = filterOf(`{rules: [{name: c, mode: Shadow, ${CONNECTIONS}}]}`);
      assert.equal(passes(filter, 5), 5);
      assert.match(tools.metrics.render(), /ripstop_rate_limited_total\{[^}]*mode="shadow"[^}]*\} 3/);
    });

    it("says what it is, and has the next one pass in time", () => {
      const { filter, tools } = filterOf(`{rules: [{name: c, ${CONNECTIONS}}]}`);
      passes(filter, 2);
      const denial = admit(filter, connection());
      assert.equal(denial?.clause, "spec.rules[0] (c)");
      assert.match(denial?.detail ?? "", /lets 2 connections through in 1000 ms/);
      tools.clock.advance(500);
      assert.equal(passes(filter, 2), 1);
    });

    it("is for the listeners of the Gateway that it names", () => {
      const { filter } = filterOf(
        `{targetRefs: [{kind: Gateway, name: edge, sectionName: db}], rules: [{name: c, ${CONNECTIONS}}]}`,
      );
      assert.equal(passes(filter, 5, { gateway: "shop/edge", listener: "db" }), 2);
      assert.equal(passes(filter, 5, { gateway: "shop/edge", listener: "other" }), 5);
      assert.equal(passes(filter, 5, { gateway: "infra/edge", listener: "db" }), 5);
      assert.equal(passes(filter, 5), 5);
    });

    it("refuses what a raw connection does not have, each with its path", () => {
      const paths = (rule: string): (string | undefined)[] =>
        violationsOf(kind, text(`{rules: [{name: c, ${rule}}]}`)).map((violation) => violation.split(" ")[0]);
      assert.deepEqual(paths("limit: {period: 1s}"), ["spec.rules[0].limit"]);
      assert.deepEqual(paths("limit: {requests: 1, connections: 1, period: 1s}"), ["spec.rules[0].limit"]);
      assert.deepEqual(
        paths(
          `key: [{type: Address}, {type: Path}], headers: [{name: x, type: Present}], to: [{ports: [1]}, {paths: [/a], methods: [GET]}], ${CONNECTIONS}`,
        ),
        [
          "spec.rules[0].key[1].type",
          "spec.rules[0].headers",
          "spec.rules[0].to[1].methods",
          "spec.rules[0].to[1].paths",
        ],
      );
    });
  });

  it("refuses config of a newer version, and limits that are none", () => {
    const create = (config: Partial<RateLimitConfig>): Filter =>
      filterFactory.create(
        [
          {
            name: "shop/p",
            config: RateLimitConfig.encode({ readerVersion: 1, rules: [], targets: [], ...config }).finish(),
          },
        ],
        filterTools(),
      );
    assert.throws(() => create({ readerVersion: 3 }), /uses conditions that this proxy does not know/);
    const [rule] = RateLimitConfig.decode(compile(text(`{rules: [{name: r, ${LIMIT}}]}`))).rules;
    assert.ok(rule);
    assert.throws(() => create({ rules: [{ ...rule, requests: 0 }] }), /has no limit/);
    assert.throws(() => create({ rules: [{ ...rule, key: [{ type: 99 as 1, header: "" }] }] }), /does not know/);
  });

  it("is for the workloads of its Services, or of its namespace", () => {
    const workload = { id: "shop/a", namespace: "shop", serviceAccount: "a", labels: {}, services: ["shop/stock"] };
    const targets = (refs: string): boolean =>
      policy.appliesTo(readResource(kind, text(`{${refs}rules: [{name: r, ${LIMIT}}]}`)), workload);
    assert.equal(targets(""), true);
    assert.equal(targets("targetRefs: [{kind: Service, name: stock}], "), true);
    assert.equal(targets("targetRefs: [{kind: Service, name: web}], "), false);
  });
});
