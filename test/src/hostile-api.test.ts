// A tenant who sends what could harm the others is refused, row by row; its neighbour goes on working.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { hostileCases } from "./hostile-api/cases.ts";
import { runHostileTable } from "./hostile-api/run-table.ts";
import { Mesh } from "./mesh.ts";

describe("hostile input to the API", () => {
  const mesh = new Mesh();
  before(() => mesh.startControl(["--api-address", "127.0.0.1:0", "--limits-resources-per-namespace", "300"]));
  after(() => mesh.stop());

  it("is refused with the reason, and costs a neighbour no request", async () => {
    const rows = await runHostileTable(mesh, { resources: 1_000, batch: 200, bytes: 12_000_000 });
    assert.equal(rows.length, hostileCases.length);
    for (const { title, problem, neighbour } of rows) {
      assert.equal(problem, "", title);
      assert.equal(neighbour.failed, 0, title);
      assert.ok(neighbour.requests > 0);
    }
  });
});
