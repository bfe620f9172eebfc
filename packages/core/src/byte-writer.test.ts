// The growable output region.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteWriter } from "./byte-writer.ts";

describe("a byte writer", () => {
  it("shows what was written, after growing, clearing and giving its memory away too", () => {
    const writer = new ByteWriter(8);
    for (let round = 0; round < 3; round++) {
      for (const text of ["abc", "xyz", "a longer text that does not fit", "abc"]) {
        writer.latin1(text);
        assert.equal(writer.view().toString("latin1"), text);
        writer.bytes(Buffer.from("0123456789".repeat(20)), 1, 4);
        assert.equal(writer.view().toString("latin1"), `${text}123`);
        writer.clear();
      }
      const long = Buffer.from("0123456789".repeat(20));
      writer.bytes(long, 5, 105);
      const given = writer.detach();
      assert.deepEqual(given, long.subarray(5, 105));
      writer.bytes(long, 0, 100);
      assert.deepEqual(writer.view(), long.subarray(0, 100));
      assert.deepEqual(given, long.subarray(5, 105), "memory given away stays as it was");
      writer.clear();
    }
  });

  it("gives the same view for a length that comes again", () => {
    const writer = new ByteWriter(64);
    writer.latin1("abc");
    const first = writer.view();
    writer.clear();
    writer.latin1("xyz");
    assert.equal(writer.view(), first);
  });
});
