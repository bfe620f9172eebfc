// Ids.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RandomIds } from "./random-ids.ts";
import { isTraceparent } from "./trace-context.ts";

describe("random ids", () => {
  it("are version 4 UUIDs that never repeat, refills included", () => {
    const ids = new RandomIds();
    const seen = new Set<string>();
    for (let count = 0; count < 2_000; count++) {
      const id = ids.requestId();
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      seen.add(id);
    }
    assert.equal(seen.size, 2_000);
  });

  it("have as many digits as asked for and never repeat, refills included", () => {
    const ids = new RandomIds();
    const seen = new Set<string>();
    for (let count = 0; count < 2_000; count++) {
      const bytes = count % 2 === 0 ? 8 : 16;
      const id = ids.hex(bytes);
      assert.match(id, new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
      seen.add(id);
    }
    assert.equal(seen.size, 2_000);
  });

  it("start traces that never repeat, refills included, and that other hops continue", () => {
    const ids = new RandomIds();
    const traces = new Set<string>();
    const spans = new Set<string>();
    for (let count = 0; count < 2_000; count++) {
      const text = ids.newTraceparent();
      assert.match(text, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      assert.ok(isTraceparent(text));
      traces.add(text.slice(3, 35));
      spans.add(text.slice(36, 52));
    }
    assert.deepEqual([traces.size, spans.size], [2_000, 2_000]);
  });
});
