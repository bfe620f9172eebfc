// The kinds Secret and ConfigMap.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { shownDocument } from "../../as-document.ts";
import { coreKinds } from "../../core-kinds.ts";
import { KindRegistry } from "../../kind-registry.ts";
import type { Resource } from "../../resource.ts";
import { validateAll, type Validated } from "../../validate-all.ts";
import { secretKind, secretValue, type SecretSpec } from "./index.ts";

const kinds = new KindRegistry(coreKinds);

function read(body: string, kind = "Secret"): Validated {
  const text = `{apiVersion: v1, kind: ${kind}, metadata: {name: a, namespace: shop}, ${body}}`;
  return validateAll([{ file: "a.yaml", text }], { kinds, current: { get: () => undefined, list: () => [] } });
}

const paths = (body: string, kind?: string): readonly string[] => read(body, kind).violations.map(({ path }) => path);

describe("Secret", () => {
  it("has its body at the top, and gives values of both maps, the text first", () => {
    const { resources, violations } = read("data: {a: aGk=, b: aGk=}, stringData: {b: text}");
    assert.deepEqual(violations, []);
    const secret = resources[0]?.resource as Resource<SecretSpec>;
    assert.equal(secret.spec.type, "Opaque");
    assert.equal(secretValue(secret, "a")?.toString(), "hi");
    assert.equal(secretValue(secret, "b")?.toString(), "text");
    assert.equal(secretValue(secret, "toString"), undefined);
  });

  it("is never shown with its values, but so that a change of one is seen", () => {
    const shown = (value: string): string => {
      const [secret] = read(`stringData: {password: ${value}}, data: {key: c2VjcmV0}`).resources;
      assert.ok(secret);
      return JSON.stringify(shownDocument(secret.resource, secretKind));
    };
    assert.doesNotMatch(shown("hunter2"), /hunter2|c2VjcmV0/);
    assert.match(shown("hunter2"), /"stringData":\{"password":"\(hidden, sha256 [0-9a-f]{12}\)"\}/);
    assert.notEqual(shown("hunter2"), shown("hunter3"));
    assert.equal(shown("hunter2"), shown("hunter2"));
  });

  it("refuses what is no base64, a hidden value, TLS without its keys, and a spec", () => {
    assert.deepEqual(paths("data: {a: '(hidden, sha256 123456789abc)'}"), ["data.a"]);
    assert.deepEqual(paths("type: kubernetes.io/tls, data: {tls.crt: aGk=}"), ['data["tls.key"]']);
    assert.deepEqual(paths("type: other"), ["type"]);
    assert.deepEqual(paths("spec: {}"), ["spec"]);
    assert.deepEqual(paths("data: {'a b': aGk=}").length, 1);
  });
});

describe("ConfigMap", () => {
  it("has its body at the top, each key once", () => {
    assert.deepEqual(paths("data: {ca.crt: text}", "ConfigMap"), []);
    assert.deepEqual(paths("data: {a: text}, binaryData: {a: aGk=}", "ConfigMap"), ["binaryData.a"]);
  });
});
