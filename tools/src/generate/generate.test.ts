// The generators of registries and of the error reference.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { defineError } from "@ripstop/core";

import { checkErrors, errorsIn, renderReference, type DefinedError } from "./errors.ts";
import { controlRegistry, generatePolicies, policyFolders, proxyRegistry } from "./policies.ts";

describe("the policy registries", () => {
  const folders = policyFolders([
    "packages/policies/src/rate-limit/index.ts",
    "packages/policies/src/rate-limit/filter.ts",
    "packages/policies/src/http-route/index.ts",
    "packages/policies/src/time-limit/index.ts",
    "packages/policies/src/time-limit/apply.ts",
    "packages/policies/src/half-done/filter.ts",
    "packages/policies/src/fixtures.suite.ts",
  ]);

  it("know the folders with an index.ts, and which of them guard workloads or are attached to services", () => {
    assert.deepEqual(folders, [
      { name: "http-route", hasFilter: false, hasApply: false },
      { name: "rate-limit", hasFilter: true, hasApply: false },
      { name: "time-limit", hasFilter: false, hasApply: true },
    ]);
  });

  it("import all kinds on the control side, and filters alone on the proxy side", () => {
    const control = controlRegistry(folders);
    assert.match(control, /policyResourceKinds: readonly Kind\[\] = \[httpRouteKind, rateLimitKind, timeLimitKind\];/);
    assert.match(control, /policyKinds: readonly PolicyKind\[\] = \[rateLimit\];/);
    assert.match(control, /servicePolicyKinds: readonly ServicePolicyKind\[\] = \[timeLimitOnService\];/);
    const proxy = proxyRegistry(folders);
    assert.match(proxy, /import \{ filterFactory as rateLimit \} from "\.\/rate-limit\/filter\.ts";/);
    assert.doesNotMatch(proxy, /http-route|index\.ts/);
  });

  it("leave the example policy out", () => {
    const { files, problems } = generatePolicies();
    assert.deepEqual(problems, []);
    assert.equal(files.length, 2);
    for (const { text } of files) assert.doesNotMatch(text, /example/);
  });
});

describe("the error reference", () => {
  const kind = (code: `RS${number}`, name: string, remedy = "Do it."): DefinedError["kind"] =>
    defineError({ code, name, status: 403, grpcStatus: 7, title: `Title of ${code}`, cause: "It happens.", remedy });
  const error = (file: string, exportName: string, errorKind: DefinedError["kind"]): DefinedError => ({
    file,
    exportName,
    kind: errorKind,
  });
  const user = { path: "packages/net/src/a.ts", text: "use(one, two)" };
  const file = "packages/net/src/errors.ts";

  it("has a section for each owner and an entry for each error, in order", () => {
    const page = renderReference([
      error(file, "two", kind("RS5002", "two")),
      error(file, "one", kind("RS5001", "one")),
    ]);
    assert.match(
      page,
      /## Network and TLS\n\n### RS5001 one\n\nTitle of RS5001\.\n\n- \*\*Cause:\*\* It happens\.\n- \*\*Remedy:\*\* Do it\.\n- \*\*Answered with:\*\* HTTP 403, gRPC PERMISSION_DENIED\n\n### RS5002 two/,
    );
  });

  it("finds kinds that are exported by themselves, in a record, or in a list, each once", () => {
    const one = kind("RS5001", "one");
    const two = kind("RS5002", "two");
    const found = errorsIn(file, {
      one,
      all: [one, two],
      others: { three: kind("RS5003", "three") },
      limit: 3,
      nothing: null,
    });
    assert.deepEqual(
      found.map((each) => [each.exportName, each.kind.code]),
      [
        ["one", "RS5001"],
        ["1", "RS5002"],
        ["three", "RS5003"],
      ],
    );
  });

  it("accepts errors in their range that are used", () => {
    assert.deepEqual(checkErrors([error(file, "one", kind("RS5001", "one"))], [user]), []);
  });

  it("refuses a code or name used twice, a code outside its range, an empty text and an error never used", () => {
    const problems = checkErrors(
      [
        error(file, "one", kind("RS5001", "one")),
        error(file, "two", kind("RS5001", "one", " ")),
        error(file, "three", kind("RS1001", "three")),
      ],
      [user, { path: "packages/net/src/a.test.ts", text: "three" }],
    );
    assert.equal(problems.length, 5, problems.join("\n"));
    for (const expected of [
      /RS5001 is used by/,
      /named one like RS5001/,
      /has no remedy/,
      /RS1001 is outside RS5000 to RS5099/,
      /RS1001 \(three\) is never used/,
    ]) {
      assert.ok(
        problems.some((problem) => expected.test(problem)),
        String(expected),
      );
    }
  });

  it("fails when it finds no error at all", () => {
    assert.equal(checkErrors([], []).length, 1);
  });
});
