// The schema checker: closed objects, defaults, and words that say what would be right.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { formatPath } from "./field-path.ts";
import type { JsonSchema } from "./kind.ts";
import { compileSchema } from "./schema.ts";

function problems(schema: JsonSchema, value: unknown): string[] {
  return compileSchema(schema)
    .check(value)
    .map(({ path, message, remedy }) => `${formatPath(path)}: ${message}. ${remedy}`);
}

const field = (schema: JsonSchema, value: unknown): string =>
  problems({ type: "object", properties: { f: schema } }, { f: value }).join(" | ");

describe("compileSchema", () => {
  for (const [name, schema, value, said] of [
    [
      "a number below its range",
      { type: "integer", minimum: 1, maximum: 9 },
      0,
      "f: f is 0. use a number >= 1; 1 to 9",
    ],
    [
      "a number in quotes",
      { type: "integer" },
      "80",
      'f: f must be a whole number, not text ("80"). write 80 without quotes',
    ],
    ["a number for a text", { type: "string" }, 80, 'f: f must be text, not 80. write it in quotes: "80"'],
    [
      "one entry for a list",
      { type: "array" },
      "x",
      'f: f must be a list, not text ("x"). write it as a list: each entry on a line of its own that starts with "- "',
    ],
    ["nothing for a map", { type: "object" }, null, "f: f must be a map, not empty. write a map here"],
    ["a text that is too long", { type: "string", maxLength: 2 }, "abc", "f: f is too long. use at most 2 characters"],
    ["a list that is too short", { type: "array", minItems: 1 }, [], "f: f has too few entries. give at least 1 entry"],
    [
      "a list that is too long",
      { type: "array", maxItems: 1 },
      [1, 2],
      "f: f has too many entries. give at most 1 entry",
    ],
    [
      "a repeated entry",
      { type: "array", uniqueItems: true },
      [1, 2, 1],
      "f: entries 0 and 2 of f are the same. keep one of them",
    ],
    [
      "a duration that is none",
      { type: "string", format: "duration" },
      "5",
      'f: f is "5", which is not a duration. write digits and a unit (h, m, s, ms), for example "1h30m" or "500ms"',
    ],
    [
      "a pattern, in the author's words",
      { type: "string", pattern: "^a", "x-remedy": "start with a" },
      "b",
      'f: f is "b", which does not have the right form. start with a',
    ],
    [
      "a value with an enum's neighbour",
      { enum: ["ALLOW", "DENY"] },
      "allow",
      'f: f is "allow", which is not one of its values. did you mean ALLOW? Values: ALLOW, DENY',
    ],
    [
      "none of several forms, once",
      { anyOf: [{ required: ["a"] }, { required: ["b"] }], "x-remedy": "give a or b" },
      {},
      "f: f has none of its forms. give a or b",
    ],
    [
      "a key of the wrong form",
      { type: "object", propertyNames: { pattern: "^[a-z]+$" } },
      { A: 1 },
      'f.A: "A" is not a valid key here. correct the key',
    ],
  ] as const) {
    it(`explains ${name}`, () => {
      assert.equal(field(schema, value), said);
    });
  }

  it("reports all problems, at most 100", () => {
    const schema = { type: "array", items: { type: "integer" } };
    assert.equal(problems(schema, ["a", 1, "b"]).length, 2);
    assert.equal(
      problems(
        schema,
        Array.from({ length: 5_000 }, () => "x"),
      ).length,
      100,
    );
  });

  it("refuses unknown fields at every level unless the schema lets them in", () => {
    const open = { type: "object", "x-preserve-unknown-fields": true, properties: { a: { type: "string" } } };
    const schema = {
      type: "object",
      properties: {
        closed: { type: "object", properties: { a: { type: "string" } } },
        open,
        list: { type: "array", items: { type: "object", properties: {} } },
      },
    };
    assert.deepEqual(problems(schema, { closed: { b: 1 }, open: { b: 1 }, list: [{ c: 1 }], d: 1 }), [
      ': unknown field "d". known fields here: closed, open, list'.replace(":", "d:"),
      'closed.b: unknown field "b". did you mean a?',
      'list[0].c: unknown field "c". known fields here: none',
    ]);
  });

  it("leaves the branches of a choice open, so that they can share fields", () => {
    const schema = {
      type: "object",
      properties: { a: { type: "string" }, b: { type: "string" } },
      oneOf: [
        { properties: { a: {} }, required: ["a"] },
        { properties: { b: {} }, required: ["b"] },
      ],
    };
    assert.deepEqual(problems(schema, { a: "x" }), []);
    assert.deepEqual(problems(schema, { a: "x", b: "y" }), [
      ": the value must be exactly one of its forms. give exactly one of the alternatives",
    ]);
  });

  it("fills in defaults, nested ones too", () => {
    const value = { list: [{}] };
    const item = { type: "object", properties: { n: { type: "integer", default: 1 } } };
    compileSchema({
      type: "object",
      properties: { list: { type: "array", items: item }, s: { type: "string", default: "x" } },
    }).check(value);
    assert.deepEqual(value, { list: [{ n: 1 }], s: "x" });
  });

  it("throws on a schema that is wrong itself", () => {
    assert.throws(() => compileSchema({ type: "object", propertis: {} }));
  });

  it("shows long and hostile values shortened and escaped", () => {
    const said = field({ enum: ["a"] }, `\u001b[31m${"x".repeat(1_000)}`);
    assert.ok(said.length < 250, said);
    assert.ok(!said.includes("\u001b"));
  });
});
