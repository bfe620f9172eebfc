import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PatientClock } from "./patient-clock.ts";
import { StoppedClock } from "./stopped-clock.ts";

describe("PatientClock", () => {
  it("fires timers when they are due, repeated ones again and again, and none that was cleared", () => {
    const system = new StoppedClock(0);
    const clock = new PatientClock({ system });
    const seen: string[] = [];
    clock.after(25, () => seen.push(`once at ${clock.monotonicMs()}`));
    const every = clock.every(15, () => {
      seen.push(`tick at ${clock.monotonicMs()}`);
      if (seen.length === 3) every.clear();
    });
    clock.after(28, () => seen.push("cleared")).clear();
    system.advance(100);
    assert.deepEqual(seen, ["tick at 15", "once at 25", "tick at 30"]);
    assert.equal(system.pending, 0);
  });

  it("counts little of a time in which the process did not run", () => {
    let stalledMs = 0;
    const system = new StoppedClock(0);
    const clock = new PatientClock({
      system: {
        nowMs: () => system.nowMs(),
        monotonicMs: () => system.monotonicMs() + stalledMs,
        after: (delayMs, run) => system.after(delayMs, run),
        every: (periodMs, run) => system.every(periodMs, run),
      },
    });
    let fired = false;
    clock.after(5_000, () => (fired = true));
    system.advance(1_000);
    stalledMs = 60_000;
    system.advance(3_500);
    assert.equal(fired, false);
    system.advance(500);
    assert.equal(fired, true);
    assert.ok(clock.monotonicMs() >= 5_000 && clock.monotonicMs() < 5_100);
  });

  it("gives other processes more time, and looks as often as before", () => {
    const system = new StoppedClock(0);
    const clock = new PatientClock({ system, graceTimes: 10 });
    const seen: string[] = [];
    clock.after(1_000, () => seen.push("look"));
    clock.after(2_000, () => seen.push("grace"));
    system.advance(19_000);
    assert.deepEqual(seen, ["look"]);
    system.advance(1_001);
    assert.deepEqual(seen, ["look", "grace"]);
  });
});
