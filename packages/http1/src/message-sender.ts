// The sending half of a connection: heads and body pieces of one turn gathered into one write, bodies framed, the
// declared length enforced (RFC 9112 §6 and §7).

import { ByteWriter } from "@ripstop/core";
import { queuedBodies, type HeaderList } from "@ripstop/http";
import { encodeTrailers } from "./head-encoder.ts";

/** What a connection writes to; a Conn of packages/net fits as it is. */
export interface Http1Output {
  /** Sends `buf[start, end)`; the caller may reuse `buf` on return. False: bytes are queued, wait for `writable`. */
  write(buf: Buffer, start: number, end: number): boolean;
  /** Sends all of `bytes` without a copy; see Conn.give. When it returns false the memory is not the caller's any more. */
  give?(bytes: Buffer): boolean;
  /** Stops receiving; bytes may still arrive once. */
  pause(): void;
  resume(): void;
  /** Sends FIN after the queued bytes. The transport closes itself when both sides have ended. */
  end(): void;
  /** Closes at once; with `reset` so that the peer does not take it for an orderly end. */
  destroy(reset?: boolean): void;
}

/** Something that has gathered bytes to write. */
export interface Flushable {
  flush(): void;
}

/** Calls `flush` once, soon: at the latest at the end of the event-loop turn. */
export interface FlushScheduler {
  schedule(target: Flushable): void;
}

const dirty: (Flushable | undefined)[] = [];
let dirtyCount = 0;
const settled = Promise.resolve();
/** Calls of `receive` that run now, within each other. */
let receiving = 0;

/** A connection takes bytes: what is written until the matching `endReceive` leaves there, without a microtask. */
export function beginReceive(): void {
  receiving++;
}

/** See `beginReceive`. */
export function endReceive(): void {
  if (--receiving === 0 && dirtyCount > 0) flushDirty();
}

function flushDirty(): void {
  for (let at = 0; at < dirtyCount; at++) {
    dirty[at]?.flush();
    // The slot stays: to shorten an array is a call into C++ for every request.
    dirty[at] = undefined;
  }
  dirtyCount = 0;
}

/**
 * Flushes when the callback that is running now returns to the event loop: no wait, no closure. A reaction of a settled
 * promise, as queueMicrotask makes an AsyncResource for each call (0.6 µs). Within `receive` of a connection its end is
 * the moment: nearly all is written there, and even the cheapest microtask costs 0.2 µs.
 */
export const callbackEndScheduler: FlushScheduler = {
  schedule(target) {
    dirty[dirtyCount] = target;
    dirtyCount++;
    if (dirtyCount === 1 && receiving === 0) void settled.then(flushDirty);
  },
};

const INITIAL_CAPACITY = 16 * 1024;
const MAX_KEPT_CAPACITY = 256 * 1024;
const MAX_KEPT_WRITERS = 16;
/** Body pieces up to this size are copied behind what is gathered; larger ones are written from where they are. */
const MAX_COPIED_BYTES = 16 * 1024;
/** In a chunked body, up to this size, so that size line, data and CRLF leave as one. */
const MAX_COPIED_CHUNK_BYTES = 64 * 1024;
/** More than this is not gathered. */
const MAX_GATHERED_BYTES = 64 * 1024;

/** Writers at rest: a connection holds one only between its first byte of a turn and the flush. */
const restingWriters: ByteWriter[] = [];

/** How the body being sent is framed. */
export const SendFraming = {
  /** No body: bytes are dropped (HEAD, 204, 304). */
  NONE: 0,
  LENGTH: 1,
  CHUNKED: 2,
  /** Raw bytes until the connection ends: HTTP/1.0 bodies and tunnels. */
  RAW: 3,
} as const;

/** Sends messages to one output. */
export class MessageSender implements Flushable {
  readonly #output: Http1Output;
  readonly #scheduler: FlushScheduler;
  #writer: ByteWriter | undefined = undefined;
  #isScheduled = false;
  #isClosed = false;
  #isBlocked = false;
  /** Bytes written since the output was last empty. */
  #waiting = 0;
  #framing: number = SendFraming.NONE;
  #remaining = 0;

  constructor(output: Http1Output, scheduler: FlushScheduler) {
    this.#output = output;
    this.#scheduler = scheduler;
  }

  /** The last write was not taken whole. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** The output is empty again. */
  unblock(): void {
    this.#isBlocked = false;
    if (this.#waiting > 0) this.#wait(-this.#waiting);
  }

  /** Where to write a head. It leaves with the first body bytes, or at the next flush. */
  writer(): ByteWriter {
    let writer = this.#writer;
    if (writer === undefined) {
      writer = restingWriters.pop() ?? new ByteWriter(INITIAL_CAPACITY);
      this.#writer = writer;
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#scheduler.schedule(this);
    }
    return writer;
  }

  /** The body that follows is framed so; `length` counts for LENGTH only. */
  beginBody(framing: number, length: number): void {
    this.#framing = framing;
    this.#remaining = framing === SendFraming.LENGTH ? length : 0;
  }

  /** Whether all bytes of a declared length were sent, so that the peer has the whole message before `endBody`. */
  get hasSentDeclared(): boolean {
    return this.#framing === SendFraming.LENGTH && this.#remaining === 0;
  }

  /**
   * Sends body bytes. Returns false when the output is congested. Bytes beyond the declared length are dropped
   * (they would be read as another message).
   */
  body(buf: Buffer, start: number, end: number): boolean {
    switch (this.#framing) {
      case SendFraming.LENGTH: {
        const stop = Math.min(end, start + this.#remaining);
        this.#remaining -= stop - start;
        this.#raw(buf, start, stop);
        break;
      }
      case SendFraming.CHUNKED:
        if (end > start) this.#chunk(buf, start, end);
        break;
      case SendFraming.RAW:
        this.#raw(buf, start, end);
        break;
      default:
    }
    return !this.#isBlocked;
  }

  /** Ends the body, with `trailers` when its framing can carry them. Returns false when declared bytes are missing. */
  endBody(trailers: HeaderList | undefined): boolean {
    const isSatisfied = this.#remaining === 0;
    if (this.#framing === SendFraming.CHUNKED) {
      const writer = this.writer();
      if (trailers === undefined || !encodeTrailers(writer, trailers)) writer.latin1("0\r\n\r\n");
    }
    this.#framing = SendFraming.NONE;
    this.#remaining = 0;
    this.writeGathered();
    return isSatisfied;
  }

  /** For the scheduler: writes what is gathered. */
  flush(): void {
    this.#isScheduled = false;
    this.writeGathered();
  }

  /** Writes what is gathered now, without waiting for the scheduler. */
  writeGathered(): void {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#writer = undefined;
    if (writer.length > 0 && !this.#isClosed) {
      const output = this.#output;
      if (output.give === undefined) {
        if (!output.write(writer.buffer, 0, writer.length)) this.#block(writer.length);
      } else if (!output.give(writer.view())) {
        this.#block(writer.length);
        return;
      }
    }
    writer.clear();
    if (restingWriters.length < MAX_KEPT_WRITERS && writer.buffer.length <= MAX_KEPT_CAPACITY) {
      restingWriters.push(writer);
    }
  }

  /** The output is closed before its time: by a reset where no length or last chunk tells the peer what is missing. */
  cut(): void {
    this.#output.destroy(this.#framing === SendFraming.RAW);
  }

  /** The output is gone: nothing more is written. */
  close(): void {
    this.#isClosed = true;
    this.writeGathered();
    this.#wait(-this.#waiting);
  }

  #chunk(buf: Buffer, start: number, end: number): void {
    const writer = this.writer();
    writer.latin1(`${(end - start).toString(16)}\r\n`);
    if (end - start <= MAX_COPIED_CHUNK_BYTES) {
      writer.bytes(buf, start, end);
      writer.latin1("\r\n");
    } else {
      this.#direct(buf, start, end);
      this.writer().latin1("\r\n");
    }
    if (this.writer().length >= MAX_GATHERED_BYTES) this.writeGathered();
  }

  #raw(buf: Buffer, start: number, end: number): void {
    if (end <= start) return;
    if (end - start > MAX_COPIED_BYTES) {
      this.#direct(buf, start, end);
      return;
    }
    const writer = this.writer();
    writer.bytes(buf, start, end);
    if (writer.length >= MAX_GATHERED_BYTES) this.writeGathered();
  }

  #direct(buf: Buffer, start: number, end: number): void {
    this.writeGathered();
    if (!this.#isClosed && !this.#output.write(buf, start, end)) this.#block(end - start);
  }

  #block(count: number): void {
    this.#isBlocked = true;
    this.#wait(count);
  }

  /** So many bytes more wait, or fewer. */
  #wait(count: number): void {
    this.#waiting += count;
    queuedBodies.add(count);
  }
}
