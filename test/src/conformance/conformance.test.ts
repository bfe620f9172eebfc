// The suite's pure parts: every test name and rule has a case, comparisons find what differs, tables say what failed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { backendOf, differences, shareDifferences, statusDifferences } from "./answer.ts";
import { allCases } from "./cases/index.ts";
import type { Case } from "./case.ts";
import { NEWER_FEATURES, PROFILES, RULES, UPSTREAM_TESTS } from "./coverage.ts";
import { merged, readRecord, recordOf, textOf } from "./record.ts";
import { summary, table, type FeatureRow } from "./report.ts";
import { factsOf, type Outcome } from "./run.ts";

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

describe("counts", () => {
  const { profile = "", features = [] } = PROFILES[0] ?? {};
  const [feature = ""] = features;
  const rowOf = (outcomes: readonly Outcome[], name: string): FeatureRow | undefined =>
    summary(outcomes)
      .profiles.flatMap((row) => row.features)
      .find((row) => row.feature === name);

  it("are by profile and feature", () => {
    const outcomes = [outcome("passed", feature), outcome("failed", feature)];
    const found = summary(outcomes);
    assert.equal(found.failed, 1);
    const row = found.profiles.find((one) => one.profile === profile);
    assert.deepEqual([row?.cases, row?.passed, row?.features.length], [2, 1, features.length]);
    assert.match(table(outcomes), /2 cases: 1 passed, 1 failed/);
  });

  it("claim a feature when every case of it passed, and no other", () => {
    assert.equal(rowOf([outcome("passed", feature)], feature)?.claimed, true);
    for (const result of ["failed", "unsupported", "left out"] as const)
      assert.equal(rowOf([outcome("passed", feature), outcome(result, feature)], feature)?.claimed, false, result);
    assert.equal(rowOf([], feature)?.claimed, false, "not run");
    for (const other of [...NEWER_FEATURES, "NotOfUpstream"])
      assert.equal(rowOf([outcome("passed", other)], other)?.claimed, false, other);
  });
});

describe("the record of results", () => {
  const record = readRecord();

  it("is of the cases as they are now: npm run conformance -- --record", () => {
    assert.deepEqual(
      record?.cases.map(({ result: _result, because: _because, ...facts }) => facts),
      allCases.map(factsOf),
    );
  });

  it("counts what its cases say", () => {
    assert.deepEqual(record, JSON.parse(textOf(recordOf(record?.cases ?? []))));
  });

  it("says unsupported of what the cases call so, and of nothing else", () => {
    assert.deepEqual(
      record?.cases.filter(({ result }) => result === "unsupported").map(({ name }) => name),
      allCases.filter(({ unsupported }) => unsupported !== undefined).map(({ name }) => name),
    );
  });

  it("takes over what a run of some cases found, and keeps the rest", () => {
    const [one, two, three] = allCases;
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const result = (of: Case, found: Outcome["result"]): Outcome => ({ ...factsOf(of), result: found, because: [] });
    const gone = { ...result(one, "passed"), name: "gone" };
    const found = merged(
      [one, two, three],
      [result(two, "passed")],
      [gone, result(one, "passed"), result(two, "failed")],
    );
    assert.deepEqual(
      found.map((of) => `${of.name} ${of.result}`),
      [`${one.name} passed`, `${two.name} passed`, `${three.name} left out`],
    );
  });
});
