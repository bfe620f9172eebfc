// Our schemas of the Gateway API against the published ones.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { isRecord, parseRule } from "@ripstop/resources";

import { compareSchemas } from "./gateway-differences.ts";
import { publishedSchemas, rewrittenPatterns } from "./gateway-schemas.ts";

describe("the schemas of the Gateway API", () => {
  const { kinds, differences } = compareSchemas();

  it("are those that are published, but for patterns that would take exponential time", () => {
    const [[published = "", own = ""] = []] = rewrittenPatterns;
    const what = `pattern is \`${JSON.stringify(own)}\`, published is \`${JSON.stringify(published)}\``;
    assert.deepEqual(
      differences.filter((one) => one.what !== what),
      [],
    );
    assert.ok(differences.length > 0);
  });

  it("have every field and every rule of ten kinds", () => {
    assert.equal(kinds.length, 10);
    const fields = kinds.reduce((sum, kind) => sum + kind.fields, 0);
    const rules = kinds.reduce((sum, kind) => sum + kind.rules, 0);
    assert.ok(fields > 500, String(fields));
    assert.ok(rules > 180, String(rules));
  });

  it("have rules that can all be evaluated here", () => {
    let parsed = 0;
    const visit = (schema: unknown): void => {
      if (Array.isArray(schema)) for (const one of schema) visit(one);
      if (!isRecord(schema)) return;
      if (typeof schema["rule"] === "string") {
        const checked = parseRule(schema["rule"]).check();
        assert.ok(checked.valid, `${schema["rule"]}: ${String(checked.error)}`);
        parsed++;
      }
      for (const one of Object.values(schema)) visit(one);
    };
    for (const { spec } of publishedSchemas()) visit(spec);
    assert.ok(parsed > 180, String(parsed));
  });
});
