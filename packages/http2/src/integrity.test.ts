// Our client against our server in memory: random messages, window sizes, split points, stalls and resets.
// Every byte must arrive once, in order, with its trailers, and nothing may be left over at the end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HeaderList,
  queuedBodies,
  RequestHead,
  ResponseHead,
  type ClientStream,
  type HttpStream,
  type ServerStream,
  type ServerStreamHandler,
} from "@ripstop/http";
import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";
import { sharedPool } from "./shared-pool.ts";
import { Http2Connection } from "./connection.ts";
import type { Flushable, Http2Output, Http2ServerHandler } from "./connection-types.ts";
import { frame } from "./testing/frame-text.suite.ts";
import { RecordingHandler } from "./testing/recording-handler.suite.ts";

/** A repeatable source of randomness. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** An integer in [0, bound). */
  roll(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % bound;
  }
}

/** One direction of a transport that takes what it wants, when it wants. */
class Pipe implements Http2Output {
  readonly #dice: Dice;
  #bytes: Buffer = Buffer.alloc(0);
  flushWanted: Flushable | undefined;
  blocked = false;
  ended = false;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  scheduleFlush(connection: Flushable): void {
    assert.equal(this.flushWanted, undefined, "one flush asked for at a time");
    this.flushWanted = connection;
  }

  write(buf: Buffer, start: number, end: number): boolean {
    assert.ok(end > start, "no empty write");
    assert.ok(!this.blocked, "no write before the transport asks for more");
    this.#bytes = Buffer.concat([this.#bytes, buf.subarray(start, end)]);
    this.blocked = this.#dice.roll(3) === 0;
    return !this.blocked;
  }

  close(): void {
    this.ended = true;
  }

  /** Moves some bytes to the other end. True when something happened. */
  carry(to: Http2Connection, from: Http2Connection): boolean {
    const flush = this.flushWanted;
    this.flushWanted = undefined;
    flush?.flush();
    const count = Math.min(this.#bytes.length, 1 + this.#dice.roll(this.#dice.roll(4) === 0 ? 100_000 : 300));
    const piece = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    if (count > 0) to.receive(Buffer.from(piece), 0, count);
    if (this.#bytes.length === 0 && this.blocked) {
      this.blocked = false;
      from.writable();
    }
    return count > 0 || flush !== undefined || this.flushWanted !== undefined;
  }
}

function content(seed: number, length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; at++) out[at] = (at * 7 + seed * 13 + (at >> 9)) & 0xff;
  return out;
}

/** Sends a body in odd pieces as the stream allows, then trailers or a plain end. */
class Source {
  readonly #stream: HttpStream;
  readonly #dice: Dice;
  readonly #body: Buffer;
  readonly #trailers: string;
  #sent = 0;
  #open = true;

  constructor(stream: HttpStream, dice: Dice, body: Buffer, trailers: string) {
    this.#stream = stream;
    this.#dice = dice;
    this.#body = body;
    this.#trailers = trailers;
  }

  get wantsTurn(): boolean {
    return this.#open && this.#sent <= this.#body.length;
  }

  resume(): void {
    this.#open = true;
  }

  /** Sends one piece. */
  step(): void {
    if (this.#sent === this.#body.length) {
      const trailers = new HeaderList();
      trailers.append("x-trailer", this.#trailers);
      if (this.#trailers === "") this.#stream.sendEnd();
      else this.#stream.sendTrailers(trailers);
      trailers.clear();
      this.#sent++;
      return;
    }
    const end = Math.min(this.#body.length, this.#sent + 1 + this.#dice.roll(40_000));
    // The source's memory is reused at once, as the contract allows.
    const piece = Buffer.from(this.#body.subarray(this.#sent, end));
    this.#open = this.#stream.sendBody(piece, 0, piece.length);
    piece.fill(0xee);
    this.#sent = end;
  }
}

/** What one side has received of a message. */
class Sink {
  readonly pieces: Buffer[] = [];
  trailers = "";
  ended = false;
  reset: number | undefined;
  unconsumed = 0;

  text(): string {
    return `${Buffer.concat(this.pieces).toString("latin1")}|${this.trailers}`;
  }
}

function run(seed: number): void {
  const dice = new Dice(seed * 2654435761 + 1);
  const clock = new StoppedClock();
  const serverPipe = new Pipe(dice);
  const clientPipe = new Pipe(dice);
  const sources: Source[] = [];
  const taps: (() => boolean)[] = [];
  // A window of one byte makes every byte a round trip: bodies are then small.
  const window = [1, 100, 16_384, 65_535, 300_000][seed % 5] ?? 0;
  const longest = Math.min(200_000, window * 200);
  const windows = (): { initialWindowBytes: number; connectionWindowBytes: number } => ({
    initialWindowBytes: window + dice.roll(window),
    connectionWindowBytes: 65_535 + dice.roll(3) * 100_000,
  });
  const limits = {
    windowUpdates: { burst: 1e9, perSecond: 0 },
    control: { burst: 1e9, perSecond: 0 },
    resets: { burst: 1e9, perSecond: 0 },
  };

  /** Consumes received bytes later, in odd portions. */
  const consumeLater = (stream: HttpStream, sink: Sink): void => {
    taps.push(() => {
      if (sink.unconsumed === 0) return false;
      const count = 1 + dice.roll(sink.unconsumed);
      sink.unconsumed -= count;
      stream.consumed(count);
      return true;
    });
  };
  const listen = (stream: () => HttpStream, sink: Sink, source: () => Source | undefined): ServerStreamHandler => {
    let tapped = false;
    return {
      onBody(buf, start, end) {
        assert.ok(!sink.ended && sink.reset === undefined);
        sink.pieces.push(Buffer.from(buf.subarray(start, end)));
        sink.unconsumed += end - start;
        if (!tapped) consumeLater(stream(), sink);
        tapped = true;
      },
      onTrailers(trailers) {
        assert.ok(!sink.ended && sink.reset === undefined);
        sink.trailers = trailers.get("x-trailer") ?? "";
        sink.ended = true;
      },
      onEnd() {
        assert.ok(!sink.ended && sink.reset === undefined);
        sink.ended = true;
      },
      onWritable: () => source()?.resume(),
      onReset(code) {
        assert.equal(sink.reset, undefined);
        sink.reset = code;
      },
    };
  };

  class Server extends RecordingHandler implements Http2ServerHandler {
    readonly sinks = new Map<string, Sink>();

    onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
      const sink = new Sink();
      sink.ended = end;
      this.sinks.set(head.path, sink);
      const number = Number(head.path.slice(1));
      const response = new ResponseHead();
      response.headers.append("x-number", String(number));
      response.headers.append("x-long", "y".repeat(dice.roll(10) === 0 ? 20_000 : number));
      stream.sendResponse(response, false);
      const source = new Source(
        stream,
        dice,
        content(number + 1000, (number * 7919) % longest),
        number % 3 === 0 ? "t" : "",
      );
      sources.push(source);
      if (number % 11 === 5) taps.push(oneShot(() => stream.reset(8)));
      return listen(
        () => stream,
        sink,
        () => source,
      );
    }
  }
  const oneShot = (act: () => void): (() => boolean) => {
    let countdown = dice.roll(400);
    return () => {
      if (countdown < 0) return false;
      if (countdown-- === 0) act();
      return true;
    };
  };

  const serverHandler = new Server();
  const clientHandler = new RecordingHandler();
  const server = new Http2Connection({
    role: "server",
    output: serverPipe,
    handler: serverHandler,
    clock,
    limits,
    settings: { ...windows(), maxConcurrentStreams: 1 + dice.roll(30) },
  });
  const client = new Http2Connection({
    role: "client",
    output: clientPipe,
    handler: clientHandler,
    clock,
    limits,
    settings: windows(),
  });
  const sinks: Sink[] = [];
  const requests = 40;

  const openOne = (): void => {
    const number = sinks.length;
    const sink = new Sink();
    const own: { source: Source | undefined; stream: ClientStream | undefined } = {
      source: undefined,
      stream: undefined,
    };
    const handler = listen(
      () => own.stream!,
      sink,
      () => own.source,
    );
    const stream = client.open({
      ...handler,
      onInformational: () => undefined,
      onResponse(head, end) {
        assert.equal(head.headers.get("x-number"), String(number));
        sink.ended = end;
      },
    });
    if (stream === undefined) return;
    own.stream = stream;
    sinks.push(sink);
    const head = new RequestHead();
    head.method = "POST";
    head.scheme = "http";
    head.authority = "a.example";
    head.path = `/${number}`;
    head.headers.append("x-unique", `u${number}`);
    stream.sendRequest(head, false);
    own.source = new Source(stream, dice, content(number, (number * 104_729) % longest), number % 2 === 0 ? "t" : "");
    sources.push(own.source);
    if (number % 7 === 3) taps.push(oneShot(() => stream.reset(8)));
  };

  let idle = 0;
  for (let turn = 0; idle < 200; turn++) {
    assert.ok(turn < 1_000_000, `run ${seed} does not come to rest`);
    clock.advance(dice.roll(2));
    if (dice.roll(50) === 0) queuedBodies.limitBytes = dice.roll(2) === 0 ? Infinity : dice.roll(100_000) - 1;
    let busy = clientPipe.carry(server, client);
    busy = serverPipe.carry(client, server) || busy;
    if (sinks.length < requests && dice.roll(3) === 0) openOne();
    for (let turn = 0; turn < 3; turn++) {
      const ready = sources.filter((source) => source.wantsTurn);
      if (ready.length > 0) {
        ready[dice.roll(ready.length)]?.step();
        busy = true;
      }
    }
    for (const tap of taps) if (dice.roll(2) === 0) busy = tap() || busy;
    idle = busy || sinks.length < requests ? 0 : idle + 1;
  }

  assert.deepEqual([...serverHandler.errors, ...clientHandler.errors].map(String), []);
  for (const [number, sink] of sinks.entries()) {
    const serverSink = serverHandler.sinks.get(`/${number}`);
    const aborted = number % 7 === 3 || number % 11 === 5;
    if (!aborted) {
      assert.ok(sink.ended && serverSink?.ended, `exchange ${number} of run ${seed} did not end`);
      assert.ok(
        sink.text() ===
          `${content(number + 1000, (number * 7919) % longest).toString("latin1")}|${number % 3 === 0 ? "t" : ""}`,
      );
      assert.ok(
        serverSink.text() ===
          `${content(number, (number * 104_729) % longest).toString("latin1")}|${number % 2 === 0 ? "t" : ""}`,
      );
    }
  }
  assert.equal(client.activeStreams, 0);
  assert.equal(server.activeStreams, 0);
  assert.equal(client.queuedBytes, 0);
  assert.equal(server.queuedBytes, 0);

  // A graceful end leaves nothing behind.
  server.shutdown();
  for (let turn = 0; turn < 5000 && !(serverPipe.ended && clientPipe.ended); turn++) {
    clientPipe.carry(server, client);
    serverPipe.carry(client, server);
  }
  assert.ok(serverPipe.ended && clientPipe.ended, "both ends close");
}

describe("client and server in memory", () => {
  it("lose, double and reorder nothing, whatever the windows and split points", () => {
    const before = sharedPool.outstanding;
    const heldBytes = queuedBodies.heldBytes;
    try {
      for (let seed = 1; seed <= 8; seed++) run(seed);
    } finally {
      queuedBodies.limitBytes = Infinity;
    }
    assert.equal(sharedPool.outstanding, before, "all memory went back to the pool");
    assert.equal(queuedBodies.heldBytes, heldBytes, "nothing is counted as waiting any more");
  });
});

describe("random frames", () => {
  const anyFrame = fc
    .tuple(
      fc.integer({ min: 0, max: 17 }),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(0, 1, 2, 3, 5, 7),
      fc.uint8Array({ maxLength: 60 }),
    )
    .map(([type, flags, id, payload]) => frame(type, flags, id, Buffer.from(payload)));
  const goodHeaders = fc
    .constantFrom(1, 3, 5)
    .map((id) => frame(1, 4, id, Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 1]), Buffer.from("a")])));

  for (const role of ["server", "client"] as const) {
    it(`give the ${role} typed errors only, and the same for every split`, () => {
      fc.assert(
        fc.property(
          fc.array(fc.oneof(anyFrame, goodHeaders), { maxLength: 12 }),
          fc.integer({ min: 1, max: 40 }),
          (frames, piece) => {
            const outcomes = [Infinity, piece].map((pieceBytes) => {
              const handler = new (class extends RecordingHandler implements Http2ServerHandler {
                onRequest(stream: ServerStream, head: RequestHead, end: boolean): ServerStreamHandler {
                  this.events.push(`request ${head.method} ${head.path} ${end}`);
                  return {
                    onBody: (_buf, start, stop) => stream.consumed(stop - start),
                    onTrailers: () => this.events.push("trailers"),
                    onEnd: () => this.events.push("end"),
                    onWritable: () => undefined,
                    onReset: (code) => this.events.push(`reset ${code}`),
                  };
                }
              })();
              const written: Buffer[] = [];
              const output: Http2Output = {
                scheduleFlush: () => undefined,
                write: (buf, start, end) => written.push(Buffer.from(buf.subarray(start, end))) > 0,
                close: () => handler.events.push("close"),
              };
              const common = { output, clock: new StoppedClock() };
              const connection =
                role === "server"
                  ? new Http2Connection({ role, handler, ...common })
                  : new Http2Connection({ role, handler, ...common });
              const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
              const bytes = Buffer.concat([...(role === "server" ? [preface] : []), frame(4, 0, 0), ...frames]);
              for (let at = 0; at < bytes.length; at += pieceBytes) {
                connection.receive(bytes, at, Math.min(bytes.length, at + pieceBytes));
              }
              connection.flush();
              const dead = connection.dead;
              connection.closed("end of test");
              for (const error of handler.errors) assert.match(error.kind.code, /^RS52/);
              return { events: handler.events, dead, written: Buffer.concat(written).toString("hex") };
            });
            assert.deepEqual(outcomes[0], outcomes[1]);
          },
        ),
        { numRuns: 400 },
      );
    });
  }
});
