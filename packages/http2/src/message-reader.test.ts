import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { urgencyOf } from "./message-reader.ts";

describe("urgencyOf (RFC 9218 §4.1)", () => {
  for (const [value, urgency] of [
    ["u=0", 0],
    ["u=7", 7],
    ["i, u=5", 5],
    ["i,u=1", 1],
    ["u=2, i", 2],
    ["u=2,i", 2],
    ["u=2;x=1", 2],
    ["", 3],
    ["i", 3],
    ["u=8", 3],
    ["u=-1", 3],
    ["u=12", 3],
    ["u=", 3],
    ["xu=1", 3],
  ] as const) {
    it(`reads "${value}" as ${urgency}`, () => assert.equal(urgencyOf(value), urgency));
  }
});
