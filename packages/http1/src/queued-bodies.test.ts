// What a connection has told the process to wait for it takes back, however the connection ends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { queuedBodies, RequestHead, ResponseHead, type ClientStream, type ServerStream } from "@ripstop/http";
import { Http1ClientConnection } from "./client-connection.ts";
import { http1Errors } from "./errors.ts";
import { FakeOutput, ManualScheduler } from "./fake-output.suite.ts";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";
import { Http1ServerConnection } from "./server-connection.ts";

const BODY: Buffer = Buffer.alloc(100_000, "x");
const LIMITS = { ...DEFAULT_HTTP1_LIMITS, maxPipelinedBytes: 100, maxDrainBytes: 100, maxLingerBytes: 100 };
const FILLER = "y".repeat(200);

/** One side of a connection whose output takes nothing. */
interface Side<Connection, Stream> {
  readonly connection: Connection;
  readonly stream: Stream;
  readonly output: FakeOutput;
  receive(text: string): void;
}

function receiver(connection: Http1ServerConnection | Http1ClientConnection): (text: string) => void {
  return (text) => {
    const bytes = Buffer.from(text, "latin1");
    connection.receive(bytes, 0, bytes.length);
  };
}

/** A server that sends BODY, or the first bytes of a tunnel, in answer to `request`. */
function server(request: string, length: number): Side<Http1ServerConnection, ServerStream> {
  const output = new FakeOutput();
  let stream: ServerStream | undefined;
  const connection = new Http1ServerConnection({
    output,
    scheduler: new ManualScheduler(),
    limits: LIMITS,
    handler: {
      onRequest: (made) => {
        stream = made;
        return { onBody() {}, onTrailers() {}, onEnd() {}, onWritable() {}, onReset() {} };
      },
      onIdle() {},
      onError() {},
      onLinger() {},
    },
  });
  const receive = receiver(connection);
  receive(request);
  assert.ok(stream);
  const head = new ResponseHead();
  head.contentLength = length;
  output.isCongested = true;
  stream.sendResponse(head, false);
  stream.sendBody(BODY, 0, BODY.length);
  return { connection, stream, output, receive };
}

/** A client that sends BODY. */
function client(): Side<Http1ClientConnection, ClientStream> {
  const output = new FakeOutput();
  const connection = new Http1ClientConnection({
    output,
    scheduler: new ManualScheduler(),
    handler: { onIdle() {}, onUnusable() {}, onError() {} },
  });
  const stream = connection.open({
    onInformational() {},
    onResponse() {},
    onBody() {},
    onTrailers() {},
    onEnd() {},
    onWritable() {},
    onReset() {},
  });
  assert.ok(stream);
  const head = new RequestHead();
  head.method = "POST";
  head.authority = "a";
  head.contentLength = BODY.length;
  output.isCongested = true;
  stream.sendRequest(head, false);
  stream.sendBody(BODY, 0, BODY.length);
  return { connection, stream, output, receive: receiver(connection) };
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
const CONNECT = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";

/** What ends a server's connection, or lets it go on: the request, the length that the answer declares, and the rest. */
const serverEnds: Readonly<
  Record<string, [request: string, length: number, end: (side: ReturnType<typeof server>) => void]>
> = {
  "the client takes it": [GET, BODY.length, ({ connection }) => connection.writable()],
  "the client goes away": [GET, BODY.length, ({ connection }) => connection.closed("gone")],
  "the client ends its side": [GET, BODY.length, ({ connection }) => connection.receivedEnd()],
  "the exchange is reset": [GET, BODY.length, ({ stream }) => stream.reset(0)],
  "the owner refuses": [GET, BODY.length, ({ connection }) => connection.refuse(http1Errors.requestTimeout)],
  "the body is shorter than declared": [GET, 2 * BODY.length, ({ stream }) => stream.sendEnd()],
  "too much is pipelined": [GET, BODY.length, ({ receive }) => receive(FILLER)],
  "the client lingers too long": [
    GET,
    BODY.length,
    ({ connection, stream, receive }) => {
      connection.retire();
      connection.shutdown();
      stream.sendEnd();
      receive(FILLER);
    },
  ],
  "the request goes on too long after its answer": [
    POST,
    BODY.length,
    ({ connection, stream, receive }) => {
      stream.sendEnd();
      receive(FILLER);
      connection.closed("gone");
    },
  ],
  "both sides of a tunnel end": [
    CONNECT,
    -1,
    ({ connection, stream }) => {
      stream.sendEnd();
      connection.receivedEnd();
    },
  ],
};

/** What ends a client's connection, or lets it go on. */
const clientEnds: Readonly<Record<string, (side: ReturnType<typeof client>) => void>> = {
  "the upstream takes it": ({ connection }) => connection.writable(),
  "the upstream goes away": ({ connection }) => connection.closed("gone"),
  "the upstream ends its side": ({ connection }) => connection.receivedEnd(),
  "the exchange is reset": ({ stream }) => stream.reset(0),
  "the upstream answers early and closes": ({ receive }) =>
    receive("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
  "the upstream breaks the protocol": ({ receive }) => receive("nonsense\r\n\r\n"),
  "bytes follow the answer": ({ receive }) => receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore"),
};

describe("bytes that wait for an HTTP/1.1 peer", () => {
  for (const [title, [request, length, end]] of Object.entries(serverEnds))
    it(`are counted by a server until ${title}`, () => {
      const before = queuedBodies.heldBytes;
      const side = server(request, length);
      assert.ok(queuedBodies.heldBytes >= before + BODY.length);
      end(side);
      assert.equal(queuedBodies.heldBytes, before);
      // What the transport says afterwards changes nothing.
      side.connection.writable();
      side.connection.closed("gone");
      assert.equal(queuedBodies.heldBytes, before);
    });

  for (const [title, end] of Object.entries(clientEnds))
    it(`are counted by a client until ${title}`, () => {
      const before = queuedBodies.heldBytes;
      const side = client();
      assert.ok(queuedBodies.heldBytes >= before + BODY.length);
      end(side);
      assert.equal(queuedBodies.heldBytes, before);
      // What the transport says afterwards changes nothing.
      side.connection.writable();
      side.connection.closed("gone");
      assert.equal(queuedBodies.heldBytes, before);
    });
});
