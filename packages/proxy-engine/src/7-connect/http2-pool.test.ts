// Multiplexed connections on a stopped clock and made-up connections.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CLIENT_PREFACE } from "@ripstop/http2";
import { FlushScheduler, type DialEvents } from "@ripstop/net";
import { StoppedClock } from "@ripstop/testkit";
import { AGE_SPREAD, MESH_MAX_AGE_MS, PLAIN_PING_AFTER_S } from "../settings.ts";
import { Asker } from "../testing/asker.suite.ts";
import { FakeConn } from "../testing/fake-conn.suite.ts";
import { frame, Frame, framesOf, u32 } from "../testing/http2-bytes.suite.ts";
import { Http2Pool, type Http2PoolOptions } from "./http2-pool.ts";

const SETTINGS: Buffer = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
/** HEADERS with END_STREAM and END_HEADERS, ":status: 200" from the static table. */
const answer = (stream: number): Buffer => Buffer.from([0, 0, 1, 1, 5, 0, 0, 0, stream, 0x88]);
/** What a peer says that takes no more and goes on with all that it has. */
const goaway: Buffer = frame(Frame.GOAWAY, 0, 0, Buffer.concat([u32(0x7fff_ffff), u32(0)]));
/** SETTINGS with MAX_CONCURRENT_STREAMS of 0. */
const NO_STREAMS: Buffer = frame(Frame.SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 0]));

interface Bench {
  readonly clock: StoppedClock;
  readonly pool: Http2Pool;
  readonly dials: DialEvents[];
  connect(settings?: Buffer): FakeConn;
  look(): void;
  /** A second passes, and is followed by a look, `count` times. */
  seconds(count: number): void;
}

function setUp(different: Partial<Http2PoolOptions> = {}): Bench {
  const clock = new StoppedClock();
  const dials: DialEvents[] = [];
  const dialer = {
    address: "127.0.0.1:1",
    timeoutMs: 5000,
    dial: (events: DialEvents) => {
      dials.push(events);
      return { cancel: () => undefined };
    },
  };
  const flush = new FlushScheduler();
  const options = { dialer, clock, flush, idleMs: 300_000, maxAgeMs: MESH_MAX_AGE_MS, random: () => 0.5, ...different };
  const pool = new Http2Pool(options);
  const look = (): void => {
    pool.closeIdle(clock.monotonicMs());
    flush.flushAll();
  };
  return {
    clock,
    pool,
    dials,
    connect: (settings = SETTINGS) => {
      const conn = new FakeConn();
      dials.shift()?.onConnected(conn);
      conn.receive(settings);
      flush.flushAll();
      return conn;
    },
    look,
    seconds: (count) => {
      for (let at = 0; at < count; at++) {
        clock.advance(1_000);
        look();
      }
    },
  };
}

describe("a pool of HTTP/2 connections", () => {
  it("replaces a connection that is old: the new one is open first, and what is under way finishes", () => {
    const { clock, pool, dials, connect, look } = setUp();
    const [long, next] = [new Asker(), new Asker()];
    pool.acquire(long);
    const old = connect();
    old.receive(SETTINGS);
    clock.advance(MESH_MAX_AGE_MS - 1);
    look();
    assert.equal(dials.length, 0);
    clock.advance(1);
    look();
    assert.equal(dials.length, 1);
    look();
    assert.equal(dials.length, 1);
    const fresh = connect();
    clock.advance(10_000);
    old.receive(SETTINGS);
    look();
    assert.ok(!old.ended);
    pool.acquire(next);
    assert.equal(next.reused, false);
    fresh.receive(answer(1));
    assert.equal(next.answered, 1);
    old.receive(answer(1));
    look();
    assert.equal(long.answered, 1);
    assert.ok(old.ended);
    assert.ok(!fresh.ended);
  });

  it("keeps an old connection when no new one can be made, and tries again", () => {
    const { clock, pool, dials, connect, look } = setUp();
    pool.acquire(new Asker());
    const old = connect();
    clock.advance(MESH_MAX_AGE_MS);
    look();
    dials.shift()?.onFailed({ code: "ECONNREFUSED", message: "refused" });
    const next = new Asker();
    pool.acquire(next);
    assert.equal(next.reused, true);
    clock.advance(10_000);
    look();
    assert.equal(dials.length, 1);
    assert.ok(!old.ended);
  });

  it("does not replace a connection that nobody uses", () => {
    const { clock, pool, dials, connect, look } = setUp();
    pool.acquire(new Asker());
    const old = connect();
    old.receive(answer(1));
    clock.advance(MESH_MAX_AGE_MS * (1 + AGE_SPREAD));
    look();
    assert.equal(dials.length, 0);
    assert.ok(old.ended);
  });

  it("goes on when every connection was said goodbye to and still carries a long exchange", () => {
    const { pool, dials, connect } = setUp();
    for (let at = 0; at < 20; at++) {
      const long = new Asker();
      pool.acquire(long);
      assert.equal(dials.length, 1, `after ${at} connections`);
      const conn = connect();
      conn.receive(goaway);
      assert.deepEqual([long.failed, conn.closed], ["", false]);
    }
    assert.equal(pool.active, 20);
  });

  it("does not make connections without end at a peer that says goodbye at once and keeps what it has", () => {
    const { pool, dials, connect } = setUp();
    for (let at = 0; at < 1_000; at++) {
      pool.acquire(new Asker());
      if (dials.length > 0) connect().receive(goaway);
    }
    assert.ok(pool.connections < 100, `${pool.connections} connections`);
  });

  it("does not dial over and over at a peer that takes no request", () => {
    const { pool, dials, connect, seconds } = setUp();
    const asker = new Asker();
    pool.acquire(asker);
    const bad = connect(NO_STREAMS);
    seconds(3);
    assert.deepEqual([asker.failed, dials.length], ["", 0]);
    bad.receive(goaway);
    assert.deepEqual([asker.failed, dials.length], ["the peer takes no requests", 0]);
  });

  it("waits for the next look with the next dial after a connection that took nothing, and with hope for another", () => {
    const { pool, dials, connect, seconds } = setUp();
    const [long, first, second] = [new Asker(), new Asker(), new Asker()];
    const left = { code: "EPIPE", message: "the peer left" };
    pool.acquire(long);
    const busy = connect(frame(Frame.SETTINGS, 0, 0, Buffer.from([0, 3, 0, 0, 0, 1])));
    pool.acquire(first);
    connect(NO_STREAMS).close(left);
    assert.deepEqual([first.failed, dials.length], ["", 0]);
    seconds(1);
    assert.deepEqual([first.failed, dials.length], ["", 1]);
    busy.receive(answer(1));
    assert.equal(first.reused, true);
    busy.receive(goaway);
    pool.acquire(second);
    connect(NO_STREAMS).close(left);
    assert.equal(second.failed, "the peer left");
  });

  it("opens another connection when one carries so many streams that those who do not read could use up its window", () => {
    const { pool, dials, connect } = setUp();
    const ask = (count: number): void => {
      for (let at = 0; at < count; at++) pool.acquire(new Asker());
    };
    ask(1);
    connect();
    ask(255);
    assert.equal(dials.length, 0);
    ask(1);
    assert.equal(dials.length, 1);
    connect();
    const late = new Asker();
    pool.acquire(late);
    assert.equal(late.reused, false);
  });

  it("cuts a connection that its peer goes on to flood after the goodbye", () => {
    const { pool, connect, seconds } = setUp();
    pool.acquire(new Asker());
    const conn = connect();
    const junk = frame(Frame.WINDOW_UPDATE, 0, 0, u32(0));
    conn.receive(junk);
    assert.equal(conn.ended, true);
    for (let at = 0; at < 10 && !conn.closed; at++) {
      conn.receive(junk);
      seconds(1);
    }
    assert.equal(conn.closed, true);
    assert.equal(pool.connections, 0);
  });

  it("asks a silent peer for a sign of life, and gives it up when none comes", () => {
    const { pool, connect, seconds } = setUp();
    pool.acquire(new Asker());
    const conn = connect();
    seconds(17);
    assert.equal(framesOf(afterPreface(conn), Frame.PING).length, 1);
    conn.receive(frame(Frame.PING, 1, 0, framesOf(afterPreface(conn), Frame.PING)[0]?.subarray(9)));
    seconds(20);
    assert.equal(conn.closed, false);
    seconds(10);
    assert.equal(conn.closed, true);
  });

  it("asks a server outside the mesh so seldom that no gRPC server takes it for an attack", () => {
    const { pool, connect, seconds } = setUp({ pingAfterS: PLAIN_PING_AFTER_S });
    pool.acquire(new Asker());
    const conn = connect();
    const FIVE_MINUTES_S = 300;
    for (let pings = 0; pings < 4; pings++) {
      seconds(FIVE_MINUTES_S);
      assert.equal(framesOf(afterPreface(conn), Frame.PING).length, pings);
      seconds(12);
      const ping = framesOf(afterPreface(conn), Frame.PING)[pings];
      assert.ok(ping);
      conn.receive(frame(Frame.PING, 1, 0, ping.subarray(9)));
    }
    assert.equal(conn.closed, false);
  });
});

function afterPreface(conn: FakeConn): Buffer {
  return conn.written.subarray(CLIENT_PREFACE.length);
}
