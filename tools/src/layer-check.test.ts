// The layer check, on sources that break each rule.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import { checkLayers } from "./layer-check.ts";
import { layers } from "./layers.ts";
import { root, typescriptSources } from "./lib/tree.ts";

/** Problems of one file. */
const check = (path: string, text: string): string[] => checkLayers([{ path, text }]);

/** Asserts that there is exactly one problem and that it fits. */
function only(problems: readonly string[], expected: RegExp): void {
  assert.equal(problems.length, 1, problems.join("\n"));
  assert.match(problems[0] ?? "", expected);
}

describe("the layer table", () => {
  it("has every package, and no other", () => {
    assert.deepEqual(Object.keys(layers).toSorted(), readdirSync(join(root, "packages")).toSorted());
  });
});

describe("checkLayers", () => {
  it("lets a package import lower layers, in every form of import", () => {
    const forms =
      'import { a } from "@ripstop/core"; export * from "@ripstop/http"; type B = import("@ripstop/model").B; await import("@ripstop/net");';
    assert.deepEqual(check("packages/proxy-engine/src/a.ts", forms), []);
  });

  it("refuses an import of the same layer or a higher one, type-only imports and import() too", () => {
    only(
      check("packages/http1/src/a.ts", '\nimport { a } from "@ripstop/http2";'),
      /^packages\/http1\/src\/a\.ts:2: http1 \(layer 1\) imports http2 \(layer 1\)/,
    );
    only(check("packages/core/src/a.ts", 'import type { A } from "@ripstop/net";'), /core \(layer 0\) imports net/);
    only(check("packages/core/src/a.ts", 'export type { A } from "@ripstop/net";'), /imports net/);
    only(check("packages/core/src/a.ts", 'export type A = import("@ripstop/net").A;'), /imports net/);
    only(check("packages/core/src/a.ts", 'await import("@ripstop/net/sub");'), /imports net/);
  });

  it("never lets the engines import each other", () => {
    for (const [one, other] of [
      ["proxy-engine", "control-engine"],
      ["control-engine", "agent-engine"],
      ["agent-engine", "proxy-engine"],
    ] as const) {
      only(
        check(`packages/${one}/src/a.ts`, `import { a } from "@ripstop/${other}";`),
        new RegExp(`imports ${other} \\(layer 4\\)`),
      );
      only(
        check(`packages/${other}/src/a.ts`, `import { a } from "@ripstop/${one}";`),
        new RegExp(`imports ${one} \\(layer 4\\)`),
      );
    }
  });

  it("refuses files of other packages, applications, unknown packages and a package's own name", () => {
    only(check("packages/http1/src/a.ts", 'import { a } from "../../core/src/b.ts";'), /a file of another package/);
    only(
      check("packages/http1/src/a.ts", 'import { a } from "@ripstop/dashboard";'),
      /packages never import applications/,
    );
    only(check("packages/http1/src/a.ts", 'import { a } from "@ripstop/http1";'), /its own package by name/);
    only(check("packages/nowhere/src/a.ts", ""), /not in tools\/src\/layers\.ts/);
  });

  it("keeps the testkit to tests", () => {
    const text = 'import { StoppedClock } from "@ripstop/testkit";';
    for (const path of [
      "packages/net/src/a.test.ts",
      "packages/net/src/conn.suite.ts",
      "packages/net/src/peer.fixture.ts",
      "packages/http1/src/a.fuzz.ts",
      "test/src/mesh.ts",
    ]) {
      assert.deepEqual(check(path, text), [], path);
    }
    only(check("packages/net/src/a.ts", text), /for tests/);
    assert.deepEqual(check("packages/net/src/testing/peer.ts", text), []);
    only(check("packages/net/src/a.ts", 'import { a } from "./testing/peer.ts";'), /which is for tests; move/);
    only(check("packages/net/src/a.ts", 'import { a } from "./conn.suite.ts";'), /which is for tests; move/);
  });

  it("keeps each side's entries to that side", () => {
    only(
      check("packages/proxy-engine/src/a.ts", 'import { policyKinds } from "@ripstop/policies/control";'),
      /control plane; only control-engine/,
    );
    only(check("packages/proxy-engine/src/a.ts", 'import { a } from "@ripstop/discovery/server";'), /control plane/);
    only(
      check("packages/control-engine/src/a.ts", 'import { filterFactories } from "@ripstop/policies/proxy";'),
      /belong to the proxy/,
    );
  });

  for (const call of [
    "Date.now()",
    "new Date()",
    "Date()",
    "performance.now()",
    "globalThis.performance.now()",
    "setTimeout(f, 1)",
    "globalThis.setInterval(f, 1)",
    "process.hrtime.bigint()",
    "setImmediate(f)",
  ]) {
    it(`refuses ${call} outside the clock`, () => {
      only(check("packages/identity/src/a.ts", `const a = ${call};`), /only (packages\/|net)/);
      if (!call.startsWith("setImmediate"))
        assert.deepEqual(check("packages/core/src/clock.ts", `const a = ${call};`), []);
    });
  }

  it("lets dates be made of a number, net join writes of one turn, and tools measure", () => {
    assert.deepEqual(check("packages/identity/src/a.ts", "new Date(1).toISOString();"), []);
    assert.deepEqual(check("packages/net/src/a.ts", "setImmediate(f);"), []);
    assert.deepEqual(check("tools/src/a.ts", "performance.now();"), []);
    only(
      check("packages/identity/src/a.ts", 'import { setTimeout } from "node:timers/promises";'),
      /only .*clock\.ts sets timers/,
    );
  });

  it("refuses a filter that reaches control-side code, directly or through another file", () => {
    const filter = { path: "packages/policies/src/p/filter.ts", text: 'import { a } from "./matcher.ts";' };
    const matcher = (text: string): { path: string; text: string } => ({
      path: "packages/policies/src/p/matcher.ts",
      text,
    });
    assert.deepEqual(checkLayers([filter, matcher('import type { A } from "@ripstop/policy-api/proxy";')]), []);
    only(
      checkLayers([filter, matcher('import type { Spec } from "./schema.ts";')]),
      /matcher\.ts:1: imports \.\/schema\.ts, which is control-side code \(reached from .*filter\.ts\)/,
    );
    only(
      checkLayers([filter, matcher('import { quote } from "@ripstop/resources";')]),
      /@ripstop\/resources, which is control-side code/,
    );
    only(check(filter.path, 'import type { PolicyKind } from "@ripstop/policy-api/control";'), /control-side code/);
  });

  it("reports a file that does not parse", () => {
    assert.ok(check("packages/core/src/a.ts", "const = ;").length > 0);
  });

  it("lets tests use packages of their own layer, but engines never", () => {
    assert.deepEqual(check("packages/discovery/src/a.test.ts", 'import { a } from "@ripstop/identity/authority";'), []);
    only(
      check("packages/discovery/src/a.test.ts", 'import { a } from "@ripstop/control-engine";'),
      /imports control-engine/,
    );
    only(
      check("packages/proxy-engine/src/a.test.ts", 'import { a } from "@ripstop/agent-engine";'),
      /imports agent-engine/,
    );
  });

  it("finds the project", () => {
    assert.ok(typescriptSources().length > 50);
  });
});
