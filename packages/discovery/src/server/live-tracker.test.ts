import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoppedClock } from "@ripstop/testkit";
import { LiveTracker } from "./live-tracker.ts";

describe("the live tracker", () => {
  it("counts the workers of a proxy as one, which has a revision when all of them have it", () => {
    const tracker = new LiveTracker(new StoppedClock());
    for (const streamId of ["shop/web-1", "shop/web-1#1", "shop/web-1#2", "shop/cart-1"]) tracker.concern(7, streamId);
    assert.equal(tracker.status(7).total, 2);
    tracker.answered("shop/web-1", 8, undefined);
    tracker.answered("shop/web-1#2", 8, undefined);
    tracker.answered("shop/cart-1", 8, undefined);
    assert.deepEqual([tracker.status(7).live, tracker.status(7).pending], [1, ["shop/web-1"]]);
    tracker.answered("shop/web-1#1", 8, undefined);
    assert.equal(tracker.status(7).live, 2);
  });

  it("says that a proxy refused when one of its workers did", () => {
    const tracker = new LiveTracker(new StoppedClock());
    for (const streamId of ["shop/web-1", "shop/web-1#1"]) tracker.concern(7, streamId);
    tracker.answered("shop/web-1#1", 7, { reason: "no", upToRevision: 7 });
    const { live, total, pending, rejected } = tracker.status(7);
    assert.deepEqual({ live, total, pending }, { live: 0, total: 1, pending: [] });
    assert.deepEqual(rejected, [{ proxyId: "shop/web-1", reason: "no" }]);
  });
});
