import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList } from "./header-list.ts";

function fields(list: HeaderList): [string, string][] {
  return Array.from({ length: list.length }, (_, at) => [list.nameAt(at), list.valueAt(at)]);
}

describe("HeaderList", () => {
  it("keeps fields in order, repeated names included", () => {
    const list = new HeaderList();
    list.append("a", "1");
    list.append("b", "2");
    list.append("a", "3");
    assert.deepEqual(list.getAll("a"), ["1", "3"]);
    assert.equal(list.get("a"), "1");
    assert.equal(list.get("c"), undefined);
  });

  it("set replaces every field of the name by one, at the place of the first", () => {
    const list = new HeaderList();
    for (const [name, value] of [
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
      ["c", "4"],
    ] as const)
      list.append(name, value);
    list.set("a", "new");
    assert.deepEqual(fields(list), [
      ["a", "new"],
      ["b", "2"],
      ["c", "4"],
    ]);
    list.set("d", "5");
    assert.deepEqual(fields(list).at(-1), ["d", "5"]);
  });

  it("remove takes out all of a name, and a cleared list holds nothing of the old message", () => {
    const list = new HeaderList();
    for (const [name, value] of [
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
    ] as const)
      list.append(name, value);
    list.remove("a");
    assert.deepEqual(fields(list), [["b", "2"]]);
    list.clear();
    assert.equal(list.get("b"), undefined);
    assert.equal(list.length, 0);
  });

  it("becomes an independent copy", () => {
    const from = new HeaderList();
    from.append("a", "1");
    const to = new HeaderList();
    to.append("x", "y");
    to.copyFrom(from);
    from.set("a", "2");
    assert.deepEqual(fields(to), [["a", "1"]]);
  });

  it("passes on which names must never be indexed, and forgets them when cleared", () => {
    const from = new HeaderList();
    from.append("x-secret", "1");
    from.neverIndex("x-secret");
    const copy = new HeaderList();
    copy.copyFrom(from);
    from.clear();
    assert.deepEqual(copy.neverIndexed, ["x-secret"]);
    assert.deepEqual(from.neverIndexed, []);
  });

  it("takes over another list, which is empty afterwards and goes on living on its own", () => {
    const from = new HeaderList();
    from.source = "A: 1\r\n";
    from.appendLine("a", 0, 6);
    from.neverIndex("a");
    const to = new HeaderList();
    to.append("x", "y");
    to.takeFrom(from);
    from.append("b", "2");
    assert.deepEqual(fields(to), [["a", "1"]]);
    assert.deepEqual([to.source, to.lineStart(0), to.lineEnd(0)], ["A: 1\r\n", 0, 6]);
    assert.deepEqual(to.neverIndexed, ["a"]);
    assert.deepEqual(fields(from), [["b", "2"]]);
    assert.deepEqual(from.neverIndexed, []);
  });

  it("knows the line of a field until the field is changed", () => {
    const list = new HeaderList();
    list.source = "a: 1\r\nb: 2\r\nc: 3\r\n";
    list.appendLine("a", 0, 6);
    list.appendLine("b", 6, 12);
    list.appendLine("c", 12, 18);
    assert.deepEqual([list.get("b"), list.valueAt(2)], ["2", "3"]);
    list.replaceAt(0, "9");
    list.remove("b");
    assert.deepEqual([list.lineStart(0), list.lineStart(1), list.lineEnd(1)], [-1, 12, 18]);
    list.set("c", "4");
    assert.equal(list.lineStart(1), -1);
  });

  it("names what is never indexed once, and changes no list that a copy has", () => {
    const list = new HeaderList();
    list.neverIndex("authorization");
    const copy = new HeaderList();
    copy.copyFrom(list);
    list.neverIndex("authorization");
    list.neverIndex("x-secret");
    assert.deepEqual([list.neverIndexed, copy.neverIndexed], [["authorization", "x-secret"], ["authorization"]]);
    list.clear();
    assert.deepEqual([list.neverIndexed, copy.neverIndexed], [[], ["authorization"]]);
  });
});
