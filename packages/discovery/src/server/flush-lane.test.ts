// Who is served when many streams have something to send at once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { FlushLane } from "./flush-lane.ts";

/** A stream whose sending takes `costMs`. */
function stream(clock: StoppedClock, costMs: number, done: () => void): { flush(): void } {
  return {
    flush: () => {
      done();
      clock.advance(costMs);
    },
  };
}

describe("a lane of streams that have something to send", () => {
  it("serves them in slices, in the order in which they came, and lets others run in between", () => {
    const clock = new StoppedClock();
    const lane = new FlushLane(clock, 0);
    const served: string[] = [];
    for (let at = 0; at < 6; at++) lane.add(stream(clock, 5, () => served.push(`stream ${at}`)));
    const others = clock.every(1, () => served.push("other"));
    clock.advance(0);
    assert.deepEqual(
      served.filter((what) => what !== "other"),
      ["stream 0", "stream 1"],
      "two of them take the slice of 10 ms",
    );
    clock.advance(100);
    others.clear();
    const order = served.filter((what, at) => what !== "other" || served[at - 1] !== "other");
    assert.equal(
      served.filter((what) => what !== "other").join(),
      [0, 1, 2, 3, 4, 5].map((at) => `stream ${at}`).join(),
    );
    assert.ok(order.indexOf("other") < order.indexOf("stream 5"), "others ran before the last stream was served");
  });

  it("serves a stream once however often it was added, and not at all when it has ended", () => {
    const clock = new StoppedClock();
    const lane = new FlushLane(clock, 5);
    const served: string[] = [];
    const [one, two] = ["one", "two"].map((name) => stream(clock, 0, () => served.push(name)));
    if (one === undefined || two === undefined) assert.fail();
    for (const each of [one, two, one]) lane.add(each);
    lane.remove(two);
    clock.advance(4);
    assert.deepEqual(served, [], "what comes within 5 ms goes out together");
    clock.advance(1);
    assert.deepEqual(served, ["one"]);
    lane.close();
    assert.equal(clock.pending, 0);
  });
});
