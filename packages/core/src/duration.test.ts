import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatDurationMs, parseDurationMs } from "./duration.ts";

describe("durations (GEP-2257)", () => {
  it("adds up its groups", () => {
    assert.deepEqual(parseDurationMs("1h30m"), { ok: true, value: 5_400_000 });
    assert.deepEqual(parseDurationMs("10s500ms"), { ok: true, value: 10_500 });
    assert.deepEqual(parseDurationMs("0s"), { ok: true, value: 0 });
  });

  it("refuses what the pattern of the Gateway API refuses", () => {
    for (const text of ["", "1", "s", "1.5h", "-1s", "1d", "123456s", "1h1h1h1h1h", " 1s", "1s "]) {
      assert.equal(parseDurationMs(text).ok, false, text);
    }
  });

  it("reads back what it writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999 * 3_600_000 }), (ms) => {
        assert.deepEqual(parseDurationMs(formatDurationMs(ms)), { ok: true, value: ms });
      }),
    );
  });
});
