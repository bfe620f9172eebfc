// Violations of an AuthorizationPolicy: each with its path and what would be right.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { violationsOf } from "../fixtures.suite.ts";
import { kind } from "./index.ts";

const violations = (spec: string): string[] =>
  violationsOf(
    kind,
    `{apiVersion: ripstop.mesh/v1alpha1, kind: AuthorizationPolicy, metadata: {name: p, namespace: shop}, spec: ${spec}}`,
  );

describe("validation of AuthorizationPolicy", () => {
  it("accepts every way to name callers and requests", () => {
    assert.deepEqual(
      violations(
        `{rules: [{from: [{principals: ["*", "spiffe://mesh.local/ns/shop/*"], namespaces: [shop], serviceAccounts: [web, ops/cron.daily]}],
          to: [{methods: [GET], paths: ["*", /*, /a/*, /b], hosts: ["*", a.shop, "*.shop"], ports: [80]}]}, {}]}`,
      ),
      [],
    );
  });

  it("refuses targetRefs beside a selector", () => {
    const [first, ...rest] = violations("{targetRefs: [{kind: Service, name: a}], selector: {matchLabels: {a: b}}}");
    assert.match(first ?? "", /^spec\.selector — targetRefs and selector are both given\. /);
    assert.deepEqual(rest, []);
  });

  it("refuses a DENY or AUDIT policy that does nothing, and says how to match everything", () => {
    assert.match(violations("{action: DENY}")[0] ?? "", /^spec\.rules — a DENY policy without rules.*rules: \[\{\}\]/);
    assert.match(violations("{action: AUDIT}")[0] ?? "", /^spec\.rules — an AUDIT policy without rules/);
    assert.deepEqual(violations("{action: ALLOW}"), []);
  });

  it("refuses a * that would stand for part of a segment, so that shop* never covers shop-evil", () => {
    const found = violations(
      '{rules: [{from: [{principals: ["spiffe://mesh.local/ns/shop*"]}], to: [{paths: ["/a*"]}]}]}',
    );
    assert.equal(found.length, 2);
    assert.match(found[0] ?? "", /^spec\.rules\[0\]\.from\[0\]\.principals\[0\] — .*does not stand for whole segments/);
    assert.match(found[1] ?? "", /^spec\.rules\[0\]\.to\[0\]\.paths\[0\] — .*not at its end/);
  });

  for (const [what, principal] of [
    ["no SPIFFE id", "mesh.local/ns/shop/sa/web"],
    ["an upper-case trust domain", "spiffe://Mesh.local/ns/shop/sa/web"],
    ["an empty segment", "spiffe://mesh.local/ns//sa/web"],
    ["a * in the middle", "spiffe://mesh.local/*/shop/sa/web"],
  ] as const) {
    it(`refuses ${what} as a principal`, () => {
      const found = violations(`{rules: [{from: [{principals: ["${principal}"]}]}]}`);
      assert.equal(found.length, 1);
      assert.match(found[0] ?? "", /^spec\.rules\[0\]\.from\[0\]\.principals\[0\] — /);
    });
  }

  for (const account of ["a/b/c", "/web", "shop/", "Web"]) {
    it(`refuses "${account}" as a service account`, () => {
      assert.equal(violations(`{rules: [{from: [{serviceAccounts: ["${account}"]}]}]}`).length, 1);
    });
  }

  for (const path of [
    "stock",
    "/a//b",
    "/a/../b",
    "/a/.",
    "/a?b",
    "/a#b",
    "/a%2Fb",
    "/a%5cb",
    "/a%00",
    "/a%1f",
    "/a%7F",
    "/a%zz",
    "/a\\\\b",
  ]) {
    it(`refuses the path ${path}, which no request can have`, () => {
      const found = violations(`{rules: [{to: [{paths: ["${path}"]}]}]}`);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] ?? "", /^spec\.rules\[0\]\.to\[0\]\.paths\[0\] — /);
    });
  }

  it("says where ports go when a host has one", () => {
    assert.match(
      violations('{rules: [{to: [{hosts: ["stock.shop:80"]}]}]}')[0] ?? "",
      /hosts\[0\] — .*`ports` selects ports/,
    );
  });

  it("refuses an empty from or to entry, which would match everything by oversight", () => {
    assert.equal(violations("{rules: [{from: [{}], to: [{}]}]}").length, 2);
    assert.equal(violations("{rules: [{from: [], to: []}]}").length, 2);
    assert.equal(violations("{rules: [{from: [{namespaces: []}]}]}").length, 1);
  });

  it("refuses unknown fields and names the one that was meant", () => {
    assert.match(violations("{rules: [{form: [{namespaces: [shop]}]}]}")[0] ?? "", /did you mean from\?/);
  });
});
