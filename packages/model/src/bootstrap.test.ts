import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseWorkerStreamId, workerStreamId } from "./bootstrap.ts";

describe("stream ids of workers", () => {
  it("are the proxy's id for slot 0, and come back as they were made", () => {
    assert.equal(workerStreamId("shop/web-1", 0), "shop/web-1");
    for (const slot of [0, 1, 63]) {
      assert.deepEqual(parseWorkerStreamId(workerStreamId("shop/web-1", slot)), { proxyId: "shop/web-1", slot });
    }
  });

  it("are plain ids when the slot is not written as it would be", () => {
    for (const id of ["a#0", "a#01", "a#-1", "a#1.5", "a#", "a#x", "a# 1", "a#1e1"]) {
      assert.deepEqual(parseWorkerStreamId(id), { proxyId: id, slot: 0 });
    }
  });
});
