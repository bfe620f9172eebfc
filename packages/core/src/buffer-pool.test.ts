import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { BufferPool } from "./buffer-pool.ts";

const KIB = 1024;
const SIZES = { smallestBytes: 256, largestBytes: 4 * KIB, keptBytes: 8 * KIB } as const;

describe("a buffer pool", () => {
  it("gives the least of its sizes that is enough, and what is larger as it is", () => {
    const pool = new BufferPool(SIZES);
    const wanted = [0, 1, 256, 257, 512, 513, 4_095, 4_096, 4_097, 100_000];
    assert.deepEqual(
      wanted.map((bytes) => pool.take(bytes).length),
      [256, 256, 256, 512, 512, 1_024, 4_096, 4_096, 4_097, 100_000],
    );
  });

  it("gives the same memory again, and keeps no more of a size than it may", () => {
    const pool = new BufferPool(SIZES);
    const taken = Array.from({ length: 4 }, () => pool.take(3_000));
    for (const buffer of taken) pool.give(buffer);
    const again = taken.map(() => pool.take(4_000));
    assert.deepEqual(
      again.map((buffer) => taken.includes(buffer)),
      [true, true, false, false],
    );
  });

  it("keeps nothing that is larger than its sizes, nor an empty buffer", () => {
    const pool = new BufferPool(SIZES);
    const large = pool.take(8 * KIB);
    pool.give(large);
    assert.notEqual(pool.take(8 * KIB), large);
    pool.give(Buffer.alloc(0));
    assert.equal(pool.take(0).length, 256);
  });

  it("never has one buffer in two hands, and counts those that are out", () => {
    const step = fc.record({ gives: fc.boolean(), bytes: fc.integer({ min: 0, max: 10 * KIB }), at: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = new BufferPool(SIZES);
        const out: Buffer[] = [];
        for (const { gives, bytes, at } of steps) {
          if (gives && out.length > 0) {
            for (const buffer of out.splice(at % out.length, 1)) pool.give(buffer);
          } else {
            const buffer = pool.take(bytes);
            assert.ok(buffer.length >= bytes && !out.includes(buffer));
            out.push(buffer);
          }
          assert.equal(pool.outstanding, out.length);
        }
      }),
    );
  });
});
