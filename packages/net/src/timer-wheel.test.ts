import { StoppedClock } from "@ripstop/testkit";
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "node:test";
import { TimerWheel, WheelTimer } from "./timer-wheel.ts";

describe("the timer wheel", () => {
  it("fires not early, soon after, and once", () => {
    const clock = new StoppedClock();
    const wheel = new TimerWheel({ clock });
    let fired = 0;
    wheel.schedule(new WheelTimer(() => fired++), 1_000);
    clock.advance(999);
    assert.equal(fired, 0);
    clock.advance(251);
    assert.equal(fired, 1);
    clock.advance(1_000_000);
    assert.equal(fired, 1);
  });

  it("holds no clock timer while nothing is scheduled", () => {
    const clock = new StoppedClock();
    const wheel = new TimerWheel({ clock });
    assert.equal(clock.pending, 0);
    const timer = new WheelTimer(() => undefined);
    wheel.schedule(timer, 10);
    assert.equal(clock.pending, 1);
    wheel.cancel(timer);
    clock.advance(250);
    assert.deepEqual([clock.pending, wheel.size], [0, 0]);
  });

  it("moves a timer that is scheduled again", () => {
    const clock = new StoppedClock();
    const wheel = new TimerWheel({ clock });
    let fired = 0;
    const timer = new WheelTimer(() => fired++);
    wheel.schedule(timer, 500);
    clock.advance(400);
    wheel.schedule(timer, 500);
    clock.advance(400);
    assert.deepEqual([fired, wheel.size], [0, 1]);
    clock.advance(400);
    assert.deepEqual([fired, wheel.size], [1, 0]);
  });

  it("lets a callback cancel its neighbours and schedule itself", () => {
    const clock = new StoppedClock();
    const wheel = new TimerWheel({ clock });
    const fired: string[] = [];
    const b = new WheelTimer(() => fired.push("b"));
    const c = new WheelTimer(() => fired.push("c"));
    const a = new WheelTimer(() => {
      fired.push("a");
      wheel.cancel(b);
      if (fired.length < 3) wheel.schedule(a, 0);
    });
    for (const timer of [a, b, c]) wheel.schedule(timer, 100);
    clock.advance(250);
    assert.deepEqual(fired, ["a", "c"]);
    clock.advance(250);
    assert.deepEqual(fired, ["a", "c", "a"]);
    assert.equal(wheel.size, 0);
  });

  it("fires everything that fell due while the process stood still", () => {
    const clock = new StoppedClock();
    let nowMs = 0;
    let tick = (): void => undefined;
    const stalled = {
      ...clock,
      nowMs: () => nowMs,
      monotonicMs: () => nowMs,
      after: () => ({ clear: () => undefined }),
      every: (_: number, run: () => void) => ((tick = run), { clear: () => undefined }),
    };
    const wheel = new TimerWheel({ clock: stalled });
    let fired = 0;
    for (let i = 0; i < 2_000; i++) wheel.schedule(new WheelTimer(() => fired++), i * 250);
    nowMs = 3_600_000;
    tick();
    assert.deepEqual([fired, wheel.size], [2_000, 0]);
  });

  it("behaves like exact timers rounded up to a tick, over any schedule", () => {
    const step = fc.record({
      timer: fc.nat(9),
      kind: fc.constantFrom("schedule", "cancel"),
      delayMs: fc.nat(400_000),
      thenMs: fc.nat(5_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new StoppedClock(0);
        const wheel = new TimerWheel({ clock });
        const due = new Map<number, number>();
        const timers = Array.from(
          { length: 10 },
          (_, n) =>
            new WheelTimer(() => {
              const at = due.get(n);
              assert.ok(
                at !== undefined && clock.nowMs() >= at && clock.nowMs() < at + 500,
                `timer ${n} due ${at} fired ${clock.nowMs()}`,
              );
              due.delete(n);
            }),
        );
        for (const { timer, kind, delayMs, thenMs } of steps) {
          if (kind === "schedule") {
            wheel.schedule(timers[timer]!, delayMs);
            due.set(timer, clock.nowMs() + delayMs);
          } else {
            wheel.cancel(timers[timer]!);
            due.delete(timer);
          }
          assert.equal(wheel.size, due.size);
          clock.advance(thenMs);
        }
        clock.advance(500_000);
        assert.deepEqual([wheel.size, due.size], [0, 0]);
      }),
    );
  });
});
