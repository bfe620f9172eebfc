// Multiplexed connections on a stopped clock and made-up connections.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FlushScheduler, type DialEvents } from "@ripstop/net";
import { StoppedClock } from "@ripstop/testkit";
import { AGE_SPREAD, MESH_MAX_AGE_MS } from "../settings.ts";
import { Asker } from "../testing/asker.suite.ts";
import { FakeConn } from "../testing/fake-conn.suite.ts";
import { Http2Pool } from "./http2-pool.ts";

const SETTINGS: Buffer = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
/** HEADERS with END_STREAM and END_HEADERS, ":status: 200" from the static table. */
const answer = (stream: number): Buffer => Buffer.from([0, 0, 1, 1, 5, 0, 0, 0, stream, 0x88]);

function setUp(): { clock: StoppedClock; pool: Http2Pool; dials: DialEvents[]; connect(): FakeConn; look(): void } {
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
  const options = { dialer, clock, flush, idleMs: 300_000, maxAgeMs: MESH_MAX_AGE_MS, random: () => 0.5 };
  const pool = new Http2Pool(options);
  return {
    clock,
    pool,
    dials,
    connect: () => {
      const conn = new FakeConn();
      dials.shift()?.onConnected(conn);
      conn.receive(SETTINGS);
      return conn;
    },
    look: () => {
      pool.closeIdle(clock.monotonicMs());
      flush.flushAll();
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
});
