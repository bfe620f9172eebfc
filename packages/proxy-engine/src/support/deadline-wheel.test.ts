// Coarse deadlines on a stopped clock.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";
import { Deadline, DeadlineWheel } from "./deadline-wheel.ts";

describe("the deadline wheel", () => {
  it("fires each deadline once, never early, at most a tick late, whatever is set and cleared", () => {
    const step = fc.record({ which: fc.nat(9), delayMs: fc.nat(60_000), action: fc.constantFrom("set", "clear", "wait", "wait") });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const clock = new StoppedClock();
        const wheel = new DeadlineWheel(clock);
        const due = new Map<number, number>();
        const deadlines = Array.from({ length: 10 }, (_, which) => {
          const deadline = new Deadline({
            onDeadline: () => {
              const at = due.get(which);
              assert.ok(at !== undefined, "fired though it was not set");
              assert.ok(clock.monotonicMs() >= at, "early");
              assert.ok(clock.monotonicMs() <= at + 100, "late");
              due.delete(which);
            },
          });
          return deadline;
        });
        for (const { which, delayMs, action } of steps) {
          const deadline = deadlines[which];
          if (deadline === undefined) continue;
          if (action === "set") {
            wheel.schedule(deadline, delayMs);
            due.set(which, clock.monotonicMs() + delayMs);
          } else if (action === "clear") {
            wheel.cancel(deadline);
            due.delete(which);
          } else {
            clock.advance(delayMs / 10);
          }
          assert.equal(wheel.pending, due.size);
        }
        clock.advance(61_000);
        assert.equal(due.size, 0);
        // No clock timer is left when nothing is set.
        assert.equal(clock.pending, 0);
      }),
      { numRuns: 200 },
    );
  });
});
