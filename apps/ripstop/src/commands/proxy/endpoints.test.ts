// The table of endpoints from a proxy's own answer.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointsOf, endpointsTable } from "./endpoints.ts";

const well = {
  id: "shop/catalog-1",
  address: "10.0.0.1:15008",
  zone: "eu-a",
  weight: 2,
  effectiveWeight: 1.5,
  healthy: true,
  checkedHealthy: true,
  ejected: false,
  probing: false,
  resting: false,
  inflight: 3,
  latencyMs: 12.34,
  errorRate: 0.25,
};
const answer = (...endpoints: readonly object[]): unknown => ({
  workloads: [{ id: "shop/web-1", services: [{ service: "shop/catalog", endpoints }] }],
});

describe("the endpoints that a proxy shows", () => {
  it("are told with their weights and load", () => {
    const table = endpointsTable(endpointsOf(answer(well)));
    assert.match(table, /shop\/catalog +shop\/catalog-1 +10\.0\.0\.1:15008 +eu-a +ready +2 +1\.50 +3 +12\.3 +25 %/);
  });

  it("say why one gets no requests", () => {
    const states = endpointsOf(
      answer(
        { ...well, healthy: false, ejected: true },
        { ...well, ejected: true },
        { ...well, probing: true },
        { ...well, checkedHealthy: false },
        { ...well, resting: true },
        { ...well, weight: 0 },
      ),
    ).map(({ state }) => state);
    assert.deepEqual(states, ["not ready", "ejected", "to be probed", "fails checks", "rests", "weight 0"]);
  });

  it("are none in an answer that is something else", () => {
    for (const other of [undefined, null, 1, "x", [], {}, { workloads: 1 }, { workloads: [{}, null] }])
      assert.deepEqual(endpointsOf(other), []);
  });
});
