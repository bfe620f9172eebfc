// What holds for every policy folder.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KindRegistry } from "@ripstop/resources";

import { policyKinds, policyResourceKinds } from "./control.gen.ts";
import { filterFactories } from "./proxy.gen.ts";

describe("the policy registries", () => {
  it("have the same policies on both sides, under their folder names", () => {
    assert.deepEqual(
      filterFactories.map(({ kind }) => kind),
      policyKinds.map(({ name }) => name),
    );
    assert.ok(policyKinds.some(({ name }) => name === "authorization"));
  });

  it("give every filter a place of its own in the order, in steps of 100", () => {
    const orders = filterFactories.map(({ order }) => order);
    assert.equal(new Set(orders).size, orders.length);
    for (const order of orders) assert.equal(order % 100, 0);
  });

  it("hold kinds whose schemas compile and whose names do not clash", () => {
    const registry = new KindRegistry(policyResourceKinds);
    for (const { kind } of policyKinds) assert.equal(registry.get(kind.kind)?.kind, kind);
    assert.ok(registry.find("httproutes"));
  });
});
