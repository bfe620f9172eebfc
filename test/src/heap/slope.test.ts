import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { riseOfLeast, slope } from "./slope.ts";

describe("the slope of a row of measurements", () => {
  it("is that of a straight line", () => {
    assert.equal(slope([1, 2, 3, 4].map((x) => ({ x, y: 5 - 2 * x }))), -2);
  });

  it("is 0 for noise about a level, and for too little to tell", () => {
    assert.equal(slope([10, 12, 12, 10].map((y, x) => ({ x, y }))), 0);
    assert.equal(slope([{ x: 1, y: 1 }]), 0);
    assert.equal(slope([]), 0);
  });
});

describe("the rise of the least value", () => {
  it("tells what stays from what comes and goes", () => {
    assert.equal(riseOfLeast([13, 77, 77, 13, 77, 77]), 0);
    assert.equal(riseOfLeast([13, 77, 13, 20, 84, 27]), 7);
    assert.equal(riseOfLeast([13]), 0);
  });
});
