import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoppedClock } from "./stopped-clock.ts";

describe("StoppedClock", () => {
  it("runs timers in the order in which they fall due, repeated ones again and again", () => {
    const clock = new StoppedClock(0);
    const seen: string[] = [];
    clock.after(20, () => seen.push(`once at ${clock.nowMs()}`));
    const every = clock.every(15, () => seen.push(`tick at ${clock.nowMs()}`));
    clock.advance(31);
    assert.deepEqual(seen, ["tick at 15", "once at 20", "tick at 30"]);
    every.clear();
    clock.advance(100);
    assert.equal(seen.length, 3);
    assert.equal(clock.pending, 0);
  });
});
