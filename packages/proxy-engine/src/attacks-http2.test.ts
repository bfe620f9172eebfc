// Attacks on HTTP/2 through two real proxies: floods, resets, compression bombs, closed windows (docs of CVE-2019-9511 to
// 9518, CVE-2023-44487, CVE-2024-27316, CVE-2025-8671 and their kind). The attacker loses its connection, the application
// loses its work, other clients notice nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Protocol } from "@ripstop/model";
import { withAttackMesh } from "./testing/attack-mesh.suite.ts";
import {
  block,
  Flag,
  frame,
  Frame,
  hello,
  indexed,
  RawHttp2Client,
  requestHead,
  u32,
} from "./testing/http2-bytes.suite.ts";
import { plainEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { eventually, fetchVia, httpApp, tcpApp } from "./testing/test-peers.suite.ts";

const ENHANCE_YOUR_CALM = 0xb;
const DONE: number = Flag.END_HEADERS | Flag.END_STREAM;
const head = (extra: readonly (readonly [string, string])[] = []): Buffer =>
  block([[":method", "GET"], [":scheme", "http"], [":path", "/hang"], [":authority", "stock"], ...extra]);
const nothing = Buffer.alloc(0);

/** Sends pieces until the proxy has had enough. Fails when it never has. */
async function flood(client: RawHttp2Client, count: number, piece: (at: number) => Buffer): Promise<void> {
  const BATCH = 50;
  for (let at = 0; at < count && !client.closed; at += BATCH) {
    await client.write(Buffer.concat(Array.from({ length: BATCH }, (_, offset) => piece(at + offset))));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await untilCut(client);
}

/** Waits until the proxy has cut the connection. Fails, and does not wait for ever, when it puts up with everything. */
async function untilCut(client: RawHttp2Client): Promise<void> {
  const early = client.closed;
  // Behind all that was sent: who has no objection ends in order now, with no error.
  client.socket.end();
  await client.untilClosed();
  assert.ok(early || client.goaway > 0 || client.lost, "the proxy put up with all of it");
}

describe("work that a client starts and gives up", () => {
  const CALLS = 20_000;
  const primitives: Record<string, (stream: number) => Buffer> = {
    "RST_STREAM (rapid reset)": (stream) => frame(Frame.RST_STREAM, 0, stream, u32(8)),
    "a window update of 0": (stream) => frame(Frame.WINDOW_UPDATE, 0, stream, u32(0)),
    "a window beyond 2^31-1": (stream) => frame(Frame.WINDOW_UPDATE, 0, stream, u32(0x7fff_ffff)),
    "a PRIORITY of wrong length": (stream) => frame(Frame.PRIORITY, 0, stream, Buffer.alloc(4)),
    "DATA after the end": (stream) => frame(Frame.DATA, 0, stream, Buffer.from("x")),
    "HEADERS after the end": (stream) => frame(Frame.HEADERS, DONE, stream, head()),
    "more DATA than declared": (stream) => frame(Frame.DATA, 0, stream, Buffer.from("more than declared")),
  };
  for (const [name, give] of Object.entries(primitives)) {
    it(`by ${name} is cancelled at the application, and the client is cut`, () =>
      withAttackMesh(async ({ port, seen, othersAreServed, untilQuiet }) => {
        const client = new RawHttp2Client(port);
        const declares = name.startsWith("more");
        const attack = flood(client, CALLS, (at) => {
          const stream = 2 * at + 1;
          const open = declares
            ? frame(Frame.HEADERS, Flag.END_HEADERS, stream, head([["content-length", "3"]]))
            : frame(Frame.HEADERS, DONE, stream, head());
          return Buffer.concat([open, give(stream)]);
        });
        await Promise.all([attack, othersAreServed()]);
        await othersAreServed();
        await untilQuiet();
        assert.ok(seen.length < 5_000, `${seen.length} requests reached the application`);
      }));
  }

  it("by leaving is cancelled too, or connections could be used in place of resets", () =>
    withAttackMesh(async ({ port, seen, open, untilQuiet }) => {
      const client = new RawHttp2Client(port);
      for (let at = 0; at < 100; at++) await client.write(frame(Frame.HEADERS, DONE, 2 * at + 1, head()));
      await eventually(() => open() === 100);
      client.socket.end();
      await client.untilClosed();
      await untilQuiet();
      assert.equal(seen.length, 100);
    }));
});

describe("frames that bring nothing", () => {
  const stream = frame(Frame.HEADERS, Flag.END_HEADERS, 1, head());
  const floods: Record<string, { readonly first?: Buffer; readonly piece: (at: number) => Buffer }> = {
    PING: { piece: () => frame(Frame.PING, 0, 0, Buffer.alloc(8)) },
    SETTINGS: { piece: () => frame(Frame.SETTINGS, 0, 0) },
    "SETTINGS with changing windows": {
      first: stream,
      piece: (at) => frame(Frame.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, at & 0xff, 1])),
    },
    "SETTINGS acknowledgements": { piece: () => frame(Frame.SETTINGS, Flag.ACK, 0) },
    PRIORITY: { piece: (at) => frame(Frame.PRIORITY, 0, 2 * (at % 1000) + 1, Buffer.alloc(5)) },
    "empty DATA": { first: stream, piece: () => frame(Frame.DATA, 0, 1) },
    "padding only": { first: stream, piece: () => frame(Frame.DATA, 8, 1, Buffer.from([3, 0, 0, 0])) },
    "empty CONTINUATION": {
      first: frame(Frame.HEADERS, 0, 1, head()),
      piece: () => frame(Frame.CONTINUATION, 0, 1),
    },
    "endless CONTINUATION": {
      first: frame(Frame.HEADERS, 0, 1, head()),
      piece: () => frame(Frame.CONTINUATION, 0, 1, block([["x", "y".repeat(1000)]])),
    },
    "unknown frames": { piece: () => frame(0xbb, 0, 0, Buffer.from("ORIGIN")) },
    "window updates": { piece: () => frame(Frame.WINDOW_UPDATE, 0, 0, u32(1)) },
    "window updates of stream 0 beyond the limit": { piece: () => frame(Frame.WINDOW_UPDATE, 0, 0, u32(0x7fff_ffff)) },
    "requests with malformed heads": { piece: (at) => frame(Frame.HEADERS, DONE, 2 * at + 1, block([["a", "b"]])) },
    GOAWAY: { piece: () => frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8)) },
  };
  for (const [name, { first = nothing, piece }] of Object.entries(floods)) {
    it(`cost the connection: ${name}`, () =>
      withAttackMesh(async ({ port, othersAreServed, untilQuiet }) => {
        const client = new RawHttp2Client(port);
        await client.write(first);
        const attack = flood(client, 200_000, piece);
        await Promise.all([attack, othersAreServed()]);
        await othersAreServed();
        await untilQuiet();
      }));
  }

  it("do not pile up answers for a client that does not read", () =>
    withAttackMesh(async ({ port, othersAreServed }) => {
      const client = new RawHttp2Client(port);
      await client.untilFrame(Frame.SETTINGS);
      client.socket.pause();
      const before = process.memoryUsage().rss;
      const ping = Buffer.concat(Array.from({ length: 100 }, () => frame(Frame.PING, 0, 0, Buffer.alloc(8))));
      for (let at = 0; at < 2_000 && client.socket.writable; at++) {
        if (!client.socket.write(ping)) await new Promise<void>((resolve) => setImmediate(resolve));
      }
      client.socket.resume();
      await untilCut(client);
      assert.ok(client.goaway === ENHANCE_YOUR_CALM || client.goaway === -1);
      assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
      await othersAreServed();
    }));

  it("end with the connection when it is cut in the middle of a header block", () =>
    withAttackMesh(async ({ port, seen, othersAreServed, untilQuiet }) => {
      const client = new RawHttp2Client(port);
      await client.write(Buffer.concat([frame(Frame.HEADERS, 0, 1, head()), frame(Frame.CONTINUATION, 0, 1, nothing)]));
      client.socket.destroy();
      await client.untilClosed();
      await othersAreServed();
      await untilQuiet();
      assert.deepEqual(
        seen.map(({ url }) => url),
        ["/honest"],
      );
    }));
});

describe("header blocks that grow when they are read", () => {
  const bombs: Record<string, (stream: number) => Buffer> = {
    "a table entry named ten thousand times": () =>
      Buffer.concat([head(), indexed("cookie", "c".repeat(3_900)), Buffer.alloc(10_000, 0x80 | 62)]),
    "ten thousand fields": () =>
      Buffer.concat([head(), block(Array.from({ length: 3_000 }, (_, at) => [`h${at}`, "v"]))]),
    "a large value in Huffman code": () =>
      // "0" takes five bits: 16,000 bytes are 25,600 characters, and there are four of them.
      Buffer.concat([
        head(),
        ...Array.from({ length: 2 }, () =>
          Buffer.concat([Buffer.from([0, 1, 0x78, 0xff, 0x81, 0x7c]), Buffer.alloc(16_000)]),
        ),
      ]),
  };
  for (const [name, bomb] of Object.entries(bombs)) {
    it(`are refused before they reach the application: ${name}`, () =>
      withAttackMesh(async ({ port, seen, othersAreServed, untilQuiet }) => {
        const client = new RawHttp2Client(port);
        const bytes = bomb(1);
        const pieces: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += 16_000) {
          const last = at + 16_000 >= bytes.length;
          const type = at === 0 ? Frame.HEADERS : Frame.CONTINUATION;
          const flags = (at === 0 ? Flag.END_STREAM : 0) | (last ? Flag.END_HEADERS : 0);
          pieces.push(frame(type, flags, 1, bytes.subarray(at, at + 16_000)));
        }
        await client.write(Buffer.concat([...pieces, frame(Frame.PING, 0, 0, Buffer.alloc(8))]));
        await client.untilFrame(Frame.PING);
        client.socket.destroy();
        await othersAreServed();
        await untilQuiet();
        assert.deepEqual(
          seen.map(({ url }) => url),
          ["/honest"],
        );
      }));
  }

  it("cost the connection when the table size is changed over and over", () =>
    withAttackMesh(async ({ port, othersAreServed }) => {
      const client = new RawHttp2Client(port);
      const changes = Buffer.concat(Array.from({ length: 500 }, () => Buffer.from([0x20, 0x3f, 0xe1, 0x1f])));
      await client.write(frame(Frame.HEADERS, DONE, 1, Buffer.concat([changes, head()])));
      await untilCut(client);
      await othersAreServed();
    }));

  it("refuse fields that would end a line elsewhere, and control characters, and keep the connection", () =>
    withAttackMesh(async ({ port, seen, othersAreServed, untilQuiet }) => {
      const client = new RawHttp2Client(port);
      const bad: readonly (readonly [string, string])[] = [
        ["x-request-id", "a\r\nGET /smuggled HTTP/1.1"],
        ["x-a", "a\nb"],
        ["x-a", "a\0b"],
        ["x-a\r\nx-b", "c"],
        ["x-a:b", "c"],
        ["X-Upper", "c"],
        ["transfer-encoding", "chunked"],
        ["connection", "close"],
        ["content-length", "1, 1"],
        ["content-length", "+1"],
        [":path", "/second"],
      ];
      for (const [at, field] of bad.entries())
        await client.write(frame(Frame.HEADERS, DONE, 2 * at + 1, requestHead("stock", [field])));
      for (const [at, pseudo] of ["/a b", "/a\r\nb", "/a\0", "noslash", "/a#b"].entries()) {
        const fields = block([
          [":method", "GET"],
          [":scheme", "http"],
          [":path", pseudo],
          [":authority", "stock"],
        ]);
        await client.write(frame(Frame.HEADERS, DONE, 101 + 2 * at, fields));
      }
      await client.write(frame(Frame.PING, 0, 0, Buffer.alloc(8)));
      await client.untilFrame(Frame.PING);
      assert.equal(client.goaway, -1);
      client.socket.destroy();
      await othersAreServed();
      await untilQuiet();
      assert.deepEqual(
        seen.map(({ url }) => url),
        ["/honest"],
      );
    }));
});

describe("a client that does not take its answers", () => {
  it("holds up the application at its window, and nobody else", () => {
    let sent = 0;
    return withAttackMesh(
      async ({ port, othersAreServed, untilQuiet }) => {
        const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
        const client = new RawHttp2Client(port, noWindow);
        for (let at = 0; at < 20; at++) await client.write(frame(Frame.HEADERS, DONE, 2 * at + 1, head()));
        for (let at = 0; at < 30; at++) await othersAreServed();
        // Per stream: the proxies' windows and the sockets between. Without a bound it would be gigabytes.
        assert.ok(sent < 20 * 4 * 1024 * 1024, `${sent} bytes were taken from the application`);
        client.socket.destroy();
        await untilQuiet();
      },
      (request, response) => {
        if (request.url !== "/hang") {
          response.end("ok");
          return;
        }
        const chunk = Buffer.alloc(64 * 1024);
        const more = (): void => {
          while (!response.destroyed && response.write(chunk)) sent += chunk.length;
        };
        response.on("drain", more);
        more();
      },
    );
  });

  it("does not use up the connection between the proxies, which carries others' requests too", () =>
    withAttackMesh(
      async ({ port, seen, othersAreServed, untilQuiet }) => {
        const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
        const clients = [new RawHttp2Client(port, noWindow), new RawHttp2Client(port, noWindow)];
        const STREAMS = 160;
        for (const client of clients)
          for (let at = 0; at < STREAMS; at++) await client.write(frame(Frame.HEADERS, DONE, 2 * at + 1, head()));
        await eventually(() => seen.length === clients.length * STREAMS);
        let served = 0;
        for (let at = 1; at <= 50; at++) {
          void othersAreServed().then(() => served++);
          await eventually(() => served === at);
        }
        for (const client of clients) client.socket.destroy();
        await untilQuiet();
      },
      (request, response) => {
        if (request.url === "/hang") response.end(Buffer.alloc(300 * 1024));
        else response.end(Buffer.alloc(10_000));
      },
    ));
});

describe("an upstream that misbehaves", () => {
  it("by GOAWAY and no streams at all is passed over (CVE-2021-32780)", async () => {
    const mesh = await TestMesh.create();
    let dials = 0;
    const bad = await tcpApp((socket) => {
      dials++;
      const none = Buffer.from([0, 3, 0, 0, 0, 0]);
      socket.write(Buffer.concat([frame(Frame.SETTINGS, 0, 0), frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8))]));
      socket.write(frame(Frame.SETTINGS, 0, 0, none));
      socket.on("data", () => undefined);
    });
    try {
      mesh.service("shop/bad", {
        ports: [{ port: 80, protocol: Protocol.HTTP2 }],
        endpoints: [plainEndpoint(bad.port, { 80: bad.port })],
        resilience: { requestTimeoutMs: 500 },
      });
      const web = await mesh.start({ id: "shop/web-1" });
      const answer = await fetchVia(web.ports.httpProxy, "http://bad/");
      assert.ok(answer.status >= 500);
      assert.ok(dials < 100, `${dials} connections were made for one request`);
    } finally {
      await mesh.close();
      await bad.close();
    }
  });

  it("by an endless header block or a ping flood is cut, and the request answered", async () => {
    for (const flooding of [
      Buffer.concat([
        frame(Frame.HEADERS, 0, 1, block([[":status", "200"]])),
        ...Array.from({ length: 100 }, () => frame(Frame.CONTINUATION, 0, 1, block([["x", "y"]]))),
      ]),
      Buffer.concat(Array.from({ length: 20_000 }, () => frame(Frame.PING, 0, 0, Buffer.alloc(8)))),
      frame(
        Frame.HEADERS,
        Flag.END_HEADERS,
        1,
        block([
          [":status", "200"],
          ["x", "a\r\nb"],
        ]),
      ),
      hello(),
    ]) {
      const mesh = await TestMesh.create();
      const bad = await tcpApp((socket) => {
        socket.write(frame(Frame.SETTINGS, 0, 0));
        socket.on("data", (chunk: Buffer) => {
          if (chunk.includes("bad")) socket.write(flooding);
        });
        socket.once("data", () => socket.write(flooding));
      });
      const other = await httpApp((_request, response) => response.end("ok"));
      try {
        mesh.service("shop/bad", {
          ports: [{ port: 80, protocol: Protocol.HTTP2 }],
          endpoints: [plainEndpoint(bad.port, { 80: bad.port })],
          resilience: { requestTimeoutMs: 2_000 },
        });
        const web = await mesh.start({ id: "shop/web-1" });
        const answer = await fetchVia(web.ports.httpProxy, "http://bad/");
        assert.ok(answer.status >= 500, String(answer.status));
        assert.equal((await fetchVia(web.ports.httpProxy, `http://127.0.0.1:${other.port}/`)).status, 200);
      } finally {
        await mesh.close();
        await bad.close();
        await other.close();
      }
    }
  });
});
