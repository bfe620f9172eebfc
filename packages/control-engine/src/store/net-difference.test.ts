import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";

import { MemoryStore } from "./memory-store.ts";
import { netDifference, reversed } from "./net-difference.ts";
import { pet } from "./pet.fixture.ts";

describe("the net difference of revisions", () => {
  it("turns the state before them into the state after them, whatever happened between", async () => {
    const edit = fc.record({ name: fc.constantFrom("a", "b", "c"), legs: fc.option(fc.nat(2)) });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 20 }), fc.nat(20), async (edits, at) => {
        const store = new MemoryStore({ clock: new StoppedClock() });
        const states: Map<string, number>[] = [];
        const state = (): Map<string, number> =>
          new Map([...store.list("Pet")].map((one) => [one.metadata.name, (one.spec as { legs: number }).legs]));
        states.push(state());
        for (const { name, legs } of edits) {
          const [puts, deletes] = legs === null ? [[], [`Pet/home/${name}`]] : [[pet(name, legs)], []];
          const before = store.revision;
          await store.commit({ author: "", reason: "", puts, deletes });
          if (store.revision > before) states.push(state());
        }
        const from = at % states.length;
        const log = await store.readLog(from);
        assert.ok(log.ok);
        const differences = netDifference(log.value);
        const after = apply(states[from] ?? new Map(), differences);
        assert.deepEqual(after, sorted(state()));
        assert.deepEqual(apply(after, reversed(differences)), sorted(states[from] ?? new Map()));
      }),
    );
  });
});

function apply(state: Map<string, number>, differences: ReturnType<typeof netDifference>): Map<string, number> {
  const result = new Map(state);
  for (const { key, after } of differences) {
    const name = key.slice("Pet/home/".length);
    if (after === undefined) result.delete(name);
    else result.set(name, (after.spec as { legs: number }).legs);
  }
  return sorted(result);
}

function sorted(map: Map<string, number>): Map<string, number> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
