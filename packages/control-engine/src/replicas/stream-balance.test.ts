// How the streams spread.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { streamsToMove } from "./stream-balance.ts";

describe("streamsToMove", () => {
  it("moves nobody when there is nowhere to move, or the spread is even", () => {
    assert.equal(streamsToMove({ own: 100, others: [] }), 0);
    assert.equal(streamsToMove({ own: 34, others: [33, 33] }), 0);
    assert.equal(streamsToMove({ own: 0, others: [100] }), 0);
    assert.equal(streamsToMove({ own: 1, others: [0] }), 0);
  });

  it("moves half of what is too much when another comes", () => {
    assert.equal(streamsToMove({ own: 60, others: [0] }), 15);
    assert.equal(streamsToMove({ own: 2, others: [0, 0] }), 1);
  });

  it("comes to rest near an even spread, wherever those that move go", () => {
    const counts = fc.array(fc.nat(200), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(counts, fc.infiniteStream(fc.nat()), (start, choices) => {
        const spread = [...start];
        for (let round = 0; round < 200; round++) {
          const at = round % spread.length;
          const own = spread[at] ?? 0;
          const moving = streamsToMove({ own, others: spread.filter((_, index) => index !== at) });
          for (let one = 0; one < moving; one++) {
            const to = (at + 1 + ((choices.next().value ?? 0) % (spread.length - 1))) % spread.length;
            spread[at] = (spread[at] ?? 0) - 1;
            spread[to] = (spread[to] ?? 0) + 1;
          }
        }
        const even = Math.ceil(spread.reduce((sum, one) => sum + one, 0) / spread.length);
        for (const one of spread) assert.ok(one - even <= Math.max(1, even * 0.2), `${spread.join()} is not even`);
      }),
    );
  });
});
