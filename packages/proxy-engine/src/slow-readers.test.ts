// Many clients that take nothing of their answers: what waits for them is bounded over the whole process, nobody else
// notices, and when they read on, all of it comes.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { queuedBodies } from "@ripstop/http";
import { QUEUED_BODIES_BYTES } from "./settings.ts";
import { withAttackMesh, type AttackMesh } from "./testing/attack-mesh.suite.ts";
import { block, Flag, frame, Frame, framesOf, RawHttp2Client, u32 } from "./testing/http2-bytes.suite.ts";
import { eventually, fetchVia } from "./testing/test-peers.suite.ts";

const DONE: number = Flag.END_HEADERS | Flag.END_STREAM;
const NO_WINDOW: Buffer = Buffer.from([0, 4, 0, 0, 0, 0]);
const KIB = 1024;
/** More than both proxies would take of a stream that nobody reads. */
const BODY: Buffer = Buffer.alloc(600 * KIB, "0123456789abcdef-");
/** More than the sockets on the way take. */
const LARGE: Buffer = Buffer.alloc(16 * KIB * KIB, "0123456789abcdef-");
const LIMIT_BYTES = 2 * KIB * KIB;

const BODIES: Readonly<Record<string, string | Buffer>> = { "/honest": "ok", "/slow": BODY, "/large": LARGE };

const head = (path: string): Buffer =>
  block([
    [":method", "GET"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "stock"],
  ]);

/** The bytes that came on each stream. */
function bodiesOf(client: RawHttp2Client): Map<number, number> {
  const bodies = new Map<number, number>();
  for (const data of framesOf(client.received, Frame.DATA)) {
    const stream = data.readUInt32BE(5);
    bodies.set(stream, (bodies.get(stream) ?? 0) + data.length - 9);
  }
  return bodies;
}

async function withLimit(run: (parts: AttackMesh, restBytes: number) => Promise<void>): Promise<void> {
  // Of other tests in this process, whose connections were made up.
  const restBytes = queuedBodies.heldBytes;
  try {
    await withAttackMesh(
      async (parts) => {
        queuedBodies.limitBytes = restBytes + LIMIT_BYTES;
        await run(parts, restBytes);
        queuedBodies.limitBytes = restBytes + LIMIT_BYTES;
        await parts.untilQuiet();
        await eventually(() => queuedBodies.heldBytes === restBytes);
        assert.ok(!queuedBodies.isTight);
      },
      ({ url = "" }, response) => void response.end(BODIES[url]),
    );
  } finally {
    queuedBodies.limitBytes = QUEUED_BODIES_BYTES;
  }
}

/** Opens streams until `count` of them wait at the application or have begun. */
async function ask(client: RawHttp2Client, from: number, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await client.write(frame(Frame.HEADERS, DONE, 2 * (from + at) + 1, head("/slow")));
  await client.roundTrip();
}

const answers = (client: RawHttp2Client): number => framesOf(client.received, Frame.HEADERS).length;

describe("the memory for bodies that wait for slow readers", () => {
  it("is bounded over all streams of HTTP/2, and every stream goes on when it is read", () =>
    withLimit(async ({ web, othersAreServed }) => {
      const port = web.ports.upstreams[0] ?? 0;
      const first = new RawHttp2Client(port, NO_WINDOW);
      const FIRST = 16;
      await ask(first, 0, FIRST);
      await eventually(() => queuedBodies.isTight && answers(first) === FIRST);
      await othersAreServed();
      const second = new RawHttp2Client(port, NO_WINDOW);
      const SECOND = 48;
      await ask(second, 0, SECOND);
      await eventually(() => answers(second) === SECOND);
      // Time for what is granted to come: other bodies pass whole meanwhile.
      for (let at = 0; at < 5; at++) {
        const answer = await fetchVia(web.ports.httpProxy, "http://stock/slow");
        assert.equal(answer.body, BODY.toString("latin1"));
      }
      // The first ones may have all that they were granted before; a later one a small window in one proxy, and one read
      // from the application in the other, both in memory of the next power of two. Without a bound it is a third more.
      const most = FIRST * 400 * KIB + SECOND * 160 * KIB;
      assert.ok(queuedBodies.heldBytes < most, `${queuedBodies.heldBytes} bytes wait`);
      for (const [client, count] of [
        [first, FIRST],
        [second, SECOND],
      ] as const) {
        await client.write(frame(Frame.WINDOW_UPDATE, 0, 0, u32(0x3fff_ffff)));
        for (let at = 0; at < count; at++)
          await client.write(frame(Frame.WINDOW_UPDATE, 0, 2 * at + 1, u32(BODY.length)));
      }
      for (const [client, count] of [
        [first, FIRST],
        [second, SECOND],
      ] as const) {
        await eventually(() => client.socket.bytesRead > count * BODY.length);
        await eventually(() => [...bodiesOf(client).values()].every((bytes) => bytes === BODY.length));
        assert.equal(bodiesOf(client).size, count);
        client.socket.destroy();
      }
    }));

  it("counts what waits for HTTP/1.1 clients too, whose answers come whole in the end", () =>
    withLimit(async ({ web, othersAreServed }, restBytes) => {
      // The kernel takes some megabytes of each before anything waits.
      const sockets = Array.from({ length: 3 }, () => {
        const socket = connect({ port: web.ports.upstreams[0] ?? 0, host: "127.0.0.1" });
        socket.pause();
        socket.write("GET /large HTTP/1.1\r\nhost: stock\r\nconnection: close\r\n\r\n");
        return socket;
      });
      await eventually(() => queuedBodies.heldBytes > restBytes);
      queuedBodies.limitBytes = restBytes;
      assert.ok(queuedBodies.isTight);
      await othersAreServed();
      const texts = await Promise.all(sockets.map((socket) => buffer(socket)));
      for (const text of texts) {
        const at = text.indexOf("\r\n\r\n") + 4;
        assert.ok(text.subarray(at).equals(LARGE));
      }
    }));
});
