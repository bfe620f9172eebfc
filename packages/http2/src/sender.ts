// The sending half of a connection: composes frames, keeps to the peer's windows, queues what cannot leave, and shares
// the connection window fairly among the streams that wait for it (RFC 9113 §5.2, §5.1; RFC 9218 §10).

import { copyBytes } from "@ripstop/core";
import { HeaderList, queuedBodies } from "@ripstop/http";
import { sharedPool } from "./shared-pool.ts";
import { FrameWriter, FULL_REGION_BYTES } from "./frame-writer.ts";
import { DEFAULT_MAX_FRAME_BYTES, DEFAULT_WINDOW, FrameFlag, FrameType } from "./frames.ts";
import { writeTrailers } from "./head-writer.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { Ending, type Http2Stream } from "./stream.ts";

/** A stream asks for a pause above this, and for more at or below the low mark. */
const HIGH_WATER_BYTES = 64 * 1024;
const LOW_WATER_BYTES = 16 * 1024;

const URGENCIES = 8;
const NO_QUEUE: Buffer = Buffer.alloc(0);

/** What the sender needs from its connection. */
export interface SenderOwner {
  /** There are bytes to flush and none were announced since the last flush. */
  scheduleFlush(): void;
  /** Writes to the transport; false when it asks for a pause. */
  write(buf: Buffer, start: number, end: number): boolean;
  /** Our side of the stream has ended. */
  onLocalEnd(stream: Http2Stream): void;
  /** A DATA frame left: it may be answered by window updates. */
  onDataSent(): void;
}

/** One per connection. */
export class Sender {
  readonly writer: FrameWriter = new FrameWriter();
  readonly encoder: HpackEncoder = new HpackEncoder();
  /** The connection's send window. */
  window: number = DEFAULT_WINDOW;
  /** The transport asked for a pause. */
  blocked = false;
  /** More control frames wait for a peer that does not read than allowed. */
  overflowed = false;

  readonly #owner: SenderOwner;
  readonly #maxQueuedControlBytes: number;
  readonly #maxQueuedBodyBytes: number;
  #queuedBytes = 0;
  #scheduled = false;
  #stopped = false;
  /** Bit u is set when list u is not empty. */
  #ready = 0;
  readonly #first: (Http2Stream | undefined)[] = Array.from({ length: URGENCIES }, () => undefined);
  readonly #last: (Http2Stream | undefined)[] = Array.from({ length: URGENCIES }, () => undefined);

  constructor(
    owner: SenderOwner,
    limits: { readonly maxQueuedControlBytes: number; readonly maxQueuedBodyBytes: number },
  ) {
    this.#owner = owner;
    this.#maxQueuedControlBytes = limits.maxQueuedControlBytes;
    this.#maxQueuedBodyBytes = limits.maxQueuedBodyBytes;
  }

  /** Body bytes queued on all streams. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Announces that frames were composed. Call after each frame or group of frames. */
  schedule(): void {
    if (this.#stopped) return;
    if (this.writer.length >= FULL_REGION_BYTES) {
      if (!this.blocked) this.#write();
      else if (this.writer.length > this.#maxQueuedControlBytes) this.overflowed = true;
    }
    if (this.#scheduled || this.blocked) return;
    this.#scheduled = true;
    this.#owner.scheduleFlush();
  }

  /** The flush that was asked for has come. */
  unschedule(): void {
    this.#scheduled = false;
  }

  /** Composes what the windows let out and writes it. */
  flush(): void {
    while (!this.blocked && !this.#stopped) {
      this.#pump();
      if (this.writer.length === 0 || this.blocked) return;
      this.#write();
    }
  }

  /** Nothing is sent any more; memory goes back. */
  stop(): void {
    this.#stopped = true;
    this.writer.release();
  }

  /** See HttpStream.sendBody. */
  sendBody(stream: Http2Stream, buf: Buffer, start: number, end: number): boolean {
    if (stream.closed || stream.localEnded || stream.ending !== Ending.NONE) return true;
    let at = start;
    if (stream.queueEnd === stream.queueStart && this.#ready === 0 && !this.blocked) {
      while (at < end) {
        const count = Math.min(end - at, DEFAULT_MAX_FRAME_BYTES, stream.sendWindow, this.window);
        if (count <= 0) break;
        if (this.writer.length >= FULL_REGION_BYTES) {
          this.#write();
          if (stream.closed) return true;
          if (this.blocked) break;
        }
        this.#data(stream, buf, at, at + count);
        at += count;
      }
      this.schedule();
      if (at === end) return true;
    }
    this.#enqueue(stream, buf, at, end);
    const isFull = queuedBodies.isTight || this.#queuedBytes > this.#maxQueuedBodyBytes;
    const mark = isFull ? LOW_WATER_BYTES : HIGH_WATER_BYTES;
    if (stream.queuedBytes <= mark) return true;
    stream.wantsWritable = true;
    return false;
  }

  /** Ends our side of the stream behind what is queued. */
  sendEnd(stream: Http2Stream): void {
    if (stream.closed || stream.localEnded || stream.ending !== Ending.NONE) return;
    stream.ending = Ending.END;
    if (stream.queuedBytes === 0) this.#finish(stream);
  }

  /** Ends our side of the stream with trailers behind what is queued. */
  sendTrailers(stream: Http2Stream, trailers: HeaderList): void {
    if (stream.closed || stream.localEnded || stream.ending !== Ending.NONE) return;
    stream.ending = Ending.TRAILERS;
    if (stream.queuedBytes === 0) {
      this.#finish(stream, trailers);
      return;
    }
    stream.trailers = new HeaderList();
    stream.trailers.copyFrom(trailers);
  }

  /** The stream can perhaps send: its window or queue has changed. */
  wake(stream: Http2Stream): void {
    if (stream.isReady || stream.closed || stream.sendWindow <= 0 || stream.queuedBytes === 0) return;
    stream.isReady = true;
    stream.nextReady = undefined;
    const { urgency } = stream;
    const last = this.#last[urgency];
    stream.previousReady = last;
    if (last === undefined) this.#first[urgency] = stream;
    else last.nextReady = stream;
    this.#last[urgency] = stream;
    this.#ready |= 1 << urgency;
    this.schedule();
  }

  /** The connection's window has opened: streams that waited for it can send. */
  wakeAll(): void {
    if (this.#ready !== 0) this.schedule();
  }

  /** The stream's urgency changes (RFC 9218 §7). */
  setUrgency(stream: Http2Stream, urgency: number): void {
    if (stream.isReady) this.#unlink(stream);
    stream.urgency = urgency;
    this.wake(stream);
  }

  /** The stream is closed: forgets what it has queued. */
  drop(stream: Http2Stream): void {
    if (stream.isReady) this.#unlink(stream);
    this.#queuedBytes -= stream.queuedBytes;
    this.#releaseQueue(stream);
    stream.trailers = undefined;
    stream.wantsWritable = false;
  }

  #write(): void {
    const { writer } = this;
    if (!this.#owner.write(writer.buffer, 0, writer.length)) this.blocked = true;
    writer.release();
  }

  #pump(): void {
    while (this.#ready !== 0 && this.window > 0 && !this.blocked && this.writer.length < FULL_REGION_BYTES) {
      const stream = this.#takeFirst();
      if (stream === undefined) return;
      const count = Math.min(stream.queuedBytes, DEFAULT_MAX_FRAME_BYTES, stream.sendWindow, this.window);
      if (count <= 0) continue;
      this.#data(stream, stream.queue, stream.queueStart, stream.queueStart + count);
      stream.queueStart += count;
      this.#queuedBytes -= count;
      if (stream.queuedBytes > 0) {
        this.wake(stream);
      } else {
        this.#releaseQueue(stream);
        if (stream.ending !== Ending.NONE) this.#finish(stream, stream.trailers);
      }
      if (stream.wantsWritable && stream.queuedBytes <= LOW_WATER_BYTES) {
        stream.wantsWritable = false;
        stream.handler?.onWritable();
      }
    }
  }

  #takeFirst(): Http2Stream | undefined {
    const stream = this.#first[31 - Math.clz32(this.#ready & -this.#ready)];
    if (stream !== undefined) this.#unlink(stream);
    return stream;
  }

  #unlink(stream: Http2Stream): void {
    const { urgency, nextReady, previousReady } = stream;
    if (previousReady === undefined) this.#first[urgency] = nextReady;
    else previousReady.nextReady = nextReady;
    if (nextReady === undefined) this.#last[urgency] = previousReady;
    else nextReady.previousReady = previousReady;
    if (this.#first[urgency] === undefined) this.#ready &= ~(1 << urgency);
    stream.nextReady = undefined;
    stream.previousReady = undefined;
    stream.isReady = false;
  }

  #data(stream: Http2Stream, buf: Buffer, start: number, end: number): void {
    const count = end - start;
    stream.lastFrameAt = this.writer.data(stream.id, buf, start, end);
    stream.lastFrameEpoch = this.writer.epoch;
    stream.sendWindow -= count;
    this.window -= count;
    this.#owner.onDataSent();
  }

  #finish(stream: Http2Stream, trailers?: HeaderList): void {
    const { writer } = this;
    if (trailers !== undefined) {
      const at = writer.header(0, FrameType.HEADERS, 0, stream.id);
      writeTrailers(this.encoder, writer, trailers);
      writer.finishHeaders(at, stream.id, true);
      stream.trailers = undefined;
    } else if (stream.lastFrameEpoch === writer.epoch) {
      const at = stream.lastFrameAt + 4;
      writer.buffer[at] = (writer.buffer[at] ?? 0) | FrameFlag.END_STREAM;
    } else {
      writer.header(0, FrameType.DATA, FrameFlag.END_STREAM, stream.id);
    }
    stream.localEnded = true;
    this.schedule();
    this.#owner.onLocalEnd(stream);
  }

  #enqueue(stream: Http2Stream, buf: Buffer, start: number, end: number): void {
    const count = end - start;
    const queued = stream.queuedBytes;
    if (stream.queueEnd + count > stream.queue.length) {
      if (queued + count > stream.queue.length) {
        const grown = sharedPool.take(
          Math.max(queued + count, Math.min(stream.queue.length * 2, HIGH_WATER_BYTES * 2)),
        );
        copyBytes(grown, 0, stream.queue, stream.queueStart, stream.queueEnd);
        if (stream.queue.length > 0) sharedPool.give(stream.queue);
        queuedBodies.add(grown.length - stream.queue.length);
        stream.queue = grown;
      } else {
        stream.queue.copyWithin(0, stream.queueStart, stream.queueEnd);
      }
      stream.queueStart = 0;
      stream.queueEnd = queued;
    }
    copyBytes(stream.queue, stream.queueEnd, buf, start, end);
    stream.queueEnd += count;
    this.#queuedBytes += count;
    this.wake(stream);
  }

  #releaseQueue(stream: Http2Stream): void {
    if (stream.queue.length > 0) {
      sharedPool.give(stream.queue);
      queuedBodies.add(-stream.queue.length);
    }
    stream.queue = NO_QUEUE;
    stream.queueStart = 0;
    stream.queueEnd = 0;
  }
}
