// The check of project references.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { checkReferences } from "./reference-check.ts";

describe("checkReferences", () => {
  const check = (manifest: object, tsconfig: object): string[] =>
    checkReferences({
      manifest: { path: "packages/a/package.json", text: JSON.stringify(manifest) },
      tsconfig: { path: "packages/a/tsconfig.json", text: JSON.stringify(tsconfig) },
    });

  it("accepts files that say the same", () => {
    const manifest = {
      dependencies: { "@ripstop/core": "0.1.0", ajv: "8.0.0" },
      devDependencies: { "@ripstop/testkit": "0.1.0" },
    };
    assert.deepEqual(check(manifest, { references: [{ path: "../core" }, { path: "../testkit" }] }), []);
    assert.deepEqual(check({}, {}), []);
  });

  it("reports what only one of them names", () => {
    const problems = check({ dependencies: { "@ripstop/core": "0.1.0" } }, { references: [{ path: "../http" }] });
    assert.equal(problems.length, 2);
    assert.match(problems[0] ?? "", /^packages\/a\/tsconfig\.json: does not reference core/);
    assert.match(problems[1] ?? "", /^packages\/a\/package\.json: does not name @ripstop\/http/);
  });
});
