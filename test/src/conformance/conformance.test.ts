// The suite's pure parts: every test name and rule has a case, comparisons find what differs, tables say what failed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { backendOf, differences, shareDifferences, statusDifferences } from "./answer.ts";
import { allCases } from "./cases/index.ts";
import { PROFILES, RULES, UPSTREAM_TESTS } from "./coverage.ts";
import { between } from "./docs.ts";
import { featureTable, profileTable, summary, verdict } from "./report.ts";
import type { Outcome } from "./run.ts";

const seen = (parts: object = {}): Parameters<typeof differences>[1] => ({
  status: 200,
  headers: { "x-set": "a", "x-list": ["a", "b"] },
  body: JSON.stringify({ pod: "web-v1-0-0", path: "/x", host: "h", proto: "HTTP/1.1", headers: { "x-got": ["1"] } }),
  ...parts,
});

const outcome = (result: Outcome["result"], feature: string): Outcome => ({
  name: "one",
  holds: "something",
  features: [feature],
  rules: [1],
  tests: [],
  result,
  because: [],
});

describe("the conformance cases", () => {
  it("have names that are unique labels", () => {
    assert.equal(new Set(allCases.map(({ name }) => name)).size, allCases.length);
    for (const { name } of allCases) assert.match(name, /^[a-z0-9-]{1,60}$/);
  });

  it("cover every test of upstream by name, and name no other", () => {
    const covered = new Set(allCases.flatMap(({ tests = [] }) => tests));
    assert.deepEqual(
      UPSTREAM_TESTS.filter((test) => !covered.has(test)),
      [],
    );
    assert.deepEqual(
      [...covered].filter((test) => !UPSTREAM_TESTS.includes(test)),
      [],
    );
  });

  it("cover every rule", () => {
    const covered = new Set(allCases.flatMap(({ rules = [] }) => rules));
    for (let rule = 1; rule <= RULES; rule++) assert.ok(covered.has(rule), `rule ${rule}`);
  });

  it("look at something, or say why they cannot", () => {
    for (const { name, steps, unsupported } of allCases)
      assert.equal(steps.length === 0, unsupported !== undefined, name);
  });
});

describe("comparisons", () => {
  it("find nothing where all is as expected", () => {
    const expected = {
      backend: "web-v1",
      path: "/x",
      headers: { "X-Set": "a", "x-none": null },
      got: { "x-got": /1/ },
    };
    assert.deepEqual(differences(expected, seen()), []);
  });

  it("name each thing that differs", () => {
    const problems = differences({ status: 404, backend: "v2", headers: { "x-set": null } }, seen());
    assert.equal(problems.length, 4);
    assert.match(problems.join("\n"), /status is 200, not 404\nbackend is "web-v1", not "v2"\nx-set is "a", not null/);
  });

  it("tell connections that failed, and those that should have", () => {
    assert.deepEqual(differences({ failed: true }, seen({ status: 0, body: "" })), []);
    assert.equal(differences({ failed: true }, seen()).length, 1);
    assert.equal(differences({}, seen({ status: 0, body: "reset" })).length, 1);
  });

  it("know backends of text, and none", () => {
    assert.equal(backendOf({ body: "v1 over TLS got hello" }), "v1");
    assert.equal(backendOf({ body: "not found" }), "");
  });

  it("judge shares, and take none at all for 0 %", () => {
    assert.deepEqual(
      shareDifferences(
        { a: 70, b: 30, c: 0 },
        new Map([
          ["a", 72],
          ["b", 28],
        ]),
        5,
      ),
      [],
    );
    assert.equal(
      shareDifferences(
        { a: 70, b: 30 },
        new Map([
          ["a", 50],
          ["b", 50],
        ]),
        5,
      ).length,
      2,
    );
    assert.equal(
      shareDifferences(
        { a: 100, c: 0 },
        new Map([
          ["a", 99],
          ["c", 1],
        ]),
        5,
      ).length,
      2,
    );
  });

  it("want conditions of the resource's own generation", () => {
    const status = (observedGeneration: number): object => ({
      metadata: { generation: 2 },
      status: {
        listeners: [
          { name: "a.b", conditions: [{ type: "Accepted", status: "True", reason: "Accepted", observedGeneration }] },
        ],
      },
    });
    const step = { status: "Gateway a/b", at: "listeners.a.b", conditions: ["Accepted=True/Accepted", "!Conflicted"] };
    assert.deepEqual(statusDifferences(step, status(2)), []);
    assert.match(statusDifferences(step, status(1)).join(), /of generation 1, not 2/);
    assert.match(statusDifferences({ ...step, conditions: ["Accepted=False"] }, status(2)).join(), /Accepted is True/);
    assert.match(statusDifferences({ ...step, at: "listeners.none" }, status(2)).join(), /there is no status/);
  });
});

describe("reports", () => {
  const feature = PROFILES[0]?.features[0] ?? "";

  it("show failures as failures", () => {
    const outcomes = [outcome("passed", feature), outcome("failed", feature)];
    assert.match(featureTable(outcomes), /\| 2 \| \*\*no: 1 of 2 cases failed\*\* \|/);
    assert.match(profileTable(outcomes), new RegExp(`\\| 0 of \\d+ \\| 1 of 2 \\| ${feature},`));
    assert.equal(summary(outcomes).failed, 1);
  });

  it("call nothing supported that no case has shown", () => {
    const row = { feature, cases: 1, passed: 0, failed: 0, unsupported: 1 };
    assert.equal(verdict(row), "not supported");
    assert.equal(verdict({ ...row, unsupported: 0 }), "not run");
    assert.equal(verdict({ ...row, cases: 2, passed: 1 }), "yes, but for 1 of 2 cases");
  });

  it("replace only what stands between the markers", () => {
    const start = "<!-- conformance: generated by npm run conformance -- --docs -->";
    const page = `before\n${start}\nold\n<!-- conformance: end -->\nafter`;
    assert.equal(between(page, "new"), page.replace("old", "new"));
    assert.throws(() => between("no markers", "new"), /no markers/);
  });
});
