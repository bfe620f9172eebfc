// The pickers, each by the common suite and by what is its own.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LeastRequestPicker } from "./least-request-picker.ts";
import type { Picker } from "./picker.ts";
import { PeakEwmaPicker } from "./peak-ewma-picker.ts";
import { hash32 } from "./hash32.ts";
import { MaglevPicker } from "./maglev-picker.ts";
import { endpoints, pickerSuite, seededRandom, shares } from "./picker.suite.ts";
import { RingHashPicker } from "./ring-hash-picker.ts";
import { RoundRobinPicker } from "./round-robin-picker.ts";
import { WeightedPicker } from "./weighted-picker.ts";

describe("round robin", () => {
  pickerSuite(() => new RoundRobinPicker());

  it("goes round exactly, and spreads a heavy endpoint smoothly", () => {
    const set = endpoints(3, 1);
    const picker = new RoundRobinPicker();
    const order = Array.from({ length: 8 }, () => picker.pick(set)?.id).join("");
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

for (const [name, make] of [
  ["ring hash", (): Picker => new RingHashPicker()],
  ["Maglev", (): Picker => new MaglevPicker()],
] as const) {
  describe(name, () => {
    pickerSuite(make);

    const KEYS = Array.from({ length: 5000 }, (_, at) => hash32(`user-${at}`));

    it("gives equal keys to the same endpoint, whatever the order of the list, in every proxy", () => {
      const set = endpoints(1, 1, 1, 1, 1);
      const other = set.toReversed();
      const [one, two] = [make(), make()];
      for (const key of KEYS) assert.equal(one.pick(set, 0, key), two.pick(other, 0, key));
    });

    it("moves little more than the share of an endpoint that goes", () => {
      const set = endpoints(...Array.from({ length: 10 }, () => 1));
      const rest = set.slice(1);
      const [before, after] = [make(), make()];
      let moved = 0;
      for (const key of KEYS) {
        const was = before.pick(set, 0, key);
        if (was !== set[0] && after.pick(rest, 0, key) !== was) moved++;
      }
      assert.ok(moved / KEYS.length < 0.05, String(moved));
    });

    it("does not move keys for weights that breathe", () => {
      const set = endpoints(1, 1, 1);
      const picker = make();
      const before = KEYS.map((key) => picker.pick(set, 0, key));
      const [first] = set;
      assert.ok(first);
      first.effectiveWeight = 0.1;
      picker.weightsChanged?.();
      assert.deepEqual(
        KEYS.map((key) => picker.pick(set, 0, key)),
        before,
      );
    });
  });
}

describe("ring hash with bounded load", () => {
  it("passes on to the next one what is over the bound, and nothing else", () => {
    const set = endpoints(1, 1, 1, 1);
    const picker = new RingHashPicker(1.25);
    const key = hash32("hot");
    const home = picker.pick(set, 0, key);
    assert.ok(home);
    for (let request = 0; request < 100; request++) {
      const chosen = picker.pick(set, 0, key);
      assert.ok(chosen);
      chosen.inflight++;
    }
    assert.ok(home.inflight >= 25 && home.inflight <= 32, String(home.inflight));
    assert.equal(
      set.reduce((sum, { inflight }) => sum + inflight, 0),
      100,
    );
  });
});

describe("hash32", () => {
  it("is MurmurHash3 with 32 bits", () => {
    assert.equal(hash32(""), 0);
    assert.equal(hash32("", 1), 0x514e28b7);
    assert.equal(hash32("hello"), 0x248bfa47);
    assert.equal(hash32("hello, world"), 0x149bbb7f);
  });
});
