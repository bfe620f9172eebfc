// A service and its mirror side by side.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { MirrorView } from "@ripstop/model";

import { comparison } from "./compare.ts";

const view: MirrorView = {
  source: "",
  primary: "shop/stock",
  mirror: "shop/stock-next",
  compared: 200,
  statusDiffers: 12,
  bodiesCompared: 20,
  bodiesDiffer: 3,
  primaryFailures: 0,
  mirrorFailures: 12,
  primaryStatuses: [{ class: "2xx", count: 200 }],
  mirrorStatuses: [
    { class: "2xx", count: 188 },
    { class: "5xx", count: 10 },
    { class: "none", count: 2 },
  ],
  primaryP50Ms: 2,
  primaryP95Ms: 8,
  primaryP99Ms: 9,
  mirrorP50Ms: 1.5,
  mirrorP95Ms: 8,
  mirrorP99Ms: 31,
};

describe("the comparison of a mirror in text", () => {
  it("shows status classes, latencies and bodies of both, and the difference", () => {
    assert.equal(
      comparison(view),
      `shop/stock and its mirror shop/stock-next: 200 requests compared
           SERVICE   MIRROR  DIFFERENCE
2xx        100.0 %   94.0 %      -6.0 %
5xx          0.0 %    5.0 %      +5.0 %
no answer    0.0 %    1.0 %      +1.0 %
p50         2.0 ms   1.5 ms     -0.5 ms
p95         8.0 ms   8.0 ms      0.0 ms
p99         9.0 ms  31.0 ms    +22.0 ms
other status: 12 of 200; other body: 3 of 20 that were looked at
`,
    );
  });

  it("shows no classes of proxies that do not say them", () => {
    assert.doesNotMatch(comparison({ ...view, primaryStatuses: [], mirrorStatuses: [] }), /xx/);
  });
});
