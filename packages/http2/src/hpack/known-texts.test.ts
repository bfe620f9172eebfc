// Texts that come again: always what the bytes say, however few places there are.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import fc from "fast-check";
import { literalField } from "../testing/frame-text.suite.ts";
import { HpackDecoder } from "./decoder.ts";
import { KnownTexts } from "./known-texts.ts";

describe("known texts", () => {
  it("are what the bytes say, whatever else has the same place", () => {
    const text = fc.string({ maxLength: 3, unit: fc.constantFrom("a", "b", "\u0000", "\u00ff") });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 100 }), (texts) => {
        const known = new KnownTexts(4);
        for (const expected of texts) {
          const bytes = Buffer.from(`<${expected}>`, "latin1");
          assert.equal(known.take(bytes, 1, bytes.length - 1), expected);
        }
      }),
    );
  });

  it("keep their place until another one takes it", () => {
    const known = new KnownTexts(1);
    const take = (text: string): boolean => {
      known.take(Buffer.from(text), 0, text.length);
      assert.equal(known.slot, 0);
      return known.isNew;
    };
    assert.deepEqual(["a", "a", "b", "b", "a"].map(take), [true, false, true, false, true]);
  });
});

describe("values that connections share", () => {
  /** Whether a value that is put into the table is looked up among those of all connections. */
  function isShared(test: TestContext, name: string, value: string): boolean {
    const take = test.mock.method(KnownTexts.prototype, "take");
    const block = Buffer.concat([Buffer.from([0x40]), literalField(name, value).subarray(1)]);
    const heard: string[] = [];
    assert.ok(new HpackDecoder().decode(block, 0, block.length, { onField: (...field) => heard.push(field[1]) }));
    assert.deepEqual(heard, [value]);
    const texts = take.mock.calls.map(({ result }) => result);
    take.mock.restore();
    return texts.includes(value);
  }

  it("are those of fields that say nothing of anybody", (test) => {
    for (const [name, value] of [
      ["user-agent", "grpc-node-js/1.10"],
      [":path", "/shop.Stock/Get"],
      [":authority", "stock"],
      ["content-type", "application/grpc"],
    ] as const)
      assert.ok(isShared(test, name, value), name);
  });

  it("are no credentials, whatever the field is called, and no links with a query", (test) => {
    for (const name of [
      "authorization",
      "Authorization",
      "proxy-authorization",
      "cookie",
      "set-cookie",
      "x-api-key",
      "apikey",
      "x-auth-token",
      "x-amz-security-token",
      "x-csrf-token",
      "x-goog-iap-jwt-assertion",
      "x-session-id",
      "x-hub-signature-256",
      "x-vault-password",
    ])
      assert.ok(!isShared(test, name, "a5bd1f0c"), name);
    for (const name of [":path", "referer", "location"]) assert.ok(!isShared(test, name, "/reset?code=a5bd1f0c"), name);
  });
});
