// Literals that come again: the same text as if each had been decoded, however values alternate.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { HpackDecoder } from "./decoder.ts";
import { huffmanEncode } from "./huffman.ts";
import { RepeatedValues } from "./repeated-values.ts";

/** A literal that is never indexed, with "authorization" (index 23) as its name. */
function credential(text: string, coded: boolean): Buffer {
  const bytes = coded ? huffmanEncode(text) : Buffer.from(text, "latin1");
  const flag = coded ? 0x80 : 0;
  const length: number[] = [];
  if (bytes.length < 0x7f) length.push(flag | bytes.length);
  else {
    length.push(flag | 0x7f);
    let rest = bytes.length - 0x7f;
    for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from([0x1f, 23 - 0x0f, ...length]), bytes]);
}

interface Field {
  readonly name: string;
  readonly value: string;
  readonly kind: number;
  readonly flags: number;
}

function decode(decoder: HpackDecoder, block: Buffer): Field[] {
  const fields: Field[] = [];
  const sink = {
    onField: (...[name, value, kind, flags]: [string, string, number, number]): void =>
      void fields.push({ name, value, kind, flags }),
  };
  assert.equal(decoder.decode(block, 0, block.length, sink), true, decoder.problem);
  return fields;
}

describe("a literal that comes again", () => {
  it("gives what a decoder without a past gives, whatever came before", () => {
    const text = fc.oneof(
      fc.constantFrom(
        "Bearer aaaaaaaaaaaaaaaaaaaaaaaa",
        "Bearer aaaaaaaaaaaaaaaaaaaaaaab",
        " Bearer with an edge ",
        "x\u0001y".repeat(9),
      ),
      fc.string({
        minLength: 0,
        maxLength: 1_500,
        unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.boolean()), { minLength: 1, maxLength: 60 }), (values) => {
        const decoder = new HpackDecoder();
        for (const [value, coded] of values) {
          const block = credential(value, coded);
          const fields = decode(decoder, block);
          assert.deepEqual(fields, decode(new HpackDecoder(), block));
          assert.equal(fields[0]?.value, value);
        }
      }),
    );
  });

  it("is the same string, not an equal one made once more", () => {
    const values = new RepeatedValues();
    const first = Buffer.from("....Bearer 0123456789abcdef....");
    const again = Buffer.from("Bearer 0123456789abcdef");
    const value = { text: "Bearer 0123456789abcdef", flags: 3 };
    assert.equal(values.find(again, { start: 0, end: 23, coded: false, nameLength: 13 }), undefined);
    values.keep(first, { start: 4, end: 27, coded: false, nameLength: 13 }, value);
    // What the bytes came in is used again for other bytes.
    first.fill(0);
    const known = values.find(again, { start: 0, end: 23, coded: false, nameLength: 13 });
    assert.deepEqual([known?.text, known?.flags], [value.text, value.flags]);
  });

  it("keeps the place of a name's value when another name has one of a length that is eight more", () => {
    const values = new RepeatedValues();
    const path = { start: 0, end: 20, coded: false, nameLength: ":path".length };
    const credentials = { start: 20, end: 48, coded: false, nameLength: "authorization".length };
    const buf = Buffer.from("/bench.Echo/Unary.aBBearer 0123456789abcdef01234");
    values.keep(buf, path, { text: "path", flags: 0 });
    values.keep(buf, credentials, { text: "credentials", flags: 0 });
    assert.deepEqual([values.find(buf, path)?.text, values.find(buf, credentials)?.text], ["path", "credentials"]);
  });

  it("is no other one of the same length, and none of the same bytes in another coding", () => {
    const values = new RepeatedValues();
    const buf = Buffer.from("Bearer 0123456789abcdefBearer 0123456789abcdeX");
    values.keep(buf, { start: 0, end: 23, coded: false, nameLength: 13 }, { text: "kept", flags: 0 });
    assert.equal(values.find(buf, { start: 23, end: 46, coded: false, nameLength: 13 }), undefined);
    assert.equal(values.find(buf, { start: 0, end: 23, coded: true, nameLength: 13 }), undefined);
    assert.equal(values.find(buf, { start: 0, end: 23, coded: false, nameLength: 13 })?.text, "kept");
  });

  it("is found again after many that never came back", () => {
    const values = new RepeatedValues();
    const at = { start: 0, end: 32, coded: false, nameLength: 13 };
    const id = (count: number): Buffer => Buffer.from(String(count).padStart(32, "0"));
    for (let count = 0; count < 1_000; count++) values.keep(id(count), at, { text: String(count), flags: 0 });
    const steady = Buffer.from("s".repeat(32));
    let found = 0;
    for (let count = 0; count < 100; count++) {
      if (values.find(steady, at) === undefined) values.keep(steady, at, { text: "steady", flags: 0 });
      else found++;
    }
    assert.ok(found >= 80, `${found} of 100`);
  });

  it("is kept only when that pays and is bounded", () => {
    assert.deepEqual(
      [15, 16, 1_024, 1_025].map((length) => RepeatedValues.takes(length)),
      [false, true, true, false],
    );
  });
});
