// Reading ClientHellos.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  alpn,
  helloMessage,
  readHello,
  realHello,
  records,
  serverName,
  vector,
  type Extension,
} from "./client-hello.suite.ts";
import { MAX_HELLO_BYTES } from "./client-hello.ts";

const said = (name: string, protocols: readonly string[] = [], encrypted = false): string =>
  JSON.stringify({ serverName: name, alpn: protocols, encrypted });

describe("a ClientHello", () => {
  it("of OpenSSL tells its server name and protocols, for TLS 1.2 and 1.3", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const bytes = await realHello({
        servername: "Orders.Shop",
        ALPNProtocols: ["h2", "http/1.1"],
        minVersion: version,
        maxVersion: version,
      });
      assert.equal(readHello(bytes), said("orders.shop", ["h2", "http/1.1"]));
    }
    assert.equal(readHello(await realHello({})), said(""));
  });

  it("without extensions, with GREASE and with unknown extensions is read", () => {
    assert.equal(readHello(records(helloMessage(undefined))), said(""));
    assert.equal(readHello(records(helloMessage([]))), said(""));
    const grease: Extension[] = [
      [0x0a0a, Buffer.alloc(0)],
      [0xfafa, Buffer.from([0])],
      [21, Buffer.alloc(300)],
    ];
    assert.equal(readHello(records(helloMessage([...grease, serverName("a.b"), alpn("h2")]))), said("a.b", ["h2"]));
  });

  it("with Encrypted Client Hello tells the public name", () => {
    const hello = helloMessage([[0xfe0d, Buffer.alloc(250, 1)], serverName("public.example")]);
    assert.equal(readHello(records(hello)), said("public.example", [], true));
  });

  it("of up to 64 KB is read, in records of any size", () => {
    const name = serverName("big.example");
    const rest = MAX_HELLO_BYTES - helloMessage([name, [21, Buffer.alloc(0)]]).length;
    const hello = helloMessage([[21, Buffer.alloc(rest)], name]);
    assert.equal(hello.length, MAX_HELLO_BYTES);
    assert.equal(readHello(records(hello)), said("big.example"));
    assert.equal(readHello(records(hello, 100)), said("big.example"));
    assert.equal(readHello(records(helloMessage([name]), 1)), said("big.example"));
  });

  it("that is longer, or comes in too many records, is refused", () => {
    const tooLong = Buffer.from([1, 1, 0, 1]);
    assert.equal(readHello(records(tooLong)), "invalid");
    const hello = helloMessage([[21, Buffer.alloc(60_000)]]);
    assert.equal(readHello(records(hello, 1)), "invalid");
  });

  it("with a trailing dot names the host without it; an address is no name", () => {
    assert.equal(readHello(records(helloMessage([serverName("a.b.")]))), said("a.b"));
    assert.equal(readHello(records(helloMessage([serverName("10.0.0.1")]))), said(""));
  });

  for (const [title, bytes] of [
    ["is another record type", Buffer.from([23, 3, 1, 0, 1, 0])],
    ["has another major version", Buffer.from([22, 2])],
    ["has an empty record", Buffer.from([22, 3, 1, 0, 0])],
    ["has a record above 2^14 bytes", Buffer.from([22, 3, 1, 0x40, 1])],
    ["is another handshake message", records(Buffer.from([2, 0, 0, 0]))],
    ["has an empty body", records(Buffer.from([1, 0, 0, 0]))],
    [
      "has two server names in one list",
      records(
        helloMessage([
          [0, vector(2, Buffer.from([0]), vector(2, Buffer.from("a")), Buffer.from([0]), vector(2, Buffer.from("b")))],
        ]),
      ),
    ],
    ["has the extension server_name twice", records(helloMessage([serverName("a"), serverName("b")]))],
    ["has an empty name", records(helloMessage([serverName("")]))],
    ["has a name with a NUL", records(helloMessage([serverName("a\0.evil")]))],
    ["has a name of another type", records(helloMessage([serverName("a", 1)]))],
    ["has a name that is longer than a DNS name", records(helloMessage([serverName("a".repeat(254))]))],
    ["has an empty protocol", records(helloMessage([alpn("")]))],
    ["has a list that is longer than its extension", records(helloMessage([[0, Buffer.from([0, 9, 0, 0, 1, 0x61])]]))],
    [
      "has bytes after its extensions",
      records(Buffer.concat([Buffer.from([1]), vector(3, helloMessage([]).subarray(4), Buffer.from([0]))])),
    ],
    [
      "has an odd list of cipher suites",
      records(
        Buffer.concat([
          Buffer.from([1]),
          vector(
            3,
            Buffer.from([3, 3]),
            Buffer.alloc(32),
            Buffer.from([0]),
            vector(2, Buffer.alloc(3)),
            vector(1, Buffer.alloc(1)),
          ),
        ]),
      ),
    ],
  ] as const) {
    it(`that ${title} is refused`, () => assert.equal(readHello(bytes), "invalid"));
  }

  it("says the same however it is cut, and leaves what follows alone", () => {
    const extension: fc.Arbitrary<Extension> = fc.oneof(
      fc.domain().map((name) => serverName(name)),
      fc.constant(alpn("h2", "http/1.1")),
      fc.tuple(
        fc.integer({ min: 0, max: 0xffff }),
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      ),
    );
    fc.assert(
      fc.property(
        fc.array(extension, { maxLength: 8 }),
        fc.integer({ min: 1, max: 400 }),
        fc.array(fc.nat(3000), { maxLength: 20 }),
        fc.uint8Array({ maxLength: 50 }),
        (extensions, size, cuts, more) => {
          const hello = records(helloMessage(extensions), size);
          const whole = readHello(hello);
          assert.notEqual(whole, "more");
          const bytes = Buffer.concat([hello, Buffer.from(more)]);
          assert.equal(
            readHello(
              bytes,
              cuts.map((cut) => cut % (bytes.length + 1)),
            ),
            whole,
          );
        },
      ),
    );
  });

  it("that is cut off is never complete", () => {
    const hello = records(helloMessage([serverName("a.b"), alpn("h2")]), 40);
    for (let length = 0; length < hello.length; length++) assert.equal(readHello(hello.subarray(0, length)), "more");
  });
});
