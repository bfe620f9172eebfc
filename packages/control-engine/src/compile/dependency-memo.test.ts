// Memoised values with tracked dependencies.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { DependencyMemo } from "./dependency-memo.ts";

describe("DependencyMemo", () => {
  it("computes once, and again only after something that was read changed", () => {
    const world = new Map([
      ["a", 1],
      ["b", 2],
    ]);
    const memo = new DependencyMemo<number>(() => 0);
    const sum = (): number =>
      memo.get("sum", (read) => {
        read("a");
        return (world.get("a") ?? 0) + 10;
      });
    assert.deepEqual([sum(), sum(), memo.computed], [11, 11, 1]);
    world.set("a", 5);
    assert.deepEqual(memo.invalidate(["b"]), []);
    assert.deepEqual(memo.invalidate(["a", "b"]), [{ key: "sum", before: 11, after: 15 }]);
    assert.deepEqual([sum(), memo.computed], [15, 2]);
  });

  it("follows dependencies that change with what was read", () => {
    const world = new Map([
      ["which", "x"],
      ["x", "1"],
      ["y", "2"],
    ]);
    const memo = new DependencyMemo<string | undefined>(() => undefined);
    memo.get("value", (read) => {
      read("which");
      const which = world.get("which") ?? "";
      read(which);
      return world.get(which);
    });
    assert.equal(memo.invalidate(["y"]).length, 0);
    world.set("which", "y");
    assert.equal(memo.invalidate(["which"])[0]?.after, "2");
    assert.equal(memo.invalidate(["x"]).length, 0);
    assert.equal(memo.invalidate(["y"]).length, 1);
  });

  it("keeps the last good value when a computation fails, and tries again", () => {
    const failed: string[] = [];
    const memo = new DependencyMemo<number>((key) => {
      failed.push(key);
      return -1;
    });
    let value: number | undefined = 1;
    const compute = (read: (dependency: string) => void): number => {
      read("a");
      if (value === undefined) throw new Error("bad");
      return value;
    };
    memo.get("k", compute);
    value = undefined;
    assert.deepEqual(memo.invalidate(["a"]), [{ key: "k", before: 1, after: 1 }]);
    value = 3;
    assert.equal(memo.invalidate(["a"])[0]?.after, 3);
    value = undefined;
    assert.equal(memo.get("other", compute), -1);
    assert.deepEqual(failed, ["k", "other"]);
  });

  it("forgets a key with its dependencies", () => {
    const memo = new DependencyMemo<number>(() => 0);
    memo.get("k", (read) => {
      read("a");
      return 1;
    });
    memo.delete("k");
    assert.equal(memo.size, 0);
    assert.deepEqual(memo.invalidate(["a"]), []);
  });
});
