// Keep-alive connections on a stopped clock and made-up connections.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CLEAN_CLOSE, CLOSED_HERE, type DialEvents } from "@ripstop/net";
import { StoppedClock } from "@ripstop/testkit";
import { POOL_MAX_WAITING, POOL_WAIT_MS } from "../settings.ts";
import { Asker } from "../testing/asker.suite.ts";
import { FakeConn } from "../testing/fake-conn.suite.ts";
import { Http1Pool } from "./http1-pool.ts";

/** Tells of its close in a later turn, as sockets do. */
class LateConn extends FakeConn {
  destroyed = false;

  override destroy(): void {
    this.destroyed = true;
  }
}

function setUp(maxConnections = 100): {
  clock: StoppedClock;
  pool: Http1Pool;
  dials: DialEvents[];
  connect(): FakeConn;
} {
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
  const pool = new Http1Pool({
    dialer,
    clock,
    idleMs: 4000,
    maxConnections,
    maxAgeMs: 60_000,
    maxRequests: 3,
    random: () => 0.5,
  });
  const connect = (): FakeConn => {
    const conn = new FakeConn();
    dials.shift()?.onConnected(conn);
    return conn;
  };
  return { clock, pool, dials, connect };
}

describe("a pool of HTTP/1.1 connections", () => {
  it("keeps a connection and uses it again, one exchange at a time", () => {
    const { pool, dials, connect } = setUp();
    const [first, second] = [new Asker(), new Asker()];
    pool.acquire(first);
    const conn = connect();
    pool.acquire(second);
    assert.equal(dials.length, 1);
    assert.equal(first.reused, false);
    conn.answer();
    assert.equal(first.answered, 1);
    // The connection that became free is quicker than the one that is being dialled.
    assert.equal(second.reused, true);
    conn.answer();
    assert.equal(second.answered, 1);
    assert.equal(pool.connections, 1);
    assert.equal(pool.active, 0);
  });

  it("learns how long the peer keeps idle connections, and closes before the peer does", () => {
    const { clock, pool, connect } = setUp();
    pool.acquire(new Asker());
    const conn = connect();
    conn.answer();
    clock.advance(2000);
    conn.close(CLEAN_CLOSE);
    assert.equal(pool.idleMs, 1600);
    pool.acquire(new Asker());
    const next = connect();
    next.answer();
    clock.advance(1000);
    pool.closeIdle(clock.monotonicMs());
    assert.equal(next.closed, false);
    clock.advance(1000);
    pool.closeIdle(clock.monotonicMs());
    assert.equal(next.closed, true);
    for (let second = 0; second < 200; second++) pool.closeIdle(clock.monotonicMs());
    assert.equal(pool.idleMs, 4000);
  });

  it("gives nobody a connection that it closes, though the close is told later", () => {
    const { clock, pool, dials } = setUp();
    pool.acquire(new Asker());
    const conn = new LateConn();
    dials.shift()?.onConnected(conn);
    conn.answer();
    clock.advance(5_000);
    pool.closeIdle(clock.monotonicMs());
    assert.deepEqual([conn.destroyed, conn.closed], [true, false]);
    const asker = new Asker();
    pool.acquire(asker);
    assert.deepEqual([asker.reused, dials.length], [undefined, 1]);
    conn.close(CLOSED_HERE);
    assert.equal(pool.connections, 0);
  });

  it("ends a connection after so many requests, and dials anew for who waits", () => {
    const { pool, dials, connect } = setUp();
    pool.acquire(new Asker());
    const conn = connect();
    conn.answer();
    for (let request = 2; request <= 3; request++) {
      pool.acquire(new Asker());
      assert.equal(dials.length, 0);
      if (request < 3) conn.answer();
    }
    const waiting = new Asker();
    pool.acquire(waiting);
    conn.answer();
    assert.equal(conn.closed, true);
    assert.equal(waiting.answered, 0);
    assert.equal(pool.connections, 0);
    assert.equal(dials.length, 1);
    connect().answer();
    assert.equal(waiting.answered, 1);
  });

  it("ends a connection at its age, after its exchange", () => {
    const { clock, pool, connect } = setUp();
    pool.acquire(new Asker());
    const conn = connect();
    clock.advance(60_000);
    assert.equal(conn.closed, false);
    conn.answer();
    assert.equal(conn.closed, true);
    pool.acquire(new Asker());
    const next = connect();
    clock.advance(59_999);
    next.answer();
    assert.equal(next.closed, false);
  });

  it("learns nothing from a peer that is restarted, nor from its own closing", () => {
    const { clock, pool, connect } = setUp();
    pool.acquire(new Asker());
    const conn = connect();
    conn.answer();
    clock.advance(50);
    conn.close(CLEAN_CLOSE);
    pool.acquire(new Asker());
    const next = connect();
    next.answer();
    clock.advance(3000);
    next.destroy();
    assert.equal(pool.idleMs, 4000);
  });

  it("fails everybody who waits when there is no connection at all, one otherwise", () => {
    const { pool, dials, connect } = setUp();
    const waiting = [new Asker(), new Asker()];
    for (const asker of waiting) pool.acquire(asker);
    const refused = { code: "ECONNREFUSED", message: "refused" };
    dials.shift()?.onFailed(refused);
    assert.deepEqual(
      waiting.map((asker) => asker.failed),
      ["refused", ""],
    );
    dials.shift()?.onFailed(refused);
    assert.deepEqual(
      waiting.map((asker) => asker.failed),
      ["refused", "refused"],
    );
    const late = new Asker();
    pool.acquire(late);
    pool.retire();
    const conn = connect();
    assert.equal(late.reused, false);
    conn.answer();
    assert.equal(late.answered, 1);
    assert.equal(conn.closed, true);
  });

  it("serves in turn those who wait for a busy connection, and sends away who waits too long", () => {
    const { clock, pool, dials, connect } = setUp(1);
    const [busy, next, last] = [new Asker(), new Asker(), new Asker()];
    pool.acquire(busy);
    const conn = connect();
    pool.acquire(next);
    clock.advance(POOL_WAIT_MS / 2);
    pool.acquire(last);
    assert.equal(dials.length, 0);
    pool.closeIdle(clock.monotonicMs());
    conn.answer();
    assert.equal(next.reused, true);
    clock.advance(POOL_WAIT_MS - 1);
    pool.closeIdle(clock.monotonicMs());
    assert.equal(last.failed, "");
    clock.advance(1);
    pool.closeIdle(clock.monotonicMs());
    assert.equal(last.failed, `no connection became free within ${POOL_WAIT_MS} ms`);
    assert.equal(last.overloaded, true);
    assert.equal(pool.waiting, 0);
    conn.answer();
    assert.equal(next.answered, 1);
  });

  it("lets no more wait than the limit, and who gives up makes room", () => {
    const { pool, connect } = setUp(1);
    pool.acquire(new Asker());
    connect();
    const waiting = Array.from({ length: POOL_MAX_WAITING }, () => new Asker());
    for (const asker of waiting) pool.acquire(asker);
    const refused = new Asker();
    pool.acquire(refused);
    assert.equal(refused.overloaded, true);
    const leaving = waiting[7];
    assert.ok(leaving);
    pool.cancel(leaving);
    const taken = new Asker();
    pool.acquire(taken);
    assert.equal(taken.failed, "");
    pool.destroy();
    assert.match(taken.failed, /closing/);
    assert.equal(leaving.failed, "");
  });
});
