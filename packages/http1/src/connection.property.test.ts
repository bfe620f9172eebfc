// Integrity: random exchanges between our client and our server connection, over pipes that split, delay and congest
// at random. Every byte must arrive, in order, both ways, and both connections must be idle again.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  HeaderList,
  queuedBodies,
  RequestHead,
  ResponseHead,
  type HttpStream,
  type HttpStreamHandler,
  type ServerStream,
} from "@ripstop/http";
import { SeededRandom } from "@ripstop/testkit";
import { Http1ClientConnection } from "./client-connection.ts";
import type { Http1Output } from "./message-sender.ts";
import { ManualScheduler } from "./fake-output.suite.ts";
import { Http1ServerConnection } from "./server-connection.ts";

interface Receiver {
  receive(buf: Buffer, start: number, end: number): void;
  writable(): void;
}

/** One direction of a connection, moved on by `step`. */
class Pipe {
  queue: Buffer = Buffer.alloc(0);
  isPaused = false;
  isEnded = false;
  #isCongested = false;
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  write(bytes: Buffer): boolean {
    this.queue = Buffer.concat([this.queue, bytes]);
    const isOver = this.queue.length > 20_000;
    this.#isCongested ||= isOver;
    return !isOver;
  }

  /** Moves some bytes to `receiver`; true when anything happened. */
  step(receiver: Receiver, sender: Receiver): boolean {
    if (this.isPaused || this.queue.length === 0) return false;
    const count = Math.min(this.queue.length, 1 + this.#random.integer(this.#random.pick([3, 100, 70_000])));
    // Own memory, overwritten afterwards, as a shared read buffer is.
    const piece = Buffer.from(this.queue.subarray(0, count));
    this.queue = this.queue.subarray(count);
    receiver.receive(piece, 0, count);
    piece.fill(0x21);
    if (this.#isCongested && this.queue.length === 0) {
      this.#isCongested = false;
      sender.writable();
    }
    return true;
  }
}

function outputTo(outgoing: Pipe, incoming: Pipe): Http1Output {
  return {
    write: (buf, start, end) => outgoing.write(Buffer.from(buf.subarray(start, end))),
    pause() {
      incoming.isPaused = true;
    },
    resume() {
      incoming.isPaused = false;
    },
    end() {
      outgoing.isEnded = true;
    },
    destroy() {
      outgoing.isEnded = true;
    },
  };
}

/** Sends `body` in random pieces as the stream allows, then ends it. */
class Sender {
  readonly #stream: HttpStream;
  readonly #body: Buffer;
  readonly #trailers: HeaderList | undefined;
  readonly #random: SeededRandom;
  #sent = 0;
  #isWaiting = false;
  isDone = false;

  constructor(stream: HttpStream, body: Buffer, parts: { trailers: HeaderList | undefined; random: SeededRandom }) {
    this.#stream = stream;
    this.#body = body;
    this.#trailers = parts.trailers;
    this.#random = parts.random;
  }

  resume(): void {
    this.#isWaiting = false;
  }

  step(): boolean {
    if (this.#isWaiting || this.isDone) return false;
    if (this.#sent === this.#body.length) {
      this.isDone = true;
      if (this.#trailers === undefined) this.#stream.sendEnd();
      else this.#stream.sendTrailers(this.#trailers);
      return true;
    }
    const count = Math.min(
      this.#body.length - this.#sent,
      1 + this.#random.integer(this.#random.pick([10, 5_000, 80_000])),
    );
    const piece = Buffer.from(this.#body.subarray(this.#sent, this.#sent + count));
    this.#sent += count;
    this.#isWaiting = !this.#stream.sendBody(piece, 0, count);
    piece.fill(0x3f);
    return true;
  }
}

/** Collects what arrives and consumes it at random moments. */
class Collector implements HttpStreamHandler {
  readonly pieces: Buffer[] = [];
  trailer = "";
  isEnded = false;
  stream: HttpStream | undefined = undefined;
  sender: Sender | undefined = undefined;
  #unconsumed = 0;

  step(random: SeededRandom): boolean {
    if (this.#unconsumed === 0) return false;
    const count = 1 + random.integer(this.#unconsumed);
    this.#unconsumed -= count;
    this.stream?.consumed(count);
    return true;
  }

  onBody(buf: Buffer, start: number, end: number): void {
    this.pieces.push(Buffer.from(buf.subarray(start, end)));
    this.#unconsumed += end - start;
  }

  onTrailers(trailers: HeaderList): void {
    this.trailer = trailers.get("x-sum") ?? "";
    this.isEnded = true;
  }

  onEnd(): void {
    this.isEnded = true;
  }

  onWritable(): void {
    this.sender?.resume();
  }

  onReset(code: number, cause: string): void {
    assert.fail(`reset ${code} ${cause}`);
  }

  onInformational(): void {}

  onResponse(_head: ResponseHead, end: boolean): void {
    this.isEnded ||= end;
  }
}

/** Runs `count` exchanges over one connection with random numbers from `seed`. Returns the bytes that were moved. */
function runExchanges(seed: number, count: number): number {
  const random = new SeededRandom(seed);
  const scheduler = new ManualScheduler();
  const up = new Pipe(random);
  const down = new Pipe(random);
  let idleEvents = 0;
  const accepted: Collector[] = [];
  const streams: ServerStream[] = [];
  let responseBody: Buffer = Buffer.alloc(0);
  let responseTrailers: HeaderList | undefined;
  let isLengthKnown = false;
  const server = new Http1ServerConnection({
    output: outputTo(down, up),
    scheduler,
    handler: {
      onRequest(stream, _head, end) {
        const collector = new Collector();
        collector.stream = stream;
        collector.isEnded = end;
        streams.push(stream);
        accepted.push(collector);
        return collector;
      },
      onIdle: () => idleEvents++,
      onError: (error) => assert.fail(error.name),
      onLinger: () => assert.fail("the connection must live on"),
    },
  });
  const client = new Http1ClientConnection({
    output: outputTo(up, down),
    scheduler,
    handler: {
      onIdle: () => undefined,
      onUnusable: () => assert.fail("the connection must live on"),
      onError: (error) => assert.fail(error.name),
    },
  });
  const makeBody = (): Buffer => random.bytes(random.integer(random.pick([1, 50, 3_000, 200_000])));
  const makeTrailers = (): HeaderList => {
    const list = new HeaderList();
    list.append("x-sum", String(random.integer(1000)));
    return list;
  };
  let moved = 0;
  for (let exchange = 0; exchange < count; exchange++) {
    const requestBody = makeBody();
    const requestTrailers = random.next() < 0.3 ? makeTrailers() : undefined;
    const head = new RequestHead();
    head.method = "POST";
    head.authority = "a";
    const isRequestLengthKnown = requestTrailers === undefined && random.next() < 0.5;
    head.contentLength = isRequestLengthKnown ? requestBody.length : -1;
    responseBody = makeBody();
    isLengthKnown = random.next() < 0.5;
    responseTrailers = !isLengthKnown && random.next() < 0.5 ? makeTrailers() : undefined;
    const response = new Collector();
    const stream = client.open(response);
    assert.ok(stream);
    response.stream = stream;
    stream.sendRequest(head, false);
    const sender = new Sender(stream, requestBody, { trailers: requestTrailers, random });
    response.sender = sender;
    let answer: Sender | undefined;
    let isStuck = 0;
    while (!client.isIdle || !server.isIdle) {
      const request = accepted[exchange];
      // The answer starts once the request has ended: before, its end would cut the request.
      if (request !== undefined && answer === undefined && request.isEnded) {
        const responseHead = new ResponseHead();
        responseHead.contentLength = isLengthKnown ? responseBody.length : -1;
        const served = streams[exchange];
        assert.ok(served);
        served.sendResponse(responseHead, false);
        answer = new Sender(served, responseBody, { trailers: responseTrailers, random });
        request.sender = answer;
      }
      const steps = [
        () => sender.step(),
        () => answer?.step() ?? false,
        () => up.step(server, client),
        () => down.step(client, server),
        () => request?.step(random) ?? false,
        () => response.step(random),
        () => (scheduler.run(), false),
      ];
      isStuck = random.pick(steps)() ? 0 : isStuck + 1;
      assert.ok(isStuck < 1000, `exchange ${exchange} of seed ${seed} does not go on`);
    }
    const got = accepted[exchange];
    assert.ok(got && Buffer.concat(got.pieces).equals(requestBody), `request body of seed ${seed}`);
    assert.equal(got.trailer, requestTrailers?.get("x-sum") ?? "");
    assert.ok(Buffer.concat(response.pieces).equals(responseBody), `response body of seed ${seed}`);
    assert.equal(response.trailer, responseTrailers?.get("x-sum") ?? "");
    moved += requestBody.length + responseBody.length;
  }
  assert.equal(idleEvents, count);
  assert.equal(up.queue.length + down.queue.length, 0);
  return moved;
}

describe("client and server connection over hostile pipes", () => {
  it("lose no byte and end idle", () => {
    const queuedBefore = queuedBodies.heldBytes;
    let moved = 0;
    for (let seed = 1; seed <= 25; seed++) moved += runExchanges(seed, 5);
    assert.ok(moved > 1_000_000);
    assert.equal(queuedBodies.heldBytes, queuedBefore, "nothing waits any more");
  });
});
