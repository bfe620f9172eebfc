// One canonical path, against every trick that makes two readers disagree.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { canonicalTarget, REFUSED_PATH } from "./canonical-path.ts";

const REWRITTEN: readonly (readonly [string, string])[] = [
  ["/", "/"],
  ["/a/b?x=/../%2f", "/a/b?x=/../%2f"],
  ["/public/../admin", "/admin"],
  ["/public/%2e%2e/admin", "/admin"],
  ["/public/.%2E/admin", "/admin"],
  ["/./a/./b/.", "/a/b/"],
  ["/a/b/..", "/a/"],
  ["//admin", "/admin"],
  ["/a///b//", "/a/b/"],
  ["/%61dmin", "/admin"],
  ["/%7Euser/%7e", "/~user/~"],
  ["/caf%c3%a9", "/caf%C3%A9"],
  ["/a%20b%3f", "/a%20b%3F"],
  ["/a%252Fb", "/a%252Fb"],
  ["/.well-known/x", "/.well-known/x"],
  ["/..a/...", "/..a/..."],
  ["/a;p=1/b:c@d", "/a;p=1/b:c@d"],
  ["*", "*"],
];

const REFUSED: readonly string[] = [
  "/a/..;/b",
  "/.;x/",
  "/a/..%3bx/b",
  "/a%2Fb",
  "/a%2fb",
  "/a%5Cb",
  "/a\\b",
  "/a%00b",
  "/a%0d%0ab",
  "/a%7f",
  "/a#frag",
  "/a%",
  "/a%2",
  "/a%zz",
  "/../etc",
  "/a/../../etc",
  "/%2e%2e/etc",
  "a/b",
  "",
  "/a b",
  "/a\tb",
  "/a?b#c",
  "/a?b c",
];

describe("the canonical path", () => {
  for (const [from, to] of REWRITTEN) it(`of ${from} is ${to}`, () => assert.equal(canonicalTarget(from), to));
  for (const path of REFUSED)
    it(`does not exist for ${JSON.stringify(path)}`, () => assert.equal(canonicalTarget(path), REFUSED_PATH));

  it("is canonical itself, has no dot segments or double slashes, and starts with one slash", () => {
    const piece = fc.constantFrom(
      "/",
      "//",
      ".",
      "..",
      "a",
      "%2e",
      "%2E",
      "%41",
      "%25",
      "%c3",
      ";",
      "~",
      "admin",
      "%2",
      "\\",
      "%2f",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const once = canonicalTarget(`/${pieces.join("")}`);
        if (once === REFUSED_PATH) return;
        assert.equal(canonicalTarget(once), once);
        assert.match(once, /^\/([^/]|$)/);
        assert.ok(!once.includes("//"));
        assert.ok(once.split("/").every((segment) => segment !== "." && segment !== ".."));
        assert.ok(!/%(2f|5c|00|2e|41)/i.test(once));
      }),
      { numRuns: 3000 },
    );
  });

  it("resolves as a reader of RFC 3986 does", () => {
    const segment = fc.constantFrom("a", "b", ".", "..", "%2e%2e", "c");
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 8 }), (segments) => {
        const path = `/${segments.join("/")}`;
        const ours = canonicalTarget(path);
        if (ours !== REFUSED_PATH) assert.equal(ours, new URL(`http://h${path}`).pathname);
      }),
    );
  });
});
