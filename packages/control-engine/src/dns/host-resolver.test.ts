// Following addresses: by their time to live, through failures, and only while they are wanted.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { HostResolver, type ResolvedHost } from "./host-resolver.ts";

/** Lets promises that are kept already take effect. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function resolver(): {
  readonly clock: StoppedClock;
  readonly made: HostResolver;
  readonly changed: string[];
  readonly asked: () => number;
  answer: ResolvedHost | undefined;
  wanted: boolean;
} {
  const clock = new StoppedClock();
  const changed: string[] = [];
  let asked = 0;
  const state = { answer: undefined as ResolvedHost | undefined, wanted: true };
  const made = new HostResolver({
    clock,
    async lookup() {
      asked++;
      if (state.answer === undefined) throw new Error("SERVFAIL");
      return state.answer;
    },
    onChanged: (host) => changed.push(host),
    isWanted: () => state.wanted,
  });
  return Object.assign(state, { clock, made, changed, asked: () => asked });
}

describe("the resolver of outside hosts", () => {
  it("knows nothing at first, then says that it does", async () => {
    const test = resolver();
    test.answer = { addresses: ["10.0.0.2", "10.0.0.1", "10.0.0.2"], ttlMs: 60_000 };
    assert.deepEqual(test.made.addresses("a.example"), []);
    await settle();
    assert.deepEqual(test.changed, ["a.example"]);
    assert.deepEqual(test.made.addresses("a.example"), ["10.0.0.1", "10.0.0.2"]);
    assert.equal(test.asked(), 1);
  });

  it("asks again when the time to live is over, and tells of other addresses alone", async () => {
    const test = resolver();
    test.answer = { addresses: ["10.0.0.1"], ttlMs: 60_000 };
    test.made.addresses("a.example");
    await settle();
    test.clock.advance(59_999);
    assert.equal(test.asked(), 1);
    test.clock.advance(1);
    await settle();
    assert.deepEqual([test.asked(), test.changed.length], [2, 1]);
    test.answer = { addresses: ["10.0.0.9"], ttlMs: 1 };
    test.clock.advance(60_000);
    await settle();
    assert.deepEqual([test.changed.length, test.made.addresses("a.example")], [2, ["10.0.0.9"]]);
    // No name server makes us ask all the time.
    test.clock.advance(4_999);
    assert.equal(test.asked(), 3);
  });

  it("keeps what it knew while name servers fail, and tries again", async () => {
    const test = resolver();
    test.answer = { addresses: ["10.0.0.1"], ttlMs: 5_000 };
    test.made.addresses("a.example");
    await settle();
    test.answer = undefined;
    test.clock.advance(5_000);
    await settle();
    assert.deepEqual(test.made.addresses("a.example"), ["10.0.0.1"]);
    test.answer = { addresses: ["10.0.0.2"], ttlMs: 5_000 };
    test.clock.advance(10_000);
    await settle();
    assert.deepEqual(test.made.addresses("a.example"), ["10.0.0.2"]);
  });

  it("forgets hosts that nobody uses any more", async () => {
    const test = resolver();
    test.answer = { addresses: ["10.0.0.1"], ttlMs: 5_000 };
    test.made.addresses("a.example");
    await settle();
    test.wanted = false;
    test.clock.advance(5_000);
    assert.equal(test.made.size, 0);
    assert.equal(test.clock.pending, 0);
  });
});
