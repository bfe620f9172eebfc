// Clients that are slow, on purpose or not, over real sockets: who loses what, and when.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { Protocol } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { BODY_TIMEOUT_MS, HEAD_TIMEOUT_MS, SESSION_CHECK_MS, SESSION_IDLE_MS } from "./settings.ts";
import { block, Flag, frame, Frame, framesOf, RawHttp2Client } from "./testing/http2-bytes.suite.ts";
import { plainEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { eventually, http2App } from "./testing/test-peers.suite.ts";

interface Parts {
  readonly clock: StoppedClock;
  readonly port: number;
  /** Requests that the application has, and those that it lost. */
  readonly paths: readonly string[];
  readonly lost: readonly string[];
}

/** An application behind a proxy whose clock the test moves; it answers "/" and nothing else. */
async function withProxy(run: (parts: Parts) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const paths: string[] = [];
  const lost: string[] = [];
  const app = await http2App((server) => {
    server.on("stream", (stream, headers) => {
      const path = headers[":path"] ?? "";
      paths.push(path);
      stream.on("error", () => undefined);
      stream.resume();
      if (path === "/") stream.on("end", () => stream.end("ok"));
      else stream.on("close", () => lost.push(path));
    });
  });
  const clock = new StoppedClock();
  try {
    mesh.service("shop/stock", {
      ports: [{ port: 80, protocol: Protocol.HTTP2 }],
      endpoints: [plainEndpoint(app.port, { 80: app.port })],
    });
    const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "stock", port: 80 }], clock });
    await run({ clock, port: web.ports.upstreams[0] ?? 0, paths, lost });
  } finally {
    await mesh.close();
    await app.close();
  }
}

const head = (path: string, extra: readonly (readonly [string, string])[] = []): Buffer =>
  block([[":method", "POST"], [":scheme", "http"], [":path", path], [":authority", "stock"], ...extra]);

describe("an HTTP/2 client whose request bodies trickle", () => {
  it("is answered 408 for each and keeps its connection, and calls that stream go on", () =>
    withProxy(async ({ clock, port, paths, lost }) => {
      const client = new RawHttp2Client(port);
      await client.write(frame(Frame.HEADERS, Flag.END_HEADERS, 1, head("/trickle")));
      await client.write(
        frame(Frame.HEADERS, Flag.END_HEADERS, 3, head("/rpc", [["content-type", "application/grpc"]])),
      );
      await client.write(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 5, head("/poll")));
      await eventually(() => paths.length === 3);
      for (let spent = 0; spent <= BODY_TIMEOUT_MS + 2 * SESSION_CHECK_MS; spent += SESSION_CHECK_MS) {
        await client.write(frame(Frame.DATA, 0, 1, Buffer.from("x")));
        await client.roundTrip();
        clock.advance(SESSION_CHECK_MS);
      }
      await client.untilFrame(Frame.RST_STREAM);
      const answers = framesOf(client.received, Frame.HEADERS);
      assert.deepEqual(
        answers.map((answer) => answer.readUInt32BE(5)),
        [1],
      );
      assert.ok(answers[0]?.includes("408") === true && answers[0].includes("RS5210"));
      await eventually(() => lost.length > 0);
      assert.deepEqual(lost, ["/trickle"]);
      await client.write(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 7, head("/")));
      await client.untilFrame(Frame.DATA);
      assert.equal(framesOf(client.received, Frame.DATA)[0]?.readUInt32BE(5), 7);
      assert.equal(client.goaway, -1);
      client.socket.destroy();
      await eventually(() => lost.length === 3);
    }));
});

describe("an HTTP/1.1 client that sends an empty line behind a body", () => {
  /** Waits for `text` to have come in all. */
  const until = (socket: Socket, text: string): Promise<string> =>
    new Promise((resolve) => {
      let received = "";
      socket.on("data", (chunk: Buffer) => {
        received += chunk.toString("latin1");
        if (received.includes(text)) resolve(received);
      });
    });

  it("is idle, may ask again, and is closed without a word when it does not", () =>
    withProxy(async ({ clock, port, paths }) => {
      const socket = connect({ port, host: "127.0.0.1" });
      const ask = "POST / HTTP/1.1\r\nhost: stock\r\ncontent-length: 2\r\n\r\nhi\r\n";
      const first = until(socket, "ok");
      socket.write(ask);
      await first;
      for (let spent = 0; spent <= 2 * HEAD_TIMEOUT_MS; spent += SESSION_CHECK_MS) clock.advance(SESSION_CHECK_MS);
      const second = until(socket, "ok");
      socket.write(ask);
      assert.match(await second, /^HTTP\/1\.1 200 /);
      assert.deepEqual(paths, ["/", "/"]);
      let rest = "";
      socket.on("data", (chunk: Buffer) => (rest += chunk.toString("latin1")));
      const ended = new Promise<void>((resolve) => socket.once("end", () => resolve()));
      for (let spent = 0; spent <= SESSION_IDLE_MS + SESSION_CHECK_MS; spent += SESSION_CHECK_MS)
        clock.advance(SESSION_CHECK_MS);
      await ended;
      assert.equal(rest, "");
      socket.destroy();
    }));
});
