// Texts of small numbers: those that are known are exactly what the bytes say.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decimalText, knownDecimal } from "./decimal-text.ts";

describe("texts of numbers", () => {
  it("are the digits of a number, small or not", () => {
    for (const value of [0, 9, 10, 999, 1000, 1023, 1024, 2 ** 31, Number.MAX_SAFE_INTEGER])
      assert.equal(decimalText(value), String(value));
  });

  it("are known again as they came, or not at all: with zeros in front, signs, or anything else", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 5, unit: fc.constantFrom("0", "1", "9", "-", "+", " ", "\u00b2") }),
        (text) => {
          const bytes = Buffer.from(`1${text}1`, "latin1");
          const known = knownDecimal(bytes, 1, bytes.length - 1);
          const isPlain = /^(0|[19][019]{0,2})$/.test(text);
          assert.equal(known, isPlain ? text : undefined);
        },
      ),
      { numRuns: 500 },
    );
  });
});
