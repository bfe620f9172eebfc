// Both algorithms: one suite, since to a caller they differ in nothing but the spacing after a change of pace.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { Gcra } from "./gcra.ts";
import { LimiterEntry, LimiterTable } from "./limiter-table.ts";
import type { Limiter, Pace } from "./limiter.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Takes when it may; whether it did. */
function ask(limiter: Limiter, nowMs: number, pace: Pace): boolean {
  if (limiter.waitMs(nowMs, pace) > 0) return false;
  limiter.take(nowMs, pace);
  return true;
}

for (const [name, make] of [
  ["the token bucket", () => new TokenBucket()],
  ["GCRA", () => new Gcra()],
] as const) {
  describe(name, () => {
    const pace: Pace = { perMs: 0.01, burst: 3 };

    it("lets a burst through and then one request for each interval", () => {
      const limiter = make();
      assert.deepEqual(
        [0, 0, 0, 0].map((at) => ask(limiter, at, pace)),
        [true, true, true, false],
      );
      assert.equal(ask(limiter, 99, pace), false);
      assert.equal(ask(limiter, 100, pace), true);
      assert.equal(ask(limiter, 100, pace), false);
    });

    it("says how long to wait, and that is true", () => {
      const limiter = make();
      for (let count = 0; count < 3; count++) limiter.take(0, pace);
      assert.ok(Math.abs(limiter.waitMs(30, pace) - 70) < 1e-6);
      assert.equal(ask(limiter, 100, pace), true);
    });

    it("is as new after a rest", () => {
      const limiter = make();
      assert.equal(limiter.isIdle(0, pace), true);
      for (let count = 0; count < 3; count++) limiter.take(0, pace);
      assert.equal(limiter.isIdle(299, pace), false);
      assert.equal(limiter.isIdle(300, pace), true);
    });

    it("never lets more through than burst and pace allow, whatever the times", () => {
      fc.assert(
        fc.property(
          fc.array(fc.double({ min: 0, max: 500, noNaN: true }), { maxLength: 200 }),
          fc.integer({ min: 1, max: 20 }),
          fc.double({ min: 0.001, max: 1, noNaN: true }),
          (gaps, burst, perMs) => {
            const limiter = make();
            let nowMs = 0;
            let passed = 0;
            for (const gap of gaps) {
              nowMs += gap;
              if (ask(limiter, nowMs, { perMs, burst })) passed++;
              assert.ok(passed <= burst + nowMs * perMs + 1e-3);
            }
          },
        ),
      );
    });

    it("lets all of the pace through when it is asked for more than that", () => {
      const limiter = make();
      let passed = 0;
      for (let nowMs = 0; nowMs < 10_000; nowMs += 7) if (ask(limiter, nowMs, pace)) passed++;
      assert.ok(passed >= 100 && passed <= 103, String(passed));
    });
  });
}

describe("the table of limiters", () => {
  const pace: Pace = { perMs: 0.01, burst: 1 };
  const table = (maxKeys: number): LimiterTable =>
    new LimiterTable(() => new LimiterEntry(new TokenBucket(), pace), maxKeys);

  it("gives each key its own, and the same one again", () => {
    const made = table(10);
    assert.equal(made.use("a", 0), made.use("a", 0));
    assert.notEqual(made.use("a", 0), made.use("b", 0));
  });

  it("drops the key that was unused longest, once forgetting it forgets nothing", () => {
    const made = table(2);
    const first = made.use("a", 0);
    made.use("b", 0);
    made.use("c", 0);
    assert.equal(made.size, 2);
    assert.notEqual(made.use("a", 0), first);
  });

  it("cannot be filled: while all keys are in use, new ones share one limit, and no used-up limit is washed away", () => {
    const made = table(2);
    for (const key of ["a", "b"]) made.use(key, 0).limiter.take(0, pace);
    const overflow = made.use("x", 0);
    assert.equal(made.use("y", 0), overflow);
    assert.equal(made.size, 2);
    assert.ok(made.use("a", 0).limiter.waitMs(0, pace) > 0);
    made.use("c", 100);
    assert.equal(made.size, 2);
  });
});
