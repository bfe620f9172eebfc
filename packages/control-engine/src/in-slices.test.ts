// Long work in slices.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { inSlices } from "./in-slices.ts";

describe("inSlices", () => {
  it("lets the event loop turn every 5 ms of work, and gives the result", async () => {
    const clock = new StoppedClock();
    let steps = 0;
    function* work(): Generator<undefined, string> {
      for (; steps < 25; steps++) {
        clock.advance(1);
        yield;
      }
      return "done";
    }
    const result = inSlices(work(), clock);
    assert.equal(clock.pending, 1, "it waits for its turn");
    assert.equal(steps, 4);
    while (clock.pending > 0) {
      clock.advance(0);
      await Promise.resolve();
    }
    assert.equal(await result, "done");
  });

  it("does everything at once without a clock", async () => {
    function* work(): Generator<undefined, number> {
      yield;
      return 1;
    }
    assert.equal(await inSlices(work(), undefined), 1);
  });
});
