// The rule tables, and the holes that they may not have.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { checkRules, checkSections, generateHttpRules, renderRules } from "./http-rules.ts";
import { hasTest, mergeChapters, parseCases, parseRules, type RuleChapter } from "./rule-tables.ts";

const CASES = parseCases({
  path: "packages/http1/testdata/a.md",
  text: "# Title\n\n## Shown\nRFC 9112 §2.2\n~~~request\n~~~\n\n## Another\nRFC 9112 §2.2\n\n## Elsewhere\nRFC 6585 §5\n",
});

function chapters(...lines: string[]): readonly RuleChapter[] {
  const text = ["An introduction.", "# RFC 9112: HTTP/1.1", "## 2.2 Message Parsing", ...lines].join("\n");
  const { chapters: read, problems } = parseRules({ path: "packages/http1/rules.md", text });
  assert.deepEqual(problems, []);
  return read;
}

function check(...lines: string[]): string[] {
  return checkRules(chapters(...lines), CASES, (path) =>
    path === "packages/http1/src/a.test.ts" ? 'it("says so", () => {});' : undefined,
  );
}

describe("a rule table", () => {
  it("has no hole when each rule has a case or test that exists, or a reason", () => {
    assert.deepEqual(
      check(
        "- One.",
        "  - case: a.md › Shown",
        "- Two.",
        "  - test: src/a.test.ts › says so",
        "- Three.",
        "  - reason: Because.",
        "- Four.",
        "  - case: packages/http1/testdata/a.md › Shown",
        "  - decided: We do something else.",
      ),
      [],
    );
  });

  it("fails on a section that says MUST and has no rule", () => {
    assert.deepEqual(checkSections(chapters("- One.", "  - reason: Because."), { "9112": ["2.2"] }), []);
    assert.deepEqual(checkSections(chapters(), { "9112": ["2.2"], "7541": ["6.1"] }), [
      "RFC 7541 §6.1 says MUST, and no table has a rule of it",
      "RFC 9112 §2.2 says MUST, and no table has a rule of it",
    ]);
  });

  it("fails on a rule without proof, with a reason beside a proof, and with a decision that nothing shows", () => {
    assert.match(check("- One.").join("\n"), /^packages\/http1\/rules\.md:4: has no case, no test and no reason/);
    assert.match(check("- One.", "  - case: a.md › Shown", "  - reason: No.").join("\n"), /a reason for none/);
    assert.match(check("- One.", "  - decided: Otherwise.").join("\n"), /nothing shows it/);
  });

  it("fails on cases and tests that do not exist", () => {
    assert.match(
      check("- One.", "  - case: a.md › Missing").join("\n"),
      /names case "Missing", which .*a\.md does not hold/,
    );
    assert.match(check("- One.", "  - test: src/a.test.ts › never").join("\n"), /names test "never"/);
    assert.match(check("- One.", "  - test: src/b.test.ts › says so").join("\n"), /names test "says so"/);
  });

  it("fails on cases without a section, of a section without rules, and with the same title", () => {
    const path = "packages/http1/testdata/b.md";
    const bad = parseCases({
      path,
      text: "## A\nnothing\n## B\nRFC 9112 §9.9\n## C\nRFC 9112 §2.2\n## C\nRFC 9112 §2.2\n",
    });
    const problems = checkRules(chapters("- One.", "  - reason: Because."), bad, () => undefined);
    assert.equal(problems.length, 3, problems.join("\n"));
    for (const expected of [/"A" names no section/, /"B" belongs to RFC 9112 §9\.9/, /two cases with the title "C"/]) {
      assert.ok(
        problems.some((problem) => expected.test(problem)),
        String(expected),
      );
    }
  });

  it("fails on lines that it cannot read, and when it finds no case at all", () => {
    const { problems } = parseRules({
      path: "packages/http1/rules.md",
      text: "# RFC 1: T\n- too early\n## 1 S\n- One.\n  - cases: a.md\n  - case: a.md\nloose",
    });
    assert.equal(problems.length, 4, problems.join("\n"));
    assert.match(checkRules([], [], () => undefined).join("\n"), /no case was found/);
  });

  it("knows a test by its whole title", () => {
    assert.ok(hasTest('  it("closes", () =>', "closes"));
    assert.ok(hasTest("describe(`all of ${name}`, () =>", "all of ${name}"));
    assert.ok(!hasTest('it("closes early", () =>', "closes"));
    assert.ok(!hasTest("// closes", "closes"));
  });
});

describe("the page of rules", () => {
  it("lists decisions first, then each section with its other cases, then other documents", () => {
    const page = renderRules(
      chapters("- One | two.", "  - case: a.md › Shown", "  - decided: Otherwise.", "- Two.", "  - reason: Because."),
      CASES,
    );
    assert.match(page, /2 rules: 1 shown by 1 cases and tests, 1 with a reason/);
    assert.match(page, /## Decided otherwise[\s\S]*\| RFC 9112 §2\.2: One \\\| two\. \| Otherwise\. \|/);
    assert.match(
      page,
      /\| \[Shown\]\(\.\.\/\.\.\/packages\/http1\/testdata\/a\.md\)\. \*\*Decided otherwise:\*\* Otherwise\. \|/,
    );
    assert.match(page, /\| Two\. \| \*\*No case:\*\* Because\. \|\n\nMore cases: \[Another\]/);
    assert.match(page, /## Cases of other documents\n\n- RFC 6585 §5: \[Elsewhere\]/);
  });

  it("puts the sections of an RFC together and in order", () => {
    const [first] = chapters("- One.", "  - reason: Because.");
    assert.ok(first);
    const section = first.sections[0];
    assert.ok(section);
    const later = { ...first, sections: [{ ...section, section: "10.1" }, section, { ...section, section: "9.3" }] };
    const [merged] = mergeChapters([later, first]);
    assert.deepEqual(
      merged?.sections.map((one) => [one.section, one.rules.length]),
      [
        ["2.2", 2],
        ["9.3", 1],
        ["10.1", 1],
      ],
    );
  });

  it("has no hole in this checkout", () => {
    const { files, problems } = generateHttpRules();
    assert.deepEqual(problems, []);
    assert.equal(files.length, 1);
  });
});
