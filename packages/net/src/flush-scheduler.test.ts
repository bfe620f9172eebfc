import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FlushScheduler, type Flushable } from "./flush-scheduler.ts";

function target(onFlush: () => void): Flushable {
  return { flushPending: false, flush: onFlush };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the flush scheduler", () => {
  it("flushes once a turn, however often something is marked", async () => {
    const scheduler = new FlushScheduler();
    let flushes = 0;
    const one = target(() => flushes++);
    for (let i = 0; i < 5; i++) scheduler.mark(one);
    assert.equal(flushes, 0);
    await turn();
    assert.equal(flushes, 1);
    scheduler.mark(one);
    await turn();
    assert.equal(flushes, 2);
  });

  it("flushes in the order of marking, and in the next turn what is marked while flushing", async () => {
    const scheduler = new FlushScheduler();
    const order: string[] = [];
    const b = target(() => order.push("b"));
    const a = target(() => {
      order.push("a");
      if (order.length < 4) scheduler.mark(a);
    });
    scheduler.mark(a);
    scheduler.mark(b);
    await turn();
    assert.deepEqual(order, ["a", "b"]);
    await turn();
    assert.deepEqual(order, ["a", "b", "a"]);
    await turn();
    assert.deepEqual(order, ["a", "b", "a", "a"]);
  });
});
