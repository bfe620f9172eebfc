// Validation of whole files: all violations, with places and remedies.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { coreKinds } from "./core-kinds.ts";
import { KindRegistry } from "./kind-registry.ts";
import type { Kind, ResourceLookup } from "./kind.ts";
import type { Resource } from "./resource.ts";
import { validateAll, type Validated } from "./validate-all.ts";

const nothing: ResourceLookup = { get: () => undefined, list: () => [] };

interface PetSpec {
  readonly food: string;
  readonly friend?: string;
  readonly legs: number;
}

const petKind: Kind<PetSpec> = {
  apiVersion: "test/v1",
  kind: "Pet",
  plural: "pets",
  shortNames: ["p"],
  namespaced: true,
  schema: {
    type: "object",
    required: ["food"],
    properties: {
      food: { type: "string", enum: ["fish", "seeds"] },
      friend: { type: "string" },
      legs: { type: "integer", minimum: 0, maximum: 8, default: 4 },
      toys: {
        type: "array",
        items: {
          type: "object",
          required: ["name"],
          properties: { name: { type: "string" }, weight: { type: "integer" } },
        },
      },
    },
  },
  validate: () => [],
  validateReferences(pet: Resource<PetSpec>, lookup) {
    const { friend } = pet.spec;
    if (friend === undefined || lookup.get("Pet", pet.metadata.namespace, friend)) return [];
    return [{ path: "spec.friend", message: `there is no Pet ${friend}`, remedy: "apply it too" }];
  },
};

const kinds = new KindRegistry([...coreKinds, petKind]);

function validate(...texts: string[]): Validated {
  return validateAll(
    texts.map((text, index) => ({ file: `file${index + 1}.yaml`, text })),
    { kinds, current: nothing },
  );
}

function lines({ violations }: Validated): string[] {
  return violations.map(
    ({ source, path, message, remedy }) =>
      `${source?.file}:${source?.line}:${source?.column} ${path} — ${message}. ${remedy}`,
  );
}

const pet = (spec: string): string =>
  `apiVersion: test/v1\nkind: Pet\nmetadata: {name: tom, namespace: home}\nspec:\n${spec}`;

describe("validateAll", () => {
  it("returns resources with their defaults and no violation", () => {
    const { resources, violations } = validate(pet("  food: fish\n"));
    assert.deepEqual(violations, []);
    assert.deepEqual(resources[0]?.resource.spec, { food: "fish", legs: 4 });
    assert.equal(resources[0]?.resource.metadata.namespace, "home");
  });

  it("reads several documents of several files, JSON too, and skips empty ones", () => {
    const json = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
    const { resources, violations } = validate(`# nothing\n---\n${pet("  food: fish")}\n---\n`, json);
    assert.deepEqual(violations, []);
    assert.deepEqual(
      resources.map(({ resource }) => resource.kind),
      ["Pet", "Namespace"],
    );
  });

  it("reports every violation of every file at once, at the offending place", () => {
    const outcome = validate(
      pet("  foood: fish\n  legs: 9\n  toys:\n    - name: ball\n    - weight: heavy\n"),
      'apiVersion: v2\nkind: Service\nmetadata:\n  name: Catalog\nspec:\n  ports:\n    - port: "80"\n',
    );
    assert.deepEqual(lines(outcome), [
      "file1.yaml:5:3 spec.food — food is missing. add food, one of: fish, seeds",
      'file1.yaml:5:3 spec.foood — unknown field "foood". did you mean food?',
      "file1.yaml:6:9 spec.legs — legs is 9. use a number <= 8; 0 to 8",
      "file1.yaml:9:7 spec.toys[1].name — name is missing. add name, text",
      'file1.yaml:9:15 spec.toys[1].weight — weight must be a whole number, not text ("heavy"). write a whole number here',
      'file2.yaml:1:13 apiVersion — apiVersion is "v2". Service needs apiVersion: v1',
      'file2.yaml:4:9 metadata.name — the name "Catalog" is not a DNS name. use at most 253 of a-z, 0-9, - and ., each part starting and ending with a letter or digit',
      'file2.yaml:7:13 spec.ports[0].port — port must be a whole number, not text ("80"). write 80 without quotes',
    ]);
  });

  it("suggests the value and the kind that were meant", () => {
    assert.match(
      lines(validate(pet("  food: sedes"))).join(),
      /food is "sedes", which is not one of its values\. did you mean seeds\?/,
    );
    assert.match(
      lines(validate("apiVersion: v1\nkind: Servic\nmetadata: {name: x}")).join(),
      /unknown kind "Servic"\. did you mean Service\?/,
    );
  });

  it("refuses unknown fields of the document and of its metadata", () => {
    const outcome = validate(
      "apiVersion: v1\nkind: Namespace\nmetdata: {}\nmetadata:\n  name: shop\n  lables: {a: b}\n",
    );
    assert.deepEqual(
      outcome.violations.map(({ path, remedy }) => `${path} ${remedy}`),
      ["metdata did you mean metadata?", "metadata.lables did you mean labels?"],
    );
  });

  it("resolves references among the applied resources, and names the missing ones", () => {
    const jerry = pet("  food: seeds").replace("tom", "jerry");
    assert.deepEqual(validate(pet("  food: fish\n  friend: jerry"), jerry).violations, []);
    assert.match(
      lines(validate(pet("  food: fish\n  friend: jerry"))).join(),
      /file1\.yaml:6:11 spec\.friend — there is no Pet jerry/,
    );
  });

  it("refuses the same resource given twice", () => {
    const outcome = validate(pet("  food: fish"), pet("  food: seeds"));
    assert.match(
      lines(outcome).join(),
      /file2\.yaml:3:18 metadata\.name — Pet home\/tom was given already at file1\.yaml:1/,
    );
  });

  it("checks labels and says how to quote a value", () => {
    const outcome = validate(
      "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  labels: {tier: 1, -bad: x, ok: 'a b'}\n",
    );
    assert.deepEqual(
      outcome.violations.map(({ path }) => path),
      ["metadata.labels.tier", 'metadata.labels["-bad"]', "metadata.labels.ok"],
    );
    assert.equal(outcome.violations[0]?.remedy, 'write it in quotes: "1"');
  });

  it("gives the default namespace to a namespaced resource, and refuses one for others", () => {
    assert.equal(
      validate("apiVersion: test/v1\nkind: Pet\nmetadata: {name: tom}\nspec: {food: fish}").resources[0]?.resource
        .metadata.namespace,
      "default",
    );
    assert.match(
      lines(validate("apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}")).join(),
      /does not live in a namespace/,
    );
  });

  it("does not let a document reach Object's prototype", () => {
    const outcome = validate(
      '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","labels":{"__proto__":"x"}},"__proto__":{"a":1}}',
    );
    assert.deepEqual(
      outcome.violations.map(({ path }) => path),
      ["__proto__", "metadata.labels.__proto__"],
    );
    assert.equal(Object.hasOwn(Object.prototype, "a"), false);
  });
});
