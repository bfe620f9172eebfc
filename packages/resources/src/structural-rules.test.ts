// Rules of Kubernetes' structural schemas.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { compileSchema } from "./schema.ts";

const rule = (text: string): object => ({ rule: text, message: "is wrong" });

function broken(schema: Readonly<Record<string, unknown>>, value: unknown, old?: unknown): readonly string[] {
  const checker = compileSchema(schema);
  assert.deepEqual(checker.check(value), []);
  return checker.checkRules(value, old).map(({ path, message }) => `${path.join(".")} ${message}`);
}

describe("rules of structural schemas", () => {
  it("are judged at their place, with what is there under self", () => {
    const schema = {
      type: "object",
      properties: {
        list: {
          type: "array",
          items: {
            type: "object",
            properties: { a: { type: "integer" }, b: { type: "integer" } },
            "x-kubernetes-validations": [rule("!has(self.b) || self.a <= self.b")],
          },
        },
      },
    };
    assert.deepEqual(broken(schema, { list: [{ a: 1, b: 2 }, { a: 3, b: 2 }, { a: 1 }] }), ["list.1 is wrong"]);
  });

  it("read durations, addresses, fields that are reserved words and elements by index as Kubernetes does", () => {
    const check = (text: string, value: unknown): number =>
      broken({ type: ["object", "array"], "x-kubernetes-validations": [rule(text)] }, value).length;
    assert.equal(check("duration(self.a) > duration(self.b)", { a: "1h", b: "59m59s" }), 0);
    assert.equal(check("self.all(h, !isIP(h))", ["a.example", "::1"]), 1);
    assert.equal(check("self.__namespace__ == 'a'", { namespace: "a" }), 0);
    assert.equal(check("has(self[0].a)", [{}]), 1);
    assert.equal(check("has(self[0].a)", [{ a: 1 }]), 0);
    assert.equal(check('self.a.matches("^(?i)[a-z]+$")', { a: "ABC" }), 0);
    assert.equal(check('self.a.matches("^[a-z]+$")', { a: "ABC" }), 1);
  });

  it("do not hold when they cannot be evaluated", () => {
    const schema = { type: "object", "x-kubernetes-validations": [rule("self.a.b == 1")] };
    assert.match(broken(schema, {}).join(), /^ is wrong \(No such key/);
  });

  it("compare with what was there before, when there was anything", () => {
    const schema = {
      type: "object",
      properties: { name: { type: "string", "x-kubernetes-validations": [rule("self == oldSelf")] } },
    };
    assert.deepEqual(broken(schema, { name: "a" }), []);
    assert.deepEqual(broken(schema, { name: "a" }, { name: "a" }), []);
    assert.deepEqual(broken(schema, { name: "a" }, { name: "b" }), ["name is wrong"]);
  });

  it("keep the keys of lists apart that stand for maps and sets", () => {
    const keys = {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: { type: "object" },
    };
    assert.deepEqual(broken(keys, [{ name: "a" }, { name: "b" }, { name: "a" }]), [
      '2 this entry has the same name as [0]: "a"',
    ]);
    assert.deepEqual(broken({ type: "array", "x-kubernetes-list-type": "set" }, [1, 2, 1]), [
      "2 this entry has the same value as [0]",
    ]);
  });
});
