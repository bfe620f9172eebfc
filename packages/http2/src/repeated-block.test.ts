// Header blocks that come again: what is heard is the same as if each had been decoded, whatever happens to the table.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { FrameFlag, FrameType } from "./frames.ts";
import { MessageReader } from "./message-reader.ts";
import { RepeatedBlock } from "./repeated-block.ts";
import { frame, literalField } from "./testing/frame-text.suite.ts";
import { ScriptedEndpoint } from "./testing/scripted-endpoint.suite.ts";

const HEADERS_END = FrameFlag.END_HEADERS | FrameFlag.END_STREAM;
const SETTINGS = frame(FrameType.SETTINGS, 0, 0);
const SETTINGS_ACK = frame(FrameType.SETTINGS, FrameFlag.ACK, 0);
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
/** More than a connection reads before it keeps a block, and twice over. */
const OFTEN = 24;

/** GET http://a.example/, without other fields. */
const GET = Buffer.concat([Buffer.from([0x82, 0x86, 0x84]), literalField(":authority", "a.example")]);
/** What that says. */
const HEARD = "GET scheme=http authority=a.example path=/";

/** The first two entries of the dynamic table. */
const NEWEST = Buffer.from([0xbe]);
const SECOND = Buffer.from([0xbf]);

/** A field that goes into the table. */
function inserted(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), literalField(name, value).subarray(1)]);
}

/** A client of an endpoint. */
class Peer {
  readonly endpoint: ScriptedEndpoint;
  #nextId = 1;

  constructor(settings: ConstructorParameters<typeof ScriptedEndpoint>[0]["settings"] = {}) {
    this.endpoint = new ScriptedEndpoint({ role: "server", settings });
    this.endpoint.receive(Buffer.concat([PREFACE, SETTINGS]));
  }

  /** Sends a request, which is answered. What the endpoint heard of its head. */
  ask(block: Buffer, trailers?: Buffer): string {
    const id = this.#nextId;
    this.#nextId += 2;
    const { events } = this.endpoint;
    const before = events.length;
    this.endpoint.receive(
      frame(FrameType.HEADERS, trailers === undefined ? HEADERS_END : FrameFlag.END_HEADERS, id, block),
    );
    if (trailers !== undefined) this.endpoint.receive(frame(FrameType.HEADERS, HEADERS_END, id, trailers));
    const heard = events[before] ?? "nothing";
    this.endpoint.run([`> respond ${id} 200 end`]);
    return heard.replace(`request ${id} `, "");
  }
}

describe("a header block that comes again", () => {
  it("says the same each time", () => {
    const peer = new Peer();
    const block = Buffer.concat([GET, literalField("cookie", "a=1"), literalField("x-b", "2")]);
    for (let turn = 0; turn < OFTEN; turn++) assert.equal(peer.ask(block), `${HEARD} {cookie: a=1} {x-b: 2} end`);
  });

  it("is decoded a few times, then recalled", (test) => {
    const recall = test.mock.method(MessageReader.prototype, "recall");
    const peer = new Peer();
    for (let turn = 0; turn < 100; turn++) peer.ask(GET);
    assert.equal(recall.mock.callCount(), 90);
  });

  it("is not kept when it says much in few bytes: sixteen cookies of one entry would stay for each idle connection", (test) => {
    const recall = test.mock.method(MessageReader.prototype, "recall");
    const value = "c".repeat(3_500);
    const peer = new Peer();
    peer.ask(Buffer.concat([GET, inserted("cookie", value)]));
    const cookies = Array.from({ length: 16 }, () => NEWEST);
    const heard = `${HEARD} {cookie: ${cookies.map(() => value).join("; ")}} end`;
    for (let turn = 0; turn < OFTEN; turn++) assert.equal(peer.ask(Buffer.concat([GET, ...cookies])), heard);
    assert.equal(recall.mock.callCount(), 0);
    for (let turn = 0; turn < OFTEN; turn++) peer.ask(Buffer.concat([GET, NEWEST]));
    assert.ok(recall.mock.callCount() > 0);
  });

  it("says something else once the table has changed", () => {
    const peer = new Peer();
    peer.ask(Buffer.concat([GET, inserted("x-a", "one")]));
    const block = Buffer.concat([GET, NEWEST]);
    for (let turn = 0; turn < OFTEN; turn++) assert.equal(peer.ask(block), `${HEARD} {x-a: one} end`);
    peer.ask(Buffer.concat([GET, inserted("x-a", "two")]));
    for (let turn = 0; turn < OFTEN; turn++) assert.equal(peer.ask(block), `${HEARD} {x-a: two} end`);
  });

  it("ends the connection when it names an entry that the table has lost", () => {
    const peer = new Peer();
    peer.ask(Buffer.concat([GET, inserted("x-a", "one")]));
    const block = Buffer.concat([GET, NEWEST]);
    for (let turn = 0; turn < OFTEN; turn++) assert.equal(peer.ask(block), `${HEARD} {x-a: one} end`);
    // To nothing and back to 4,096 bytes, in trailers: of the other kind of block nothing is forgotten.
    const emptied = Buffer.concat([Buffer.from([0x20, 0x3f, 0xe1, 0x1f]), literalField("x-t", "1")]);
    assert.equal(peer.ask(block, emptied), `${HEARD} {x-a: one}`);
    assert.match(peer.ask(block), /an index beyond the table/);
  });

  it("puts its fields into the table each time that it says so", () => {
    const peer = new Peer();
    peer.ask(Buffer.concat([GET, inserted("x-a", "old")]));
    const block = Buffer.concat([GET, inserted("x-a", "new")]);
    for (let turn = 0; turn < OFTEN; turn++) peer.ask(block);
    assert.equal(peer.ask(Buffer.concat([GET, NEWEST, SECOND])), `${HEARD} {x-a: new} {x-a: new} end`);
  });

  it("is refused each time when it is malformed", () => {
    const peer = new Peer();
    const block = Buffer.concat([GET, literalField("X-Upper", "1")]);
    for (let turn = 0; turn < OFTEN; turn++) assert.match(peer.ask(block), /^stream error RS5205 /);
  });

  it("ends the connection when the table was lowered and it does not say so first", () => {
    const peer = new Peer({ headerTableBytes: 0 });
    for (let turn = 0; turn < OFTEN; turn++) assert.equal(peer.ask(GET), `${HEARD} end`);
    peer.endpoint.receive(SETTINGS_ACK);
    assert.match(peer.ask(GET), /no update came first/);
  });

  it("says what a table of its own would say, whatever comes between", () => {
    const piece = fc.oneof(
      fc.record({ kind: fc.constant("newest" as const) }),
      fc.record({ kind: fc.constant("second" as const) }),
      fc.record({ kind: fc.constant("literal" as const), value: fc.constantFrom("a", "b") }),
      fc.record({ kind: fc.constant("insert" as const), value: fc.constantFrom("a", "b", "c") }),
    );
    const run = fc.record({
      pieces: fc.array(piece, { maxLength: 3 }),
      times: fc.constantFrom(1, 2, 3, OFTEN),
    });
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 12 }), (runs) => {
        const peer = new Peer();
        const table = [" {x-i: 2}", " {x-i: 1}"];
        peer.ask(Buffer.concat([GET, inserted("x-i", "1"), inserted("x-i", "2")]));
        for (const { pieces, times } of runs) {
          for (let turn = 0; turn < times; turn++) {
            let heard = HEARD;
            const block: Buffer[] = [GET];
            for (const part of pieces) {
              if (part.kind === "newest" || part.kind === "second") {
                block.push(part.kind === "newest" ? NEWEST : SECOND);
                heard += table[part.kind === "newest" ? 0 : 1] ?? "";
              } else if (part.kind === "literal") {
                block.push(literalField("x-l", part.value));
                heard += ` {x-l: ${part.value}}`;
              } else {
                block.push(inserted("x-i", part.value));
                table.unshift(` {x-i: ${part.value}}`);
                heard += table[0] ?? "";
              }
            }
            assert.equal(peer.ask(Buffer.concat(block)), `${heard} end`);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it("keeps answers, interim answers and trailers apart", () => {
    const endpoint = new ScriptedEndpoint({ role: "client" });
    endpoint.receive(SETTINGS);
    const status = Buffer.from([0x88]);
    const early = literalField(":status", "103");
    for (let turn = 0; turn < OFTEN; turn++) {
      const id = turn * 2 + 1;
      endpoint.run(["> open GET / end"]);
      const before = endpoint.events.length;
      endpoint.receive(frame(FrameType.HEADERS, FrameFlag.END_HEADERS, id, early));
      endpoint.receive(
        frame(FrameType.HEADERS, FrameFlag.END_HEADERS, id, Buffer.concat([status, literalField("x-a", "1")])),
      );
      endpoint.receive(frame(FrameType.HEADERS, HEADERS_END, id, literalField("grpc-status", "0")));
      assert.deepEqual(
        endpoint.events.slice(before).map((event) => event.replace(` ${id} `, " ")),
        ["informational 103", "response 200 {x-a: 1}", "trailers {grpc-status: 0}"],
      );
    }
  });
});

describe("the last block of one kind", () => {
  const block = Buffer.from("a block");
  const same = (repeated: RepeatedBlock<string>, bytes: Buffer, version = 0): boolean =>
    repeated.isSame(bytes, 0, bytes.length, version);

  /** One that has seen enough blocks to keep the next. */
  function warm(): RepeatedBlock<string> {
    const repeated = new RepeatedBlock<string>();
    for (let count = 0; count < 8; count++) assert.equal(same(repeated, block), false);
    return repeated;
  }

  it("is known again, with the table as it was", () => {
    const repeated = warm();
    assert.equal(same(repeated, block), false);
    assert.equal(same(repeated, block), true);
    repeated.message = "said";
    assert.equal(same(repeated, block), true);
    assert.equal(repeated.message, "said");
    assert.equal(same(repeated, block, 1), false);
    assert.equal(repeated.message, undefined);
    assert.equal(same(repeated, block, 1), true);
  });

  it("takes the place of the one before", () => {
    const repeated = warm();
    same(repeated, block);
    assert.equal(same(repeated, Buffer.from("another")), false);
    assert.equal(same(repeated, block), false);
    assert.equal(same(repeated, block), true);
  });

  it("is not kept when it is long", () => {
    const repeated = warm();
    for (const [bytes, kept] of [
      [512, true],
      [513, false],
    ] as const) {
      same(repeated, Buffer.alloc(bytes));
      assert.equal(same(repeated, Buffer.alloc(bytes)), kept);
    }
  });

  it("is looked at now and then only, when none has come again for long", () => {
    const repeated = warm();
    for (let count = 0; count < 64; count++) same(repeated, Buffer.from(`block ${count}`));
    let looks = 0;
    while (!same(repeated, block)) looks++;
    assert.ok(looks > 1 && looks <= 17, `${looks} looks`);
    assert.equal(same(repeated, block), true);
  });
});
