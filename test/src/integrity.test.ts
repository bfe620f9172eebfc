// Random exchanges through two proxies each, in real processes: no wrong byte, nothing left at the end.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { isClean, runIntegrity } from "./integrity/run.ts";
import { Mesh } from "./mesh.ts";

const REQUESTS = 2_500;
const MAX_RESIDENT_MB = 200;

describe("random traffic of every kind through two proxies", () => {
  const mesh = new Mesh();

  before(() => mesh.startControl());
  after(() => mesh.stop());

  it("arrives byte for byte, is cut where it was cut, and leaves no stream, tunnel or connection behind", async () => {
    const report = await runIntegrity(mesh, { seed: 1, first: 1, requests: REQUESTS, lanes: 32 });
    assert.deepEqual(report.wrong, []);
    assert.equal(report.requests, REQUESTS);
    for (const kind of [
      "h1-to-h1",
      "h1-to-h2",
      "h2-to-h1",
      "h2-to-h2",
      "proxy-to-h1",
      "pipeline",
      "websocket",
      "tcp",
      "cut",
    ]) {
      assert.ok((report.kinds[kind] ?? 0) > 50, `${kind} took part: ${report.kinds[kind]}`);
    }
    assert.equal(report.leftovers.length, 4);
    for (const leftover of report.leftovers) {
      assert.ok(isClean(leftover), `something is left: ${JSON.stringify(leftover)}`);
      assert.ok(leftover.residentMb < MAX_RESIDENT_MB, `too much memory: ${JSON.stringify(leftover)}`);
    }
  });
});
