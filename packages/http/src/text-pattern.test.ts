// The pattern engine against JavaScript's own, and against patterns that stall the latter.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { compileTextPattern, textPatternProblem } from "./text-pattern.ts";

describe("a text pattern", () => {
  it("agrees with JavaScript's engine on the common syntax", () => {
    const atom = fc.constantFrom("a", "b", "[ab]", "[^a]", ".", "\\d", "(a|b)", "(?:ab)", "\\.", "[a-c1]", "\\w", "1");
    const piece = fc
      .tuple(atom, fc.constantFrom("", "*", "+", "?", "{2}", "{1,2}", "{0,}", "*?"))
      .map(([a, q]) => a + q);
    const pattern = fc.array(fc.oneof(piece, fc.constant("|")), { maxLength: 6 }).map((parts) => parts.join(""));
    const text = fc.string({ unit: fc.constantFrom("a", "b", "c", "1", ".", "/"), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        const expected = new RegExp(`^(?:${source})$`, "s").test(subject);
        assert.equal(compileTextPattern(source).matches(subject), expected, `${source} on ${subject}`);
      }),
      { numRuns: 2000 },
    );
  });

  it("takes time linear in the text where backtracking would take for ever", () => {
    const text = `${"a".repeat(5000)}!`;
    for (const source of ["(a+)+", "(a|a)*b", "(a*)*c", "a*a*a*a*a*a*b"])
      assert.equal(compileTextPattern(source).matches(text), false);
  });

  it("ignores anchors at its ends, because it matches the whole text anyway", () => {
    assert.ok(compileTextPattern("^/v1$").matches("/v1"));
    assert.ok(!compileTextPattern("^/v1$").matches("/v12"));
  });

  it("matches nothing when it cannot be compiled or is too large", () => {
    for (const source of [
      "(a",
      "a)",
      "[a",
      "*a",
      "a**",
      "\\1",
      "\\bx",
      "(?=a)",
      "(?<n>a)",
      "a{3,2}",
      "a{999}",
      "x".repeat(2000),
      "((a{200}){200})",
    ]) {
      for (const text of ["", "a", "x", source]) assert.equal(compileTextPattern(source).matches(text), false, source);
      assert.ok(textPatternProblem(source), source);
    }
  });

  it("says why it cannot be compiled, and nothing when it can", () => {
    assert.equal(textPatternProblem("/v[0-9]+(/.*)?"), undefined);
    assert.match(textPatternProblem("(?=a)") ?? "", /^is not in the syntax/);
    assert.match(textPatternProblem("x".repeat(1025)) ?? "", /^has more than 1024 characters/);
    assert.match(textPatternProblem("(a{200}){200}") ?? "", /^has more than 1024 states/);
  });

  it("matches nothing in a text over its limit", () => {
    assert.equal(compileTextPattern(".*").matches("a".repeat(9000)), false);
  });
});
