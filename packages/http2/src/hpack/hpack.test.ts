// RFC 7541 Appendix C, the encoder's policy, and round trips.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ByteWriter } from "@ripstop/core";
import fc from "fast-check";
import { FieldFlag } from "../field-kind.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { huffmanDecode, huffmanDecodedBound, huffmanEncode } from "./huffman.ts";

function decode(decoder: HpackDecoder, hex: string | Buffer): string[] {
  const bytes = typeof hex === "string" ? Buffer.from(hex.replaceAll(" ", ""), "hex") : hex;
  const fields: string[] = [];
  const ok = decoder.decode(bytes, 0, bytes.length, {
    onField: (name, value, _kind, flags) =>
      fields.push(`${name}: ${value}${(flags & FieldFlag.NEVER_INDEXED) !== 0 ? " (never)" : ""}`),
  });
  return ok ? fields : [`error: ${decoder.problem}`];
}

interface Vector {
  readonly section: string;
  readonly blocks: readonly { readonly hex: string; readonly fields: readonly string[]; readonly tableBytes: number }[];
  readonly maxTableBytes?: number;
}

const request1 = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const request3 = [
  ":method: GET",
  ":scheme: https",
  ":path: /index.html",
  ":authority: www.example.com",
  "custom-key: custom-value",
];
const response1 = [
  ":status: 302",
  "cache-control: private",
  "date: Mon, 21 Oct 2013 20:13:21 GMT",
  "location: https://www.example.com",
];
const response3 = [
  ":status: 200",
  "cache-control: private",
  "date: Mon, 21 Oct 2013 20:13:22 GMT",
  "location: https://www.example.com",
  "content-encoding: gzip",
  "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
];

const VECTORS: readonly Vector[] = [
  {
    section: "C.2.1 literal with indexing",
    blocks: [
      {
        hex: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        fields: ["custom-key: custom-header"],
        tableBytes: 55,
      },
    ],
  },
  {
    section: "C.2.2 literal without indexing",
    blocks: [{ hex: "040c 2f73 616d 706c 652f 7061 7468", fields: [":path: /sample/path"], tableBytes: 0 }],
  },
  {
    section: "C.2.3 never indexed",
    blocks: [
      { hex: "1008 7061 7373 776f 7264 0673 6563 7265 74", fields: ["password: secret (never)"], tableBytes: 0 },
    ],
  },
  { section: "C.2.4 indexed", blocks: [{ hex: "82", fields: [":method: GET"], tableBytes: 0 }] },
  {
    section: "C.3 requests without Huffman",
    blocks: [
      { hex: "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", fields: request1, tableBytes: 57 },
      { hex: "8286 84be 5808 6e6f 2d63 6163 6865", fields: [...request1, "cache-control: no-cache"], tableBytes: 110 },
      {
        hex: "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
        fields: request3,
        tableBytes: 164,
      },
    ],
  },
  {
    section: "C.4 requests with Huffman",
    blocks: [
      { hex: "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", fields: request1, tableBytes: 57 },
      { hex: "8286 84be 5886 a8eb 1064 9cbf", fields: [...request1, "cache-control: no-cache"], tableBytes: 110 },
      { hex: "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", fields: request3, tableBytes: 164 },
    ],
  },
  {
    section: "C.5 responses without Huffman, with evictions",
    maxTableBytes: 256,
    blocks: [
      {
        hex: "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        fields: response1,
        tableBytes: 222,
      },
      { hex: "4803 3330 37c1 c0bf", fields: [":status: 307", ...response1.slice(1)], tableBytes: 222 },
      {
        hex: "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
        fields: response3,
        tableBytes: 215,
      },
    ],
  },
  {
    section: "C.6 responses with Huffman, with evictions",
    maxTableBytes: 256,
    blocks: [
      {
        hex: "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
        fields: response1,
        tableBytes: 222,
      },
      { hex: "4883 640e ffc1 c0bf", fields: [":status: 307", ...response1.slice(1)], tableBytes: 222 },
      {
        hex: "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        fields: response3,
        tableBytes: 215,
      },
    ],
  },
];

describe("HPACK decoder (RFC 7541 Appendix C)", () => {
  for (const { section, blocks, maxTableBytes } of VECTORS) {
    it(section, () => {
      const decoder = new HpackDecoder(maxTableBytes);
      for (const { hex, fields, tableBytes } of blocks) {
        assert.deepEqual(decode(decoder, hex), fields);
        assert.equal(decoder.tableBytes, tableBytes);
      }
    });
  }
});

describe("HPACK decoder", () => {
  it("wants a size update first after the limit was lowered (§4.2)", () => {
    const decoder = new HpackDecoder();
    decoder.setAllowedTableBytes(100);
    assert.match(decode(decoder, "82")[0] ?? "", /no update came first/);
    const obedient = new HpackDecoder();
    obedient.setAllowedTableBytes(100);
    assert.deepEqual(decode(obedient, "3f45 82"), [":method: GET"]);
  });

  it("grows its ring when a larger table is allowed, keeping entries", () => {
    const decoder = new HpackDecoder(64);
    decode(decoder, "4001 6101 62");
    decoder.setAllowedTableBytes(8192);
    // Update to 8192, then 150 entries of one byte more each.
    let hex = "3fe13f";
    for (let n = 0; n < 150; n++) hex += `4001610162`;
    decode(decoder, hex);
    assert.equal(decoder.tableBytes, 151 * 34);
    assert.deepEqual(decode(decoder, "ff55"), ["a: b"]);
    assert.match(decode(decoder, "ff56")[0] ?? "", /beyond the table/);
  });

  it("clears the table when an entry larger than it comes (§4.4)", () => {
    const decoder = new HpackDecoder(64);
    decode(decoder, "4001 6101 62");
    decode(decoder, `4001 61 28 ${"62".repeat(40)}`);
    assert.equal(decoder.tableBytes, 0);
  });

  it("never throws, whatever comes", () => {
    const decoder = new HpackDecoder();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decode(decoder, Buffer.from(bytes));
        assert.ok(decoder.tableBytes <= 4096);
      }),
    );
  });
});

describe("Huffman code", () => {
  it("decodes what it encodes, for every byte", () => {
    const roundTrip = (text: string): void => {
      const coded = huffmanEncode(text);
      const out = Buffer.alloc(huffmanDecodedBound(coded.length));
      assert.equal(out.toString("latin1", 0, huffmanDecode(coded, 0, coded.length, out)), text);
    };
    for (let code = 0; code < 256; code++) roundTrip(String.fromCharCode(code, code, 97, code));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => roundTrip(Buffer.from(bytes).toString("latin1"))),
    );
  });
});

function encodeBlock(encoder: HpackEncoder, fields: readonly (readonly [string, string])[]): Buffer {
  const out = new ByteWriter(64);
  encoder.begin(out);
  for (const [name, value] of fields) encoder.field(out, name, value, false);
  return Buffer.from(out.buffer.subarray(0, out.length));
}

describe("HPACK encoder", () => {
  it("indexes a pair on second sight and then says one byte", () => {
    const encoder = new HpackEncoder();
    const field = [["user-agent", "test/1.0"]] as const;
    const sizes = [1, 2, 3].map(() => encodeBlock(encoder, field).length);
    assert.deepEqual(sizes, [11, 10, 1]);
    assert.equal(encoder.tableBytes, 10 + 8 + 32);
  });

  it("does not put values that never come back into the table", () => {
    const encoder = new HpackEncoder();
    for (let n = 0; n < 1000; n++) encodeBlock(encoder, [[":path", `/item/${n}`]]);
    assert.equal(encoder.tableBytes, 0);
  });

  it("spells a new name out twice at most while its values change", () => {
    const encoder = new HpackEncoder();
    const sizes = [0, 1, 2, 3].map((n) => encodeBlock(encoder, [["x-request-id", `id-${n}`]]).length);
    assert.deepEqual(sizes, [19, 19, 7, 7]);
  });

  it("never indexes credentials", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    const fields = [
      ["authorization", "Bearer x"],
      ["cookie", "id=1"],
      ["set-cookie", "id=2"],
    ] as const;
    for (let turn = 0; turn < 3; turn++) {
      assert.deepEqual(
        decode(decoder, encodeBlock(encoder, fields)),
        fields.map(([name, value]) => `${name}: ${value} (never)`),
      );
    }
    assert.equal(encoder.tableBytes, 0);
  });

  it("says both the lowest and the last table size that the peer set (§4.2)", () => {
    const encoder = new HpackEncoder();
    encoder.setPeerTableBytes(100);
    encoder.setPeerTableBytes(200);
    assert.deepEqual([...encodeBlock(encoder, [[":method", "GET"]])], [0x3f, 0x45, 0x3f, 0xa9, 0x01, 0x82]);
    assert.deepEqual([...encodeBlock(encoder, [[":method", "GET"]])], [0x82]);
  });

  it("keeps its memory bounded under names that never come back", () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    for (let n = 0; n < 2000; n++) {
      const name = `x-${n % 700}`;
      assert.deepEqual(
        decode(
          decoder,
          encodeBlock(encoder, [
            [name, "v"],
            [name, "v"],
          ]),
        ),
        [`${name}: v`, `${name}: v`],
      );
    }
    assert.ok(encoder.tableBytes <= 4096);
    assert.equal(encoder.tableBytes, decoder.tableBytes);
  });

  it("is understood by the decoder through repeats, evictions and size changes", () => {
    const name = fc.constantFrom(":path", "x-a", "x-b", "content-type", "cookie", "etag", "grpc-timeout", ":status");
    const value = fc.oneof(
      fc.constantFrom("", "200", "1", "application/grpc", "a".repeat(300), "b".repeat(3000)),
      fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,30}$/),
    );
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.array(fc.tuple(name, value), { maxLength: 12 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 6000 }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder();
        for (const next of steps) {
          if (typeof next === "number") {
            encoder.setPeerTableBytes(next);
            decoder.setAllowedTableBytes(next);
            continue;
          }
          const fields = decode(decoder, encodeBlock(encoder, next)).map((field) => field.replace(/ \(never\)$/, ""));
          assert.deepEqual(
            fields,
            next.map(([n, v]) => `${n}: ${v}`),
          );
          assert.equal(encoder.tableBytes, decoder.tableBytes);
        }
      }),
    );
  });
});
