// Whose handshake is made when: sockets without a network, a clock that the test moves.

import assert from "node:assert/strict";
import { Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { Changes, FakeMetrics } from "../stream-fixture.suite.ts";
import { HandshakeQueue } from "./handshake-queue.ts";

describe("the queue before the handshakes", () => {
  let clock: StoppedClock;
  let metrics: FakeMetrics;
  let begun: Socket[];
  let queue: HandshakeQueue;
  let sockets: Socket[];
  beforeEach(() => {
    clock = new StoppedClock();
    metrics = new FakeMetrics(new Changes());
    begun = [];
    sockets = [];
    const limits = { underWay: 2, waiting: 6, waitMs: 1_000, turnMs: 100 };
    queue = new HandshakeQueue({ clock, metrics, limits, begin: (socket) => void begun.push(socket) });
  });
  afterEach(() => {
    queue.close();
    for (const socket of sockets) socket.destroy();
  });

  /** A connection from an address. */
  function connect(address: string = "10.0.0.1"): Socket {
    const socket = new Socket();
    Object.defineProperty(socket, "remoteAddress", { value: address });
    sockets.push(socket);
    queue.add(socket);
    return socket;
  }

  /** A connection that has sent something. */
  function ready(address?: string): Socket {
    const socket = connect(address);
    socket.emit("data", Buffer.from("hello"));
    return socket;
  }

  const refused = (): number => metrics.total("ripstop_config_connections_refused_total");

  it("lets so many begin and no more, the next when one is done, in the order in which they came", () => {
    const all = [ready(), ready(), ready(), ready()];
    assert.deepEqual(begun, all.slice(0, 2));
    queue.done(all[1]!);
    assert.deepEqual(begun, all.slice(0, 3));
    // Done once more: it is nobody's turn for that.
    queue.done(all[1]!);
    assert.equal(begun.length, 3);
    queue.done(all[0]!);
    assert.deepEqual(begun, all);
    assert.equal(queue.waiting, 0);
  });

  it("hands over what was sent while it waited, in order", () => {
    const [first] = [ready(), ready()];
    const third = ready();
    third.emit("data", Buffer.from(" world"));
    assert.equal(third.readableLength, 0);
    queue.done(first);
    assert.equal(String(third.read()), "hello world");
    assert.equal(third.readableFlowing, false);
  });

  it("takes addresses in turn, so that one with many does not hold up another", () => {
    const many = [ready("a"), ready("a"), ready("a"), ready("a")];
    const other = ready("b");
    queue.done(many[0]!);
    queue.done(many[1]!);
    assert.deepEqual(begun, [many[0], many[1], many[2], other]);
    queue.done(other);
    assert.equal(begun.at(-1), many[3]);
  });

  it("gives no turn to a connection that says nothing, and ends it after its time", () => {
    const silent = connect();
    const [a, b] = [ready(), ready()];
    assert.deepEqual(begun, [a, b]);
    clock.advance(999);
    assert.equal(silent.destroyed, false);
    clock.advance(1);
    assert.equal(silent.destroyed, true);
    assert.equal(a.destroyed || b.destroyed, false);
    assert.equal(refused(), 1);
    assert.equal(queue.waiting, 0);
  });

  it("begins no handshake with one that has given up", () => {
    const [first] = [ready(), ready()];
    const [ended, closed, patient] = [ready(), ready(), ready()];
    ended.emit("end");
    closed.emit("close");
    queue.done(first);
    assert.equal(begun.at(-1), patient);
    assert.equal(begun.length, 3);
    assert.equal(ended.destroyed, true);
    assert.equal(refused(), 0);
  });

  it("lets a handshake that is slow go on, and nobody wait for it", () => {
    const slow = [ready(), ready()];
    const next = ready();
    clock.advance(100);
    assert.deepEqual(begun, [...slow, next]);
    assert.equal(slow[0]?.destroyed, false);
  });

  it("goes on when a connection closes in the middle of its handshake", () => {
    const [first] = [ready(), ready()];
    const next = ready();
    first.emit("close");
    assert.equal(begun.at(-1), next);
  });

  it("ends what is too much: connections that wait, and bytes before their turn", () => {
    for (let n = 0; n < 2; n++) ready();
    for (let n = 0; n < 6; n++) ready();
    const tooMany = connect();
    assert.equal(tooMany.destroyed, true);
    const chatty = sockets[4]!;
    chatty.emit("data", Buffer.alloc(33 * 1024));
    assert.equal(chatty.destroyed, true);
    assert.equal(queue.waiting, 5);
    assert.equal(refused(), 2);
  });

  it("ends what waits when it closes", () => {
    const under = [ready(), ready()];
    const waiting = [ready(), connect()];
    queue.close();
    assert.deepEqual(
      [...under, ...waiting].map(({ destroyed }) => destroyed),
      [false, false, true, true],
    );
    clock.advance(10_000);
    assert.equal(begun.length, 2);
  });
});
