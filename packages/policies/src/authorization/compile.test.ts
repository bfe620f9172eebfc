// What an AuthorizationPolicy compiles to, and which workloads it guards.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { goldenTests, readResource } from "../fixtures.suite.ts";
import { appliesToWorkload, compileAuthorization } from "./compile.ts";
import { AuthorizationConfig } from "./config.gen.ts";
import { kind } from "./index.ts";

const testdata = new URL("../../src/authorization/testdata/", import.meta.url);

describe("compileAuthorization", () => {
  goldenTests(testdata, (text) => {
    const bytes = compileAuthorization(readResource(kind, text), { trustDomain: "mesh.local" });
    return AuthorizationConfig.decode(bytes);
  });
});

describe("appliesToWorkload", () => {
  const workload = {
    id: "shop/stock-1",
    namespace: "shop",
    serviceAccount: "stock",
    labels: { app: "stock", version: "v1" },
    services: ["shop/stock"],
  };
  const guards = (spec: string, namespace = "shop"): boolean =>
    appliesToWorkload(
      readResource(
        kind,
        `{apiVersion: ripstop.mesh/v1alpha1, kind: AuthorizationPolicy, metadata: {name: p, namespace: ${namespace}}, spec: ${spec}}`,
      ),
      workload,
    );

  it("guards the whole namespace by default, and no other", () => {
    assert.equal(guards("{}"), true);
    assert.equal(guards("{}", "other"), false);
  });

  it("guards the workloads of the Services that it names, in its own namespace only", () => {
    assert.equal(guards("{targetRefs: [{kind: Service, name: stock}]}"), true);
    assert.equal(guards("{targetRefs: [{kind: Service, name: web}]}"), false);
    assert.equal(guards("{targetRefs: [{kind: Service, name: stock}]}", "other"), false);
  });

  it("guards the workloads that have every label of its selector", () => {
    assert.equal(guards("{selector: {matchLabels: {app: stock, version: v1}}}"), true);
    assert.equal(guards("{selector: {matchLabels: {app: stock, version: v2}}}"), false);
    assert.equal(guards("{selector: {matchLabels: {constructor: stock}}}"), false);
  });
});
