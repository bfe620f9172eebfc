// Upstreams that break HTTP/2 in every way we know of, byte by byte: the client gets an answer or an end, the proxy keeps
// nothing, and the next request is served.

import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { CLIENT_PREFACE } from "@ripstop/http2";
import { Endpoint_Reach, Protocol } from "@ripstop/model";
import { acknowledged, block, Flag, frame, Frame, u32 } from "./testing/http2-bytes.suite.ts";
import { TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import { eventually, fetchVia, http2Client, tcpApp, type Ask, type Started } from "./testing/test-peers.suite.ts";

const DONE: number = Flag.END_HEADERS | Flag.END_STREAM;
const setting = (id: number, value: number): Buffer => Buffer.concat([Buffer.from([0, id]), u32(value)]);
const TABLE_SIZE = 1;
const MAX_STREAMS = 3;
const WINDOW = 4;
const INTERNAL_ERROR = 2;
const REFUSED_STREAM = 7;

/** One connection to the upstream. */
interface Peer {
  send(...frames: Buffer[]): void;
  settings(id: number, value: number): void;
  /** A response head. */
  head(stream: number, fields?: readonly (readonly [string, string])[], flags?: number): void;
  data(stream: number, text: string, flags?: number): void;
  end(): void;
}

/** What the upstream does; what is left out is done right. */
interface Behaviour {
  /** What its first SETTINGS say. */
  readonly first?: Buffer;
  /** A connection was made. */
  readonly hello?: (peer: Peer) => void;
  /** A request's head came. */
  readonly request?: (peer: Peer, stream: number) => void;
  /** `length` bytes of a body came, and with `end` its end. */
  readonly body?: (peer: Peer, stream: number, length: number, end: boolean) => void;
}

const answer = (peer: Peer, stream: number): void => {
  peer.head(stream);
  peer.data(stream, "ok", Flag.END_STREAM);
};

class RawPeer implements Peer {
  readonly #socket: Socket;
  readonly #behaviour: () => Behaviour;
  #received: Buffer = Buffer.alloc(0);
  #begun = false;

  constructor(socket: Socket, behaviour: () => Behaviour) {
    this.#socket = socket;
    this.#behaviour = behaviour;
    this.send(frame(Frame.SETTINGS, 0, 0, behaviour().first));
    behaviour().hello?.(this);
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  send(...frames: Buffer[]): void {
    if (this.#socket.writable) this.#socket.write(Buffer.concat(frames));
  }

  settings(id: number, value: number): void {
    this.send(frame(Frame.SETTINGS, 0, 0, setting(id, value)));
  }

  head(stream: number, fields: readonly (readonly [string, string])[] = [], flags: number = Flag.END_HEADERS): void {
    this.send(frame(Frame.HEADERS, flags, stream, block([[":status", "200"], ...fields])));
  }

  data(stream: number, text: string, flags: number = 0): void {
    this.send(frame(Frame.DATA, flags, stream, Buffer.from(text)));
  }

  end(): void {
    this.#socket.end();
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    if (!this.#begun && this.#received.length >= CLIENT_PREFACE.length) {
      this.#begun = true;
      this.#received = this.#received.subarray(CLIENT_PREFACE.length);
    }
    while (this.#begun && this.#received.length >= 9) {
      const length = this.#received.readUIntBE(0, 3);
      if (this.#received.length < 9 + length) return;
      const [type, flags] = [this.#received[3], this.#received[4] ?? 0];
      const stream = this.#received.readUInt32BE(5);
      this.#received = this.#received.subarray(9 + length);
      this.#frame({ type, flags, stream, length });
    }
  }

  #frame(one: { readonly type: number | undefined; flags: number; stream: number; length: number }): void {
    const { type, flags, stream, length } = one;
    const ended = (flags & Flag.END_STREAM) !== 0;
    const { request, body } = this.#behaviour();
    if (type === Frame.SETTINGS && (flags & Flag.ACK) === 0) this.send(acknowledged);
    else if (type === Frame.HEADERS) {
      if (request !== undefined) request(this, stream);
      else if (ended) answer(this, stream);
    } else if (type === Frame.DATA) {
      if (body !== undefined) body(this, stream, length, ended);
      else if (ended) answer(this, stream);
    }
  }
}

describe("an upstream that speaks HTTP/2", () => {
  let mesh: TestMesh;
  let bad: Started;
  let web: TestProxy;
  let behaviour: Behaviour = {};
  let connections = 0;

  before(async () => {
    mesh = await TestMesh.create();
    bad = await tcpApp((socket) => {
      connections++;
      new RawPeer(socket, () => behaviour);
    });
    mesh.service("shop/bad", {
      ports: [{ port: 80, protocol: Protocol.HTTP2 }],
      endpoints: [
        {
          id: "bad",
          reach: Endpoint_Reach.PLAIN,
          address: `127.0.0.1:${bad.port}`,
          spiffeId: "",
          weight: 1,
          healthy: true,
          locality: undefined,
          targetPorts: { 80: bad.port },
          version: "",
        },
      ],
    });
    web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "bad", port: 80 }] });
  });

  after(async () => {
    await mesh.close();
    await bad.close();
  });

  /** The status and body of the answer; "broken" when it ended before its time. */
  async function ask(how: Ask = {}): Promise<string> {
    try {
      const { status, body } = await fetchVia(web.ports.httpProxy, "http://bad/", how);
      return status === 200 ? `200 ${body}` : String(status);
    } catch {
      return "broken";
    }
  }

  let refuse = (): void => undefined;

  /** Nothing is left of what was, and the next request is served by an upstream that keeps to the rules. */
  async function goesOn(): Promise<void> {
    behaviour = {};
    await eventually(() => web.proxy.live.exchanges === 0);
    assert.equal(await ask(), "200 ok");
    await eventually(() => web.proxy.live.exchanges === 0);
  }

  const early = (peer: Peer, stream: number, ...fields: (readonly [string, string])[]): void => {
    peer.head(stream, fields);
    peer.data(stream, "some");
    refuse = () => peer.send(frame(Frame.RST_STREAM, 0, stream, u32(REFUSED_STREAM)));
  };
  const many = (count: number, make: (at: number) => Buffer): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, at) => make(at)));

  const cases: Record<string, Behaviour & { readonly gives: string; readonly how?: Ask }> = {
    "lets no stream be open, then one": {
      first: setting(MAX_STREAMS, 0),
      hello: (peer) => peer.settings(MAX_STREAMS, 1),
      gives: "200 ok",
    },
    "opens its windows byte by byte": {
      hello: (peer) => peer.settings(WINDOW, 1),
      body: (peer, stream, length, end) => {
        if (end) answer(peer, stream);
        else if (length > 0) peer.send(frame(Frame.WINDOW_UPDATE, 0, stream, u32(1)));
      },
      how: { method: "POST", body: "x".repeat(3_000) },
      gives: "200 ok",
    },
    "makes windows negative and opens them again": {
      request: (peer) => peer.settings(WINDOW, 0),
      body: (peer, stream, length, end) => {
        if (end) answer(peer, stream);
        else if (length > 0)
          peer.send(
            frame(Frame.WINDOW_UPDATE, 0, 0, u32(length)),
            // What the window was, and more: it was below 0.
            frame(Frame.WINDOW_UPDATE, 0, stream, u32(65_535)),
          );
      },
      how: { method: "POST", body: "x".repeat(100_000) },
      gives: "200 ok",
    },
    "changes the size of the header table to 0 and back": {
      request: (peer, stream) => {
        for (const size of [0, 4096, 0, 4096]) peer.settings(TABLE_SIZE, size);
        answer(peer, stream);
      },
      gives: "200 ok",
    },
    "overflows the stream's window": {
      request: (peer, stream) => peer.send(frame(Frame.WINDOW_UPDATE, 0, stream, u32(0x7fff_ffff))),
      gives: "502",
    },
    "overflows the connection's window": {
      request: (peer) => peer.send(frame(Frame.WINDOW_UPDATE, 0, 0, u32(0x7fff_ffff))),
      gives: "502",
    },
    "overflows windows by SETTINGS": {
      request: (peer, stream) => {
        peer.send(frame(Frame.WINDOW_UPDATE, 0, stream, u32(1)));
        peer.settings(WINDOW, 0x7fff_ffff);
      },
      gives: "502",
    },
    "answers with too many fields": {
      request: (peer, stream) =>
        peer.head(
          stream,
          Array.from({ length: 300 }, (_, at) => [`f${at}`, "v"] as const),
          DONE,
        ),
      gives: "502",
    },
    "answers with 1xx without end": {
      request: (peer, stream) =>
        peer.send(many(1_000, () => frame(Frame.HEADERS, Flag.END_HEADERS, stream, block([[":status", "103"]])))),
      gives: "502",
    },
    "switches protocols": {
      request: (peer, stream) => peer.send(frame(Frame.HEADERS, DONE, stream, block([[":status", "101"]]))),
      gives: "502",
    },
    "answers without a status": {
      request: (peer, stream) => peer.send(frame(Frame.HEADERS, DONE, stream, block([["a", "b"]]))),
      gives: "502",
    },
    "sends a body without a head": {
      request: (peer, stream) => peer.data(stream, "ok", Flag.END_STREAM),
      gives: "502",
    },
    "sends trailers that do not end": {
      request: (peer, stream) => {
        early(peer, stream);
        peer.send(many(100, () => frame(Frame.HEADERS, Flag.END_HEADERS, stream, block([["a", "b"]]))));
      },
      gives: "broken",
    },
    "sends trailers that are too large": {
      request: (peer, stream) => {
        early(peer, stream);
        peer.send(
          frame(Frame.HEADERS, DONE, stream, block(Array.from({ length: 300 }, (_, at) => [`f${at}`, "v"] as const))),
        );
      },
      gives: "broken",
    },
    "sends more than it declared": {
      request: (peer, stream) => {
        peer.head(stream, [["content-length", "2"]]);
        peer.data(stream, "more", Flag.END_STREAM);
      },
      gives: "broken",
    },
    "sends less than it declared": {
      request: (peer, stream) => {
        peer.head(stream, [["content-length", "5"]]);
        peer.data(stream, "less", Flag.END_STREAM);
      },
      gives: "broken",
    },
    "resets the stream behind its whole answer": {
      request: (peer, stream) => {
        answer(peer, stream);
        peer.send(frame(Frame.RST_STREAM, 0, stream, u32(0)));
      },
      how: { method: "POST", body: "x".repeat(3_000) },
      gives: "200 ok",
    },
    "resets the stream in the middle of its answer": {
      request: (peer, stream) => {
        early(peer, stream);
        peer.send(frame(Frame.RST_STREAM, 0, stream, u32(0)));
      },
      gives: "broken",
    },
    "goes on behind the end of its answer": {
      request: (peer, stream) => {
        answer(peer, stream);
        peer.data(stream, "more");
      },
      gives: "200 ok",
    },
    pushes: {
      request: (peer, stream) => peer.send(frame(5, Flag.END_HEADERS, stream, Buffer.concat([u32(2), block([])]))),
      gives: "502",
    },
    "answers what was not asked": {
      request: (peer, stream) => peer.head(stream + 2, [], DONE),
      gives: "502",
    },
    "says goodbye to everything, each time": {
      request: (peer) => peer.send(frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8))),
      gives: "503",
    },
    "says goodbye before it was asked, takes nothing and leaves": {
      first: setting(MAX_STREAMS, 0),
      hello: (peer) => {
        peer.send(frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8)));
        peer.end();
      },
      gives: "503",
    },
    "floods with empty DATA": {
      request: (peer, stream) => {
        peer.head(stream);
        peer.send(many(2_000, () => frame(Frame.DATA, 0, stream)));
      },
      gives: "broken",
    },
    "floods with SETTINGS": {
      request: (peer) => peer.send(many(5_000, (at) => frame(Frame.SETTINGS, 0, 0, setting(WINDOW, at)))),
      gives: "502",
    },
    "floods with window updates": {
      request: (peer, stream) => peer.send(many(20_000, () => frame(Frame.WINDOW_UPDATE, 0, stream, u32(1)))),
      gives: "502",
    },
    "floods with resets of what has ended": {
      request: (peer, stream) => {
        answer(peer, stream);
        peer.send(many(5_000, () => frame(Frame.RST_STREAM, 0, stream, u32(8))));
      },
      gives: "200 ok",
    },
    "floods with frames that nobody knows": {
      request: (peer) => peer.send(many(5_000, () => frame(0xc, 0, 0, Buffer.from("ORIGIN")))),
      gives: "502",
    },
  };
  for (const [name, { gives, how, ...one }] of Object.entries(cases)) {
    it(`and ${name}`, async () => {
      // Each begins with a connection of its own.
      behaviour = { request: (peer) => peer.send(frame(Frame.PING, 0, 1, Buffer.alloc(8))) };
      await ask();
      behaviour = one;
      connections = 0;
      assert.equal(await ask(how), gives);
      assert.ok(connections < 20, `${connections} connections for one request`);
      await goesOn();
    });
  }

  it("and refuses a stream whose answer it has begun: the client is not told that nothing was done", async () => {
    behaviour = { request: early };
    const session = http2Client(web.ports.upstreams[0] ?? 0);
    const stream = session.request({ ":path": "/" });
    stream.on("error", () => undefined);
    const closed = new Promise((resolve) => stream.on("close", resolve));
    await new Promise((resolve) => stream.on("data", resolve));
    refuse();
    await closed;
    assert.equal(stream.rstCode, INTERNAL_ERROR);
    session.close();
    await goesOn();
  });
});
