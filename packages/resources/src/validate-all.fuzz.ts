// Any text at all gives resources or violations, never an exception; every violation has a place; and what is valid
// stays the same when it is written out and read again.

import assert from "node:assert/strict";

import { fuzz, type SeededRandom } from "@ripstop/testkit";

import { coreKinds } from "./core-kinds.ts";
import { parsePath } from "./field-path.ts";
import { KindRegistry } from "./kind-registry.ts";
import { validateAll, type Validated } from "./validate-all.ts";

const kinds = new KindRegistry(coreKinds);
const BASE = `apiVersion: v1
kind: Service
metadata:
  name: catalog
  namespace: shop
  labels: {app: catalog, "a.b/c": "1"}
spec:
  selector: {app: catalog, version: v1}
  ports:
    - {name: http, port: 80, targetPort: 8080}
    - name: grpc
      port: 81
`;
const PIECES = [
  "---\n",
  "a",
  ": ",
  "\n",
  "  ",
  "- ",
  "[",
  "]",
  "{",
  "}",
  ",",
  "&x ",
  "*x",
  "!!int ",
  "!t ",
  "|\n",
  ">-\n",
  "'",
  '"',
  "#",
  "?",
  "%",
  "\t",
  "\0",
  "\u{1f4a9}",
  "\ud800",
  "__proto__: ",
  "null",
  "~",
  "0x1f",
  "1e999",
  "<<: *x\n",
  "ports:",
  "kind: Service\n",
  "-1",
  "70000",
];

function validate(text: string): Validated {
  const current = { get: () => undefined, list: () => [] };
  return validateAll([{ file: "fuzz.yaml", text }], { kinds, current });
}

function mutate(random: SeededRandom, text: string): string {
  let mutated = text;
  for (let count = 1 + random.integer(4); count > 0; count--) {
    const from = random.integer(mutated.length + 1);
    const to = random.integer(3) === 0 ? Math.min(mutated.length, from + random.integer(12)) : from;
    mutated = mutated.slice(0, from) + (random.integer(4) === 0 ? "" : random.pick(PIECES)) + mutated.slice(to);
  }
  return mutated;
}

fuzz("validateAll", (random) => {
  const text =
    random.integer(4) === 0
      ? Array.from({ length: random.integer(60) }, () => random.pick(PIECES)).join("")
      : mutate(random, BASE);
  const lines = text.split(/\r\n|\r|\n/).length;
  const { resources, violations } = validate(text);
  for (const { source, path, message, remedy } of violations) {
    assert.ok(
      source !== undefined && source.line >= 1 && source.line <= lines + 1 && source.column >= 1,
      JSON.stringify(source),
    );
    assert.ok(message !== "" && remedy !== "");
    parsePath(path);
  }
  if (violations.length > 0) return;
  for (const { resource } of resources) {
    const { uid: _uid, generation: _generation, creationTimestamp: _time, ...metadata } = resource.metadata;
    const again = validate(JSON.stringify({ ...resource, metadata }));
    assert.deepEqual(again.violations, []);
    assert.deepEqual(again.resources[0]?.resource, resource);
  }
});
