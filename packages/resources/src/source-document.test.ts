// YAML and JSON reading: places, and hostile files.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { readSource } from "./source-document.ts";

describe("readSource", () => {
  it("gives the place of a value, of its key, and of the nearest ancestor of what is not there", () => {
    const [document] = readSource("a.yaml", "spec:\n  rules:\n    - name: x\n      to: 1\n").documents;
    assert.deepEqual(document?.positionOf(["spec", "rules", 0, "to"]), { file: "a.yaml", line: 4, column: 11 });
    assert.deepEqual(document?.positionOf(["spec", "rules", 0, "to"], true), { file: "a.yaml", line: 4, column: 7 });
    assert.deepEqual(document?.positionOf(["spec", "rules", 0, "gone"]), { file: "a.yaml", line: 3, column: 7 });
  });

  it("refuses a key that stands twice", () => {
    const { documents, violations } = readSource("a.yaml", "a: 1\nb: 2\na: 3\n");
    assert.equal(documents.length, 0);
    assert.equal(violations[0]?.message, "this key stands twice in the same map");
    assert.equal(violations[0]?.source?.line, 3);
  });

  it("reads the other documents of a file in which one is broken", () => {
    const { documents, violations } = readSource("a.yaml", "a: [1\n---\nb: 2\n");
    assert.deepEqual(
      documents.map(({ value }) => value),
      [{ b: 2 }],
    );
    assert.ok(violations.length > 0);
  });

  it("refuses an alias bomb", () => {
    const bomb = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (let level = 0; level < 9; level++) {
      const [name, before] = [String.fromCharCode(98 + level), String.fromCharCode(97 + level)];
      bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(",")}]`);
    }
    const { documents, violations } = readSource("a.yaml", bomb.join("\n"));
    assert.equal(documents.length, 0);
    assert.match(violations[0]?.message ?? "", /[Aa]lias/);
  });

  for (const [name, text] of [
    ["flow lists", "[".repeat(100_000)],
    ["flow maps", "{a: ".repeat(50_000)],
    ["block lists", "- ".repeat(50_000)],
    ["indented maps", Array.from({ length: 1_000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n")],
    ["closed flow lists", "[".repeat(50_000) + "]".repeat(50_000)],
  ] as const) {
    it(`refuses ${name} nested too deep`, () => {
      const { documents, violations } = readSource("a.yaml", text);
      assert.equal(documents.length, 0);
      assert.match(violations[0]?.message ?? "", /nested more than 64 deep/);
    });
  }

  it("refuses a file that is too long, and one of too many documents", () => {
    assert.match(readSource("a", "x".repeat(11), { maxLength: 10 }).violations[0]?.message ?? "", /at most 10/);
    assert.match(
      readSource("a", "a: 1\n---\n".repeat(5), { maxDocuments: 3 }).violations[0]?.message ?? "",
      /more than 3 documents/,
    );
  });

  it("takes any text without throwing, and reads back what JSON wrote", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."ab:-[]{}&*!|>#'\"\n\t ,?%@`") }),
        (text) => void readSource("a", text),
      ),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (value) => {
        const copy: unknown = JSON.parse(JSON.stringify(value));
        const { documents, violations } = readSource("a", JSON.stringify(value, undefined, 1));
        if (violations.some(({ message }) => /nested|stands twice/.test(message))) return;
        assert.deepEqual(violations, []);
        assert.deepEqual(JSON.parse(JSON.stringify(documents[0]?.value)), copy);
      }),
    );
  });

  it("counts the entries of each document, not of the file, and refuses one with too many", () => {
    const small = "a: [1, 2, 3]\n---\n".repeat(200);
    assert.deepEqual(readSource("many.yaml", small, { maxNodes: 20 }).violations, []);
    const [found] = readSource("large.yaml", `${small}a: [${"1,".repeat(30)}]`, { maxNodes: 20 }).violations;
    assert.match(found?.message ?? "", /more than 20 entries/);
    assert.ok((found?.source?.line ?? 0) > 1);
    const [early] = readSource("huge.yaml", `a: [${"1,".repeat(30_000)}`, { maxNodes: 20 }).violations;
    assert.match(early?.message ?? "", /more than 20 entries/);
  });

  it("takes brackets in scalars for what they are", () => {
    const text = "a: '[[[[[['\nb: |\n  [\n  {\n  [\n";
    assert.deepEqual(readSource("brackets.yaml", text, { maxDepth: 3 }).violations, []);
  });
});
