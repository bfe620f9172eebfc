// Host and port.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatAuthority, parseAuthority } from "./authority.ts";

describe("an authority", () => {
  it("is read in one form, whatever the case or a trailing dot", () => {
    for (const text of ["Secret.com", "secret.com.", "SECRET.COM"])
      assert.deepEqual(parseAuthority(text), { host: "secret.com", port: 0 });
    assert.deepEqual(parseAuthority("a_b-c.d:8080"), { host: "a_b-c.d", port: 8080 });
    assert.deepEqual(parseAuthority("[::1]:80"), { host: "::1", port: 80 });
    assert.deepEqual(parseAuthority("[::1]"), { host: "::1", port: 0 });
  });

  it("is refused when it could mean two things", () => {
    for (const text of [
      "",
      ":80",
      "a b",
      "a/b",
      "user@host",
      "a:b",
      "a:70000",
      "[::1",
      "[::1]x",
      "a\u0000b",
      "a,b",
      "x".repeat(254),
    ]) {
      assert.equal(parseAuthority(text), undefined, text);
    }
  });

  it("is written with brackets round IPv6", () => {
    assert.equal(formatAuthority("::1", 80), "[::1]:80");
    assert.equal(formatAuthority("a", 80), "a:80");
  });
});
