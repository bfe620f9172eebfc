// The client connection over a fake output: framing, reuse, poisoned responses, tunnels.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList, RequestHead, type ClientStream } from "@ripstop/http";
import { Http1ClientConnection } from "./client-connection.ts";
import { FakeOutput, ManualScheduler } from "./fake-output.suite.ts";
import { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./limits.ts";
import { websocketAccept } from "./websocket-key.ts";

class Bench {
  readonly output: FakeOutput = new FakeOutput();
  readonly scheduler: ManualScheduler = new ManualScheduler();
  readonly events: string[] = [];
  readonly connection: Http1ClientConnection;

  constructor(options: { limits?: Partial<Http1Limits>; absoluteForm?: boolean } = {}) {
    this.connection = new Http1ClientConnection({
      output: this.output,
      scheduler: this.scheduler,
      limits: { ...DEFAULT_HTTP1_LIMITS, ...options.limits },
      absoluteForm: options.absoluteForm ?? false,
      handler: {
        onIdle: () => this.events.push("idle"),
        onUnusable: () => this.events.push("unusable"),
        onError: (error) => this.events.push(`error ${error.name}`),
      },
    });
  }

  open(): ClientStream {
    const stream = this.connection.open({
      onInformational: (head) => this.events.push(`informational ${head.status}`),
      onResponse: (head, end) => this.events.push(`response ${head.status}${end ? " end" : ""}`),
      onBody: (buf, start, end) => this.events.push(`body ${buf.latin1Slice(start, end)}`),
      onTrailers: (trailers) => this.events.push(`trailers ${trailers.nameAt(0)}`),
      onEnd: () => this.events.push("end"),
      onWritable: () => this.events.push("writable"),
      onReset: (code, cause) => this.events.push(`reset ${code} ${cause}`),
    });
    assert.ok(stream, "the connection is not idle");
    return stream;
  }

  receive(text: string): void {
    const bytes = Buffer.from(text, "latin1");
    this.connection.receive(bytes, 0, bytes.length);
  }

  takeEvents(): string[] {
    return this.events.splice(0);
  }
}

function request(
  fields: Partial<Pick<RequestHead, "method" | "path" | "protocol" | "contentLength" | "scheme">> = {},
): RequestHead {
  const head = new RequestHead();
  head.authority = "a";
  return Object.assign(head, fields);
}

function send(stream: ClientStream, text: string): boolean {
  const bytes = Buffer.from(text, "latin1");
  return stream.sendBody(bytes, 0, bytes.length);
}

const EMPTY_OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

describe("Http1ClientConnection", () => {
  it("writes head and body of a request as one", () => {
    const bench = new Bench();
    const stream = bench.open();
    stream.sendRequest(request({ method: "POST", path: "/x", contentLength: 2 }), false);
    send(stream, "ok");
    stream.sendEnd();
    assert.deepEqual(bench.output.writes, ["POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok"]);
  });

  it("sends an empty Host for a target without an authority", () => {
    const bench = new Bench();
    const head = request({ path: "/x" });
    head.authority = "";
    bench.open().sendRequest(head, true);
    assert.deepEqual(bench.output.writes, ["GET /x HTTP/1.1\r\nhost: \r\n\r\n"]);
  });

  it("chunks a body of unknown length and sends its trailers", () => {
    const bench = new Bench();
    const stream = bench.open();
    stream.sendRequest(request({ method: "POST" }), false);
    send(stream, "ok");
    const trailers = new HeaderList();
    trailers.append("x-sum", "7");
    stream.sendTrailers(trailers);
    assert.equal(
      bench.output.take(),
      "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n",
    );
  });

  it("declares that a POST has no body and says nothing of the kind about a GET", () => {
    const bench = new Bench();
    bench.open().sendRequest(request({ method: "POST" }), true);
    assert.match(bench.output.take(), /\r\ncontent-length: 0\r\n/);
    bench.receive(EMPTY_OK);
    bench.open().sendRequest(request(), true);
    assert.equal(bench.output.take(), "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  });

  it("nominates TE in Connection, with an upgrade too", () => {
    const bench = new Bench();
    const plain = request();
    plain.headers.append("te", "trailers");
    bench.open().sendRequest(plain, true);
    assert.equal(bench.output.take(), "GET / HTTP/1.1\r\nhost: a\r\nconnection: te\r\nte: trailers\r\n\r\n");
    bench.receive(EMPTY_OK);
    const upgrade = request({ protocol: "foo" });
    upgrade.headers.append("te", "trailers");
    bench.open().sendRequest(upgrade, false);
    assert.match(bench.output.take(), /\r\nconnection: upgrade, te\r\nupgrade: foo\r\nte: trailers\r\n/);
  });

  it("writes absolute form for a forward proxy, and OPTIONS * without a path", () => {
    const bench = new Bench({ absoluteForm: true });
    bench.open().sendRequest(request({ path: "/x?y" }), true);
    assert.match(bench.output.take(), /^GET http:\/\/a\/x\?y HTTP\/1.1\r\n/);
    bench.receive(EMPTY_OK);
    bench.open().sendRequest(request({ method: "OPTIONS", path: "*", scheme: "https" }), true);
    assert.match(bench.output.take(), /^OPTIONS https:\/\/a HTTP\/1.1\r\n/);
  });

  it("can be used again after a complete exchange, and only then", () => {
    const bench = new Bench();
    bench.open().sendRequest(request(), true);
    assert.equal(bench.connection.open({} as never), undefined);
    bench.receive("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert.deepEqual(bench.takeEvents(), ["response 200", "body ok", "end", "idle"]);
    assert.equal(bench.connection.isIdle, true);
    assert.equal(bench.connection.exchanges, 1);
    bench.open();
    assert.equal(bench.connection.exchanges, 2);
    assert.equal(bench.connection.isResponseStarted, false);
  });

  it("is not used again after Connection: close, and is closed", () => {
    const bench = new Bench();
    bench.open().sendRequest(request(), true);
    bench.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert.deepEqual(bench.takeEvents(), ["unusable", "response 200 end"]);
    assert.deepEqual(bench.output.calls, ["destroy"]);
  });

  it("closes when bytes follow the response, so that they never answer another request", () => {
    const bench = new Bench();
    bench.open().sendRequest(request(), true);
    bench.receive(`${EMPTY_OK}HTTP/1.1 200 OK\r\nX-Poison: 1\r\n\r\n`);
    assert.deepEqual(bench.takeEvents(), ["response 200 end", "error unexpected_bytes", "unusable"]);
    assert.equal(bench.connection.isIdle, false);
    assert.deepEqual(bench.output.calls, ["destroy"]);
  });

  it("closes when bytes arrive while idle", () => {
    const bench = new Bench();
    bench.open().sendRequest(request(), true);
    bench.receive(EMPTY_OK);
    bench.takeEvents();
    bench.receive(EMPTY_OK);
    assert.deepEqual(bench.takeEvents(), ["error unexpected_bytes", "unusable"]);
    assert.equal(bench.connection.open({} as never), undefined);
  });

  it("refuses bytes that arrive before the request was sent", () => {
    const bench = new Bench();
    bench.open();
    bench.receive(EMPTY_OK);
    assert.match(bench.takeEvents().join("|"), /^error unexpected_bytes\|unusable\|reset 1 /);
  });

  it("hands an early response out and closes at its end when the request was not complete", () => {
    const bench = new Bench();
    const stream = bench.open();
    stream.sendRequest(request({ method: "POST", contentLength: 10 }), false);
    send(stream, "abc");
    bench.receive("HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno");
    assert.deepEqual(bench.takeEvents(), ["response 413", "body no", "end", "unusable"]);
    assert.deepEqual(bench.output.calls, ["destroy"]);
    bench.output.take();
    assert.equal(send(stream, "defg"), true);
    stream.sendEnd();
    assert.equal(bench.output.take(), "");
  });

  it("goes on sending the request after an early response head", () => {
    const bench = new Bench();
    const stream = bench.open();
    stream.sendRequest(request({ method: "POST" }), false);
    bench.scheduler.run();
    bench.receive("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    bench.output.take();
    send(stream, "more");
    stream.sendEnd();
    assert.equal(bench.output.take(), "4\r\nmore\r\n0\r\n\r\n");
    bench.receive("0\r\n\r\n");
    assert.deepEqual(bench.takeEvents(), ["response 200", "body x", "end", "idle"]);
  });

  it("passes interim responses on", () => {
    const bench = new Bench();
    const head = request({ method: "PUT", contentLength: 1 });
    head.expectsContinue = true;
    bench.open().sendRequest(head, false);
    bench.scheduler.run();
    assert.match(bench.output.take(), /\r\nexpect: 100-continue\r\n/);
    bench.receive("HTTP/1.1 100 Continue\r\n\r\n");
    assert.deepEqual(bench.takeEvents(), ["informational 100"]);
  });

  it("ends a body without length when the upstream ends", () => {
    const bench = new Bench();
    bench.open().sendRequest(request(), true);
    bench.receive("HTTP/1.1 200 OK\r\n\r\nall");
    bench.connection.receivedEnd();
    assert.deepEqual(bench.takeEvents(), ["unusable", "response 200", "body all", "end"]);
    assert.deepEqual(bench.output.calls, ["end"]);
  });

  it("resets when a body without length is cut by an error", () => {
    const bench = new Bench();
    bench.open().sendRequest(request(), true);
    bench.receive("HTTP/1.1 200 OK\r\n\r\npart");
    bench.connection.closed("connection reset by peer");
    assert.deepEqual(bench.takeEvents(), ["unusable", "response 200", "body part", "reset 8 connection reset by peer"]);
  });

  it("resets with words when the response is cut short, malformed, or missing", () => {
    const cut = new Bench();
    cut.open().sendRequest(request(), true);
    cut.receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart");
    cut.connection.receivedEnd();
    assert.match(cut.takeEvents().at(-1) ?? "", /^reset 1 .*RS5135/);
    const malformed = new Bench();
    malformed.open().sendRequest(request(), true);
    malformed.receive("HTTP/1.1 200 OK\nContent-Length: 9\r\n\r\n");
    assert.match(malformed.takeEvents().at(-1) ?? "", /^reset 1 .*RS5108/);
    assert.deepEqual(malformed.output.calls, ["destroy"]);
    const missing = new Bench();
    missing.open().sendRequest(request(), true);
    missing.connection.receivedEnd();
    assert.deepEqual(missing.takeEvents(), ["unusable", "reset 8 the upstream closed the connection"]);
    assert.equal(missing.connection.isResponseStarted, false);
  });

  it("says that a request which was never sent may be sent elsewhere", () => {
    const bench = new Bench();
    bench.open();
    bench.connection.closed("gone");
    assert.deepEqual(bench.takeEvents(), ["unusable", "reset 7 gone"]);
  });

  it("refuses to send a request that would split", () => {
    for (const [field, value] of [
      ["path", "/x HTTP/1.1\r\nEvil: 1"],
      ["path", "/x y"],
      ["method", "GET /admin"],
      ["authority", "a\r\nEvil: 1"],
      ["path", "/\u010a"],
    ] as const) {
      const bench = new Bench();
      const head = request();
      head[field] = value;
      bench.open().sendRequest(head, true);
      assert.match(bench.takeEvents().join("|"), /^error head_not_writable\|unusable\|reset 1 /);
      assert.equal(bench.output.take(), "");
    }
  });

  it("stops reading while more body is unconsumed than the limit", () => {
    const bench = new Bench({ limits: { maxUnconsumedBytes: 4 } });
    const stream = bench.open();
    stream.sendRequest(request(), true);
    bench.receive("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345");
    assert.deepEqual(bench.output.calls, ["pause"]);
    stream.consumed(5);
    assert.deepEqual(bench.output.calls, ["pause", "resume"]);
  });

  it("keeps tunnel bytes back until the upstream has accepted the upgrade", () => {
    const bench = new Bench();
    const stream = bench.open();
    const head = request({ protocol: "websocket", path: "/chat" });
    head.headers.append("sec-websocket-key", "abc");
    stream.sendRequest(head, false);
    assert.equal(
      bench.output.take(),
      "GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: abc\r\n\r\n",
    );
    assert.equal(send(stream, "GET /admin HTTP/1.1\r\n\r\n"), false);
    bench.scheduler.run();
    assert.equal(bench.output.take(), "");
    bench.receive("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello");
    bench.scheduler.run();
    assert.equal(bench.output.take(), "GET /admin HTTP/1.1\r\n\r\n");
    assert.deepEqual(bench.takeEvents(), ["unusable", "response 101", "writable", "body hello"]);
    bench.connection.receivedEnd();
    stream.sendEnd();
    assert.deepEqual(bench.takeEvents(), ["end"]);
    assert.deepEqual(bench.output.calls, ["end"]);
  });

  it("drops tunnel bytes when the upstream refuses the upgrade, and can be used again", () => {
    const bench = new Bench();
    const stream = bench.open();
    stream.sendRequest(request({ protocol: "websocket" }), false);
    bench.output.take();
    send(stream, "GET /admin HTTP/1.1\r\n\r\n");
    bench.receive("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    bench.scheduler.run();
    assert.equal(bench.output.take(), "");
    assert.deepEqual(bench.takeEvents(), ["response 403 end", "idle"]);
  });

  it("makes and checks the WebSocket key for a client that has none (RFC 8441)", () => {
    const key = (text: string): string => /sec-websocket-key: (.*)\r\n/.exec(text)?.[1] ?? "";
    const good = new Bench();
    good.open().sendRequest(request({ protocol: "websocket" }), false);
    const accept = websocketAccept(key(good.output.take()));
    good.receive(
      `HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    assert.deepEqual(good.takeEvents(), ["unusable", "response 101"]);
    const bad = new Bench();
    bad.open().sendRequest(request({ protocol: "websocket" }), false);
    bad.receive("HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: no\r\n\r\n");
    assert.match(bad.takeEvents().join("|"), /error unexpected_upgrade/);
  });

  it("tunnels through CONNECT", () => {
    const bench = new Bench();
    const stream = bench.open();
    const head = request({ method: "CONNECT", path: "" });
    head.authority = "db:5432";
    stream.sendRequest(head, false);
    assert.equal(bench.output.take(), "CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\n");
    bench.receive("HTTP/1.1 200 OK\r\n\r\nbanner");
    assert.deepEqual(bench.takeEvents(), ["unusable", "response 200", "body banner"]);
  });

  it("cuts a tunnel by a reset, so that the upstream does not take it for a whole one", () => {
    const bench = new Bench();
    const stream = bench.open();
    stream.sendRequest(request({ protocol: "x" }), false);
    bench.receive("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    send(stream, "part");
    stream.reset(8);
    assert.deepEqual(bench.output.calls, ["reset"]);
    const ended = new Bench();
    const other = ended.open();
    other.sendRequest(request({ protocol: "x" }), false);
    ended.receive("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    other.sendEnd();
    other.reset(8);
    assert.deepEqual(ended.output.calls, ["end", "destroy"]);
  });

  it("closes at once when it is shut down idle, and after the exchange otherwise", () => {
    const idle = new Bench();
    idle.connection.shutdown();
    assert.deepEqual(idle.output.calls, ["destroy"]);
    const busy = new Bench();
    busy.open().sendRequest(request(), true);
    busy.connection.shutdown();
    assert.deepEqual(busy.output.calls, []);
    busy.receive(EMPTY_OK);
    assert.deepEqual(busy.output.calls, ["destroy"]);
    assert.deepEqual(busy.takeEvents(), ["unusable", "response 200 end"]);
  });

  it("closes the connection when the exchange is reset, and says nothing more to it", () => {
    const bench = new Bench();
    const stream = bench.open();
    stream.sendRequest(request(), true);
    stream.reset(8);
    assert.deepEqual(bench.output.calls, ["destroy"]);
    assert.deepEqual(bench.takeEvents(), ["unusable"]);
    bench.receive(EMPTY_OK);
    assert.deepEqual(bench.takeEvents(), []);
  });
});
