// Windows on long paths, over a simulated link with a stopped clock.

import { RequestHead, ResponseHead, type ClientStreamHandler, type HeaderList, type ServerStream } from "@ripstop/http";
import { StoppedClock } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Http2Connection } from "./connection.ts";
import type { Flushable, Http2Output } from "./connection-types.ts";
import { Http2Stream, type StreamOwner } from "./stream.ts";
import { RecordingHandler } from "./testing/recording-handler.suite.ts";
import { MAX_TUNED_WINDOW_BYTES, WindowTuner } from "./window-tuner.ts";

const KB = 1024;
const MB = 1024 * KB;
const FIRST_WINDOW = 256 * KB;
const BLOCK = Buffer.alloc(64 * KB);

interface Transfer {
  readonly bytes: number;
  readonly roundTripMs: number;
  /** How many of the bytes that came and wait are consumed each millisecond. */
  readonly consume: (waiting: number) => number;
  readonly streams?: number;
}

/** A server sends `bytes` on each stream as fast as windows allow. Returns the time and the most that was under way. */
function transfer({ bytes, roundTripMs, consume, streams = 1 }: Transfer): {
  readonly ms: number;
  readonly mostOutstanding: number;
} {
  const clock = new StoppedClock();
  const startMs = clock.monotonicMs();
  const dirty = new Set<Flushable>();
  const output = (to: () => Http2Connection): Http2Output => ({
    scheduleFlush: (connection) => dirty.add(connection),
    write(buf, start, end) {
      const copy = Buffer.from(buf.subarray(start, end));
      clock.after(roundTripMs / 2, () => to().receive(copy, 0, copy.length));
      return true;
    },
    close: () => undefined,
  });
  let sent = 0;
  let consumed = 0;
  let mostOutstanding = 0;
  const serverHandler = Object.assign(new RecordingHandler(), {
    onRequest(stream: ServerStream) {
      let left = bytes;
      const send = (): void => {
        let open = true;
        while (open && left > 0) {
          const count = Math.min(left, BLOCK.length);
          left -= count;
          sent += count;
          open = stream.sendBody(BLOCK, 0, count);
        }
        if (left === 0) stream.sendEnd();
      };
      stream.sendResponse(new ResponseHead(), false);
      send();
      return { onBody() {}, onEnd() {}, onTrailers(_: HeaderList) {}, onWritable: send, onReset() {} };
    },
  });
  const settings = { initialWindowBytes: FIRST_WINDOW, connectionWindowBytes: 64 * MB };
  const client: Http2Connection = new Http2Connection({
    role: "client",
    output: output(() => server),
    handler: new RecordingHandler(),
    clock,
    settings,
  });
  const server: Http2Connection = new Http2Connection({
    role: "server",
    output: output(() => client),
    handler: serverHandler,
    clock,
  });
  let open = streams;
  const readers: (() => void)[] = [];
  for (let i = 0; i < streams; i++) {
    let waiting = 0;
    const handler: ClientStreamHandler = {
      onInformational() {},
      onResponse() {},
      onBody: (_buf, start, end) => (waiting += end - start),
      onTrailers() {},
      onEnd: () => open--,
      onWritable() {},
      onReset: (code, cause) => assert.fail(`${code} ${cause}`),
    };
    const stream = client.open(handler);
    assert.ok(stream);
    readers.push(() => {
      const count = Math.min(waiting, consume(waiting));
      waiting -= count;
      consumed += count;
      if (count > 0) stream.consumed(count);
    });
    const head = new RequestHead();
    head.method = "GET";
    head.scheme = "http";
    head.authority = "a";
    head.path = "/";
    stream.sendRequest(head, true);
  }
  while (open > 0) {
    for (const connection of dirty) {
      dirty.delete(connection);
      connection.flush();
    }
    clock.advance(1);
    for (const read of readers) read();
    mostOutstanding = Math.max(mostOutstanding, sent - consumed);
    assert.ok(clock.monotonicMs() - startMs < 600_000, "stuck");
  }
  return { ms: clock.monotonicMs() - startMs, mostOutstanding };
}

describe("windows", () => {
  const all = (waiting: number): number => waiting;

  it("open on a long path until one stream is no longer held back by them", () => {
    const { ms } = transfer({ bytes: 64 * MB, roundTripMs: 100, consume: all });
    // 64 MB through 256 KiB a round trip are 25.6 s; through 4 MiB 1.6 s, and some round trips to get there.
    assert.ok(ms < 3_000, `${ms} ms`);
  });

  it("stay as they are on a short path", () => {
    const { mostOutstanding } = transfer({ bytes: 16 * MB, roundTripMs: 1, consume: all });
    // What is sent and not consumed: a window, and what the sender queues behind it.
    assert.ok(mostOutstanding < 2 * FIRST_WINDOW, `${mostOutstanding}`);
  });

  it("do not open for a reader that is slower than they are", () => {
    const { mostOutstanding } = transfer({ bytes: 4 * MB, roundTripMs: 100, consume: () => 512 });
    assert.ok(mostOutstanding < 2 * FIRST_WINDOW, `${mostOutstanding}`);
  });

  it("never open further than their bounds, for one stream and for all together", () => {
    const one = transfer({ bytes: 64 * MB, roundTripMs: 500, consume: all });
    assert.ok(one.mostOutstanding > 2 * MB, "they did open");
    assert.ok(one.mostOutstanding < MAX_TUNED_WINDOW_BYTES + 2 * FIRST_WINDOW, `${one.mostOutstanding}`);
    const many = transfer({ bytes: 8 * MB, roundTripMs: 500, consume: all, streams: 20 });
    assert.ok(many.mostOutstanding < 32 * MB + 20 * 2 * FIRST_WINDOW, `${many.mostOutstanding}`);
  });

  it("give back what a stream had when it ends", () => {
    const nobody: StreamOwner = {
      sendRequest() {},
      sendResponse() {},
      sendInformational() {},
      sendBody: () => true,
      sendTrailers() {},
      sendEnd() {},
      resetStream() {},
      consumed() {},
    };
    const clock = new StoppedClock();
    let pings = 0;
    const tuner = new WindowTuner({ clock, ping: () => pings++, maxExtraBytes: 3 * FIRST_WINDOW });
    const stream = new Http2Stream(nobody, 1, 0, FIRST_WINDOW);
    assert.equal(tuner.grow(stream, FIRST_WINDOW), 0, "the first half says nothing yet");
    assert.equal(pings, 0);
    assert.equal(tuner.grow(stream, FIRST_WINDOW), 0, "the path is not measured yet");
    clock.advance(50);
    tuner.onPong();
    assert.equal(tuner.grow(stream, FIRST_WINDOW), FIRST_WINDOW);
    assert.equal(tuner.grow(stream, 2 * FIRST_WINDOW), 2 * FIRST_WINDOW);
    assert.equal(tuner.grow(stream, 4 * FIRST_WINDOW), 0, "the bound of all streams");
    assert.equal(pings, 1);
    tuner.release(stream);
    assert.equal(tuner.extraBytes, 0);
    assert.equal(stream.extraWindow, 0);
  });
});
