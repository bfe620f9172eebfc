// The pickers, each by the common suite and by what is its own.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LeastRequestPicker } from "./least-request-picker.ts";
import { PeakEwmaPicker } from "./peak-ewma-picker.ts";
import { endpoints, pickerSuite, seededRandom, shares } from "./picker.suite.ts";
import { RoundRobinPicker } from "./round-robin-picker.ts";
import { WeightedPicker } from "./weighted-picker.ts";

describe("round robin", () => {
  pickerSuite(() => new RoundRobinPicker());

  it("goes round exactly, and spreads a heavy endpoint smoothly", () => {
    const set = endpoints(3, 1);
    const picker = new RoundRobinPicker();
    const order = Array.from({ length: 8 }, () => picker.pick(set, 0)?.id).join("");
    assert.equal(order, "00100010");
  });
});

describe("weighted", () => {
  pickerSuite((random) => new WeightedPicker(random));

  it("picks by share", () => {
    const [a = 0, b = 0] = shares(new WeightedPicker(seededRandom(5)), endpoints(90, 10), 5000);
    assert.ok(Math.abs(a - 0.9) < 0.02 && Math.abs(b - 0.1) < 0.02);
  });
});

describe("least request", () => {
  pickerSuite((random) => new LeastRequestPicker(random));

  it("never picks the busiest of all", () => {
    const set = endpoints(1, 1, 1);
    const [busy] = set;
    if (busy !== undefined) busy.inflight = 50;
    assert.equal(shares(new LeastRequestPicker(seededRandom(6)), set, 500)[0], 0);
  });
});

describe("peak EWMA", () => {
  pickerSuite((random) => new PeakEwmaPicker(random));

  it("leaves a slow endpoint alone at once, and comes back to it as its latency ages", () => {
    const set = endpoints(1, 1);
    const [slow, quick] = set;
    assert.ok(slow && quick);
    slow.recordLatency(500, 1000);
    quick.recordLatency(5, 1000);
    const picker = new PeakEwmaPicker(seededRandom(7));
    assert.equal(picker.pick(set, 1001), quick);
    slow.recordLatency(5, 100_000);
    quick.recordLatency(5, 100_000);
    quick.inflight = 1;
    assert.equal(picker.pick(set, 100_001), slow);
  });

  it("counts a peak in full and a recovery little by little", () => {
    const [endpoint] = endpoints(1);
    assert.ok(endpoint);
    endpoint.recordLatency(10, 0);
    endpoint.recordLatency(100, 1);
    assert.equal(endpoint.latencyMs, 100);
    endpoint.recordLatency(10, 2);
    assert.ok(endpoint.latencyMs > 90 && endpoint.latencyMs < 100);
  });
});
