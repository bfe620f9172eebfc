// What HTTPRoutes compile to: attachment, producer and consumer views, precedence, shares.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { PortRoutes } from "@ripstop/model";
import type { Resource } from "@ripstop/resources";
import fc from "fast-check";

import { goldenTests, readResources } from "../fixtures.suite.ts";
import { compileRoutes, kind, serviceBackends, type HttpRouteSpec, type RouteService } from "./index.ts";

const service = (name: string, ...ports: readonly (readonly [number, string])[]): RouteService => ({
  namespace: "shop",
  name,
  ports: ports.map(([port, portName]) => ({ port, name: portName })),
});
const catalog = service("catalog", [8080, "http"], [9090, "admin"]);
const services = [catalog, service("catalog-v1", [8080, ""]), service("catalog-v2", [8080, ""])];
const resolve = serviceBackends((namespace, name) =>
  services.find((one) => one.namespace === namespace && one.name === name),
);

const testdata = new URL("../../src/http-route/testdata/", import.meta.url);
const view = (routes: readonly Resource<HttpRouteSpec>[], clientNamespace: string): PortRoutes[] =>
  compileRoutes(routes, { service: catalog, clientNamespace }, resolve);

interface RouteText {
  readonly rules: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly created?: string;
  readonly parent?: string;
}

function route({
  rules,
  name = "r",
  namespace = "shop",
  created = "2026-01-01T00:00:00Z",
  parent = "",
}: RouteText): Resource<HttpRouteSpec> {
  const [read] = readResources(
    kind,
    `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: ${namespace}}
spec:
  parentRefs: [{group: "", kind: Service, name: catalog, namespace: shop${parent}}]
  rules: ${rules}`,
  );
  assert.ok(read);
  return { ...read, metadata: { ...read.metadata, creationTimestamp: created } };
}

const sources = (ports: readonly PortRoutes[], port = 0): string[] =>
  (ports.find((entry) => entry.port === port)?.http ?? []).map(({ source }) => source.replace("HTTPRoute ", ""));

describe("compileRoutes", () => {
  goldenTests(testdata, (text) => {
    const routes = readResources(kind, text);
    return { shop: view(routes, "shop"), client: view(routes, "client"), other: view(routes, "other") };
  });

  it("gives nothing for a service that no route attaches to", () => {
    assert.deepEqual(view([], "shop"), []);
    const elsewhere = route({ rules: "[{}]", parent: "" });
    const other = compileRoutes([elsewhere], { service: service("web", [80, ""]), clientNamespace: "shop" }, resolve);
    assert.deepEqual(other, []);
  });

  it("gives all clients the producer's routes, and a consumer's to its own namespace alone, in their place", () => {
    const producer = route({ rules: "[{}]", name: "producer" });
    const consumer = route({ rules: "[{}]", name: "consumer", namespace: "client" });
    assert.deepEqual(sources(view([producer, consumer], "client")), ["client/consumer rule 0 match 0"]);
    assert.deepEqual(sources(view([producer, consumer], "shop")), ["shop/producer rule 0 match 0"]);
    assert.deepEqual(sources(view([producer, consumer], "other")), ["shop/producer rule 0 match 0"]);
    assert.deepEqual(view([consumer], "other"), []);
  });

  it("keeps a port of its own for routes that name one, with the routes for all ports among them", () => {
    const all = route({ rules: "[{}]", name: "all" });
    const admin = route({ rules: "[{matches: [{path: {value: /a}}]}]", name: "admin", parent: ", port: 9090" });
    const compiled = view([all, admin], "shop");
    assert.deepEqual(
      compiled.map(({ port }) => port),
      [0, 9090],
    );
    assert.deepEqual(sources(compiled, 0), ["shop/all rule 0 match 0"]);
    assert.deepEqual(sources(compiled, 9090), ["shop/admin rule 0 match 0", "shop/all rule 0 match 0"]);
  });

  it("lets a consumer replace the producer's routes on the ports it names, and only there", () => {
    const producer = route({ rules: "[{}]", name: "producer" });
    const consumer = route({ rules: "[{}]", name: "consumer", namespace: "client", parent: ", sectionName: admin" });
    const compiled = view([producer, consumer], "client");
    assert.deepEqual(sources(compiled, 0), ["shop/producer rule 0 match 0"]);
    assert.deepEqual(sources(compiled, 9090), ["client/consumer rule 0 match 0"]);
  });

  it("passes over a route that names a port which the service does not have", () => {
    assert.deepEqual(view([route({ rules: "[{}]", parent: ", port: 1234" })], "shop"), []);
    assert.deepEqual(view([route({ rules: "[{}]", parent: ", port: 8080, sectionName: admin" })], "shop"), []);
  });

  it("makes a share of an unknown backend, or of one in no port, invalid with the reason", () => {
    const rules =
      "[{backendRefs: [{name: nowhere, port: 80}, {name: catalog-v1, port: 81}, {kind: Bucket, name: b}, {name: catalog-v1, port: 8080}]}]";
    const backends = view([route({ rules })], "shop")[0]?.http[0]?.backends ?? [];
    assert.deepEqual(
      backends.map(({ service: name, invalid }) => [name, invalid]),
      [
        ["", "there is no Service shop/nowhere"],
        ["", "Service shop/catalog-v1 has no port 81; it has 8080"],
        ["", "a backend of kind Bucket is not known"],
        ["shop/catalog-v1", ""],
      ],
    );
  });

  it("takes a backend's namespace for the route's own, and any other without a grant", () => {
    const rules = "[{backendRefs: [{name: catalog-v1, port: 8080}, {name: catalog-v1, namespace: shop, port: 8080}]}]";
    const backends = view([route({ rules, namespace: "client" })], "client")[0]?.http[0]?.backends ?? [];
    assert.deepEqual(
      backends.map(({ service: name, invalid }) => name || invalid),
      ["there is no Service client/catalog-v1", "shop/catalog-v1"],
    );
  });

  it("leaves out backends of weight 0, so that all of weight 0 is a rule without backends", () => {
    const rules = "[{backendRefs: [{name: catalog-v1, port: 8080, weight: 0}]}]";
    assert.deepEqual(view([route({ rules })], "shop")[0]?.http[0]?.backends, []);
  });

  it("counts only the first of two header matches with one name, whatever their case", () => {
    const rules = "[{matches: [{headers: [{name: A, value: '1'}, {name: a, value: '2'}, {name: B, value: '3'}]}]}]";
    assert.deepEqual(view([route({ rules })], "shop")[0]?.http[0]?.headers, [
      { name: "a", value: "1", regex: false },
      { name: "b", value: "3", regex: false },
    ]);
  });

  it("takes a match on the header Host for one on the host, which is no header of a message", () => {
    const rules = "[{matches: [{headers: [{name: Host, value: Catalog.Shop}, {name: a, value: '1'}]}]}]";
    const rule = view([route({ rules })], "shop")[0]?.http[0];
    assert.deepEqual(rule?.hostnames, ["catalog.shop"]);
    assert.deepEqual(rule?.headers, [{ name: "a", value: "1", regex: false }]);
  });

  it("spells paths as the engine does, so that %7e and ~ are one path", () => {
    const rules = "[{matches: [{path: {type: Exact, value: /%7euser/%c3%a9}}]}]";
    assert.equal(view([route({ rules })], "shop")[0]?.http[0]?.path?.value, "/~user/%C3%A9");
  });

  it("takes a timeout of 0s for none", () => {
    const rule = view([route({ rules: "[{timeouts: {request: 0s, backendRequest: 2s}}]" })], "shop")[0]?.http[0];
    assert.equal(rule?.requestTimeoutMs, 0);
    assert.equal(rule?.noRequestTimeout, true);
    assert.equal(rule?.backendTimeoutMs, 2000);
    assert.equal(rule?.noBackendTimeout, undefined);
    const silent = view([route({ rules: "[{backendRefs: [{name: catalog, port: 80}]}]" })], "shop")[0]?.http[0];
    assert.equal(silent?.noRequestTimeout, undefined);
  });

  describe("puts", () => {
    const order = (...rules: readonly string[]): number[] =>
      sources(view([route({ rules: `[${rules.map((match) => `{matches: [${match}]}`).join(", ")}]` })], "shop")).map(
        (source) => Number(/rule (\d+)/.exec(source)?.[1]),
      );

    it("an exact path before any prefix, and a longer prefix before a shorter one", () => {
      assert.deepEqual(
        order(
          "{path: {value: /}}",
          "{path: {value: /abc/def}}",
          "{path: {value: /abc}}",
          "{path: {type: Exact, value: /}}",
        ),
        [3, 1, 2, 0],
      );
    });

    it("a regular expression after exact paths and before prefixes", () => {
      assert.deepEqual(
        order(
          "{path: {value: /a/b/c}}",
          "{path: {type: RegularExpression, value: /a.*}}",
          "{path: {type: Exact, value: /a}}",
        ),
        [2, 1, 0],
      );
    });

    it("prefixes that differ in a slash at the end in list order", () => {
      assert.deepEqual(order("{path: {value: /abc}}", "{path: {value: /abc/}}"), [0, 1]);
    });

    it("a longer prefix before a method, a method before headers, headers before query parameters", () => {
      const query = "{queryParams: [{name: a, value: '1'}, {name: b, value: '1'}, {name: c, value: '1'}]}";
      const headers = "{headers: [{name: a, value: '1'}, {name: b, value: '1'}]}";
      const oneHeader = "{headers: [{name: a, value: '1'}], queryParams: [{name: a, value: '1'}]}";
      assert.deepEqual(
        order("{}", query, oneHeader, headers, "{method: GET}", "{path: {value: /a}}"),
        [5, 4, 3, 2, 1, 0],
      );
    });

    it("sessions of each rule apart, and keeps a backend without weight that may have some", () => {
      const rules =
        "[{sessionPersistence: {sessionName: s}, backendRefs: [{name: a, port: 80, weight: 0}]}, " +
        "{sessionPersistence: {sessionName: s}, backendRefs: [{name: a, port: 80, weight: 0}]}, " +
        "{backendRefs: [{name: a, port: 80, weight: 0}]}]";
      const [first, second, third] = view([route({ rules })], "shop").flatMap(({ http }) => http);
      assert.equal(first?.backends.length, 1);
      assert.equal(third?.backends.length, 0);
      assert.equal(first?.sessionPersistence?.name, "s");
      assert.equal(second?.sessionPersistence?.name, "s");
      assert.notEqual(first?.sessionPersistence?.scope, second?.sessionPersistence?.scope);
    });

    it("matches of one rule apart from each other: precedence is per match", () => {
      const rules =
        "[{matches: [{path: {value: /}}, {path: {type: Exact, value: /b}}]}, {matches: [{path: {value: /a}}]}]";
      assert.deepEqual(sources(view([route({ rules })], "shop")), [
        "shop/r rule 0 match 1",
        "shop/r rule 1 match 0",
        "shop/r rule 0 match 0",
      ]);
    });

    it("of equal matches the older route first, then the name, then the first in the route", () => {
      const rules = "[{}, {}]";
      const young = route({ rules, name: "a-young", created: "2026-02-01T00:00:00Z" });
      const b = route({ rules, name: "b" });
      const a = route({ rules, name: "a" });
      assert.deepEqual(sources(view([young, b, a], "shop")), [
        "shop/a rule 0 match 0",
        "shop/a rule 1 match 0",
        "shop/b rule 0 match 0",
        "shop/b rule 1 match 0",
        "shop/a-young rule 0 match 0",
        "shop/a-young rule 1 match 0",
      ]);
    });

    it("the same rules in the same order however the routes are listed", () => {
      const match = fc.constantFrom(
        "{}",
        "{method: GET}",
        "{path: {value: /a}}",
        "{path: {type: Exact, value: /a}}",
        "{headers: [{name: a, value: '1'}]}",
      );
      const rules = fc
        .array(match, { minLength: 1, maxLength: 3 })
        .map((all) => `[${all.map((one) => `{matches: [${one}]}`).join(", ")}]`);
      const routes = fc
        .array(rules, { minLength: 2, maxLength: 5 })
        .map((all) => all.map((text, at) => route({ rules: text, name: `r${at}` })));
      fc.assert(
        fc.property(routes, fc.nat(), (list, turn) => {
          const turned = [...list.slice(turn % list.length), ...list.slice(0, turn % list.length)];
          assert.deepEqual(view(turned, "shop"), view(list, "shop"));
        }),
        { numRuns: 50 },
      );
    });
  });
});
