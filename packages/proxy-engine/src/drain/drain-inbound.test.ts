// What a drain waits for, on sessions that the test makes and a clock that it moves.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StoppedClock } from "@ripstop/testkit";
import type { HttpSession } from "../1-accept/http-session.ts";
import { FakeConn } from "../testing/fake-conn.suite.ts";
import { drainInbound } from "./drain-inbound.ts";

/** A session that the test makes busy and ends. */
class FakeSession implements HttpSession {
  readonly conn: FakeConn = new FakeConn();
  readonly protocol = "http2" as const;
  idle = true;
  shutdowns = 0;

  shutdown(): void {
    this.shutdowns++;
  }

  retire(): void {}
  check(): void {}
  onBytes(): void {}
  onEnd(): void {}
  onDrain(): void {}
  onClose(): void {}
}

/** A drain of at most ten seconds. */
class Bench {
  readonly clock: StoppedClock = new StoppedClock();
  readonly sessions: Set<HttpSession> = new Set<HttpSession>();
  handshakes = 0;
  isOver = false;

  async start(): Promise<void> {
    void drainInbound({
      workloads: [{ inboundSessions: this.sessions }],
      connections: () => this.sessions.size + this.handshakes,
      clock: this.clock,
      deadlineMs: 10_000,
    }).then(() => (this.isOver = true));
    await this.pass(0);
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe("a drain of inbound connections", () => {
  it("waits for a connection without a request until it has ended: one may be on its way", async () => {
    const bench = new Bench();
    const session = new FakeSession();
    bench.sessions.add(session);
    await bench.start();
    assert.equal(session.shutdowns, 1);
    await bench.pass(200);
    assert.deepEqual([bench.isOver, session.conn.closed], [false, false]);
    session.idle = false;
    await bench.pass(5_000);
    assert.deepEqual([bench.isOver, session.conn.closed], [false, false]);
    session.idle = true;
    bench.sessions.delete(session);
    await bench.pass(50);
    assert.deepEqual([bench.isOver, session.conn.closed, session.shutdowns], [true, false, 1]);
  });

  it("tells a connection whose handshake was under way when it began", async () => {
    const bench = new Bench();
    const early = new FakeSession();
    const late = new FakeSession();
    bench.sessions.add(early);
    await bench.start();
    bench.sessions.add(late);
    await bench.pass(50);
    assert.deepEqual([early.shutdowns, late.shutdowns], [1, 1]);
  });

  it("waits for a handshake that is under way when the last connection ends, but not for one that never ends", async () => {
    const bench = new Bench();
    bench.handshakes = 1;
    await bench.start();
    await bench.pass(1_000);
    assert.equal(bench.isOver, false);
    const late = new FakeSession();
    bench.handshakes = 0;
    bench.sessions.add(late);
    await bench.pass(50);
    assert.deepEqual([bench.isOver, late.shutdowns], [false, 1]);
    bench.sessions.delete(late);
    await bench.pass(50);
    assert.equal(bench.isOver, true);
    const other = new Bench();
    other.handshakes = 1;
    await other.start();
    await other.pass(7_000);
    assert.equal(other.isOver, true);
  });

  it("does not wait until the deadline for a peer that is gone, and cuts what is busy at the deadline", async () => {
    const bench = new Bench();
    const gone = new FakeSession();
    bench.sessions.add(gone);
    await bench.start();
    await bench.pass(7_000);
    assert.deepEqual([bench.isOver, gone.conn.closed], [true, true]);
    const other = new Bench();
    const busy = new FakeSession();
    busy.idle = false;
    other.sessions.add(busy);
    await other.start();
    await other.pass(9_900);
    assert.equal(other.isOver, false);
    await other.pass(200);
    assert.deepEqual([other.isOver, busy.conn.closed], [true, true]);
  });

  it("is over at once when there is no connection", async () => {
    const bench = new Bench();
    await bench.start();
    assert.equal(bench.isOver, true);
  });
});
