// SPIFFE ids, hostile spellings first: whatever is accepted must mean one identity only.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { controlSpiffeId, parseSpiffeId, workloadOf, workloadSpiffeId } from "./spiffe-id.ts";

const hostile: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["no scheme", "ripstop.local/ns/a/sa/b"],
  ["another scheme", "https://ripstop.local/ns/a/sa/b"],
  ["scheme in upper case", "SPIFFE://ripstop.local/ns/a/sa/b"],
  ["leading space", " spiffe://ripstop.local/ns/a/sa/b"],
  ["trailing space", "spiffe://ripstop.local/ns/a/sa/b "],
  ["trailing line feed", "spiffe://ripstop.local/ns/a/sa/b\n"],
  ["no trust domain", "spiffe:///ns/a/sa/b"],
  ["nothing behind the scheme", "spiffe://"],
  ["trust domain in upper case", "spiffe://Ripstop.local/ns/a/sa/b"],
  ["user", "spiffe://admin@ripstop.local/ns/a/sa/b"],
  ["user and password", "spiffe://a:b@ripstop.local/ns/a/sa/b"],
  ["port", "spiffe://ripstop.local:443/ns/a/sa/b"],
  ["empty port", "spiffe://ripstop.local:/ns/a/sa/b"],
  ["percent-encoded trust domain", "spiffe://ripstop%2elocal/ns/a/sa/b"],
  ["trust domain with a space", "spiffe://ripstop local/ns/a/sa/b"],
  ["trust domain of 256 characters", `spiffe://${"a".repeat(256)}/ns/a/sa/b`],
  ["unicode dot", "spiffe://ripstop。local/ns/a/sa/b"],
  ["cyrillic letter", "spiffe://ripstop.locаl/ns/a/sa/b"],
  ["IPv6 address", "spiffe://[::1]/ns/a/sa/b"],
  ["trailing slash", "spiffe://ripstop.local/ns/a/sa/b/"],
  ["root path", "spiffe://ripstop.local/"],
  ["empty segment", "spiffe://ripstop.local/ns//sa/b"],
  ["dot segment", "spiffe://ripstop.local/ns/./sa/b"],
  ["dot-dot segment", "spiffe://ripstop.local/ns/a/../b/sa/c"],
  ["percent-encoded slash", "spiffe://ripstop.local/ns/a%2fsa/b"],
  ["percent-encoded letter", "spiffe://ripstop.local/ns/%61/sa/b"],
  ["query", "spiffe://ripstop.local/ns/a/sa/b?x=1"],
  ["empty query", "spiffe://ripstop.local/ns/a/sa/b?"],
  ["fragment", "spiffe://ripstop.local/ns/a/sa/b#x"],
  ["NUL", "spiffe://ripstop.local/ns/a/sa/b\0"],
  ["NUL in the trust domain", "spiffe://ripstop.local\0.evil/ns/a/sa/b"],
  ["backslash", "spiffe://ripstop.local\\ns\\a"],
  ["comma", "spiffe://ripstop.local/ns/a/sa/b,URI:spiffe://ripstop.local/ns/a/sa/c"],
  ["quote", 'spiffe://ripstop.local/ns/a/sa/b"'],
  ["tilde", "spiffe://ripstop.local/ns/~a/sa/b"],
  ["non-ASCII segment", "spiffe://ripstop.local/ns/ä/sa/b"],
  ["2049 characters", `spiffe://ripstop.local/${"a".repeat(2049 - 23)}`],
];

describe("parseSpiffeId", () => {
  for (const [what, text] of hostile) {
    it(`refuses ${what}`, () => {
      const parsed = parseSpiffeId(text);
      assert.equal(parsed.ok, false);
      assert.ok(!parsed.ok && parsed.error.length > 10);
    });
  }

  it("accepts the id of a workload, of 2048 characters, and of a trust domain", () => {
    assert.deepEqual(parseSpiffeId("spiffe://ripstop.local/ns/shop/sa/web_1.x-Y"), {
      ok: true,
      value: {
        uri: "spiffe://ripstop.local/ns/shop/sa/web_1.x-Y",
        trustDomain: "ripstop.local",
        path: "/ns/shop/sa/web_1.x-Y",
      },
    });
    assert.equal(parseSpiffeId(`spiffe://ripstop.local/${"a".repeat(2048 - 23)}`).ok, true);
    const domain = parseSpiffeId("spiffe://ripstop.local");
    assert.equal(domain.ok && domain.value.path, "");
  });

  it("gives back exactly the text it accepted", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (rest) => {
        const parsed = parseSpiffeId(`spiffe://${rest}`);
        return !parsed.ok || `spiffe://${parsed.value.trustDomain}${parsed.value.path}` === `spiffe://${rest}`;
      }),
    );
  });
});

describe("the ids of this mesh", () => {
  it("say namespace and service account", () => {
    const id = workloadSpiffeId("ripstop.local", "shop", "web");
    assert.equal(id, "spiffe://ripstop.local/ns/shop/sa/web");
    assert.deepEqual(workloadOf(id), { namespace: "shop", serviceAccount: "web" });
  });

  it("are not seen in paths of another shape", () => {
    for (const path of ["", "/ns/a", "/ns/a/sa/b/c", "/sa/b/ns/a", "/x/ns/a/sa/b"]) {
      assert.equal(workloadOf(`spiffe://ripstop.local${path}`), undefined);
    }
  });

  it("include the control plane's own", () => {
    assert.equal(parseSpiffeId(controlSpiffeId("ripstop.local")).ok, true);
  });
});
