// A rolling update of a service under load, in real processes; `npm run rolling` is the large one.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Mesh } from "./mesh.ts";
import { runRolling } from "./rolling/run.ts";

describe("a rolling update", () => {
  const mesh = new Mesh();

  before(() => mesh.startControl());
  after(() => mesh.stop());

  it("loses no request, and leaves streams to other services open, whatever else changes", async () => {
    const report = await runRolling(mesh, { endpoints: 4, rate: 100, changes: 100, onProgress: () => undefined });
    assert.deepEqual(report.load.failed, {}, report.load.examples.join("\n"));
    assert.equal(report.load.ok, report.load.sent);
    assert.ok(report.load.sent > 0);
    assert.equal(report.changes, 100);
    assert.deepEqual(report.held.ended, []);
    assert.ok(report.held.webSocket > 0 && report.held.grpc > 0, JSON.stringify(report.held));
  });
});
