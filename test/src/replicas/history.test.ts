// The checker itself: known histories, and agreement with a search through all orders.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { anomalies, type Operation } from "./history.ts";

const operation = (kind: "read" | "write", value: string, startMs: number, endMs: number): Operation => ({
  key: "k",
  kind,
  value,
  startMs,
  endMs,
  client: "c",
});
const write = (value: string, startMs: number, endMs: number): Operation => operation("write", value, startMs, endMs);
const read = (value: string, startMs: number, endMs: number): Operation => operation("read", value, startMs, endMs);

/** Tries all orders: whether one agrees with real time and with what a register does. */
function canHappen(operations: readonly Operation[], value = ""): boolean {
  if (operations.every(({ kind, endMs }) => kind === "write" && endMs === Number.POSITIVE_INFINITY)) return true;
  const firstEnd = Math.min(...operations.map(({ endMs }) => endMs));
  return operations.some((next, index) => {
    if (next.startMs > firstEnd) return false;
    if (next.kind === "read" && next.value !== value) return false;
    return canHappen(operations.toSpliced(index, 1), next.kind === "write" ? next.value : value);
  });
}

describe("anomalies", () => {
  it("finds none in what one client does after the other", () => {
    const seen = [read("", 0, 1), write("a", 2, 3), read("a", 4, 5), write("b", 6, 7), read("b", 8, 9)];
    assert.deepEqual(anomalies(seen), []);
  });

  it("finds a stale read", () => {
    assert.equal(anomalies([write("a", 0, 1), write("b", 2, 3), read("a", 4, 5)]).length, 1);
    assert.equal(anomalies([write("a", 0, 1), read("", 2, 3)]).length, 1);
  });

  it("finds an acknowledged write that was lost", () => {
    assert.equal(anomalies([write("a", 0, 1), read("a", 2, 3), write("b", 4, 5), read("a", 6, 7)]).length, 1);
  });

  it("finds a value that goes back and forth between readers", () => {
    const writes = [write("a", 0, 100), write("b", 0, 100)];
    assert.deepEqual(anomalies([...writes, read("a", 10, 11), read("b", 12, 13)]), []);
    assert.equal(anomalies([...writes, read("a", 10, 11), read("b", 12, 13), read("a", 14, 15)]).length > 0, true);
  });

  it("lets a write without an answer happen late, or never, but not come back", () => {
    const lost = write("x", 0, Number.POSITIVE_INFINITY);
    assert.deepEqual(anomalies([lost, write("a", 1, 2), read("a", 3, 4)]), []);
    assert.deepEqual(anomalies([lost, write("a", 1, 2), read("a", 3, 4), read("x", 5, 6)]), []);
    assert.ok(anomalies([lost, write("a", 1, 2), read("x", 3, 4), read("a", 5, 6)]).length > 0);
    assert.ok(anomalies([lost, read("x", 1, 2), write("a", 3, 4), read("a", 5, 6), read("x", 7, 8)]).length > 0);
  });

  it("finds what nobody wrote, and what was read before it was written", () => {
    assert.match(anomalies([read("ghost", 0, 1)]).join(), /nobody wrote/);
    assert.match(anomalies([read("a", 0, 1), write("a", 2, 3)]).join(), /before it was written/);
  });

  it("keeps keys apart", () => {
    const other: Operation = { ...write("b", 2, 3), key: "other" };
    assert.deepEqual(anomalies([write("a", 0, 1), other, read("a", 4, 5)]), []);
  });

  it("agrees with a search through all orders", () => {
    const times = fc.tuple(fc.nat(12), fc.nat(6));
    const writes = fc.array(fc.tuple(times, fc.boolean()), { maxLength: 3 });
    const reads = fc.array(fc.tuple(times, fc.nat(3)), { maxLength: 4 });
    fc.assert(
      fc.property(writes, reads, (some, more) => {
        // Distinct times: what ends and what starts at one moment has no order.
        let tick = 0;
        const spread = (): number => tick++ / 100;
        const history = [
          ...some.map(([[start, length], answered], index) => {
            const startMs = start + spread();
            return write(String(index + 1), startMs, answered ? startMs + length + 0.5 : Number.POSITIVE_INFINITY);
          }),
          ...more.map(([[start, length], value]) => {
            const startMs = start + spread();
            return read(value === 0 ? "" : String(value), startMs, startMs + length + 0.5);
          }),
        ];
        assert.equal(anomalies(history).length === 0, canHappen(history), JSON.stringify(history));
      }),
      { numRuns: 2_000 },
    );
  });
});
