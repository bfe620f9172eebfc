import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { shortIdentity } from "./short-identity.ts";

describe("shortIdentity", () => {
  it("shows namespace and service account", () => {
    assert.equal(shortIdentity("spiffe://mesh.local/ns/shop/sa/web"), "shop/web");
  });

  it("keeps an id of another shape whole, and shows none as a dash", () => {
    assert.equal(shortIdentity("spiffe://other.example/cluster/7"), "other.example/cluster/7");
    assert.equal(shortIdentity(""), "-");
  });
});
