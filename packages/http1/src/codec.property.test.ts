// Properties that hold for all messages: any split reads like the whole, what is encoded decodes to the same, and
// random or damaged bytes give typed errors and nothing else.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "@ripstop/core";
import { RequestHead, ResponseHead } from "@ripstop/http";
import { cutAt, traceDecode } from "./decode-trace.suite.ts";
import { http1Errors } from "./errors.ts";
import { encodeRequestHead, encodeResponseHead, HeadFlag } from "./head-encoder.ts";
import { Http1RequestDecoder } from "./request-decoder.ts";
import { Http1ResponseDecoder } from "./response-decoder.ts";

const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
const MANAGED = new Set(
  "host content-length transfer-encoding connection upgrade expect te keep-alive proxy-connection http2-settings".split(
    " ",
  ),
);
const VALUE = [9, ...Array.from({ length: 224 }, (_, at) => at + 32)]
  .filter((code) => code !== 127)
  .map((code) => String.fromCharCode(code));

const name = fc
  .string({ unit: fc.constantFrom(...TOKEN), minLength: 1, maxLength: 20 })
  .filter((text) => !MANAGED.has(text));
const value = fc
  .string({ unit: fc.constantFrom(...VALUE), maxLength: 60 })
  .map((text) => text.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
const fields = fc.array(fc.tuple(fc.oneof(name, fc.constantFrom("accept", "cookie", "x-request-id")), value), {
  maxLength: 12,
});
const path = fc
  .string({ unit: fc.constantFrom(..."/?&=%.,;:@!$'()*+-_~abcXYZ019[]{}|"), maxLength: 40 })
  .map((text) => `/${text}`);
const authority = fc.constantFrom("a", "catalog.shop:8080", "[::1]:80", "x_y.test", "10.0.0.1");

const request = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "M-SEARCH"),
  path,
  authority,
  fields,
  body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  chunked: fc.boolean(),
});

function requestBytes(one: typeof request extends fc.Arbitrary<infer T> ? T : never): Buffer {
  const head = new RequestHead();
  head.method = one.method;
  head.path = one.path;
  head.authority = one.authority;
  for (const [fieldName, fieldValue] of one.fields) head.headers.append(fieldName, fieldValue);
  const out = new ByteWriter();
  if (one.chunked) {
    assert.ok(encodeRequestHead(out, head, HeadFlag.CHUNKED));
    if (one.body.length > 0) {
      out.latin1(`${one.body.length.toString(16)}\r\n`);
      out.bytes(one.body, 0, one.body.length);
      out.latin1("\r\n");
    }
    out.latin1("0\r\n\r\n");
  } else {
    head.contentLength = one.body.length;
    assert.ok(encodeRequestHead(out, head, HeadFlag.LENGTH));
    out.bytes(one.body, 0, one.body.length);
  }
  return Buffer.from(out.buffer.subarray(0, out.length));
}

const ERROR_NAMES = new Set(Object.values(http1Errors).map((kind) => kind.name));

function assertKnownEvents(events: readonly string[]): void {
  for (const [at, line] of events.entries()) {
    if (!line.startsWith("error ")) continue;
    assert.ok(ERROR_NAMES.has(line.split(" ")[1] ?? ""), line);
    assert.equal(at, events.length - 1, "nothing follows an error");
  }
}

describe("the codec", () => {
  it("reads any split like the whole", () => {
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (requests, seeds) => {
          const bytes = Buffer.concat(requests.map(requestBytes));
          const cuts = [...new Set(seeds.map((seed) => seed % bytes.length))].sort((a, b) => a - b);
          const whole = traceDecode({ role: "request" }, [bytes]);
          assert.equal(whole.filter((line) => line.startsWith("request ")).length, requests.length);
          assert.deepEqual(traceDecode({ role: "request" }, cutAt(bytes, cuts)), whole);
        },
      ),
    );
  });

  it("decodes a request head to what was encoded", () => {
    fc.assert(
      fc.property(request, (one) => {
        const bytes = requestBytes(one);
        let seen = 0;
        const ignore = (): void => undefined;
        const decoder = new Http1RequestDecoder({
          onRequest(head) {
            seen++;
            assert.equal(head.method, one.method);
            assert.equal(head.path, one.path);
            assert.equal(head.authority, one.authority);
            assert.equal(head.contentLength, one.chunked ? -1 : one.body.length);
            const got = Array.from({ length: head.headers.length }, (_, at) => [
              head.headers.nameAt(at),
              head.headers.valueAt(at),
            ]);
            assert.deepEqual(got, one.fields);
          },
          onBody: ignore,
          onTrailers: ignore,
          onEnd: ignore,
          onError: (error) => assert.fail(error.name),
        });
        decoder.decode(bytes, 0, bytes.length);
        assert.equal(seen, 1);
      }),
    );
  });

  it("decodes a response head to what was encoded", () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fields, (status, list) => {
        const head = new ResponseHead();
        head.status = status;
        head.contentLength = 0;
        for (const [fieldName, fieldValue] of list) head.headers.append(fieldName, fieldValue);
        const out = new ByteWriter();
        assert.ok(encodeResponseHead(out, head, HeadFlag.LENGTH));
        const ignore = (): void => undefined;
        let seen = 0;
        const decoder = new Http1ResponseDecoder({
          onInformational: ignore,
          onResponse(got) {
            seen++;
            assert.equal(got.status, status);
            const pairs = Array.from({ length: got.headers.length }, (_, at) => [
              got.headers.nameAt(at),
              got.headers.valueAt(at),
            ]);
            assert.deepEqual(pairs, list);
          },
          onBody: ignore,
          onTrailers: ignore,
          onEnd: ignore,
          onError: (error) => assert.fail(error.name),
        });
        decoder.expect("GET", "");
        decoder.decode(out.buffer, 0, out.length);
        assert.equal(seen, 1);
      }),
    );
  });

  it("writes no head that holds a line break, a NUL or a character that would become one", () => {
    const evil = fc.constantFrom("\r", "\n", "\0", "\r\n", "\r\nx: y", "\u010d\u010a", "\u0100", "\u0001");
    fc.assert(
      fc.property(value, evil, value, fc.boolean(), (before, bad, after, inName) => {
        const head = new ResponseHead();
        if (inName) head.headers.append(`x${bad}y`, "1");
        else head.headers.append("x", before + bad + after);
        const out = new ByteWriter();
        out.latin1("earlier");
        assert.equal(encodeResponseHead(out, head, 0), false);
        assert.equal(out.length, 7);
      }),
    );
  });

  it("answers damaged messages with one typed error or none, the same for every split", () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...[0, 9, 10, 13, 32, 44, 48, 58, 59, 127, 128, 255])), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(request, damage, fc.array(fc.nat(), { maxLength: 8 }), (one, places, seeds) => {
        const bytes = requestBytes(one);
        for (const [at, byte] of places) bytes[at % bytes.length] = byte;
        const cuts = [...new Set(seeds.map((seed) => seed % bytes.length))].sort((a, b) => a - b);
        const whole = traceDecode({ role: "request", isClosed: true }, [bytes]);
        assertKnownEvents(whole);
        assert.deepEqual(traceDecode({ role: "request", isClosed: true }, cutAt(bytes, cuts)), whole);
      }),
      { numRuns: 1000 },
    );
  });

  it("answers random bytes with typed errors only", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom("request" as const, "response" as const),
        (random, role) => {
          assertKnownEvents(traceDecode({ role, isClosed: true }, [Buffer.from(random)]));
        },
      ),
    );
  });
});

describe("http1Errors", () => {
  it("has codes of its own range, each once, and names the RFC", () => {
    const kinds = Object.values(http1Errors);
    assert.equal(new Set(kinds.map((kind) => kind.code)).size, kinds.length);
    for (const kind of kinds) {
      assert.match(kind.code, /^RS51[0-9]{2}$/);
      assert.match(kind.cause, /\(RFC [0-9]+ sections? [0-9.]+/);
    }
  });
});
