// The server connection over a fake output: order, keep-alive, back-pressure, tunnels, refusals.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList, RequestHead, ResponseHead, type ServerStream, type ServerStreamHandler } from "@ripstop/http";
import { http1Errors } from "./errors.ts";
import { FakeOutput, ManualScheduler } from "./fake-output.suite.ts";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./limits.ts";
import { Http1ServerConnection } from "./server-connection.ts";

interface Exchange {
  readonly stream: ServerStream;
  readonly head: RequestHead;
  readonly end: boolean;
  readonly events: string[];
}

/** A connection whose exchanges wait for the test to answer them. */
class Bench {
  readonly output: FakeOutput = new FakeOutput();
  readonly scheduler: ManualScheduler = new ManualScheduler();
  readonly exchanges: Exchange[] = [];
  readonly events: string[] = [];
  readonly connection: Http1ServerConnection;
  /** Of upgrades to HTTP/2: what the connection's successor was given. */
  upgrades = "";
  /** Called for each request before `onRequest` returns. */
  answer: ((exchange: Exchange) => void) | undefined = undefined;

  constructor(limits: Partial<Http1Limits> = {}, http2Upgrades = false) {
    this.connection = new Http1ServerConnection({
      http2Upgrades,
      output: this.output,
      scheduler: this.scheduler,
      limits: { ...DEFAULT_HTTP1_LIMITS, ...limits },
      handler: {
        onRequest: (stream, head, end) => this.#accept(stream, head, end),
        onIdle: () => this.events.push("idle"),
        onError: (error) => this.events.push(error.name),
        onLinger: () => this.events.push("linger"),
        onUpgradeToHttp2: (head, settings) => {
          this.events.push(`h2c ${head.method} ${head.path} ${settings.toString("hex")}`);
          return { onBytes: (buf, start, end) => (this.upgrades += buf.latin1Slice(start, end)) };
        },
      },
    });
  }

  receive(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.connection.receive(bytes, 0, bytes.length);
  }

  at(index: number): Exchange {
    const exchange = this.exchanges[index];
    assert.ok(exchange, `there is no exchange ${index}`);
    return exchange;
  }

  #accept(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
    const copy = new RequestHead();
    copy.copyFrom(head);
    const events: string[] = [];
    const exchange = { stream, head: copy, end, events };
    this.exchanges.push(exchange);
    this.answer?.(exchange);
    return {
      onBody: (buf, start, stop) => events.push(`body ${buf.latin1Slice(start, stop)}`),
      onTrailers: (trailers) => events.push(`trailers ${trailers.nameAt(0)}=${trailers.valueAt(0)}`),
      onEnd: () => events.push("end"),
      onWritable: () => events.push("writable"),
      onReset: (code, cause) => events.push(`reset ${code} ${cause}`),
    };
  }
}

function response(status: number, contentLength = -1): ResponseHead {
  const head = new ResponseHead();
  head.status = status;
  head.contentLength = contentLength;
  return head;
}

function respond(stream: ServerStream, text: string): void {
  stream.sendResponse(response(200, text.length), text === "");
  if (text !== "") send(stream, text);
  if (text !== "") stream.sendEnd();
}

function send(stream: ServerStream, text: string): boolean {
  const bytes = Buffer.from(text, "latin1");
  return stream.sendBody(bytes, 0, bytes.length);
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("Http1ServerConnection", () => {
  it("writes head and body of a response as one", () => {
    const bench = new Bench();
    bench.receive(GET);
    respond(bench.at(0).stream, "hello");
    assert.deepEqual(bench.output.writes, ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"]);
    assert.deepEqual(bench.events, ["idle"]);
  });

  it("sends a head whose body comes later at the end of the turn", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(200), false);
    assert.deepEqual(bench.output.writes, []);
    bench.scheduler.run();
    assert.equal(bench.output.take(), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    send(bench.at(0).stream, "data: 1\n\n");
    bench.scheduler.run();
    assert.equal(bench.output.take(), "9\r\ndata: 1\n\n\r\n");
    bench.at(0).stream.sendEnd();
    assert.equal(bench.output.take(), "0\r\n\r\n");
  });

  it("never writes an empty chunk, which would end the body", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(200), false);
    send(bench.at(0).stream, "");
    send(bench.at(0).stream, "x");
    bench.at(0).stream.sendEnd();
    assert.ok(bench.output.take().endsWith("\r\n\r\n1\r\nx\r\n0\r\n\r\n"));
  });

  it("answers pipelined requests one after the other", () => {
    const bench = new Bench();
    bench.receive(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTT`);
    assert.equal(bench.exchanges.length, 1);
    assert.deepEqual(bench.output.calls, ["pause"]);
    bench.receive("P/1.1\r\nHost: a\r\n\r\n");
    respond(bench.at(0).stream, "1");
    assert.equal(bench.exchanges.length, 2);
    respond(bench.at(1).stream, "2");
    assert.equal(bench.at(2).head.path, "/3");
    respond(bench.at(2).stream, "3");
    assert.deepEqual(bench.output.calls, ["pause", "resume"]);
    assert.deepEqual(bench.events, ["idle"]);
    assert.equal(bench.output.writes.length, 3);
  });

  it("answers pipelined requests without recursion when the handler answers at once", () => {
    const bench = new Bench();
    bench.answer = (exchange) => respond(exchange.stream, "x");
    bench.receive(GET.repeat(3000));
    assert.equal(bench.exchanges.length, 3000);
    assert.deepEqual(bench.events, ["idle"]);
  });

  it("closes a client that pipelines beyond the limit", () => {
    const bench = new Bench({ maxPipelinedBytes: 100 });
    bench.receive(GET);
    bench.receive(GET.repeat(10));
    assert.deepEqual(bench.output.calls, ["destroy"]);
    assert.match(bench.at(0).events[0] ?? "", /^reset 11 /);
  });

  it("closes when the client asked for it, and says so", () => {
    const bench = new Bench();
    bench.receive("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    respond(bench.at(0).stream, "x");
    assert.match(bench.output.take(), /\r\nconnection: close\r\n/);
    assert.deepEqual(bench.output.calls, ["end"]);
    assert.deepEqual(bench.events, ["linger"]);
  });

  it("takes no request behind one that asked to close", () => {
    const bench = new Bench();
    bench.receive(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${GET}`);
    respond(bench.at(0).stream, "x");
    bench.receive(GET);
    assert.equal(bench.exchanges.length, 1);
  });

  it("writes the space before the reason also where there is no reason", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(599, 0), true);
    assert.match(bench.output.take(), /^HTTP\/1\.1 599 \r\n/);
  });

  it("names the protocols that a 426 requires", () => {
    const bench = new Bench();
    bench.receive(GET);
    const head = response(426, 0);
    head.headers.append("upgrade", "websocket");
    bench.at(0).stream.sendResponse(head, true);
    assert.match(bench.output.take(), /\r\nconnection: upgrade\r\nupgrade: websocket\r\n/);
  });

  it("sends no content-length with 204, interim responses and the success of CONNECT", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendInformational(response(103, 0));
    bench.at(0).stream.sendResponse(response(204, 0), true);
    bench.receive("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    bench.at(1).stream.sendResponse(response(200, 5), false);
    bench.scheduler.run();
    assert.equal(
      bench.output.take(),
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    );
  });

  it("speaks HTTP/1.0: length until close, or keep-alive when both agree", () => {
    const bench = new Bench();
    bench.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    respond(bench.at(0).stream, "x");
    assert.match(bench.output.take(), /\r\nconnection: keep-alive\r\n/);
    bench.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    bench.at(1).stream.sendResponse(response(200), false);
    send(bench.at(1).stream, "all");
    bench.at(1).stream.sendEnd();
    assert.equal(bench.output.take(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall");
    assert.deepEqual(bench.output.calls, ["end"]);
  });

  it("cuts by a reset what only the end of the connection would complete, and what has a length without one", () => {
    for (const [asked, length, call] of [
      ["GET / HTTP/1.0\r\n\r\n", -1, "reset"],
      ["GET / HTTP/1.0\r\n\r\n", 9, "destroy"],
      [GET, -1, "destroy"],
      ["CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", -1, "reset"],
      ["GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", -1, "reset"],
    ] as const) {
      const bench = new Bench();
      bench.receive(asked);
      const { stream, head } = bench.at(0);
      stream.sendResponse(Object.assign(response(200, length), { protocol: head.protocol }), false);
      send(stream, "part");
      stream.reset(2);
      assert.deepEqual(bench.output.calls, [call], asked);
    }
  });

  it("does not reset a tunnel whose side towards the client has ended in order", () => {
    const bench = new Bench();
    bench.receive("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    bench.at(0).stream.sendResponse(response(200), false);
    bench.at(0).stream.sendEnd();
    bench.at(0).stream.reset(2);
    assert.deepEqual(bench.output.calls, ["end", "destroy"]);
  });

  it("sends no interim response to HTTP/1.0", () => {
    const bench = new Bench();
    bench.receive("GET / HTTP/1.0\r\n\r\n");
    bench.at(0).stream.sendInformational(response(103));
    bench.scheduler.run();
    assert.equal(bench.output.take(), "");
  });

  it("keeps declared length and leaves the body out for HEAD, 204 and 304", () => {
    const bench = new Bench();
    bench.receive("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    bench.at(0).stream.sendResponse(response(200, 500), true);
    assert.equal(bench.output.take(), "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n");
    bench.receive(GET);
    bench.at(1).stream.sendResponse(response(204, 0), true);
    assert.equal(bench.output.take(), "HTTP/1.1 204 No Content\r\n\r\n");
    bench.receive(GET);
    bench.at(2).stream.sendResponse(response(304, 7), false);
    send(bench.at(2).stream, "never");
    bench.at(2).stream.sendEnd();
    assert.equal(bench.output.take(), "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n");
    assert.equal(bench.exchanges.length, 3);
  });

  it("cuts a body that is longer than declared, and closes on one that is shorter", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(200, 2), false);
    send(bench.at(0).stream, "okHTTP/1.1 200 OK");
    bench.at(0).stream.sendEnd();
    assert.ok(bench.output.take().endsWith("\r\n\r\nok"));
    bench.receive(GET);
    bench.at(1).stream.sendResponse(response(200, 9), false);
    send(bench.at(1).stream, "ok");
    bench.at(1).stream.sendEnd();
    assert.deepEqual(bench.output.calls, ["destroy"]);
  });

  it("sends trailers behind a chunked body and drops them otherwise", () => {
    const bench = new Bench();
    const trailers = new HeaderList();
    trailers.append("grpc-status", "0");
    trailers.append("content-length", "9");
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(200), false);
    bench.at(0).stream.sendTrailers(trailers);
    assert.ok(bench.output.take().endsWith("\r\n\r\n0\r\ngrpc-status: 0\r\n\r\n"));
    bench.receive(GET);
    bench.at(1).stream.sendResponse(response(200, 0), false);
    bench.at(1).stream.sendTrailers(trailers);
    assert.ok(bench.output.take().endsWith("content-length: 0\r\n\r\n"));
  });

  it("stops reading while more body is unconsumed than the limit", () => {
    const bench = new Bench({ maxUnconsumedBytes: 10 });
    bench.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n0123456789A");
    assert.deepEqual(bench.output.calls, ["pause"]);
    bench.at(0).stream.consumed(5);
    assert.deepEqual(bench.output.calls, ["pause"]);
    bench.at(0).stream.consumed(1);
    assert.deepEqual(bench.output.calls, ["pause", "resume"]);
  });

  it("tells the sender to wait while the output is congested", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(200), false);
    bench.output.isCongested = true;
    assert.equal(send(bench.at(0).stream, "x".repeat(100_000)), false);
    bench.output.isCongested = false;
    bench.connection.writable();
    assert.deepEqual(bench.at(0).events, ["writable"]);
    assert.equal(send(bench.at(0).stream, "x"), true);
  });

  it("answers no further pipelined request while the client does not read", () => {
    const bench = new Bench();
    bench.answer = (exchange) => respond(exchange.stream, "x");
    bench.output.isCongested = true;
    bench.receive(GET.repeat(3));
    bench.receive(GET);
    assert.equal(bench.exchanges.length, 1);
    assert.deepEqual(bench.output.calls, ["pause"]);
    bench.output.isCongested = false;
    bench.connection.writable();
    assert.equal(bench.exchanges.length, 4);
    assert.deepEqual(bench.output.calls, ["pause", "resume"]);
  });

  it("writes a chunk with its size and line end as one, up to a whole read", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(200), false);
    send(bench.at(0).stream, "x".repeat(65_536));
    assert.equal(bench.output.writes.length, 1);
    assert.ok(bench.output.take().endsWith("x\r\n"));
    send(bench.at(0).stream, "y".repeat(65_537));
    bench.at(0).stream.sendEnd();
    assert.ok(bench.output.take().endsWith("y\r\n0\r\n\r\n"));
  });

  it("answers 502 for an engine that sends an interim response as the final one", () => {
    for (const status of [100, 101, 199]) {
      const bench = new Bench();
      bench.receive(GET);
      bench.at(0).stream.sendResponse(response(status), true);
      assert.match(bench.output.take(), /^HTTP\/1.1 502 /);
    }
  });

  it("lets the response out when the client ends in the middle of a request that was answered early", () => {
    const bench = new Bench();
    bench.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab");
    respond(bench.at(0).stream, "early");
    bench.connection.receivedEnd();
    assert.deepEqual(bench.output.calls, ["end"]);
  });

  it("writes large body pieces from where they are and small ones as one", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.sendResponse(response(200, 40_010), false);
    for (let at = 0; at < 10; at++) send(bench.at(0).stream, "s");
    send(bench.at(0).stream, "L".repeat(40_000));
    bench.at(0).stream.sendEnd();
    assert.deepEqual(
      bench.output.writes.map((text) => text.slice(-3)),
      ["sss", "LLL"],
    );
  });

  it("answers 100 Continue when told, and goes on", () => {
    const bench = new Bench();
    bench.receive("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert.equal(bench.at(0).head.expectsContinue, true);
    bench.at(0).stream.sendInformational(response(100));
    bench.scheduler.run();
    assert.equal(bench.output.take(), "HTTP/1.1 100 Continue\r\n\r\n");
    bench.receive("ok");
    respond(bench.at(0).stream, "done");
    assert.deepEqual(bench.at(0).events, ["body ok", "end"]);
    assert.deepEqual(bench.events, ["idle"]);
  });

  it("closes when the final response comes to a client that still waits for 100", () => {
    const bench = new Bench();
    bench.receive("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    respond(bench.at(0).stream, "no");
    assert.match(bench.output.take(), /\r\nconnection: close\r\n/);
    bench.receive(`xx${GET}`);
    assert.equal(bench.exchanges.length, 1);
  });

  it("throws the rest of a small request body away after an early response", () => {
    const bench = new Bench();
    bench.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nab");
    respond(bench.at(0).stream, "early");
    bench.receive("cdef");
    bench.receive(GET);
    assert.deepEqual(bench.at(0).events, ["body ab"]);
    assert.equal(bench.exchanges.length, 2);
    assert.deepEqual(bench.output.calls, []);
  });

  it("closes after an early response when too much of the request is still to come", () => {
    const declared = new Bench({ maxDrainBytes: 10 });
    declared.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\nab");
    respond(declared.at(0).stream, "early");
    assert.deepEqual(declared.output.calls, ["end"]);
    const chunked = new Bench({ maxDrainBytes: 10, maxLingerBytes: 30 });
    chunked.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    respond(chunked.at(0).stream, "early");
    assert.deepEqual(chunked.output.calls, []);
    chunked.receive(`14\r\n${"x".repeat(20)}\r\n`);
    assert.deepEqual(chunked.output.calls, ["end"]);
    // A cut now would be an RST, which destroys what the client has not read of the response.
    chunked.receive("x".repeat(20));
    assert.deepEqual(chunked.output.calls, ["end"]);
    chunked.receive("x".repeat(20));
    assert.deepEqual(chunked.output.calls, ["end", "destroy"]);
  });

  const h2c = (
    line = "GET /a",
    fields = "HTTP2-Settings: AAMAAABk\r\n",
    nominated = "Upgrade, HTTP2-Settings",
  ): string => `${line} HTTP/1.1\r\nHost: a\r\nConnection: ${nominated}\r\nUpgrade: h2c\r\n${fields}\r\n`;

  it("hands a client that asks for h2c over, with what it sent behind its request", () => {
    const bench = new Bench({}, true);
    bench.receive(GET);
    bench.receive(h2c("HEAD /b"));
    assert.deepEqual(bench.output.calls, ["pause"]);
    respond(bench.at(0).stream, "first");
    bench.output.take();
    assert.deepEqual(bench.events, ["h2c HEAD /b 000300000064"]);
    assert.deepEqual(bench.output.calls, ["pause", "resume"]);
    const other = new Bench({}, true);
    other.receive(`${h2c()}PRI * HTTP/2.0`);
    assert.equal(
      other.output.take(),
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    );
    assert.deepEqual(other.events, ["h2c GET /a 000300000064"]);
    assert.equal(other.upgrades, "PRI * HTTP/2.0");
    assert.equal(other.exchanges.length, 0);
    // The transport is the successor's.
    other.connection.closed("gone");
    other.connection.shutdown();
    other.connection.receivedEnd();
    assert.deepEqual(other.output.calls, []);
  });

  it("answers in HTTP/1.1 when an upgrade to h2c is not as it must be, or not wanted", () => {
    for (const request of [
      h2c("GET /a", ""),
      h2c("GET /a", "HTTP2-Settings: AAMAAABk\r\nHTTP2-Settings: AAMAAABk\r\n"),
      h2c("GET /a", "HTTP2-Settings: AAMAAA\r\n"),
      h2c("GET /a", "HTTP2-Settings: AAMAA+Bk\r\n"),
      h2c("GET /a", "HTTP2-Settings: \r\n"),
      h2c("GET /a", undefined, "Upgrade"),
      h2c("GET /a", undefined, "HTTP2-Settings"),
      h2c("GET /a", undefined, "Upgrade, HTTP2-Settings, close"),
      h2c("POST /a", "HTTP2-Settings: AAMAAABk\r\nContent-Length: 1\r\n").concat("x"),
      h2c("POST /a", "HTTP2-Settings: AAMAAABk\r\nTransfer-Encoding: chunked\r\n").concat("0\r\n\r\n"),
    ]) {
      const bench = new Bench({}, true);
      bench.receive(request);
      respond(bench.at(0).stream, "1.1");
      assert.match(bench.output.take(), /^HTTP\/1\.1 200 /, request);
      assert.equal(bench.at(0).head.headers.get("http2-settings"), undefined);
      assert.equal(bench.at(0).head.protocol, "");
      if (!bench.output.calls.includes("end")) bench.receive(GET);
      assert.equal(bench.exchanges.length, request.includes("close") ? 1 : 2, request);
    }
    const unwilling = new Bench();
    unwilling.receive(h2c());
    assert.equal(unwilling.exchanges.length, 1);
    const leaving = new Bench({}, true);
    leaving.connection.retire();
    leaving.receive(h2c());
    assert.equal(leaving.exchanges.length, 1);
  });

  it("opens an upgrade only when the answer accepts it; until then nothing is interpreted or passed on", () => {
    const bench = new Bench();
    bench.receive("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nearly");
    assert.equal(bench.at(0).end, false);
    assert.deepEqual(bench.at(0).events, []);
    const accept = response(101);
    accept.protocol = "websocket";
    bench.at(0).stream.sendResponse(accept, false);
    assert.deepEqual(bench.at(0).events, ["body early"]);
    bench.scheduler.run();
    assert.equal(
      bench.output.take(),
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    );
    bench.receive(GET);
    assert.deepEqual(bench.at(0).events, ["body early", `body ${GET}`]);
    send(bench.at(0).stream, "raw");
    bench.scheduler.run();
    assert.equal(bench.output.take(), "raw");
  });

  it("closes each side of a tunnel by itself", () => {
    const bench = new Bench();
    bench.receive("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n");
    bench.at(0).stream.sendResponse(response(200), false);
    bench.connection.receivedEnd();
    assert.deepEqual(bench.at(0).events, ["end"]);
    send(bench.at(0).stream, "late");
    bench.at(0).stream.sendEnd();
    assert.equal(bench.output.take(), "HTTP/1.1 200 OK\r\n\r\nlate");
    assert.deepEqual(bench.output.calls, ["end"]);
    bench.connection.closed("done");
    assert.deepEqual(bench.at(0).events, ["end"]);
  });

  it("ends its half of a tunnel that was accepted and ended at once", () => {
    for (const request of [
      "CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ]) {
      const bench = new Bench();
      bench.receive(request);
      const accept = response(200);
      if (request.startsWith("GET")) accept.protocol = "websocket";
      bench.at(0).stream.sendResponse(accept, true);
      bench.scheduler.run();
      assert.deepEqual(bench.output.calls, ["end"]);
      bench.connection.receivedEnd();
      assert.deepEqual(bench.at(0).events, ["end"]);
    }
  });

  it("presents an extended CONNECT's 200 as 101 with the accept that the key asks for", () => {
    const bench = new Bench();
    bench.receive(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    const accept = response(200);
    accept.protocol = "websocket";
    bench.at(0).stream.sendResponse(accept, false);
    bench.scheduler.run();
    // The pair of RFC 6455 §1.3.
    assert.match(bench.output.take(), /^HTTP\/1.1 101 [\s\S]*sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
  });

  it("closes after a refused upgrade or CONNECT, so that bytes behind it are never a request", () => {
    for (const start of [
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\n",
      "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    ]) {
      const bench = new Bench();
      bench.receive(start + GET);
      bench.at(0).stream.sendResponse(response(403, 0), true);
      assert.match(bench.output.take(), /\r\nconnection: close\r\n/);
      bench.receive(GET);
      assert.equal(bench.exchanges.length, 1);
      assert.deepEqual(bench.output.calls, ["pause", "resume", "end"]);
    }
  });

  it("answers a malformed request with the right status and closes", () => {
    const bench = new Bench();
    bench.receive("GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    const answer = bench.output.take();
    assert.match(answer, /^HTTP\/1.1 400 Bad Request\r\n/);
    assert.match(answer, /\r\nx-ripstop-error: RS5110\r\n/);
    assert.match(answer, /\r\nconnection: close\r\n/);
    assert.match(answer, /RFC 9112 section 5.1/);
    assert.deepEqual(bench.events, ["space_before_colon", "linger"]);
    assert.deepEqual(bench.output.calls, ["end"]);
  });

  it("answers a malformed request behind a good one only after that one's response", () => {
    const bench = new Bench();
    bench.receive(`${GET}BAD\r\n`);
    assert.deepEqual(bench.output.writes, []);
    respond(bench.at(0).stream, "ok");
    assert.equal(bench.output.writes.length, 2);
    assert.match(bench.output.writes[1] ?? "", /^HTTP\/1.1 400 /);
  });

  it("answers 400 and resets the exchange when the body turns out malformed before the response", () => {
    const bench = new Bench();
    bench.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    assert.match(bench.output.take(), /^HTTP\/1.1 400 /);
    assert.match(bench.at(0).events[0] ?? "", /^reset 1 .*RS5126/);
  });

  it("only closes when the body turns out malformed after the response began", () => {
    const bench = new Bench();
    bench.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    bench.at(0).stream.sendResponse(response(200), false);
    bench.scheduler.run();
    bench.output.take();
    bench.receive("xyz\r\n");
    assert.equal(bench.output.take(), "");
    assert.deepEqual(bench.output.calls, ["destroy"]);
  });

  it("answers 408 when the engine's deadline passes", () => {
    const bench = new Bench();
    bench.receive("GET / HTT");
    assert.equal(bench.connection.isReceivingHead, true);
    bench.connection.refuse(http1Errors.requestTimeout);
    assert.match(bench.output.take(), /^HTTP\/1.1 408 Request Timeout\r\n/);
    bench.receive("P/1.1\r\nHost: a\r\n\r\n");
    assert.equal(bench.exchanges.length, 0);
  });

  it("refuses to send a head that would split, and answers 502 instead", () => {
    const bench = new Bench();
    bench.receive(GET);
    const head = response(200, 0);
    head.headers.append("location", "/\r\nset-cookie: evil=1");
    bench.at(0).stream.sendResponse(head, true);
    const answer = bench.output.take();
    assert.match(answer, /^HTTP\/1.1 502 /);
    assert.ok(!answer.includes("evil"));
  });

  it("tells the exchange when the client goes away", () => {
    for (const leave of ["receivedEnd", "closed"] as const) {
      const bench = new Bench();
      bench.receive(GET);
      bench.connection[leave]("the client left");
      assert.match(bench.at(0).events[0] ?? "", /^reset 8 the client/);
      assert.equal(bench.at(0).events.length, 1);
      respond(bench.at(0).stream, "nobody hears this");
      assert.equal(bench.output.take(), "");
    }
  });

  it("ends quietly when the client leaves between requests", () => {
    const bench = new Bench();
    bench.connection.receivedEnd();
    assert.deepEqual(bench.output.calls, ["end"]);
    assert.deepEqual(bench.events, []);
  });

  it("makes an old stream do nothing to the exchanges after it", () => {
    const bench = new Bench();
    bench.receive(GET);
    respond(bench.at(0).stream, "1");
    bench.receive(GET);
    bench.output.take();
    const old = bench.at(0).stream;
    old.sendResponse(response(500), false);
    send(old, "stale");
    old.consumed(5);
    old.reset(0);
    old.sendEnd();
    respond(bench.at(1).stream, "2");
    assert.equal(bench.output.take(), "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2");
  });

  it("closes the connection when the exchange is reset", () => {
    const bench = new Bench();
    bench.receive(GET);
    bench.at(0).stream.reset(2);
    assert.deepEqual(bench.output.calls, ["destroy"]);
  });

  it("announces the shutdown in the response in hand, and closes at once when idle", () => {
    const busy = new Bench();
    busy.receive(GET);
    busy.connection.shutdown();
    assert.deepEqual(busy.output.calls, []);
    respond(busy.at(0).stream, "last");
    assert.match(busy.output.take(), /\r\nconnection: close\r\n/);
    assert.deepEqual(busy.output.calls, ["end"]);
    const idle = new Bench();
    idle.connection.shutdown();
    assert.deepEqual(idle.output.calls, ["end"]);
  });

  it("passes trailers of the request on", () => {
    const bench = new Bench();
    bench.receive("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n");
    assert.deepEqual(bench.at(0).events, ["body ok", "trailers x-sum=7"]);
  });
});
