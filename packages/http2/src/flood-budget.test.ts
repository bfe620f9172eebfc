import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FloodBudget } from "./flood-budget.ts";

describe("FloodBudget", () => {
  it("lets the burst through at once, and the rate in the long run", () => {
    const budget = new FloodBudget({ burst: 3, perSecond: 2 });
    assert.deepEqual(
      [0, 0, 0, 0].map((ms) => budget.spend(ms)),
      [true, true, true, false],
    );
    assert.equal(budget.spend(900), false);
    // Five were spent and 3.8 have leaked.
    assert.equal(budget.spend(1900), true);
  });

  it("never saves up more than the burst", () => {
    const budget = new FloodBudget({ burst: 2, perSecond: 100 });
    assert.equal(budget.spend(1_000_000), true);
    assert.deepEqual(
      [0, 0].map(() => budget.spend(1_000_000)),
      [true, false],
    );
  });

  it("is made up for by useful work, but not in advance", () => {
    const budget = new FloodBudget({ burst: 1, perSecond: 0 });
    budget.earn(5);
    assert.equal(budget.spend(0), true);
    budget.earn(1);
    assert.equal(budget.spend(0), true);
    assert.equal(budget.spend(0), false);
  });
});
