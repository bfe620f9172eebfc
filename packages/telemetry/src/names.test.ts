import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as names from "./names.ts";

describe("metric names", () => {
  it("are unique, follow the Prometheus conventions and have a help sentence", () => {
    const all = Object.values(names);
    assert.ok(all.length > 20);
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
    for (const { name, help } of all) {
      assert.match(name, /^ripstop_[a-z][a-z_]*[a-z]$/);
      assert.match(help, /^[A-Z0-9].*\.$/);
    }
  });
});
