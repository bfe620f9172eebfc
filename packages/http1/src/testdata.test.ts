// Runs every case of testdata/*.md whole, byte by byte and at random splits.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cutAt, traceDecode } from "./decode-trace.suite.ts";
import { readCases } from "./testdata.suite.ts";

/** A small generator, so that a failing split can be repeated. */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const cases = readCases();
for (const file of new Set(cases.map((one) => one.file))) {
  describe(`testdata/${file}`, () => {
    for (const one of cases.filter((candidate) => candidate.file === file)) {
      it(`${one.title} (${one.section})`, () => {
        assert.deepEqual(traceDecode(one.input, [one.bytes]), one.events, "whole");
        const all = Array.from({ length: Math.max(0, one.bytes.length - 1) }, (_, at) => at + 1);
        assert.deepEqual(traceDecode(one.input, cutAt(one.bytes, all)), one.events, "byte by byte");
        const random = randomSource(one.bytes.length);
        for (let round = 0; round < 20; round++) {
          const cuts = all.filter(() => random() < 0.1);
          assert.deepEqual(traceDecode(one.input, cutAt(one.bytes, cuts)), one.events, `cut at ${cuts.join(",")}`);
        }
      });
    }
  });
}

describe("testdata", () => {
  it("has cases", () => assert.ok(cases.length > 150, `only ${cases.length} cases were found`));
});
