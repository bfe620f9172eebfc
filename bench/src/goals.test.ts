// Goals judged on figures made by hand.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { about, atLeastTimes, atMost, atMostTimes, OURS } from "./goals.ts";
import { median } from "./median.ts";
import type { Entry } from "./rows/row.ts";

const entries: readonly Entry[] = [
  { peer: OURS, version: "1", values: { cpuUs: 12, gb: 3 } },
  { peer: "HAProxy", version: "2", values: { cpuUs: 10, gb: 2 } },
];

describe("goals", () => {
  it("is met when our cost is within the allowed multiple of the peer's", () => {
    assert.deepEqual(atMostTimes(entries, "cpuUs", 1.2, "HAProxy"), {
      goal: "≤ 1.2 × HAProxy",
      reached: "1.20 ×",
      met: true,
    });
    assert.equal(atMostTimes(entries, "cpuUs", 1.15, "HAProxy").met, false);
  });

  it("is met when we do at least the wanted multiple", () => {
    assert.equal(atLeastTimes(entries, "gb", 1.5, "HAProxy").met, true);
    assert.equal(atLeastTimes(entries, "gb", 1.6, "HAProxy").met, false);
  });

  it("is neither met nor missed without the figure of one of the two", () => {
    assert.equal(atMostTimes(entries, "cpuUs", 1, "Envoy").met, undefined);
    assert.equal(atMostTimes(entries, "unknown", 1, "HAProxy").met, undefined);
    assert.equal(atMost([], "cpuUs", 1, "µs").met, undefined);
  });

  it("compares with a fixed limit and names what it is about", () => {
    assert.deepEqual(about("CPU", atMost(entries, "cpuUs", 12, "µs each")), {
      goal: "CPU ≤ 12 µs each",
      reached: "12.0 µs",
      met: true,
    });
  });
});

describe("median", () => {
  it("is the middle value, or the mean of the two middle ones", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 2, 100]), 3);
    assert.ok(Number.isNaN(median([])));
  });
});
