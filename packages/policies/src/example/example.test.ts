// The example policy, from YAML to verdict.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { HeaderList } from "@ripstop/http";

import { connection, filterTools, goldenTests, readResource, request, violationsOf } from "../fixtures.suite.ts";
import { ExampleConfig } from "./config.gen.ts";
import { filterFactory } from "./filter.ts";
import { kind, policy } from "./index.ts";

const testdata = new URL("../../src/example/testdata/", import.meta.url);
const text = (spec: string): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: Example, metadata: {name: tenant, namespace: shop}, spec: ${spec}}`;
const compile = (yaml: string): Uint8Array => policy.compile(readResource(kind, yaml), { trustDomain: "mesh.local" });

describe("the policy Example", () => {
  goldenTests(testdata, (yaml) => ExampleConfig.decode(compile(yaml)));

  it("refuses a header that never reaches a policy", () => {
    const [first] = violationsOf(kind, text("{header: Host}"));
    assert.match(first ?? "", /^spec\.header — "Host" belongs to the connection/);
    assert.match(violationsOf(kind, text("{header: 'a b'}"))[0] ?? "", /write the name of a header field/);
  });

  it("guards the workloads of its namespace", () => {
    const resource = readResource(kind, text("{header: x-tenant}"));
    const workload = { id: "shop/a", namespace: "shop", serviceAccount: "a", labels: {}, services: [] };
    assert.equal(policy.appliesTo(resource, workload), true);
    assert.equal(policy.appliesTo(resource, { ...workload, namespace: "ops" }), false);
  });

  it("lets a request with the header pass and refuses one without, by policy and clause", () => {
    const filter = filterFactory.create(
      [{ name: "shop/tenant", config: compile(text("{header: X-Tenant, reason: no tenant}")) }],
      filterTools(),
    );
    const headers = new HeaderList();
    headers.append("x-tenant", "acme");
    assert.equal(filter.onRequest(request({ headers })), undefined);
    const denial = filter.onRequest(request());
    assert.equal(denial?.policy, "shop/tenant");
    assert.equal(denial?.clause, "spec.header");
    assert.equal(denial?.message, "Example policy shop/tenant: no tenant");
    assert.equal(filter.onRequest(connection()), undefined);
  });
});
