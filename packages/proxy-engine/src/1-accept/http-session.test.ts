// Deadlines of client connections, on a stopped clock and made-up connections.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { ResponseHead, type RequestHead, type ServerStream, type ServerStreamHandler } from "@ripstop/http";
import { CLIENT_PREFACE, DEFAULT_SETTINGS } from "@ripstop/http2";
import { FlushScheduler, TimerWheel } from "@ripstop/net";
import { createMetricRegistry, RandomIds, type Logger } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";

import { HeadPool, type Engine } from "../engine.ts";
import {
  BODY_MIN_BYTES,
  BODY_TIMEOUT_MS,
  DEAD_AFTER_MS,
  HEAD_TIMEOUT_MS,
  PING_AFTER_MS,
  SESSION_CHECK_MS,
  SESSION_IDLE_MS,
  SETTINGS_TIMEOUT_MS,
  STREAM_STALL_MS,
  WRITE_STALL_MS,
} from "../settings.ts";
import { MirrorTable } from "../mirror/mirror-table.ts";
import { EdgeTable } from "../telemetry/edge.ts";
import { TelemetryReporter } from "../telemetry/telemetry-reporter.ts";
import { FakeConn } from "../testing/fake-conn.suite.ts";
import { acknowledged, block, Flag, frame, framesOf, Frame, hello } from "../testing/http2-bytes.suite.ts";
import type { HttpSession, RequestAcceptor } from "./http-session.ts";
import { Http1Session } from "./http1-session.ts";
import { Http2Session } from "./http2-session.ts";

const silent: Logger = {
  level: "error",
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

function makeEngine(clock: StoppedClock): Engine {
  const metrics = createMetricRegistry();
  const edges = new EdgeTable(metrics);
  const stats = { residentBytes: 0, openConnections: 0, uptimeMs: 0, version: "", pid: 0 };
  return {
    clock,
    log: silent,
    mirrors: new MirrorTable(metrics),
    metrics,
    wheel: new TimerWheel({ clock }),
    flush: new FlushScheduler(),
    edges,
    reporter: new TelemetryReporter({ clock, edges, send: () => true, stats: () => stats }),
    ids: new RandomIds(),
    heads: new HeadPool(),
    tunnelIdleMs: 0,
    live: { exchanges: 0, tunnels: 0, mirrors: 0 },
    random: () => 0.5,
  };
}

/** Takes requests and remembers their streams; answers when the test says so. */
class Application implements RequestAcceptor, ServerStreamHandler {
  readonly streams: ServerStream[] = [];
  readonly resets: string[] = [];
  mayPause = false;
  /** Does not pass on what it gets. */
  keeps = false;
  onRequest(stream: ServerStream, _head: RequestHead, _end: boolean): ServerStreamHandler {
    this.streams.push(stream);
    return this;
  }
  answer(bodyBytes = 0): void {
    const head = new ResponseHead();
    head.contentLength = bodyBytes;
    this.streams.at(-1)?.sendResponse(head, bodyBytes === 0);
    if (bodyBytes > 0) this.streams.at(-1)?.sendBody(Buffer.alloc(bodyBytes), 0, bodyBytes);
  }
  onBody(_buf: Buffer, start: number, end: number): void {
    if (!this.keeps) this.streams.at(-1)?.consumed(end - start);
  }
  onTrailers(): void {}
  onEnd(): void {}
  onWritable(): void {}
  onReset(_code: number, cause: string): void {
    this.resets.push(cause);
  }
}

interface Served {
  readonly clock: StoppedClock;
  readonly conn: FakeConn;
  readonly app: Application;
  readonly session: HttpSession;
  /** Time passes, with the checks that fall due. */
  pass(ms: number): void;
}

function serve(Session: typeof Http1Session | typeof Http2Session): Served {
  const clock = new StoppedClock();
  const engine = makeEngine(clock);
  const conn = new FakeConn();
  const app = new Application();
  const session = new Session(conn, { engine, acceptor: app, registry: new Set() });
  clock.every(SESSION_CHECK_MS, () => {
    if (!conn.closed) session.check();
    engine.flush.flushAll();
  });
  return { clock, conn, app, session, pass: (ms) => clock.advance(ms) };
}

const WINDOW_BYTES = DEFAULT_SETTINGS.initialWindowBytes;

/** The latest that a deadline of `ms` is met. */
const late = (ms: number): number => ms + 2 * SESSION_CHECK_MS;

describe("an HTTP/1.1 client connection", () => {
  it("is answered 408 when a request head does not come to its end", () => {
    const { conn, app, pass } = serve(Http1Session);
    conn.receive("GET / HTTP/1.1\r\nhost: a\r\n");
    for (let spent = 0; spent < late(HEAD_TIMEOUT_MS); spent += 1000) {
      conn.receive("x");
      pass(1000);
    }
    assert.match(conn.written.toString("latin1"), /^HTTP\/1\.1 408 /);
    assert.ok(conn.ended);
    assert.equal(app.streams.length, 0);
    pass(5000);
    assert.ok(conn.closed);
  });

  it("does not mistake one head after the other for one that is slow", () => {
    const { conn, app, pass } = serve(Http1Session);
    for (let n = 0; n < 20; n++) {
      conn.receive("GET / HTTP/1.1\r\n");
      pass(SESSION_CHECK_MS);
      conn.receive("host: a\r\n\r\n");
      app.answer();
    }
    assert.equal(app.streams.length, 20);
    assert.doesNotMatch(conn.written.toString("latin1"), / 408 /);
  });

  it("is answered 408 when a body trickles, and the application hears that the client is gone", () => {
    const { conn, app, pass } = serve(Http1Session);
    conn.receive("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for (let spent = 0; spent < late(BODY_TIMEOUT_MS); spent += 1000) {
      conn.receive("1\r\nx\r\n");
      pass(1000);
    }
    assert.match(conn.written.toString("latin1"), /^HTTP\/1\.1 408 /);
    assert.equal(app.resets.length, 1);
  });

  it("may send a large body slowly, and has all time while it is the answer that is awaited", () => {
    const { conn, app, pass } = serve(Http1Session);
    const pieces = 20;
    conn.receive(`POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${pieces * BODY_MIN_BYTES}\r\n\r\n`);
    for (let n = 0; n < pieces; n++) {
      pass(BODY_TIMEOUT_MS / 2);
      conn.receive("x".repeat(BODY_MIN_BYTES));
    }
    pass(10 * SESSION_IDLE_MS);
    assert.equal(conn.written.length, 0);
    app.answer();
    assert.match(conn.written.toString("latin1"), /^HTTP\/1\.1 200 /);
  });

  it("may stream a request without end once it was answered", () => {
    const { conn, app, pass } = serve(Http1Session);
    conn.receive("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    const head = new ResponseHead();
    app.streams[0]?.sendResponse(head, false);
    pass(10 * BODY_TIMEOUT_MS);
    assert.ok(!conn.closed && !conn.ended);
    assert.deepEqual(app.resets, []);
  });

  it("closes after long idleness and not before", () => {
    const { conn, app, pass } = serve(Http1Session);
    conn.receive("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    app.answer();
    pass(SESSION_IDLE_MS - SESSION_CHECK_MS);
    assert.ok(!conn.ended);
    pass(3 * SESSION_CHECK_MS);
    assert.ok(conn.ended);
  });

  it("is idle and not slow with a head when empty lines came behind a body", () => {
    const { conn, app, session, pass } = serve(Http1Session);
    conn.receive("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi\r\n");
    app.answer();
    conn.receive("\r\n");
    assert.ok(session.idle);
    pass(SESSION_IDLE_MS - SESSION_CHECK_MS);
    assert.ok(!conn.ended);
    conn.receive("GET / HTTP/1.1\r\nhost: a\r\n\r\n\r");
    app.answer();
    assert.equal(app.streams.length, 2);
    pass(late(SESSION_IDLE_MS));
    assert.ok(conn.ended);
    assert.equal(conn.written.includes("HTTP/1.1 408"), false);
  });

  it("is answered 408 when empty lines are all that comes", () => {
    const { conn, pass } = serve(Http1Session);
    for (let spent = 0; spent < late(HEAD_TIMEOUT_MS); spent += 1000) {
      conn.receive("\r\n");
      pass(1000);
    }
    assert.match(conn.written.toString("latin1"), /^HTTP\/1\.1 408 /);
  });

  it("is cut when the client takes nothing of its answer", () => {
    const { conn, app, pass } = serve(Http1Session);
    conn.receive("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    app.answer(1000);
    conn.queuedBytes = 1000;
    pass(WRITE_STALL_MS - SESSION_CHECK_MS);
    conn.queuedBytes = 999;
    pass(WRITE_STALL_MS - SESSION_CHECK_MS);
    assert.ok(!conn.closed);
    pass(3 * SESSION_CHECK_MS);
    assert.ok(conn.closed);
  });

  const lastAnswer = (): Served => {
    const served = serve(Http1Session);
    served.conn.receive("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n");
    served.conn.queuedBytes = 1000;
    served.app.answer(1000);
    served.app.streams[0]?.sendEnd();
    assert.ok(served.conn.ended);
    return served;
  };

  it("that is to close stays until a slow client has taken its whole answer", () => {
    const { conn, pass } = lastAnswer();
    for (let left = 1000; left > 0; left -= 100) {
      conn.queuedBytes = left;
      pass(2000);
    }
    assert.ok(!conn.closed);
    conn.queuedBytes = 0;
    pass(2000);
    assert.ok(conn.closed);
  });

  it("that is to close is cut when the client takes nothing of its last answer", () => {
    const { conn, pass } = lastAnswer();
    pass(WRITE_STALL_MS + 3 * SESSION_CHECK_MS);
    assert.ok(conn.closed);
  });

  it("that is to close stays while the client still sends its request, for some time", () => {
    const { conn, pass } = lastAnswer();
    conn.queuedBytes = 0;
    for (let second = 0; second < 20; second++) {
      conn.receive("x".repeat(1000));
      pass(1000);
    }
    assert.ok(!conn.closed);
    for (let second = 0; second < 20; second++) {
      conn.receive("x".repeat(1000));
      pass(1000);
    }
    assert.ok(conn.closed);
  });

  it("that is to close is closed soon when the client has all and says nothing", () => {
    const { conn, pass } = lastAnswer();
    conn.queuedBytes = 0;
    pass(2000);
    assert.ok(conn.closed);
  });
});

describe("an HTTP/1.1 client that asks for h2c", () => {
  const asked =
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n";

  const upgrade = (): Served & { readonly registry: Set<HttpSession> } => {
    const clock = new StoppedClock();
    const engine = makeEngine(clock);
    const conn = new FakeConn();
    const app = new Application();
    const registry = new Set<HttpSession>();
    const session = new Http1Session(conn, { engine, acceptor: app, registry, upgrades: true });
    const pass = (ms: number): void => {
      clock.advance(ms);
      engine.flush.flushAll();
    };
    return { clock, conn, app, session, pass, registry };
  };

  it("goes on in HTTP/2, with the answer on stream 1", () => {
    const { conn, app, pass, registry } = upgrade();
    conn.receive(asked);
    pass(1);
    const switched = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    assert.equal(conn.written.toString("latin1", 0, switched.length), switched);
    conn.written = conn.written.subarray(switched.length);
    assert.equal(conn.written[3], Frame.SETTINGS, "the server's preface comes first");
    assert.deepEqual(
      [...registry].map(({ protocol }) => protocol),
      ["http2"],
    );
    conn.receive(Buffer.concat([hello(), acknowledged]));
    app.answer(5);
    app.streams[0]?.sendEnd();
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 3, request()));
    app.answer();
    pass(1);
    assert.deepEqual(
      framesOf(conn.written, Frame.HEADERS).map((answer) => answer.readUInt32BE(5)),
      [1, 3],
    );
    conn.close({ code: "", message: "gone" });
    assert.equal(registry.size, 0);
  });

  it("may send its preface right behind the request", () => {
    const { conn, app, pass } = upgrade();
    conn.receive(Buffer.concat([Buffer.from(asked), hello(), acknowledged]));
    app.answer();
    pass(1);
    assert.equal(framesOf(conn.written.subarray(conn.written.indexOf("\r\n\r\n") + 4), Frame.HEADERS).length, 1);
    assert.ok(!conn.ended);
  });
});

const request = (extra: readonly (readonly [string, string])[] = []): Buffer =>
  block([[":method", "POST"], [":scheme", "http"], [":path", "/"], [":authority", "a"], ...extra]);

describe("an HTTP/2 client connection", () => {
  it("ends when the preface or a header block does not come to its end", () => {
    for (const start of [
      CLIENT_PREFACE.subarray(0, 20),
      Buffer.concat([hello(), acknowledged, frame(Frame.HEADERS, 0, 1, request())]),
      Buffer.concat([hello(), acknowledged, frame(Frame.HEADERS, Flag.END_HEADERS, 1, request()).subarray(0, 30)]),
    ]) {
      const { conn, pass } = serve(Http2Session);
      conn.receive(start);
      pass(HEAD_TIMEOUT_MS - SESSION_CHECK_MS);
      assert.ok(!conn.ended);
      pass(3 * SESSION_CHECK_MS);
      assert.ok(conn.ended);
      assert.equal(framesOf(conn.written, Frame.GOAWAY).length, 1);
    }
  });

  it("ends with SETTINGS_TIMEOUT when ours are not acknowledged", () => {
    const { conn, pass } = serve(Http2Session);
    conn.receive(hello());
    pass(late(SETTINGS_TIMEOUT_MS) + SESSION_CHECK_MS);
    assert.equal(framesOf(conn.written, Frame.GOAWAY)[0]?.readUInt32BE(13), 4);
    assert.ok(conn.ended);
  });

  it("loses a stream whose window never opens, and keeps the others", () => {
    const { conn, app, pass } = serve(Http2Session);
    const noWindow = Buffer.from([0, 4, 0, 0, 0, 0]);
    conn.receive(Buffer.concat([hello(noWindow), acknowledged]));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, request()));
    app.answer(1000);
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 3, request()));
    for (let spent = 0; spent < late(STREAM_STALL_MS); spent += SESSION_CHECK_MS) {
      conn.receive(frame(Frame.PING, 0, 0, Buffer.alloc(8)));
      pass(SESSION_CHECK_MS);
    }
    assert.deepEqual(
      framesOf(conn.written, Frame.RST_STREAM).map((reset) => reset.readUInt32BE(5)),
      [1],
    );
    assert.equal(app.resets.length, 1);
    assert.match(app.resets[0] ?? "", /took nothing of the 1000 bytes/);
    assert.ok(!conn.ended);
  });

  /** Time in which streams 1 and 3, and so on up to `last`, each get `bytes` of body now and then. */
  const trickle = ({ conn, pass }: Served, ms: number, last: number, bytes: number): void => {
    for (let spent = 0; spent < ms; spent += SESSION_CHECK_MS) {
      for (let stream = 1; stream <= last; stream += 2) conn.receive(frame(Frame.DATA, 0, stream, Buffer.alloc(bytes)));
      conn.receive(frame(Frame.PING, 0, 0, Buffer.alloc(8)));
      pass(SESSION_CHECK_MS);
    }
  };
  const streamsOf = (conn: FakeConn, type: number): number[] =>
    framesOf(conn.written, type).map((one) => one.readUInt32BE(5));

  it("is answered 408 on streams whose body trickles or does not come, and keeps the others", () => {
    const served = serve(Http2Session);
    const { conn, app } = served;
    conn.receive(Buffer.concat([hello(), acknowledged]));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS, 1, request()));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS, 3, request([["content-length", "1000000"]])));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS, 5, request([["content-length", "10"]])));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 7, request()));
    trickle(served, late(BODY_TIMEOUT_MS), 3, 1);
    assert.deepEqual(streamsOf(conn, Frame.HEADERS), [1, 3, 5]);
    const answers = framesOf(conn.written, Frame.HEADERS);
    for (const answer of answers) assert.equal((answer[4] ?? 0) & Flag.END_STREAM, Flag.END_STREAM);
    // The others repeat it by its place in the table.
    assert.ok(answers[0]?.includes("408") === true && answers[0].includes("RS5210"));
    const resets = framesOf(conn.written, Frame.RST_STREAM);
    assert.deepEqual(
      resets.map((reset) => [reset.readUInt32BE(5), reset.readUInt32BE(9)]),
      [1, 3, 5].map((stream) => [stream, 0]),
    );
    assert.match(app.resets[1] ?? "", /of 1000000 declared bytes of the request's body came/);
    assert.match(app.resets[2] ?? "", /^RS5210 0 of 10 declared bytes/);
    assert.ok(!conn.ended);
  });

  it("may send a body slowly, and as slowly as it likes once it was answered", () => {
    const served = serve(Http2Session);
    const { conn, app } = served;
    conn.receive(Buffer.concat([hello(), acknowledged]));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS, 1, request()));
    trickle(served, 10 * BODY_TIMEOUT_MS, 1, Math.ceil((BODY_MIN_BYTES * SESSION_CHECK_MS) / BODY_TIMEOUT_MS));
    assert.equal(conn.written.includes("408"), false);
    app.streams[0]?.sendResponse(new ResponseHead(), false);
    trickle(served, 2 * BODY_TIMEOUT_MS, 1, 1);
    trickle(served, 2 * BODY_TIMEOUT_MS, 0, 0);
    assert.deepEqual(app.resets, []);
  });

  it("is not slow while the proxy holds its windows closed, or was not asked to go on", () => {
    const served = serve(Http2Session);
    const { conn, app } = served;
    app.keeps = true;
    conn.receive(Buffer.concat([hello(), acknowledged]));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS, 1, request()));
    for (let sent = 0; sent < WINDOW_BYTES; sent += 16_384) conn.receive(frame(Frame.DATA, 0, 1, Buffer.alloc(16_384)));
    trickle(served, 2 * BODY_TIMEOUT_MS, 0, 0);
    assert.deepEqual(app.resets, []);
    app.mayPause = true;
    app.streams[0]?.consumed(WINDOW_BYTES);
    trickle(served, 2 * BODY_TIMEOUT_MS, 0, 0);
    assert.deepEqual(app.resets, []);
    app.mayPause = false;
    trickle(served, late(BODY_TIMEOUT_MS), 0, 0);
    assert.match(app.resets[0] ?? "", /bytes of the request's body came/);
  });

  it("is asked for a sign of life while streams are open, and cut when none comes", () => {
    const { conn, app, pass } = serve(Http2Session);
    conn.receive(Buffer.concat([hello(), acknowledged]));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, request()));
    pass(late(PING_AFTER_MS));
    assert.equal(framesOf(conn.written, Frame.PING).length, 1);
    conn.receive(frame(Frame.PING, 1, 0, framesOf(conn.written, Frame.PING)[0]?.subarray(9) ?? Buffer.alloc(8)));
    pass(late(PING_AFTER_MS));
    assert.equal(framesOf(conn.written, Frame.PING).length, 2);
    assert.ok(!conn.closed);
    pass(DEAD_AFTER_MS);
    assert.ok(conn.closed);
    assert.equal(app.resets.length, 1);
  });

  it("says goodbye after long idleness, and is cut when the client does not hear it", () => {
    const { conn, app, pass } = serve(Http2Session);
    conn.receive(Buffer.concat([hello(), acknowledged]));
    conn.receive(frame(Frame.HEADERS, Flag.END_HEADERS | Flag.END_STREAM, 1, request()));
    app.answer();
    pass(SESSION_IDLE_MS - SESSION_CHECK_MS);
    assert.equal(framesOf(conn.written, Frame.GOAWAY).length, 0);
    pass(3 * SESSION_CHECK_MS);
    assert.equal(framesOf(conn.written, Frame.GOAWAY)[0]?.readUInt32BE(13), 0);
    assert.ok(!conn.closed);
    pass(late(HEAD_TIMEOUT_MS));
    assert.ok(conn.closed);
  });

  it("is cut soon when the client goes on after the goodbye that a broken rule brought it", () => {
    const { conn, pass } = serve(Http2Session);
    conn.receive(Buffer.concat([hello(), acknowledged]));
    const broken = frame(Frame.PING, 0, 1, Buffer.alloc(8));
    conn.receive(broken);
    assert.equal(conn.ended, true);
    for (let waited = 0; waited < late(HEAD_TIMEOUT_MS); waited += SESSION_CHECK_MS) {
      conn.receive(broken);
      pass(SESSION_CHECK_MS);
    }
    assert.equal(conn.closed, true);
  });
});
