import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { callerLabel, meshServerName, withCaller, parseMeshServerName } from "./mesh-server-name.ts";

describe("mesh server names", () => {
  it("name a workload and port, and parse back", () => {
    assert.equal(meshServerName("shop/catalog-7f3a", 8080), "8080.catalog-7f3a.shop.mesh");
    assert.deepEqual(parseMeshServerName("8080.catalog-7f3a.shop.mesh"), {
      workloadId: "shop/catalog-7f3a",
      port: 8080,
      caller: "",
    });
  });

  it("may say of which trust domain the caller is", () => {
    const name = withCaller("8080.a.b.mesh", "other.example");
    assert.equal(name, `8080.a.b.${callerLabel("other.example")}.mesh`);
    assert.deepEqual(parseMeshServerName(name), {
      workloadId: "b/a",
      port: 8080,
      caller: callerLabel("other.example"),
    });
    assert.notEqual(callerLabel("other.example"), callerLabel("Other.example"));
    assert.equal(withCaller(name, "third.example"), name);
  });

  it("are not made from ids that are no labels", () => {
    for (const id of ["catalog", "shop/", "/catalog", "shop/Catalog", "shop/a.b", "a/b/c", `shop/${"x".repeat(64)}`]) {
      assert.equal(meshServerName(id, 80), undefined, id);
    }
    for (const port of [0, -1, 65_536, 1.5, Number.NaN]) assert.equal(meshServerName("shop/catalog", port), undefined);
  });

  it("have one spelling only", () => {
    for (const name of [
      "08080.a.b.mesh",
      "8080.A.b.mesh",
      "8080.a.b.mesh.",
      "8080.a.b.MESH",
      "8080.a.b.c.mesh",
      "8080..b.mesh",
      "a.b.mesh",
      "",
      "8080.a\0.b.mesh",
      "8080.-a.b.mesh",
      "+80.a.b.mesh",
      "8080.a。b.mesh",
    ]) {
      assert.equal(parseMeshServerName(name), undefined, name);
    }
  });
});
