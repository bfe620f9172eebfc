// Peak EWMA and adaptive weights against round robin, in simulated time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { figuresOf } from "./figures.ts";
import { scenarios } from "./scenarios.ts";
import { simulate, type Outcome, type Strategy } from "./simulation.ts";

const SECONDS = 45;

function run(name: string, strategy: Strategy): Outcome[] {
  const found = scenarios(SECONDS).find((candidate) => candidate.name === name);
  assert.ok(found);
  return simulate(found.scenario, strategy);
}

const isDuring = ({ startedMs }: Outcome): boolean => startedMs > 15_000 && startedMs < 30_000;

describe("simulated balancing", () => {
  it("is the same on every run", () => {
    assert.deepEqual(figuresOf(run("slow", "peak EWMA")), figuresOf(run("slow", "peak EWMA")));
  });

  it("has a p99 at least three times lower than round robin with one slow endpoint of ten", () => {
    const roundRobin = figuresOf(run("slow", "round robin"));
    for (const strategy of ["peak EWMA", "adaptive"] as const) {
      const { p99Ms } = figuresOf(run("slow", strategy));
      assert.ok(roundRobin.p99Ms >= 3 * p99Ms, `${strategy}: ${p99Ms} against ${roundRobin.p99Ms}`);
    }
  });

  it("sends less to an endpoint that fails, before anything ejects it", () => {
    const roundRobin = figuresOf(run("failing", "round robin").filter(isDuring));
    const adaptive = figuresOf(run("failing", "adaptive").filter(isDuring));
    assert.ok(adaptive.failed < roundRobin.failed / 2, `${adaptive.failed} against ${roundRobin.failed}`);
  });

  it("keeps its latency when some endpoints lose capacity", () => {
    const roundRobin = figuresOf(run("capacity", "round robin").filter(isDuring));
    for (const strategy of ["peak EWMA", "adaptive"] as const) {
      const { p99Ms } = figuresOf(run("capacity", strategy).filter(isDuring));
      assert.ok(roundRobin.p99Ms > 3 * p99Ms, `${strategy}: ${p99Ms} against ${roundRobin.p99Ms}`);
    }
  });

  it("stays in the zone while that has capacity, and is quicker for it", () => {
    const roundRobin = figuresOf(run("zones", "round robin"));
    const near = run("zones", "peak EWMA");
    assert.ok(Math.abs(roundRobin.sameZone - 1 / 3) < 0.03);
    assert.ok(figuresOf(near.filter(({ startedMs }) => startedMs < 15_000)).sameZone > 0.95);
    // Half of zone a is gone: what it cannot take goes elsewhere, and everything is answered.
    const during = figuresOf(near.filter(isDuring));
    assert.ok(during.sameZone > 0.5 && during.sameZone < 0.95, String(during.sameZone));
    assert.ok(figuresOf(near).p50Ms < roundRobin.p50Ms);
    assert.ok(during.p99Ms < 2 * roundRobin.p99Ms, `${during.p99Ms} against ${roundRobin.p99Ms}`);
  });
});
