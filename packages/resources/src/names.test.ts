// Names, labels, paths and suggestions.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { closest } from "./closest.ts";
import { formatPath, parsePath } from "./field-path.ts";
import { dnsLabelProblem, isDnsLabel, isDnsSubdomain, labelKeyProblem, labelValueProblem } from "./names.ts";

describe("names", () => {
  it("takes DNS labels and nothing else", () => {
    for (const good of ["a", "a-b", "0", "a".repeat(63)]) assert.equal(isDnsLabel(good), true, good);
    for (const bad of ["", "-a", "a-", "A", "a.b", "a_b", "a".repeat(64), "a\n", "ä"])
      assert.equal(isDnsLabel(bad), false, bad);
  });

  it("takes DNS subdomains up to 253 characters", () => {
    assert.equal(isDnsSubdomain("a.b-c.d0"), true);
    assert.equal(isDnsSubdomain(Array.from({ length: 127 }, () => "a").join(".")), true);
    assert.equal(isDnsSubdomain(Array.from({ length: 128 }, () => "a").join(".")), false);
    assert.equal(isDnsSubdomain("a..b"), false);
  });

  it("suggests a name that would do", () => {
    assert.match(dnsLabelProblem("My Service", "the name")?.remedy ?? "", /for example my-service$/);
  });

  it("checks label keys and values as Kubernetes does", () => {
    for (const good of ["app", "app.kubernetes.io/name", "a/B_c.d"])
      assert.equal(labelKeyProblem(good), undefined, good);
    for (const bad of ["", "/a", "a/", "a/b/c", "A/b", "-a", "a b"]) assert.ok(labelKeyProblem(bad), bad);
    for (const good of ["", "v1", "1.2_x"]) assert.equal(labelValueProblem(good), undefined, good);
    for (const bad of ["a b", "-a", "x".repeat(64)]) assert.ok(labelValueProblem(bad), bad);
  });
});

describe("closest", () => {
  it("finds a slip and leaves what is far", () => {
    assert.equal(closest("weigth", ["weight", "width", "name"]), "weight");
    assert.equal(closest("httproute", ["HTTPRoute", "Service"]), "HTTPRoute");
    assert.equal(closest("zebra", ["weight", "name"]), undefined);
  });
});

describe("field paths", () => {
  it("writes and reads back any path", () => {
    assert.equal(formatPath(["spec", "rules", 0, "a.b/c"]), 'spec.rules[0]["a.b/c"]');
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(), fc.string({ minLength: 1 }))), (path) => {
        assert.deepEqual(parsePath(formatPath(path)), path);
      }),
    );
  });
});
