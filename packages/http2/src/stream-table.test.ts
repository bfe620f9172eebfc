// The streams of a connection by id.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Http2Stream, type StreamOwner } from "./stream.ts";
import { PastStream, StreamTable } from "./stream-table.ts";

const nobody: StreamOwner = {
  sendRequest() {},
  sendResponse() {},
  sendInformational() {},
  sendBody: () => true,
  sendTrailers() {},
  sendEnd() {},
  resetStream() {},
  consumed() {},
};

describe("the stream table", () => {
  it("holds what is open and only that, however ids lie and however many streams live long", () => {
    // Steps: open the stream after `skip` unused ids, or close the open one at a position.
    const step = fc.oneof(
      fc.record({ skip: fc.constantFrom(0, 0, 0, 1, 15, 16, 31, 1024) }),
      fc.record({ close: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.constantFrom(1, 2), fc.array(step, { maxLength: 200 }), (first, steps) => {
        const table = new StreamTable();
        const open = new Map<number, Http2Stream>();
        let next = first;
        for (const one of steps) {
          if ("skip" in one) {
            next += 2 * one.skip;
            const stream = new Http2Stream(nobody, next, 0, 0);
            table.add(stream);
            open.set(next, stream);
            next += 2;
          } else if (open.size > 0) {
            const id = [...open.keys()][one.close % open.size] ?? 0;
            table.close(id, PastStream.ENDED);
            open.delete(id);
            assert.equal(table.get(id), undefined);
          }
          assert.equal(table.size, open.size);
        }
        for (const [id, stream] of open) assert.equal(table.get(id), stream);
        assert.equal(table.get(next), undefined);
        assert.deepEqual(
          table.snapshot().map((stream) => stream.id),
          [...open.keys()].sort((a, b) => a - b),
        );
      }),
    );
  });

  it("takes thousands of open streams, and closing one that is not open changes nothing", () => {
    const table = new StreamTable();
    for (let id = 1; id < 10_000; id += 2) table.add(new Http2Stream(nobody, id, 0, 0));
    assert.equal(table.size, 5_000);
    table.close(20_001, PastStream.RESET_BY_US);
    assert.equal(table.size, 5_000);
    for (let id = 1; id < 10_000; id += 2) assert.equal(table.get(id)?.id, id);
    for (let id = 1; id < 10_000; id += 2) table.close(id, PastStream.ENDED);
    assert.equal(table.size, 0);
    assert.deepEqual(table.snapshot(), []);
  });

  it("knows how each of the last 256 streams ended, in whatever order they did", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(Array.from({ length: 256 }, (_, at) => 2 * at + 1)), (ids) => {
        const table = new StreamTable();
        const ends = [PastStream.ENDED, PastStream.RESET_BY_PEER, PastStream.RESET_BY_US];
        const endOf = (id: number): number => ends[id % 3] ?? 0;
        for (const id of ids) table.close(id, ends[id % 3] ?? PastStream.ENDED);
        const closed = new Set(ids);
        for (let id = 1; id < 512; id += 2)
          assert.equal(table.past(id, 511), closed.has(id) ? endOf(id) : PastStream.SKIPPED);
      }),
    );
    const table = new StreamTable();
    for (let id = 1; id < 2_001; id += 2) table.close(id, PastStream.ENDED);
    assert.equal(table.past(1_999 - 2 * 255, 1_999), PastStream.ENDED);
    assert.equal(table.past(1, 1_999), PastStream.FORGOTTEN);
  });

  it("still knows how the latest streams ended when one ends that lived long", () => {
    const table = new StreamTable();
    for (let id = 3; id <= 1_001; id += 2) table.close(id, PastStream.ENDED);
    table.close(1, PastStream.RESET_BY_PEER);
    for (let id = 1_001 - 2 * 255; id <= 1_001; id += 2) assert.equal(table.past(id, 1_001), PastStream.ENDED);
    assert.equal(table.past(1, 1_001), PastStream.FORGOTTEN);
  });
});
