// The PROXY protocol header: the cases of cases/proxy-protocol.md, and properties.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import fc from "fast-check";
import { crc32c } from "./crc32c.ts";
import { bytesToIp, ipToBytes } from "./ip-bytes.ts";
import { encodeProxyHeader, readProxyHeader } from "./proxy-header.ts";

/** The result as the cases write it. */
function told(bytes: Buffer, start: number = 0, end: number = bytes.length): string {
  const read = readProxyHeader(bytes, start, end);
  if (read.state === "more") return "more";
  if (read.state === "invalid") return `invalid ${read.cause}`;
  const { version, addresses } = read.header;
  const said =
    addresses === undefined
      ? "local"
      : `${addresses.source.address}:${addresses.source.port} -> ${addresses.destination.address}:${addresses.destination.port}`;
  return `v${version} ${read.length} ${said}`;
}

/** What is said when the bytes come one by one, as a connection is asked: until it is not "more". */
function toldBytewise(bytes: Buffer): string {
  for (let end = 0; end < bytes.length; end++) {
    const said = told(bytes, 0, end);
    if (said !== "more") return said;
  }
  return told(bytes);
}

function parseBytes(block: string): Buffer {
  const text = block
    .replaceAll("\n", "")
    .replaceAll(/\{([0-9]+) x ([^}]*)\}/g, (_, count, part) => part.repeat(Number(count)))
    .replaceAll(/\\(r|n|0|\\|x[0-9a-fA-F]{2})/g, (_, escape: string) => {
      const simple: Record<string, string> = { r: "\r", n: "\n", "0": "\0", "\\": "\\" };
      return simple[escape] ?? String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    });
  return Buffer.from(text, "latin1");
}

const cases = readFileSync(new URL("../../cases/proxy-protocol.md", import.meta.url), "utf8")
  .split(/^## /m)
  .slice(1)
  .map((part) => {
    const blocks = [...part.matchAll(/^~~~(bytes|result)\n([\s\S]*?)^~~~$/gm)];
    return {
      title: part.slice(0, part.indexOf("\n")).trim(),
      section: /^section [0-9.]+$/m.exec(part)?.[0] ?? "",
      bytes: parseBytes(blocks[0]?.[2] ?? ""),
      result: (blocks[1]?.[2] ?? "").trim(),
    };
  });

describe("a PROXY protocol header", () => {
  it("has cases", () => assert.ok(cases.length > 20 && cases.every(({ section }) => section !== "")));

  for (const { title, bytes, result, section } of cases) {
    it(`${title} (${section})`, () => {
      assert.equal(told(bytes), result);
      assert.equal(toldBytewise(bytes), result);
      // Wherever it stands in a buffer.
      assert.equal(told(Buffer.concat([Buffer.from("PROXY\r\n"), bytes]), 7), result);
    });
  }

  const address = fc.oneof(
    fc.ipV4(),
    fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => bytesToIp(Buffer.from(bytes))),
  );
  const end = fc.record({ address, port: fc.nat(65_535) });

  it("says after decoding what was encoded, whatever follows and however it is cut", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1 as const, 2 as const),
        end,
        end,
        fc.string(),
        (version, source, destination, more) => {
          const header = encodeProxyHeader(version, { source, destination });
          const bytes = Buffer.concat([header, Buffer.from(more)]);
          const read = readProxyHeader(bytes, 0, bytes.length);
          assert.ok(read.state === "complete");
          assert.equal(read.length, header.length);
          assert.equal(toldBytewise(bytes), told(bytes));
          const { addresses } = read.header;
          assert.equal(addresses?.source.port, source.port);
          assert.equal(addresses.destination.port, destination.port);
          assert.ok(addresses.source.address.endsWith(source.address) || read.header.version > 0);
          const same = (a: string, b: string): boolean => {
            const [left, right] = [ipToBytes(a), ipToBytes(b)];
            return left !== undefined && right !== undefined && left.subarray(-right.length).equals(right);
          };
          assert.ok(same(addresses.source.address, source.address));
          assert.ok(same(addresses.destination.address, destination.address));
        },
      ),
    );
  });

  it("is local when an address is not known", () => {
    for (const version of [1, 2] as const) {
      const nowhere = { source: { address: "", port: 0 }, destination: { address: "127.0.0.1", port: 1 } };
      assert.match(told(encodeProxyHeader(version, nowhere)), /local$/);
      assert.match(told(encodeProxyHeader(version, undefined)), /local$/);
    }
  });

  it("never throws, and is told from the same bytes at any split", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("", "PROXY TCP4 ", "\r\n\r\n\0\r\nQUIT\n", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0"),
        fc.uint8Array({ maxLength: 300 }),
        (start, bytes) => {
          const whole = Buffer.concat([Buffer.from(start, "latin1"), bytes]);
          assert.equal(toldBytewise(whole), told(whole));
        },
      ),
    );
  });

  it("with a right checksum is taken", () => {
    const header = Buffer.concat([
      encodeProxyHeader(2, {
        source: { address: "192.0.2.1", port: 1 },
        destination: { address: "192.0.2.2", port: 2 },
      }),
      Buffer.from([3, 0, 4, 0, 0, 0, 0]),
    ]);
    header.writeUInt16BE(header.length - 16, 14);
    header.writeUInt32BE(crc32c(header), header.length - 4);
    assert.equal(told(header), "v2 35 192.0.2.1:1 -> 192.0.2.2:2");
    // The check value of the algorithm.
    assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  });
});
