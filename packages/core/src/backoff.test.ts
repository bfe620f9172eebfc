import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Backoff } from "./backoff.ts";

describe("Backoff", () => {
  it("doubles up to its maximum and starts again after a reset", () => {
    const backoff = new Backoff({ initialMs: 100, maxMs: 500, random: () => 1 });
    assert.deepEqual([backoff.next(), backoff.next(), backoff.next(), backoff.next()], [100, 200, 400, 500]);
    backoff.reset();
    assert.equal(backoff.next(), 100);
  });

  it("never waits less than half of the bound, so that jitter cannot undo it", () => {
    const backoff = new Backoff({ initialMs: 100, maxMs: 500, random: () => 0 });
    assert.deepEqual([backoff.next(), backoff.next()], [50, 100]);
  });
});
