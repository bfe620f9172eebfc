// Fault injection, from YAML to what is to be done.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { HeaderList } from "@ripstop/http";
import type { Disturbance, Filter, RequestInfo } from "@ripstop/policy-api/proxy";
import { KindRegistry, namespaceKind, validateAll } from "@ripstop/resources";

import {
  caller,
  filterTools,
  goldenTests,
  readResource,
  request,
  violationsOf,
  type TestTools,
} from "../fixtures.suite.ts";
import { FaultConfig } from "./config.gen.ts";
import { filterFactory } from "./filter.ts";
import { kind, policy } from "./index.ts";

const testdata = new URL("../../src/fault/testdata/", import.meta.url);
/** The stopped clock starts on 2026-01-01T00:00:00Z. */
const text = (rules: string, expires = "2026-01-01T01:00:00Z"): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: FaultInjection, metadata: {name: p, namespace: shop}, spec: {expires: "${expires}", rules: [${rules}]}}`;
const compile = (yaml: string): Uint8Array => policy.compile(readResource(kind, yaml), { trustDomain: "mesh.local" });
const filterOf = (rules: string, tools: TestTools = filterTools()): Filter =>
  filterFactory.create([{ name: "shop/p", config: compile(text(rules)) }], tools);
const disturb = (filter: Filter, info: RequestInfo = request()): Disturbance | undefined => filter.disturb?.(info);

describe("a FaultInjection", () => {
  goldenTests(testdata, (yaml) => FaultConfig.decode(compile(yaml)));

  it("refuses what the schema cannot", () => {
    const paths = (yaml: string): string[] =>
      violationsOf(kind, yaml).map((violation) => violation.split(" ")[0] ?? "");
    assert.deepEqual(paths(text("{delay: 1s}", "tomorrow")), ["spec.expires"]);
    assert.deepEqual(paths(text("{percentage: 3}, {reset: true, abort: {httpStatus: 500}}, {delay: 11m}")), [
      "spec.rules[0]",
      "spec.rules[1]",
      "spec.rules[2].delay",
    ]);
    assert.match(violationsOf(kind, text("{delay: 1s}").replace(/expires: "[^"]*", /, ""))[0] ?? "", /expires/);
  });

  it("refuses targets that make no sense, each with its path", () => {
    const paths = (targets: string): string[] =>
      violationsOf(kind, text("{delay: 1s}").replace("spec: {", `spec: {targetRefs: [${targets}], `)).map(
        (violation) => violation.split(" ")[0] ?? "",
      );
    assert.deepEqual(paths("{kind: Gateway, name: edge, sectionName: web}, {kind: GRPCRoute, name: a.b}"), []);
    assert.deepEqual(
      paths(
        '{group: "", kind: Gateway, name: edge}, {kind: HTTPRoute, name: a, sectionName: x}, {kind: Service, name: a}',
      ),
      ["spec.targetRefs[0].group", "spec.targetRefs[1].sectionName", "spec.targetRefs[2].kind"],
    );
    assert.deepEqual(paths("{kind: Service, name: a.b}"), ["spec.targetRefs[0].name"]);
    assert.deepEqual(paths("{kind: TCPRoute, name: a}"), ["spec.targetRefs[0].kind"]);
  });

  it("meets, at a gateway, the requests of the Gateway, listener or route that it names, and no others", () => {
    const met = (targets: string, fields: Partial<RequestInfo>): boolean => {
      const config = compile(text("{reset: true}").replace("spec: {", `spec: {targetRefs: [${targets}], `));
      return disturb(filterFactory.create([{ name: "shop/p", config }], filterTools()), request(fields)) !== undefined;
    };
    const at = { gateway: "shop/edge", listener: "web", route: "HTTPRoute shop/catalog rule 0 match 1" };
    assert.equal(met("{kind: Gateway, name: edge}", at), true);
    assert.equal(met("{kind: Gateway, name: edge, sectionName: web}", at), true);
    assert.equal(met("{kind: Gateway, name: edge, sectionName: api}", at), false);
    assert.equal(met("{kind: Gateway, name: inner}", at), false);
    assert.equal(met("{kind: HTTPRoute, name: catalog}", at), true);
    assert.equal(met("{kind: HTTPRoute, name: cat}", at), false);
    assert.equal(met("{kind: GRPCRoute, name: catalog}", at), false);
    assert.equal(met("{kind: HTTPRoute, name: cat}, {kind: Gateway, name: edge}", at), true);
    assert.equal(met("{kind: Gateway, name: edge}", {}), false);
  });

  it("is for the placements of its Gateway, for every placement when it names a route, and for none unnamed", () => {
    const applies = (targets: string, workload: object): boolean => {
      const resource = readResource(kind, text("{reset: true}").replace("spec: {", `spec: {${targets}`));
      const facts = { id: "shop/g", namespace: "shop", serviceAccount: "g", labels: {}, services: [] };
      return policy.appliesTo(resource, { ...facts, gateways: ["shop/edge"], ...workload });
    };
    assert.equal(applies("targetRefs: [{kind: Gateway, name: edge}], ", {}), true);
    assert.equal(applies("targetRefs: [{kind: Gateway, name: inner}], ", {}), false);
    const elsewhere = { namespace: "infra", gateways: ["infra/edge"] };
    assert.equal(applies("targetRefs: [{kind: Gateway, name: edge}], ", elsewhere), false);
    assert.equal(applies("targetRefs: [{kind: HTTPRoute, name: a}], ", elsewhere), true);
    assert.equal(applies("", {}), false);
    const denied =
      (where: string) =>
      (namespace: string): Record<string, string> =>
        namespace === where ? { "ripstop.mesh/faults": "deny" } : {};
    for (const where of ["shop", "infra"]) {
      const namespaceLabels = denied(where);
      assert.equal(applies("targetRefs: [{kind: HTTPRoute, name: a}], ", { ...elsewhere, namespaceLabels }), false);
    }
  });

  it("says what is to be done to the requests that its rule matches", () => {
    const filter = filterOf(
      "{from: [{serviceAccounts: [web]}], headers: [{name: x-chaos, type: Present}], delay: 2s, abort: {httpStatus: 418}}",
    );
    const headers = new HeaderList();
    headers.append("x-chaos", "");
    const fault = disturb(filter, request({ headers }));
    assert.equal(fault?.delayMs, 2_000);
    assert.equal(fault?.abort?.status, 418);
    assert.equal(fault?.abort?.grpcStatus, 14);
    assert.match(fault?.abort?.message ?? "", /FaultInjection shop\/p \(spec\.rules\[0\]\)/);
    assert.equal(disturb(filter), undefined);
    assert.equal(disturb(filter, request({ headers, source: caller("shop", "cart") })), undefined);
  });

  it("meets the share of requests that it names", () => {
    let lot = 0;
    const filter = filterOf("{percentage: 25, reset: true}", filterTools({ random: () => lot }));
    const met = [0, 0.249, 0.25, 0.9].map((next) => {
      lot = next;
      return disturb(filter)?.reset === true;
    });
    assert.deepEqual(met, [true, true, false, false]);
    assert.equal(disturb(filterOf("{percentage: 0, reset: true}")), undefined);
  });

  it("leaves to the next rule what its lot did not meet", () => {
    let lot = 0.5;
    const filter = filterOf(
      "{percentage: 10, reset: true}, {response: {cutAfterBytes: 7}}",
      filterTools({ random: () => lot }),
    );
    assert.equal(disturb(filter)?.cutAfterBytes, 7);
    lot = 0.05;
    assert.equal(disturb(filter)?.reset, true);
  });

  it("ends at its time, without any word from the control plane", () => {
    const tools = filterTools();
    const filter = filterOf("{reset: true}", tools);
    tools.clock.advance(3_599_999);
    assert.notEqual(disturb(filter), undefined);
    tools.clock.advance(1);
    assert.equal(disturb(filter), undefined);
  });

  it("never lives longer than 24 hours from when its resource was made", () => {
    const resource = readResource(kind, text("{reset: true}", "2027-01-01T00:00:00Z"));
    const made = { ...resource, metadata: { ...resource.metadata, creationTimestamp: "2026-01-01T00:00:00Z" } };
    const { expiresUnixMs } = FaultConfig.decode(policy.compile(made, { trustDomain: "mesh.local" }));
    assert.equal(new Date(expiresUnixMs).toISOString(), "2026-01-02T00:00:00.000Z");
  });

  it("is refused, and not in force, where the namespace forbids faults", () => {
    const namespace =
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {ripstop.mesh/faults: deny}}\n---\n";
    const { violations } = validateAll([{ file: "t.yaml", text: namespace + text("{reset: true}") }], {
      kinds: new KindRegistry([namespaceKind, kind]),
      current: { get: () => undefined, list: () => [] },
    });
    assert.match(violations[0]?.message ?? "", /namespace shop refuses faults/);
    const resource = readResource(kind, text("{reset: true}"));
    const workload = { id: "shop/a", namespace: "shop", serviceAccount: "a", labels: {}, services: [] };
    assert.equal(policy.appliesTo(resource, workload), true);
    const namespaceLabels = (): Record<string, string> => ({ "ripstop.mesh/faults": "deny" });
    assert.equal(policy.appliesTo(resource, { ...workload, namespaceLabels }), false);
  });

  it("refuses config of a newer version", () => {
    const config = FaultConfig.encode({ readerVersion: 3, expiresUnixMs: 0, rules: [], targets: [] }).finish();
    assert.throws(() => filterFactory.create([{ name: "shop/p", config }], filterTools()), /does not know/);
  });
});
