// The examples that the Gateway API publishes: the valid ones are taken, the invalid ones are not.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, it } from "node:test";

import { coreKinds, KindRegistry, validateAll, type ResourceLookup } from "@ripstop/resources";

import { policyResourceKinds } from "./control.gen.ts";

const folder = fileURLToPath(new URL("../testdata/gateway-api-v1.6.1/", import.meta.url));
const kinds = new KindRegistry([...coreKinds, ...policyResourceKinds]);
const nothing: ResourceLookup = { get: () => undefined, list: () => [] };

/** What is refused here on purpose, or is of Kubernetes alone: docs/gateway-api.md, "Where Ripstop is stricter". */
const OWN = [/^kind unknown kind/, /^spec\.ports\[\d+\]\.protocol UDP/];

function violations(path: string): readonly string[] {
  const found = validateAll([{ file: path, text: readFileSync(`${folder}${path}`, "utf8") }], {
    kinds,
    current: nothing,
  });
  return found.violations.map((one) => `${one.path} ${one.message}`);
}

function files(name: string): readonly string[] {
  return readdirSync(`${folder}${name}`).map((file) => `${name}/${file}`);
}

describe("the published examples", () => {
  it("are taken when they are valid", () => {
    const valid = files("valid");
    assert.ok(valid.length > 60, String(valid.length));
    const refused = valid.flatMap((path) =>
      violations(path)
        .filter((one) => !OWN.some((own) => own.test(one)))
        .map((one) => `${path}: ${one}`),
    );
    assert.deepEqual(refused, []);
  });

  it("are refused when they are invalid", () => {
    const invalid = files("invalid");
    assert.ok(invalid.length > 30, String(invalid.length));
    assert.deepEqual(
      invalid.filter((path) => !violations(path).some((one) => !one.startsWith("kind unknown"))),
      [],
    );
  });
});
