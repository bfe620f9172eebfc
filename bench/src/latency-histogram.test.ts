// The histogram of the benchmark against exact percentiles.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LatencyHistogram } from "./latency-histogram.ts";

describe("latency histogram", () => {
  it("gives every percentile within 0.8 % of the exact one", () => {
    const shares = fc.constantFrom(0, 0.5, 0.9, 0.99, 1);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 60_000_000 }), { minLength: 1, maxLength: 300 }),
        shares,
        (values, share) => {
          const histogram = new LatencyHistogram();
          for (const value of values) histogram.record(value);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1]!;
          const told = histogram.percentile(share);
          assert.ok(told >= exact && told <= exact * 1.008, `${told} for ${exact}`);
        },
      ),
    );
  });

  it("keeps the exact maximum and the count", () => {
    const histogram = new LatencyHistogram();
    for (const value of [3, 1_234_567, 900]) histogram.record(value);
    assert.equal(histogram.maxUs, 1_234_567);
    assert.equal(histogram.percentile(1), 1_234_567);
    assert.equal(histogram.count, 3);
  });

  it("has no percentile when nothing was counted", () => {
    assert.ok(Number.isNaN(new LatencyHistogram().percentile(0.5)));
  });
});
