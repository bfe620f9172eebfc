// The scaffolder, on the real example policy.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { filesBelow, read } from "./lib/tree.ts";
import { nameProblem, newPolicyFiles } from "./new-policy-files.ts";

const neighbours = { names: ["authorization", "example"], orders: [200, 310], codes: [1101, 1102] };
const example = filesBelow("packages/policies/src/example", () => true).map((path) => read(path));

describe("a new policy", () => {
  const files = newPolicyFiles("rate-limit", example, neighbours);
  const textOf = (name: string): string =>
    files.find(({ path }) => path === `packages/policies/src/rate-limit/${name}`)?.text ?? "";

  it("has every file of the example but what is generated", () => {
    const names = files.map(({ path }) => path.replace("packages/policies/src/rate-limit/", ""));
    for (const name of [
      "README.md",
      "schema.ts",
      "validate.ts",
      "config.proto",
      "compile.ts",
      "filter.ts",
      "errors.ts",
      "index.ts",
      "rate-limit.test.ts",
      "testdata/tenant.input.yaml",
    ]) {
      assert.ok(names.includes(name), `${name} is missing of ${names.join(", ")}`);
    }
    assert.ok(!names.some((name) => /\.gen\.ts|golden/.test(name)));
  });

  it("names nothing after the example any more", () => {
    for (const { path, text } of files) assert.doesNotMatch(`${path}\n${text}`, /example/i, path);
  });

  it("has names of its own in every spelling", () => {
    assert.match(textOf("index.ts"), /kind: "RateLimit"/);
    assert.match(textOf("index.ts"), /name: "rate-limit"/);
    assert.match(textOf("index.ts"), /plural: "ratelimits"/);
    assert.match(textOf("schema.ts"), /export const rateLimitSchema/);
    assert.match(textOf("config.proto"), /^package ripstop\.policies\.rate_limit\.v1;$/m);
    assert.match(textOf("errors.ts"), /name: "rate_limit_refused"/);
  });

  it("takes the next free order and block of codes", () => {
    assert.match(textOf("filter.ts"), /order: 400,/);
    assert.match(textOf("errors.ts"), /code: "RS1111"/);
  });

  it("refuses a name that is taken or not in kebab-case", () => {
    assert.match(nameProblem("authorization", neighbours) ?? "", /already/);
    for (const name of ["", "RateLimit", "rate_limit", "-a", "a--b", "../a"])
      assert.match(nameProblem(name, neighbours) ?? "", /kebab-case/, name);
    assert.equal(nameProblem("rate-limit", neighbours), undefined);
  });
});
