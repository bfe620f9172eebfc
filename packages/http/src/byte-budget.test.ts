import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteBudget } from "./byte-budget.ts";

describe("a budget of bytes", () => {
  it("is tight above its limit, until half of it is free again", () => {
    const budget = new ByteBudget(100);
    const seen = [100, 1, -50, -1, 51, -101].map((count) => {
      budget.add(count);
      return budget.isTight;
    });
    assert.deepEqual(seen, [false, true, true, false, true, false]);
    assert.equal(budget.heldBytes, 0);
  });

  it("judges anew when the limit changes", () => {
    const budget = new ByteBudget();
    budget.add(100);
    budget.limitBytes = 50;
    assert.ok(budget.isTight);
    budget.limitBytes = 200;
    assert.ok(!budget.isTight);
  });
});
