// Random exchanges through two proxies each, in real processes: no wrong byte, nothing left at the end. Once over each
// transport, so that all of them are used by all protocols on every machine.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { problemsOf, runIntegrity } from "./integrity/run.ts";
import { Mesh } from "./mesh.ts";

const MAX_RESIDENT_MB = 200;

describe("random traffic of every kind through two proxies", () => {
  for (const [transport, requests] of [
    ["raw", 2_500],
    ["onread", 1_000],
    ["public", 1_000],
  ] as const) {
    describe(`over the ${transport} transport`, () => {
      const mesh = new Mesh();

      before(() => mesh.startControl());
      after(() => mesh.stop());

      it("arrives byte for byte, is cut where it was cut, and leaves no stream, tunnel or connection behind", async () => {
        const report = await runIntegrity(mesh, { seed: 1, first: 1, requests, lanes: 32, transport });
        assert.deepEqual(problemsOf(report), []);
        assert.equal(report.requests, requests);
        const kinds = [
          "h1-to-h1",
          "h1-to-h2",
          "h2-to-h1",
          "h2-to-h2",
          "proxy-to-h1",
          "bare",
          "pipeline",
          "websocket",
          "tcp",
          "cut",
        ];
        for (const kind of kinds)
          assert.ok((report.kinds[kind] ?? 0) > requests / 50, `${kind} took part: ${report.kinds[kind]}`);
        assert.equal(report.leftovers.length, 4);
        for (const leftover of report.leftovers) {
          assert.equal(leftover.transport, transport);
          assert.ok(leftover.residentMb < MAX_RESIDENT_MB, `too much memory: ${JSON.stringify(leftover)}`);
        }
      });
    });
  }
});
