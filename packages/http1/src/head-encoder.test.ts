// Heads as bytes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteWriter } from "@ripstop/core";
import { RequestHead, type HeaderList } from "@ripstop/http";
import fc from "fast-check";
import { FieldRole, SPECIAL_FIELDS } from "./field-names.ts";
import { encodeRequestHead, HeadFlag, isManaged } from "./head-encoder.ts";
import { Http1RequestDecoder } from "./request-decoder.ts";

/** The head of a request with these header lines, as the decoder gives it out. */
function decode(lines: readonly string[]): RequestHead {
  const decoder = new Http1RequestDecoder({
    onRequest() {},
    onBody() {},
    onTrailers() {},
    onEnd() {},
    onError: (error) => assert.fail(error.title),
  });
  const bytes = Buffer.from(
    `GET /x HTTP/1.1\r\nhost: a\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`,
    "latin1",
  );
  decoder.decode(bytes, 0, bytes.length);
  return decoder.head;
}

function encode(head: RequestHead): string | undefined {
  const out = new ByteWriter();
  return encodeRequestHead(out, head, HeadFlag.LENGTH) ? out.view().toString("latin1") : undefined;
}

/** Every field of the head but those the codec writes, from bytes, with names in lower case. */
function fieldsOf(text: string): string[] {
  const lines = text.split("\r\n").slice(0, -2);
  return lines
    .slice(lines.indexOf("content-length: 0") + 1)
    .map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()));
}

function listed(headers: HeaderList): string[] {
  return Array.from({ length: headers.length }, (_, at) => `${headers.nameAt(at)}: ${headers.valueAt(at)}`);
}

describe("a head that is passed on", () => {
  const name = fc.constantFrom("A", "b", "X-Long-Name", "cookie", "Te", "Keep-Alive", "via");
  const field = fc.tuple(name, fc.constantFrom(": ", ":", ":  "), fc.constantFrom("1", "two words", "\xe9", ""));
  const edit = fc.tuple(fc.constantFrom("set", "remove", "append", "replace"), name, fc.constantFrom("new", ""));

  it("says what its header list says, whatever stages have changed", () => {
    fc.assert(
      fc.property(
        fc.array(field, { maxLength: 12 }),
        fc.array(edit, { maxLength: 5 }),
        fc.boolean(),
        (fields, edits, take) => {
          let head = decode(fields.map((parts) => parts.join("")));
          if (take) {
            const taker = new RequestHead();
            taker.takeFrom(head);
            head = taker;
          }
          const { headers } = head;
          for (const [action, upper, value] of edits) {
            const lower = upper.toLowerCase();
            if (action === "set") headers.set(lower, value);
            else if (action === "remove") headers.remove(lower);
            else if (action === "append") headers.append(lower, value);
            else if (headers.length > 0) headers.replaceAt(headers.length - 1, value);
          }
          const text = encode(head);
          assert.ok(text !== undefined);
          const expected = listed(headers).filter((line) => !line.startsWith("keep-alive:"));
          assert.deepEqual(
            fieldsOf(text).filter((line) => line !== "connection: te"),
            expected,
          );
        },
      ),
    );
  });

  it("keeps the spelling of names that nobody touched, for applications that want it", () => {
    const head = decode(["X-Old-Client: 1", "SOAPAction: x"]);
    assert.ok(encode(head)?.includes("\r\nX-Old-Client: 1\r\nSOAPAction: x\r\n"));
  });

  it("leaves to the codec exactly the fields that the codec makes", () => {
    const names = Object.keys(SPECIAL_FIELDS);
    assert.deepEqual(
      names.filter(isManaged),
      names.filter((name) => SPECIAL_FIELDS[name] !== FieldRole.TE),
    );
    assert.deepEqual(["cookie", "accept", "x-up", "etag", "content-type", "constructor"].filter(isManaged), []);
  });

  it("is refused for one unsafe field between lines that are passed on as they came", () => {
    const lines = ["a: 1", "b: 2", "c: 3", "d: 4", "e: 5"];
    for (const name of ["a", "b", "c", "e"]) {
      for (const value of ["x\r\ny: z", "x\r", "\n", "x\0", "\u010a"]) {
        const head = decode(lines);
        head.headers.set("d", "safe");
        head.headers.set(name, value);
        assert.equal(encode(head), undefined, `${name}: ${JSON.stringify(value)}`);
      }
    }
  });

  it("is refused when a stage put in what would split it", () => {
    const head = decode(["a: 1", "b: 2"]);
    head.headers.set("b", "2\r\nc: 3");
    assert.equal(encode(head), undefined);
  });
});
