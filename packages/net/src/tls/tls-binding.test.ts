import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rawTlsProblem } from "./tls-binding.ts";

describe("the TLS binding", () => {
  it("is there on every version of Node that is tested", () => {
    assert.equal(rawTlsProblem(), undefined);
  });
});
