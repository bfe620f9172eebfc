import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RandomIds } from "./random-ids.ts";
import { continueTrace, formatTraceparent, isTraceparent, nextTraceparent } from "./trace-context.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const ids = new RandomIds();

describe("trace context", () => {
  it("continues a valid traceparent with a new span id", () => {
    const context = continueTrace(`00-${TRACE}-${PARENT}-01`, ids);
    assert.deepEqual([context.traceId, context.parentId, context.flags], [TRACE, PARENT, 1]);
    assert.match(context.spanId, /^[0-9a-f]{16}$/);
    assert.notEqual(context.spanId, PARENT);
    assert.equal(formatTraceparent(context), `00-${TRACE}-${context.spanId}-01`);
  });

  it("starts a trace without a header", () => {
    const context = continueTrace(undefined, ids);
    assert.match(formatTraceparent(context), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.equal(context.parentId, "");
  });

  it("makes the next header in one step", () => {
    assert.match(nextTraceparent(`00-${TRACE}-${PARENT}-01`, ids), new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    assert.match(nextTraceparent(`00-${TRACE}-${PARENT}-fe`, ids), new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
    assert.doesNotMatch(nextTraceparent("nonsense", ids), /nonsense/);
  });

  it("accepts later versions by their common part", () => {
    for (const text of [`cc-${TRACE}-${PARENT}-01`, `cc-${TRACE}-${PARENT}-01-what.the-future`])
      assert.ok(isTraceparent(text), text);
  });

  it("accepts nothing else", () => {
    const wrong = [
      "",
      `00-${TRACE}-${PARENT}`,
      `00-${TRACE}-${PARENT}-1`,
      `00-${TRACE}-${PARENT}-01-`,
      `00-${TRACE}-${PARENT}-01-extra`,
      `cc-${TRACE}-${PARENT}-01.extra`,
      `ff-${TRACE}-${PARENT}-01`,
      `00-${TRACE.toUpperCase()}-${PARENT}-01`,
      `00-${"0".repeat(32)}-${PARENT}-01`,
      `00-${TRACE}-${"0".repeat(16)}-01`,
      `00_${TRACE}_${PARENT}_01`,
      ` 00-${TRACE}-${PARENT}-01`,
      `00-${TRACE}-${PARENT}-0g`,
      `.0-${TRACE}-${PARENT}-01`,
    ];
    for (const text of wrong) assert.ok(!isTraceparent(text), text);
  });
});

describe("random ids", () => {
  it("makes request ids that are version 4 UUIDs and never repeat", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const id = ids.requestId();
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      seen.add(id);
    }
    assert.equal(seen.size, 20_000);
  });

  it("makes hex of the asked length that never repeats across refills of the pool", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 5_000; i++) seen.add(ids.hex(8));
    assert.equal(seen.size, 5_000);
    for (const id of seen) assert.match(id, /^[0-9a-f]{16}$/);
  });
});
