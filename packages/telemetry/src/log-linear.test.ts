import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "node:test";
import { LogLinear } from "./log-linear.ts";

describe("the log-linear histogram", () => {
  it("estimates every quantile to one part in sixteen", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (values, q) => {
          const histogram = new LogLinear();
          for (const value of values) histogram.record(value);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(Math.ceil(q * sorted.length) - 1, 0)]!;
          const estimate = histogram.quantile(q);
          assert.ok(Math.abs(estimate - exact) <= exact / 16 + 1 / 64, `${estimate} for ${exact}`);
        },
      ),
    );
  });

  it("counts and sums exactly, and takes any number", () => {
    const histogram = new LogLinear();
    for (const value of [-5, 0, 1, 2.5, 1e12]) histogram.record(value);
    histogram.record(Number.NaN);
    assert.equal(histogram.count, 6);
    assert.equal(histogram.sum, 1e12 + 3.5);
    assert.equal(histogram.countUpTo(1e12), 6);
  });

  it("is empty at first", () => {
    assert.deepEqual([new LogLinear().quantile(0.5), new LogLinear().countUpTo(10)], [0, 0]);
  });

  it("never counts fewer values for a larger bound", () => {
    const histogram = new LogLinear();
    for (let value = 0; value < 1_000; value += 0.37) histogram.record(value);
    let last = 0;
    for (let bound = 0; bound <= 1_100; bound += 0.5) {
      const seen = histogram.countUpTo(bound);
      assert.ok(seen >= last);
      last = seen;
    }
    assert.equal(last, histogram.count);
  });
});
