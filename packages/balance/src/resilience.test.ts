// Retry budget, fixed and adaptive limits, latency quantile: all on numbers, without a clock.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { GradientLimiter } from "./gradient-limiter.ts";
import { LatencyQuantile } from "./latency-quantile.ts";
import { RetryBudget } from "./retry-budget.ts";

describe("a retry budget", () => {
  it("lets retries add no more than its share to a steady load", () => {
    const budget = new RetryBudget({ share: 0.2, minPerSecond: 3 }, 0);
    let retries = 0;
    for (let request = 1; request <= 10_000; request++) {
      budget.recordRequest();
      // 100 requests a second, of which every one would like two retries.
      for (let at = 0; at < 2; at++) if (budget.tryTake(request * 10)) retries++;
    }
    assert.ok(retries <= 10_000 * 0.2, String(retries));
    assert.ok(retries >= 10_000 * 0.19 - 1, String(retries));
  });

  it("always allows the least rate, also when there are hardly any requests", () => {
    const budget = new RetryBudget({ share: 0.2, minPerSecond: 3 }, 0);
    let retries = 0;
    for (let second = 1; second <= 100; second++) {
      budget.recordRequest();
      for (let at = 0; at < 10; at++) if (budget.tryTake(second * 1000)) retries++;
    }
    assert.ok(retries >= 290 && retries <= 310, String(retries));
  });

  it("gives nothing with a share and a least rate of 0", () => {
    const budget = new RetryBudget({ share: 0, minPerSecond: 0 }, 0);
    for (let request = 0; request < 100; request++) {
      budget.recordRequest();
      assert.equal(budget.tryTake(request * 1000), false);
    }
  });

  it("never gives more than the greater of share and least rate, and what it holds at most", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 5 })), { maxLength: 200 }),
        fc.integer({ min: 0, max: 100 }),
        (steps, percent) => {
          const budget = new RetryBudget({ share: percent / 100, minPerSecond: 3 }, 0);
          let [nowMs, requests, retries] = [0, 0, 0];
          for (const [waitMs, asked] of steps) {
            nowMs += waitMs;
            budget.recordRequest();
            requests++;
            for (let at = 0; at < asked; at++) if (budget.tryTake(nowMs)) retries++;
          }
          assert.ok(retries <= (requests * percent) / 100 + (nowMs / 1000) * 3 + 3 + 1e-6);
        },
      ),
    );
  });
});

describe("a circuit breaker", () => {
  it("lets so many requests and retries in, and the next one when one has left", () => {
    const breaker = new CircuitBreaker({ maxRequests: 2, maxRetries: 1 });
    assert.deepEqual([breaker.tryEnter(), breaker.tryEnter(), breaker.tryEnter()], [true, true, false]);
    breaker.leave();
    assert.equal(breaker.tryEnter(), true);
    assert.deepEqual([breaker.tryRetry(), breaker.tryRetry()], [true, false]);
    breaker.endRetries(1);
    assert.equal(breaker.tryRetry(), true);
  });

  it("has no limit where none is set", () => {
    const breaker = new CircuitBreaker({ maxRequests: 0, maxRetries: 0 });
    for (let at = 0; at < 1000; at++) assert.ok(breaker.tryEnter() && breaker.tryRetry());
    assert.deepEqual([breaker.requests, breaker.retries], [1000, 1000]);
  });
});

/** A server that does `capacity` requests at a time in 10 ms each: more of them wait. Returns the limit at the end. */
function simulate(limiter: GradientLimiter, capacity: number, seconds: number, startMs: number): number {
  let nowMs = startMs;
  const endMs = startMs + seconds * 1000;
  while (nowMs < endMs) {
    let admitted = 0;
    // Closed loop: clients ask for as much as they may.
    while (admitted < 500 && limiter.tryEnter()) admitted++;
    const latencyMs = 10 * Math.max(1, Math.ceil(admitted / capacity));
    nowMs += latencyMs;
    for (let at = 0; at < admitted; at++) limiter.leave(latencyMs, nowMs, false);
  }
  return nowMs;
}

describe("an adaptive limit", () => {
  it("grows while latency stays, and is cut when the service becomes slow", () => {
    const limiter = new GradientLimiter({ minLimit: 5, maxLimit: 200 });
    let nowMs = simulate(limiter, 1_000, 60, 0);
    assert.equal(limiter.limit, 200);
    // A tenth of the capacity.
    nowMs = simulate(limiter, 20, 10, nowMs);
    const slow = limiter.limit;
    assert.ok(slow < 100, String(slow));
    simulate(limiter, 1_000, 60, nowMs);
    assert.equal(limiter.limit, 200);
  });

  it("is cut by requests that were dropped, however quickly", () => {
    const limiter = new GradientLimiter({ minLimit: 5, maxLimit: 200 });
    let nowMs = simulate(limiter, 1_000, 60, 0);
    for (let at = 0; at < 3_000; at++) {
      nowMs += 5;
      if (limiter.tryEnter()) limiter.leave(1, nowMs, true);
    }
    assert.ok(limiter.limit < 100, String(limiter.limit));
  });

  it("does not grow while it is not used", () => {
    const limiter = new GradientLimiter({ minLimit: 5, maxLimit: 200 });
    const before = limiter.limit;
    for (let nowMs = 0; nowMs < 60_000; nowMs += 10) {
      assert.ok(limiter.tryEnter());
      limiter.leave(10, nowMs, false);
    }
    assert.equal(limiter.limit, before);
  });

  it("keeps its bounds and its count", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(2_000), fc.boolean()), { maxLength: 300 }), (answers) => {
        const limiter = new GradientLimiter({ minLimit: 3, maxLimit: 50 });
        let nowMs = 0;
        for (const [latencyMs, dropped] of answers) {
          nowMs += latencyMs;
          if (limiter.tryEnter()) limiter.leave(latencyMs, nowMs, dropped);
          assert.ok(limiter.limit >= 3 && limiter.limit <= 50);
          assert.equal(limiter.inflight, 0);
        }
      }),
    );
  });

  it("closes to a lower share first", () => {
    const limiter = new GradientLimiter({ minLimit: 10, maxLimit: 10 });
    for (let at = 0; at < 6; at++) assert.ok(limiter.tryEnter(0.6));
    assert.equal(limiter.tryEnter(0.6), false);
    assert.equal(limiter.tryEnter(0.8), true);
    limiter.cancel();
    assert.equal(limiter.tryEnter(1), true);
  });
});

describe("a latency quantile", () => {
  it("is found within an eighth, and forgets what is long ago", () => {
    const quantile = new LatencyQuantile(90);
    assert.equal(quantile.ms, 0);
    for (let at = 0; at < 1000; at++) quantile.record(at % 100);
    assert.ok(quantile.ms >= 89 && quantile.ms <= 89 * 1.13, String(quantile.ms));
    for (let at = 0; at < 40_000; at++) quantile.record(5);
    assert.ok(quantile.ms >= 5 && quantile.ms <= 5 * 1.13, String(quantile.ms));
  });
});
