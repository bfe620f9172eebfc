// Keep-alive connections on a stopped clock and made-up connections.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RequestHead, type ClientStream } from "@ripstop/http";
import { CLEAN_CLOSE, type DialEvents } from "@ripstop/net";
import { StoppedClock } from "@ripstop/testkit";
import { FakeConn } from "../testing/fake-conn.suite.ts";
import { Http1Pool } from "./http1-pool.ts";
import type { StreamWaiter } from "./http-pool.ts";

class Asker implements StreamWaiter {
  answered = 0;
  failed = "";
  reused: boolean | undefined = undefined;
  onStream(stream: ClientStream, _connection: unknown, reused: boolean): void {
    this.reused = reused;
    const head = new RequestHead();
    head.authority = "a";
    stream.sendRequest(head, true);
  }
  onNoStream(cause: string): void {
    this.failed = cause;
  }
  onInformational(): void {}
  onResponse(): void {
    this.answered++;
  }
  onBody(): void {}
  onTrailers(): void {}
  onEnd(): void {}
  onWritable(): void {}
  onReset(_code: number, cause: string): void {
    this.failed = cause;
  }
}

function setUp(): { clock: StoppedClock; pool: Http1Pool; dials: DialEvents[]; connect(): FakeConn } {
  const clock = new StoppedClock();
  const dials: DialEvents[] = [];
  const dialer = {
    address: "127.0.0.1:1",
    dial: (events: DialEvents) => {
      dials.push(events);
      return { cancel: () => undefined };
    },
  };
  const pool = new Http1Pool({ dialer, clock, idleMs: 4000 });
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
});
