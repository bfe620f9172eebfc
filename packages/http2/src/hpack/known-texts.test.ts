// Texts that come again: always what the bytes say, however few places there are.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { KnownTexts } from "./known-texts.ts";

describe("known texts", () => {
  it("are what the bytes say, whatever else has the same place", () => {
    const text = fc.string({ maxLength: 3, unit: fc.constantFrom("a", "b", "\u0000", "\u00ff") });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 100 }), (texts) => {
        const known = new KnownTexts(4);
        for (const expected of texts) {
          const bytes = Buffer.from(`<${expected}>`, "latin1");
          assert.equal(known.take(bytes, 1, bytes.length - 1), expected);
        }
      }),
    );
  });

  it("keep their place until another one takes it", () => {
    const known = new KnownTexts(1);
    const take = (text: string): boolean => {
      known.take(Buffer.from(text), 0, text.length);
      assert.equal(known.slot, 0);
      return known.isNew;
    };
    assert.deepEqual(["a", "a", "b", "b", "a"].map(take), [true, false, true, false, true]);
  });
});
