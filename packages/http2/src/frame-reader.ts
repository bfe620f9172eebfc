// Cuts received bytes into frames (RFC 9113 §3.4, §4), however they are split. DATA passes through as it comes; other
// frames are handed out whole, from the receive buffer itself when they lie in it whole. A header block and its
// CONTINUATION frames are put together here, within limits.

import { copyBytes } from "@ripstop/core";
import { sharedPool } from "./shared-pool.ts";
import { HTTP2_BAD_PREFACE, HTTP2_FLOOD, HTTP2_FRAME_SIZE_ERROR, HTTP2_PROTOCOL_ERROR, Http2Error } from "./errors.ts";
import { CLIENT_PREFACE, FRAME_HEADER_BYTES, FrameFlag, FrameType, readU31 } from "./frames.ts";
import { StreamErrorCode } from "@ripstop/http";

/** Hears the frames of a connection in order. */
export interface FrameSink {
  /**
   * A DATA frame begins; `length` is what flow control counts, of which `padding` bytes are no content.
   * Its content follows in `onData`, then `onDataEnd`.
   */
  onDataStart(streamId: number, length: number, padding: number): void;
  onData(buf: Buffer, start: number, end: number): void;
  onDataEnd(endStream: boolean): void;
  /** A complete header block. */
  onHeaders(streamId: number, endStream: boolean, buf: Buffer, start: number, end: number): void;
  /** Any other known frame, whole. */
  onFrame(type: number, flags: number, streamId: number, buf: Buffer, start: number, end: number): void;
  /** A frame that costs attention and brings nothing: empty, or of an unknown type. */
  onIdleFrame(unknown: boolean): void;
  /** The peer broke framing: the connection is over. */
  onFramingError(error: Http2Error): void;
}

/** What the reader allows. */
export interface FrameReaderOptions {
  /** The peer begins with the client preface. */
  readonly expectPreface: boolean;
  readonly maxFrameBytes: number;
  /** Compressed header block with all its CONTINUATION frames. */
  readonly maxBlockBytes: number;
  readonly maxContinuations: number;
}

const State = { PREFACE: 0, HEADER: 1, PAYLOAD: 2, PAD_LENGTH: 3, DATA: 4, SKIP: 5, STOPPED: 6 } as const;
type StateValue = (typeof State)[keyof typeof State];

const EMPTY: Buffer = Buffer.alloc(0);

/** One reader per connection. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #options: FrameReaderOptions;
  #state: StateValue;
  /** Bytes of the preface or of the frame header that have come. */
  #have = 0;
  readonly #head = new Uint8Array(FRAME_HEADER_BYTES);
  #length = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Content and padding of a DATA frame, or of a frame to skip, that is still to come. */
  #left = 0;
  #padLeft = 0;
  /** An incomplete payload, from the pool. */
  #part: Buffer = EMPTY;
  #partHave = 0;
  /** An incomplete header block, from the pool; #blockStream is 0 when none is open. */
  #block: Buffer = EMPTY;
  #blockHave = 0;
  #blockStream = 0;
  #blockEnds = false;
  #continuations = 0;
  #sawSettings = false;

  constructor(sink: FrameSink, options: FrameReaderOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#state = options.expectPreface ? State.PREFACE : State.HEADER;
  }

  /** Whether the peer's part of the preface is complete: its first SETTINGS has come. */
  get sawSettings(): boolean {
    return this.#sawSettings;
  }

  /** The preface, a header block or a frame other than DATA has begun to come and is not complete. */
  get isWaiting(): boolean {
    if (this.#state === State.PREFACE) return true;
    return this.#blockStream !== 0 || this.#state === State.PAYLOAD || (this.#state === State.HEADER && this.#have > 0);
  }

  /** Nothing is read any more; memory goes back. */
  stop(): void {
    this.#state = State.STOPPED;
    this.#releasePart();
    this.#releaseBlock();
  }

  /** Takes `buf[start, end)`. */
  receive(buf: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      switch (this.#state) {
        case State.HEADER:
          at = this.#readHeader(buf, at, end);
          break;
        case State.PAYLOAD:
          at = this.#readPayload(buf, at, end);
          break;
        case State.DATA:
          at = this.#readData(buf, at, end);
          break;
        case State.PAD_LENGTH:
          this.#startData(buf[at++] ?? 0, 1);
          break;
        case State.SKIP: {
          const take = Math.min(this.#left, end - at);
          this.#left -= take;
          at += take;
          if (this.#left === 0) this.#state = State.HEADER;
          break;
        }
        case State.PREFACE:
          at = this.#readPreface(buf, at, end);
          break;
        case State.STOPPED:
          return;
      }
    }
  }

  #readPreface(buf: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && this.#have < CLIENT_PREFACE.length) {
      if (buf[at++] !== CLIENT_PREFACE[this.#have++]) {
        this.#sink.onFramingError(
          new Http2Error(HTTP2_BAD_PREFACE, StreamErrorCode.PROTOCOL_ERROR, {
            section: "RFC 9113 §3.4",
            message: "the connection does not begin with the HTTP/2 preface",
          }),
        );
        this.stop();
        return end;
      }
    }
    if (this.#have === CLIENT_PREFACE.length) {
      this.#have = 0;
      this.#state = State.HEADER;
    }
    return at;
  }

  #readHeader(buf: Buffer, start: number, end: number): number {
    if (this.#have === 0 && end - start >= FRAME_HEADER_BYTES) {
      this.#beginFrame(buf, start);
      return start + FRAME_HEADER_BYTES;
    }
    let at = start;
    while (at < end && this.#have < FRAME_HEADER_BYTES) this.#head[this.#have++] = buf[at++] ?? 0;
    if (this.#have === FRAME_HEADER_BYTES) {
      this.#have = 0;
      this.#beginFrame(this.#head, 0);
    }
    return at;
  }

  #beginFrame(head: Uint8Array, at: number): void {
    const length = ((head[at] ?? 0) << 16) | ((head[at + 1] ?? 0) << 8) | (head[at + 2] ?? 0);
    const type = head[at + 3] ?? 0;
    this.#length = length;
    this.#type = type;
    this.#flags = head[at + 4] ?? 0;
    this.#streamId = readU31(head, at + 5);
    if (!this.#sawSettings) {
      if (type !== FrameType.SETTINGS || (this.#flags & FrameFlag.ACK) !== 0 || length > this.#options.maxFrameBytes) {
        const http1 = length === 0x485454 && type === 0x50;
        return this.#fail(HTTP2_PROTOCOL_ERROR, StreamErrorCode.PROTOCOL_ERROR, {
          section: "RFC 9113 §3.4",
          message: http1 ? "the server answered in HTTP/1" : "the first frame is not SETTINGS",
        });
      }
      this.#sawSettings = true;
    }
    if (length > this.#options.maxFrameBytes) {
      return this.#fail(HTTP2_FRAME_SIZE_ERROR, StreamErrorCode.FRAME_SIZE_ERROR, {
        section: "RFC 9113 §4.2",
        message: `a frame of ${length} bytes where ${this.#options.maxFrameBytes} are allowed`,
      });
    }
    if (this.#blockStream !== 0 && (type !== FrameType.CONTINUATION || this.#streamId !== this.#blockStream)) {
      return this.#fail(HTTP2_PROTOCOL_ERROR, StreamErrorCode.PROTOCOL_ERROR, {
        section: "RFC 9113 §6.10",
        message: "another frame inside a header block",
      });
    }
    if (type === FrameType.DATA) return this.#beginData();
    if (type > FrameType.CONTINUATION && type !== FrameType.PRIORITY_UPDATE) {
      this.#left = length;
      this.#state = length === 0 ? State.HEADER : State.SKIP;
      return this.#sink.onIdleFrame(true);
    }
    if (length === 0) {
      this.#state = State.HEADER;
      return this.#complete(EMPTY, 0, 0);
    }
    this.#state = State.PAYLOAD;
  }

  #beginData(): void {
    if (this.#streamId === 0) return this.#protocolError("RFC 9113 §6.1", "DATA on stream 0");
    if ((this.#flags & FrameFlag.PADDED) === 0) return this.#startData(0, 0);
    if (this.#length === 0) {
      return this.#fail(HTTP2_FRAME_SIZE_ERROR, StreamErrorCode.FRAME_SIZE_ERROR, {
        section: "RFC 9113 §6.1",
        message: "a padded DATA frame without a pad length",
      });
    }
    this.#state = State.PAD_LENGTH;
  }

  #startData(padding: number, padLengthBytes: number): void {
    const content = this.#length - padLengthBytes - padding;
    if (content < 0) return this.#protocolError("RFC 9113 §6.1", "padding longer than its DATA frame");
    this.#left = content;
    this.#padLeft = padding;
    this.#state = State.DATA;
    this.#sink.onDataStart(this.#streamId, this.#length, padLengthBytes + padding);
    if (content === 0 && (this.#flags & FrameFlag.END_STREAM) === 0) this.#sink.onIdleFrame(false);
    if (content === 0 && padding === 0) this.#endData();
  }

  #readData(buf: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#left > 0) {
      const take = Math.min(this.#left, end - at);
      this.#left -= take;
      this.#sink.onData(buf, at, at + take);
      at += take;
    }
    if (this.#left === 0 && this.#padLeft > 0) {
      const take = Math.min(this.#padLeft, end - at);
      this.#padLeft -= take;
      at += take;
    }
    if (this.#left === 0 && this.#padLeft === 0) this.#endData();
    return at;
  }

  #endData(): void {
    if (this.#state === State.STOPPED) return;
    this.#state = State.HEADER;
    this.#sink.onDataEnd((this.#flags & FrameFlag.END_STREAM) !== 0);
  }

  #readPayload(buf: Buffer, start: number, end: number): number {
    if (this.#partHave === 0 && end - start >= this.#length) {
      const next = start + this.#length;
      this.#state = State.HEADER;
      this.#complete(buf, start, next);
      return next;
    }
    if (this.#partHave === 0) this.#part = sharedPool.take(this.#length);
    const take = Math.min(this.#length - this.#partHave, end - start);
    copyBytes(this.#part, this.#partHave, buf, start, start + take);
    this.#partHave += take;
    if (this.#partHave === this.#length) {
      // The frame may be answered by more frames, so this reader must be free before it is handed out.
      const part = this.#part;
      this.#part = EMPTY;
      this.#partHave = 0;
      this.#state = State.HEADER;
      this.#complete(part, 0, this.#length);
      sharedPool.give(part);
    }
    return start + take;
  }

  #complete(buf: Buffer, start: number, end: number): void {
    switch (this.#type) {
      case FrameType.HEADERS:
        return this.#headers(buf, start, end);
      case FrameType.CONTINUATION:
        return this.#continuation(buf, start, end);
      default:
        this.#sink.onFrame(this.#type, this.#flags, this.#streamId, buf, start, end);
    }
  }

  #headers(buf: Buffer, payloadStart: number, payloadEnd: number): void {
    let start = payloadStart;
    let end = payloadEnd;
    if (this.#streamId === 0) return this.#protocolError("RFC 9113 §6.2", "HEADERS on stream 0");
    const fixed = ((this.#flags & FrameFlag.PADDED) !== 0 ? 1 : 0) + ((this.#flags & FrameFlag.PRIORITY) !== 0 ? 5 : 0);
    if (end - start < fixed) {
      return this.#fail(HTTP2_FRAME_SIZE_ERROR, StreamErrorCode.FRAME_SIZE_ERROR, {
        section: "RFC 9113 §6.2",
        message: "a HEADERS frame shorter than its fixed fields",
      });
    }
    if ((this.#flags & FrameFlag.PADDED) !== 0) end -= buf[start] ?? 0;
    start += fixed;
    if (end < start) return this.#protocolError("RFC 9113 §6.2", "padding longer than its HEADERS frame");
    const endStream = (this.#flags & FrameFlag.END_STREAM) !== 0;
    if ((this.#flags & FrameFlag.END_HEADERS) !== 0) {
      return this.#sink.onHeaders(this.#streamId, endStream, buf, start, end);
    }
    if (start === end) this.#sink.onIdleFrame(false);
    this.#blockStream = this.#streamId;
    this.#blockEnds = endStream;
    this.#blockHave = 0;
    this.#continuations = 0;
    this.#append(buf, start, end);
  }

  #continuation(buf: Buffer, start: number, end: number): void {
    if (this.#blockStream === 0) return this.#protocolError("RFC 9113 §6.10", "CONTINUATION without HEADERS");
    if (++this.#continuations > this.#options.maxContinuations) {
      return this.#fail(HTTP2_FLOOD, StreamErrorCode.ENHANCE_YOUR_CALM, {
        section: "RFC 9113 §10.5.1",
        message: `more than ${this.#options.maxContinuations} CONTINUATION frames in a header block`,
      });
    }
    if (!this.#append(buf, start, end)) return;
    if ((this.#flags & FrameFlag.END_HEADERS) === 0) {
      if (start === end) this.#sink.onIdleFrame(false);
      return;
    }
    const block = this.#block;
    const length = this.#blockHave;
    const streamId = this.#blockStream;
    this.#block = EMPTY;
    this.#blockStream = 0;
    this.#sink.onHeaders(streamId, this.#blockEnds, block, 0, length);
    if (block.length > 0) sharedPool.give(block);
  }

  #append(buf: Buffer, start: number, end: number): boolean {
    const needed = this.#blockHave + (end - start);
    if (needed > this.#options.maxBlockBytes) {
      this.#fail(HTTP2_FLOOD, StreamErrorCode.ENHANCE_YOUR_CALM, {
        section: "RFC 9113 §10.5.1",
        message: `a header block of more than ${this.#options.maxBlockBytes} bytes`,
      });
      return false;
    }
    if (needed > this.#block.length) {
      const grown = sharedPool.take(Math.max(needed, this.#block.length * 2));
      copyBytes(grown, 0, this.#block, 0, this.#blockHave);
      if (this.#block.length > 0) sharedPool.give(this.#block);
      this.#block = grown;
    }
    copyBytes(this.#block, this.#blockHave, buf, start, end);
    this.#blockHave = needed;
    return true;
  }

  #releasePart(): void {
    if (this.#part.length > 0) sharedPool.give(this.#part);
    this.#part = EMPTY;
    this.#partHave = 0;
  }

  #releaseBlock(): void {
    if (this.#block.length > 0) sharedPool.give(this.#block);
    this.#block = EMPTY;
    this.#blockStream = 0;
  }

  #protocolError(section: string, message: string): void {
    this.#fail(HTTP2_PROTOCOL_ERROR, StreamErrorCode.PROTOCOL_ERROR, { section, message });
  }

  #fail(...[kind, code, rule]: ConstructorParameters<typeof Http2Error>): void {
    this.#sink.onFramingError(new Http2Error(kind, code, rule));
    this.stop();
  }
}
