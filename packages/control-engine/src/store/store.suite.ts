// What every store engine must do; each engine's test runs it.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import fc from "fast-check";

import { pet } from "./pet.fixture.ts";
import type { Revision, Store, Transaction } from "./store.ts";

/** A store and how to open what it keeps again. */
export interface StoreFixture {
  open(keepRevisions?: number): Store | Promise<Store>;
  /** Ends the fixture after its store was closed. */
  dispose(): Promise<void>;
}

/** Runs the suite for one engine; `durable` says whether a store opened again has what the one before acknowledged. */
export function storeSuite(engine: string, durable: boolean, makeFixture: () => Promise<StoreFixture>): void {
  describe(`Store: ${engine}`, () => {
    let fixture: StoreFixture;
    let store: Store;

    beforeEach(async () => {
      fixture = await makeFixture();
      store = await fixture.open();
    });
    afterEach(async () => {
      await store.close();
      await fixture.dispose();
    });

    async function commit(change: Partial<Transaction>): Promise<Revision> {
      const result = await store.commit({ author: "me", reason: "test", puts: [], deletes: [], ...change });
      assert.ok(result.ok, JSON.stringify(result));
      return result.value;
    }

    it("is empty at first", () => {
      assert.equal(store.revision, 0);
      assert.deepEqual([...store.list("Pet")], []);
      assert.equal(store.get("Pet/home/tom"), undefined);
    });

    it("keeps what was put, with its own metadata", async () => {
      const revision = await commit({ puts: [pet("tom", 4)] });
      assert.equal(revision.number, 1);
      assert.equal(store.revision, 1);
      const tom = store.get("Pet/home/tom");
      assert.deepEqual(tom?.spec, { legs: 4 });
      assert.equal(tom?.metadata.generation, 1);
      assert.equal(tom?.metadata.resourceVersion, "1");
      assert.match(tom?.metadata.uid ?? "", /^[0-9a-f-]{36}$/);
      assert.match(tom?.metadata.creationTimestamp ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    });

    it("raises the generation with the spec only, and keeps uid and creation", async () => {
      await commit({ puts: [pet("tom", 4)] });
      const first = store.get("Pet/home/tom");
      await commit({ puts: [pet("tom", 4, { mood: "good" })] });
      const second = store.get("Pet/home/tom");
      assert.equal(second?.metadata.generation, 1);
      assert.equal(second?.metadata.resourceVersion, "2");
      await commit({ puts: [pet("tom", 3)] });
      const third = store.get("Pet/home/tom");
      assert.equal(third?.metadata.generation, 2);
      assert.equal(third?.metadata.uid, first?.metadata.uid);
      assert.equal(third?.metadata.creationTimestamp, first?.metadata.creationTimestamp);
    });

    it("leaves out what changes nothing", async () => {
      await commit({ puts: [pet("tom", 4)] });
      const nothing = await commit({ puts: [pet("tom", 4)], deletes: ["Pet/home/ghost"] });
      assert.equal(nothing.number, 1);
      assert.deepEqual(nothing.changes, []);
      const some = await commit({ puts: [pet("tom", 4), pet("jerry", 4)] });
      assert.equal(some.number, 2);
      assert.equal(some.changes.length, 1);
      assert.equal(store.get("Pet/home/tom")?.metadata.resourceVersion, "1");
    });

    it("lists a kind in key order", async () => {
      await commit({ puts: [pet("tom", 4), pet("jerry", 4), pet("butch", 4)] });
      assert.deepEqual(
        [...store.list("Pet")].map(({ metadata }) => metadata.name),
        ["butch", "jerry", "tom"],
      );
      await commit({ deletes: ["Pet/home/jerry"] });
      assert.deepEqual(
        [...store.list("Pet")].map(({ metadata }) => metadata.name),
        ["butch", "tom"],
      );
    });

    it("refuses the whole transaction when one expectation does not hold", async () => {
      await commit({ puts: [pet("tom", 4)] });
      const lost = await store.commit({
        author: "me",
        reason: "",
        puts: [pet("tom", 2), pet("jerry", 4)],
        deletes: [],
        expect: { "Pet/home/jerry": "", "Pet/home/tom": "7" },
      });
      assert.deepEqual(lost, { ok: false, error: { key: "Pet/home/tom", expected: "7", actual: "1" } });
      assert.equal(store.get("Pet/home/jerry"), undefined);
      assert.equal(store.revision, 1);
      await commit({ puts: [pet("tom", 2)], expect: { "Pet/home/tom": "1" } });
    });

    it("lets one of several concurrent writers win", async () => {
      await commit({ puts: [pet("tom", 4)] });
      const attempts = await Promise.all(
        [1, 2, 3].map((legs) =>
          store.commit({
            author: "me",
            reason: "",
            puts: [pet("tom", legs)],
            deletes: [],
            expect: { "Pet/home/tom": "1" },
          }),
        ),
      );
      assert.deepEqual(
        attempts.map(({ ok }) => ok),
        [true, false, false],
      );
    });

    it("gives a watcher every revision after the one it names, without a gap", async () => {
      await commit({ puts: [pet("a", 1)] });
      await commit({ puts: [pet("b", 1)] });
      const seen: number[] = [];
      const watching = store.watch(1, ({ number }) => seen.push(number));
      assert.ok(watching.ok);
      assert.deepEqual(seen, [2]);
      await commit({ puts: [pet("c", 1)] });
      const last = await commit({ deletes: ["Pet/home/a"] });
      assert.equal(last.changes[0]?.type, "delete");
      assert.deepEqual(seen, [2, 3, 4]);
      watching.value();
      await commit({ puts: [pet("d", 1)] });
      assert.deepEqual(seen, [2, 3, 4]);
    });

    it("says so when the revisions asked for are gone from the log", async () => {
      await store.close();
      store = await fixture.open(3);
      for (let legs = 1; legs <= 12; legs++) await commit({ puts: [pet("tom", legs)] });
      const refused = store.watch(0, () => assert.fail());
      assert.ok(!refused.ok);
      const { oldest } = refused.error;
      assert.ok(oldest >= 1 && oldest <= 9, `the oldest is ${oldest}, and at least 3 must be there`);
      const seen: number[] = [];
      const watching = store.watch(oldest, ({ number }) => seen.push(number));
      assert.ok(watching.ok);
      assert.deepEqual(seen, numbersBetween(oldest, 12));
    });

    it("reads its log between two revisions, and says where it begins", async () => {
      await store.close();
      store = await fixture.open(4);
      for (let legs = 1; legs <= 15; legs++) await commit({ puts: [pet("tom", legs)], reason: `legs ${legs}` });
      const numbers = async (after: number, upTo?: number): Promise<readonly number[]> => {
        const read = await store.readLog(after, upTo);
        return read.ok ? read.value.map(({ number }) => number) : [-read.error.oldest];
      };
      assert.deepEqual(await numbers(11), [12, 13, 14, 15]);
      assert.deepEqual(await numbers(12, 14), [13, 14]);
      assert.deepEqual(await numbers(15), []);
      assert.deepEqual(await numbers(13, 99), [14, 15]);
      const [oldest = 0] = await numbers(0);
      assert.ok(oldest < 0, "the log does not begin at 0 any more");
      assert.deepEqual(await numbers(-oldest), numbersBetween(-oldest, 15));
      const read = await store.readLog(13, 14);
      assert.ok(read.ok);
      const [fourteenth] = read.value;
      assert.equal(fourteenth?.reason, "legs 14");
      assert.deepEqual(
        fourteenth?.changes.map((change) => [change.type, change.before?.spec]),
        [["put", { legs: 13 }]],
      );
    });

    it("keeps tables apart from revisions", async () => {
      const table = store.table<{ n: number }>("workloads");
      await table.put("b", { n: 2 });
      await table.put("a", { n: 1 });
      await table.put("c", { n: 3 });
      await table.remove("c");
      assert.deepEqual(table.get("a"), { n: 1 });
      assert.equal(table.get("c"), undefined);
      assert.deepEqual(
        [...table.entries()].sort(([a], [b]) => (a < b ? -1 : 1)),
        [
          ["a", { n: 1 }],
          ["b", { n: 2 }],
        ],
      );
      assert.deepEqual([...store.table("conditions").entries()], []);
      assert.equal(store.revision, 0);
    });

    it("tells those who watch a table of every change, and lets one of several replacements win", async () => {
      const table = store.table<{ n: number }>("nodes");
      const seen: (readonly [string, number | undefined])[] = [];
      const stop = table.watch((key, value) => seen.push([key, value?.n]));
      store.table<{ n: number }>("workloads").watch(() => assert.fail("of another table"));
      await table.put("a/b", { n: 1 });
      assert.deepEqual(seen, [["a/b", 1]]);
      const attempts = await Promise.all([2, 3, 4].map((n) => table.replace("a/b", { n: 1 }, { n })));
      assert.equal(attempts.filter(Boolean).length, 1);
      const now = table.get("a/b");
      assert.equal(await table.replace("a/b", { n: 1 }, undefined), false);
      assert.equal(await table.replace("a/b", now, undefined), true);
      assert.equal(await table.replace("a/b", now, { n: 9 }), false);
      assert.equal(await table.replace("a/b", undefined, { n: 5 }), true);
      stop();
      await table.remove("a/b");
      assert.deepEqual(seen, [
        ["a/b", 1],
        ["a/b", now?.n],
        ["a/b", undefined],
        ["a/b", 5],
      ]);
    });

    if (durable)
      it("has everything again after it was opened anew", async () => {
        await commit({ puts: [pet("tom", 4), pet("jerry", 4)] });
        await commit({ deletes: ["Pet/home/jerry"] });
        await store.table<number>("workloads").put("x", 7);
        const before = store.get("Pet/home/tom");
        await store.close();
        store = await fixture.open();
        assert.equal(store.revision, 2);
        assert.deepEqual(store.get("Pet/home/tom"), before);
        assert.equal(store.get("Pet/home/jerry"), undefined);
        assert.equal(store.table<number>("workloads").get("x"), 7);
        const seen: number[] = [];
        assert.ok(store.watch(0, ({ number }) => seen.push(number)).ok);
        assert.deepEqual(seen, [1, 2]);
        assert.equal((await commit({ puts: [pet("butch", 4)] })).number, 3);
      });

    it("equals a plain map after any sequence of writes", async () => {
      const edit = fc.record({ name: fc.constantFrom("a", "b", "c", "d"), legs: fc.option(fc.nat(3)) });
      const model = new Map<string, number>();
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(edit, { maxLength: 3 }), { maxLength: 5 }), async (transactions) => {
          for (const edits of transactions) {
            // Within one transaction a put wins over a delete of the same key.
            const puts = edits.filter(({ legs }) => legs !== null).map(({ name, legs }) => pet(name, legs ?? 0));
            const deletes = edits.filter(({ legs }) => legs === null).map(({ name }) => `Pet/home/${name}`);
            await commit({ puts, deletes });
            for (const { name, legs } of edits) if (legs === null) model.delete(name);
            for (const { name, legs } of edits) if (legs !== null) model.set(name, legs);
            const stored = [...store.list("Pet")].map(({ metadata, spec }) => [
              metadata.name,
              (spec as { legs: number }).legs,
            ]);
            assert.deepEqual(
              stored,
              [...model].sort(([a], [b]) => (a < b ? -1 : 1)),
            );
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}

/** The whole numbers above `after` up to `last`. */
function numbersBetween(after: number, last: number): readonly number[] {
  return Array.from({ length: last - after }, (_, index) => after + 1 + index);
}
