// The list of enforcements names what exists; that each is guarded by a test is shown by check-enforcement, which takes longer.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { enforcements } from "./enforcements.ts";
import { bodyOf } from "./function-body.ts";
import { root } from "./root.ts";

describe("the list of enforcements", () => {
  for (const { what, file, function: name, tests } of enforcements) {
    it(`names one function and its tests for ${what}`, () => {
      const { start, end } = bodyOf(file, readFileSync(join(root, file), "utf8"), name);
      assert.ok(end > start);
      for (const test of tests) assert.ok(existsSync(join(root, test)), `${test} is there`);
    });
  }
});
