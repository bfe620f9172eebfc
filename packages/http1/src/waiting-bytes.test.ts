// What is counted as waiting for slow readers, over connections that end in whatever state: in the end it is nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HeaderList,
  queuedBodies,
  RequestHead,
  ResponseHead,
  StreamErrorCode,
  type ClientStream,
  type ServerStream,
} from "@ripstop/http";
import { SeededRandom } from "@ripstop/testkit";
import { Http1ClientConnection } from "./client-connection.ts";
import { http1Errors } from "./errors.ts";
import { FakeOutput, ManualScheduler } from "./fake-output.suite.ts";
import { Http1ServerConnection } from "./server-connection.ts";

const PIECES = 60;
const BODY = Buffer.alloc(80_000, "body ");
const QUIET = { onBody() {}, onTrailers() {}, onEnd() {}, onWritable() {}, onReset() {} };

const REQUESTS = [
  "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nab",
  "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
  "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  "no request\r\n\r\n",
];
const ANSWERS = [
  "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab",
  "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab",
  "no answer\r\n\r\n",
  "cd",
];

/** What either side's owner may do with a stream and its transport at any moment. */
function anyStep(
  random: SeededRandom,
  stream: ServerStream | ClientStream,
  parts: { readonly output: FakeOutput; readonly scheduler: ManualScheduler; writable(): void },
): void {
  switch (random.integer(9)) {
    case 0:
    case 1:
    case 2:
      stream.sendBody(BODY, 0, 1 + random.integer(random.pick([10, 20_000, BODY.length])));
      return;
    case 3:
      if (random.next() < 0.3) stream.sendEnd();
      return;
    case 4:
      if (random.next() < 0.3) stream.sendTrailers(new HeaderList());
      return;
    case 5:
      if (random.next() < 0.1) stream.reset(StreamErrorCode.CANCEL);
      return;
    case 6:
      parts.output.isCongested = random.next() < 0.7;
      if (!parts.output.isCongested) parts.writable();
      return;
    default:
      parts.scheduler.run();
  }
}

function receive(connection: { receive(buf: Buffer, start: number, end: number): void }, text: string): void {
  const bytes = Buffer.from(text, "latin1");
  connection.receive(bytes, 0, bytes.length);
}

/** Serves at random. True when bytes were counted on the way. */
function serve(random: SeededRandom): boolean {
  const before = queuedBodies.heldBytes;
  const parts = { output: new FakeOutput(), scheduler: new ManualScheduler(), writable: () => connection.writable() };
  const streams: ServerStream[] = [];
  const connection = new Http1ServerConnection({
    output: parts.output,
    scheduler: parts.scheduler,
    http2Upgrades: true,
    handler: {
      onRequest(stream) {
        streams.push(stream);
        return QUIET;
      },
      onIdle() {},
      onError() {},
      onLinger() {},
    },
  });
  let most = 0;
  for (let step = 0; step < PIECES; step++) {
    const stream = streams.at(-1);
    const chance = random.next();
    if (stream === undefined || chance < 0.15) receive(connection, random.pick(REQUESTS));
    else if (chance < 0.3) {
      const head = new ResponseHead();
      head.status = random.pick([200, 101, 204, 103]);
      head.contentLength = random.pick([-1, 10, 30_000]);
      head.protocol = head.status === 101 ? "websocket" : "";
      stream.sendResponse(head, random.next() < 0.1);
    } else anyStep(random, stream, parts);
    if (random.next() < 0.01) connection.shutdown();
    if (random.next() < 0.01) connection.refuse(http1Errors.requestTimeout);
    if (random.next() < 0.01) connection.receivedEnd();
    most = Math.max(most, queuedBodies.heldBytes - before);
  }
  connection.closed("the client is gone");
  parts.scheduler.run();
  assert.equal(queuedBodies.heldBytes, before);
  return most > 0;
}

/** As `serve`, for the side that asks. */
function ask(random: SeededRandom): boolean {
  const before = queuedBodies.heldBytes;
  const parts = { output: new FakeOutput(), scheduler: new ManualScheduler(), writable: () => connection.writable() };
  const connection = new Http1ClientConnection({
    output: parts.output,
    scheduler: parts.scheduler,
    handler: { onIdle() {}, onUnusable() {}, onError() {} },
  });
  let stream: ClientStream | undefined;
  let most = 0;
  for (let step = 0; step < PIECES; step++) {
    const opened = connection.open({ ...QUIET, onInformational() {}, onResponse() {} });
    if (opened !== undefined) {
      stream = opened;
      const head = new RequestHead();
      head.method = random.pick(["POST", "CONNECT", "GET"]);
      head.authority = "a:1";
      head.protocol = head.method === "GET" ? random.pick(["", "websocket"]) : "";
      head.contentLength = random.pick([-1, 10, 30_000]);
      stream.sendRequest(head, false);
    } else if (stream === undefined) break;
    else if (random.next() < 0.1) receive(connection, random.pick(ANSWERS));
    else anyStep(random, stream, parts);
    if (random.next() < 0.01) connection.shutdown();
    if (random.next() < 0.01) connection.receivedEnd();
    most = Math.max(most, queuedBodies.heldBytes - before);
  }
  connection.closed("the upstream is gone");
  parts.scheduler.run();
  assert.equal(queuedBodies.heldBytes, before);
  return most > 0;
}

describe("bytes that wait for a slow reader", () => {
  for (const [side, run] of [
    ["serves", serve],
    ["asks", ask],
  ] as const) {
    it(`are counted no more when the connection that ${side} is over, whatever its state was`, () => {
      let counted = 0;
      for (let seed = 1; seed <= 200; seed++) if (run(new SeededRandom(seed))) counted++;
      assert.ok(counted > 20, `${counted} of 200 runs had bytes that waited`);
    });
  }
});
