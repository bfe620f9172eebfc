// Who gets a request when endpoints fail, come and go.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EndpointSet } from "./endpoint-set.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { OutlierDetector } from "./outlier-detector.ts";
import { endpoints, seededRandom } from "./picker.suite.ts";
import { RetryBudget } from "./retry-budget.ts";
import { RoundRobinPicker } from "./round-robin-picker.ts";
import { WeightedPicker } from "./weighted-picker.ts";

const OPTIONS = { afterFailures: 3, baseMs: 1000, maxMs: 8000, maxShare: 0.5 };

function setOf(members: readonly EndpointState[]): EndpointSet<EndpointState> {
  const set = new EndpointSet<EndpointState>({
    picker: () => new RoundRobinPicker(),
    outliers: new OutlierDetector(OPTIONS),
    random: seededRandom(1),
  });
  set.replace(members, 0);
  return set;
}

function fail(set: EndpointSet<EndpointState>, endpoint: EndpointState, nowMs: number): void {
  for (let count = 0; count < OPTIONS.afterFailures; count++) set.recordFailure(endpoint, nowMs);
}

/** The ejection is over: the next request is a probe, which succeeds. */
function takeBack(set: EndpointSet<EndpointState>, endpoint: EndpointState, nowMs: number): void {
  assert.equal(set.pick(nowMs, []), endpoint);
  set.recordSuccess(endpoint, nowMs);
}

describe("a set of endpoints", () => {
  it("ejects after failures in a row, for longer each time, and takes the endpoint back", () => {
    const [a, b] = endpoints(1, 1);
    assert.ok(a && b);
    const set = setOf([a, b]);
    set.recordFailure(a, 0);
    set.recordFailure(a, 0);
    set.recordSuccess(a, 0);
    set.recordFailure(a, 0);
    assert.deepEqual(set.usable, [a, b]);
    fail(set, a, 0);
    assert.deepEqual(set.usable, [b]);
    assert.equal(set.pick(999, []), b);
    takeBack(set, a, 1000);
    assert.deepEqual(set.usable, [a, b]);
    fail(set, a, 1000);
    set.pick(2999, []);
    assert.deepEqual(set.usable, [b]);
    takeBack(set, a, 3000);
    assert.deepEqual(set.usable, [a, b]);
    for (const round of [3000, 7000, 15_000, 23_000]) {
      fail(set, a, round);
      assert.ok(a.ejectedUntilMs - round <= OPTIONS.maxMs);
      takeBack(set, a, a.ejectedUntilMs);
    }
  });

  it("sends one request to an endpoint that returns, and ejects it again when that fails", () => {
    const [a, b] = endpoints(1, 1);
    assert.ok(a && b);
    const set = setOf([a, b]);
    fail(set, a, 0);
    assert.equal(set.pick(1000, []), a);
    assert.deepEqual(
      [1, 2, 3].map(() => set.pick(1001, [])),
      [b, b, b],
    );
    assert.equal(set.recordFailure(a, 1002), true);
    assert.equal(a.ejectedUntilMs, 3002);
    // A probe that nobody heard of again does not keep it out for ever.
    assert.equal(set.pick(3002, []), a);
    assert.equal(set.pick(8001, []), b);
    assert.equal(set.pick(8002, []), a);
  });

  it("ejects no more than half, and never the only one", () => {
    const members = endpoints(1, 1, 1, 1);
    const set = setOf(members);
    for (const member of members) fail(set, member, 0);
    assert.equal(set.usable.length, 2);
    const [only] = endpoints(1);
    assert.ok(only);
    const alone = setOf([only]);
    fail(alone, only, 0);
    assert.equal(alone.pick(0, []), only);
  });

  it("uses ejected endpoints when no other is healthy, and never unhealthy ones", () => {
    const [a, b] = endpoints(1, 1);
    assert.ok(a && b);
    const set = setOf([a, b]);
    fail(set, a, 0);
    b.healthy = false;
    set.replace([a, b], 1);
    assert.equal(set.pick(1, []), a);
    a.healthy = false;
    set.replace([a, b], 2);
    assert.equal(set.pick(2, []), undefined);
  });

  it("gives a retry to an endpoint that was not tried while there is one", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 1000 }), (count, seed) => {
        const members = endpoints(...Array.from({ length: count }, () => 1));
        const set = new EndpointSet<EndpointState>({
          picker: () => new WeightedPicker(seededRandom(seed)),
          outliers: new OutlierDetector(OPTIONS),
          random: seededRandom(seed),
        });
        set.replace(members, 0);
        const tried: EndpointState[] = [];
        for (let attempt = 0; attempt < count; attempt++) {
          const chosen = set.pick(0, tried);
          assert.ok(chosen && !tried.includes(chosen));
          tried.push(chosen);
        }
        assert.ok(set.pick(0, tried));
      }),
    );
  });

  it("starts a newcomer at the average latency of the others", () => {
    const [a, b] = endpoints(1, 1);
    assert.ok(a && b);
    const set = setOf([a]);
    a.recordLatency(40, 1);
    set.replace([a, b], 2);
    assert.equal(b.latencyMs, 40);
  });
});

describe("a retry budget", () => {
  it("lets retries add their share and no more, however much fails", () => {
    const budget = new RetryBudget({ share: 0.2, minPerSecond: 0 }, 0);
    let retries = 0;
    for (let request = 0; request < 1000; request++) {
      budget.recordRequest();
      if (budget.tryTake(0)) retries++;
    }
    assert.ok(retries <= 200 && retries >= 185, String(retries));
  });

  it("always allows a few per second, for services with little traffic", () => {
    const budget = new RetryBudget({ share: 0.2, minPerSecond: 3 }, 0);
    const take = (nowMs: number): number => {
      let taken = 0;
      while (budget.tryTake(nowMs)) taken++;
      return taken;
    };
    assert.equal(take(0), 3);
    assert.equal(take(500), 1);
    assert.equal(take(1500), 3);
    assert.equal(take(100_000), 3);
  });
});
