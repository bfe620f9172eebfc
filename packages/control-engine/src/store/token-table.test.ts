// Tokens of any kind in a table that replicas share.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { MemoryStore } from "./memory-store.ts";
import { TokenTable, type TokenRecord } from "./token-table.ts";

const DAY_MS = 24 * 3_600_000;

function setUp(): { clock: StoppedClock; open: () => TokenTable<TokenRecord> } {
  const clock = new StoppedClock();
  const table = new MemoryStore({ clock }).table<TokenRecord>("join-tokens");
  return { clock, open: () => new TokenTable(clock, table) };
}

function token(clock: StoppedClock, lifeMs: number, usedMs: number = 0): TokenRecord {
  return { createdMs: clock.nowMs(), expiresMs: clock.nowMs() + lifeMs, usedMs };
}

describe("a table of tokens", () => {
  it("is there again after a restart, and the same on every replica, oldest first", async () => {
    const { clock, open } = setUp();
    const [one, other] = [open(), open()];
    await one.add("b", token(clock, DAY_MS));
    clock.advance(1);
    await other.add("a", token(clock, DAY_MS));
    for (const table of [one, other, open()]) {
      assert.deepEqual(
        table.list().map(([key]) => key),
        ["b", "a"],
      );
    }
    await other.remove("b");
    assert.equal(one.get("b"), undefined);
    assert.equal(open().size, 1);
  });

  it("forgets tokens a week after they were used or expired, and no sooner", async () => {
    const { clock, open } = setUp();
    const tokens = open();
    await tokens.add("expired", token(clock, DAY_MS));
    await tokens.add("used late", token(clock, DAY_MS, clock.nowMs() + 3 * DAY_MS));
    clock.advance(8 * DAY_MS);
    await tokens.add("new", token(clock, DAY_MS));
    assert.notEqual(tokens.get("expired"), undefined);
    clock.advance(1);
    await tokens.add("newer", token(clock, DAY_MS));
    assert.equal(tokens.get("expired"), undefined);
    assert.notEqual(tokens.get("used late"), undefined);
    assert.equal(open().get("expired"), undefined);
  });

  it("takes 10 000 tokens, and one more when old ones are forgotten", async () => {
    const { clock, open } = setUp();
    const tokens = open();
    await Promise.all(Array.from({ length: 10_000 }, (_, at) => tokens.put(`t${at}`, token(clock, DAY_MS))));
    assert.equal(await tokens.add("more", token(clock, DAY_MS)), false);
    assert.equal(tokens.get("more"), undefined);
    clock.advance(9 * DAY_MS);
    assert.equal(await tokens.add("more", token(clock, DAY_MS)), true);
    assert.equal(tokens.size, 1);
  });

  it("lets one of several exchange a token", async () => {
    const { clock, open } = setUp();
    const [one, other] = [open(), open()];
    const before = token(clock, DAY_MS);
    await one.add("t", before);
    const done = await Promise.all([
      one.replace("t", before, { ...before, usedMs: 1 }),
      other.replace("t", before, { ...before, usedMs: 2 }),
    ]);
    assert.deepEqual(done.toSorted(), [false, true]);
    assert.equal(one.get("t")?.usedMs, other.get("t")?.usedMs);
  });
});
