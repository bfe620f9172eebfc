// Composes frames into one region of memory, which leaves in one write (RFC 9113 §4, §6).

import { ByteWriter, copyBytes } from "@ripstop/core";
import { sharedPool } from "./shared-pool.ts";
import { DEFAULT_MAX_FRAME_BYTES, FRAME_HEADER_BYTES, FrameFlag, FrameType, writeU32 } from "./frames.ts";

const FIRST_REGION_BYTES = 16 * 1024;

/** An output region; its memory comes from the pool with the first frame and goes back with `release`. */
export class FrameWriter extends ByteWriter {
  /** Counts releases: a position in the region is meaningful only within one epoch. */
  epoch = 0;

  constructor() {
    super(0);
  }

  override reserve(extra: number): number {
    const needed = this.length + extra;
    if (needed > this.buffer.length) this.#grow(needed);
    return this.length;
  }

  /** Forgets the frames, which were written, and gives the memory back. */
  release(): void {
    if (this.buffer.length > 0) sharedPool.give(this.buffer);
    this.buffer = EMPTY;
    this.length = 0;
    this.epoch++;
  }

  /** Appends a frame header and returns its position. */
  header(length: number, type: number, flags: number, streamId: number): number {
    const at = this.reserve(FRAME_HEADER_BYTES);
    const { buffer } = this;
    buffer[at] = length >>> 16;
    buffer[at + 1] = length >>> 8;
    buffer[at + 2] = length;
    buffer[at + 3] = type;
    buffer[at + 4] = flags;
    writeU32(buffer, at + 5, streamId);
    this.length = at + FRAME_HEADER_BYTES;
    return at;
  }

  /** Appends an unsigned 32-bit number. */
  u32(value: number): void {
    const at = this.reserve(4);
    writeU32(this.buffer, at, value);
    this.length = at + 4;
  }

  /** A DATA frame with `buf[start, end)`; returns its position. */
  data(streamId: number, buf: Buffer, start: number, end: number): number {
    this.reserve(FRAME_HEADER_BYTES + (end - start));
    const at = this.header(end - start, FrameType.DATA, 0, streamId);
    copyBytes(this.buffer, this.length, buf, start, end);
    this.length += end - start;
    return at;
  }

  /** RST_STREAM. */
  rstStream(streamId: number, code: number): void {
    this.header(4, FrameType.RST_STREAM, 0, streamId);
    this.u32(code);
  }

  /** WINDOW_UPDATE; stream 0 is the connection. */
  windowUpdate(streamId: number, increment: number): void {
    this.header(4, FrameType.WINDOW_UPDATE, 0, streamId);
    this.u32(increment);
  }

  /** PING or its answer with the eight bytes at `at` of `payload`. */
  ping(ack: boolean, payload: Buffer, at: number): void {
    this.header(8, FrameType.PING, ack ? FrameFlag.ACK : 0, 0);
    this.bytes(payload, at, at + 8);
  }

  /** GOAWAY with a text for the log of the peer. */
  goaway(lastStreamId: number, code: number, debug: string): void {
    this.header(8 + debug.length, FrameType.GOAWAY, 0, 0);
    this.u32(lastStreamId);
    this.u32(code);
    this.latin1(debug);
  }

  /** SETTINGS acknowledgement. */
  settingsAck(): void {
    this.header(0, FrameType.SETTINGS, FrameFlag.ACK, 0);
  }

  /**
   * Completes a HEADERS frame whose header is at `at` and whose block was appended behind it: sets length and flags,
   * and splits off CONTINUATION frames when the block is larger than
   * the 16,384 bytes that every peer takes (RFC 9113 §4.2, §6.10).
   */
  finishHeaders(at: number, streamId: number, endStream: boolean): void {
    const maxFrameBytes = DEFAULT_MAX_FRAME_BYTES;
    const endFlag = endStream ? FrameFlag.END_STREAM : 0;
    const blockBytes = this.length - at - FRAME_HEADER_BYTES;
    if (blockBytes <= maxFrameBytes) {
      this.#patch(at, blockBytes, endFlag | FrameFlag.END_HEADERS);
      return;
    }
    const extra = Math.ceil(blockBytes / maxFrameBytes) - 1;
    this.reserve(extra * FRAME_HEADER_BYTES);
    const { buffer } = this;
    const blockAt = at + FRAME_HEADER_BYTES;
    // From the last piece to the second: each moves up by one frame header per piece before it.
    for (let piece = extra; piece >= 1; piece--) {
      const from = blockAt + piece * maxFrameBytes;
      const length = Math.min(maxFrameBytes, blockBytes - piece * maxFrameBytes);
      const to = from + piece * FRAME_HEADER_BYTES;
      buffer.copyWithin(to, from, from + length);
      const headerAt = to - FRAME_HEADER_BYTES;
      buffer[headerAt + 3] = FrameType.CONTINUATION;
      writeU32(buffer, headerAt + 5, streamId);
      this.#patch(headerAt, length, piece === extra ? FrameFlag.END_HEADERS : 0);
    }
    this.#patch(at, maxFrameBytes, endFlag);
    this.length += extra * FRAME_HEADER_BYTES;
  }

  #patch(at: number, length: number, flags: number): void {
    this.buffer[at] = length >>> 16;
    this.buffer[at + 1] = length >>> 8;
    this.buffer[at + 2] = length;
    this.buffer[at + 4] = flags;
  }

  #grow(needed: number): void {
    const grown = sharedPool.take(Math.max(needed, FIRST_REGION_BYTES, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.length);
    if (this.buffer.length > 0) sharedPool.give(this.buffer);
    this.buffer = grown;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);

/** The region leaves before the end of the turn when it is at least this full, so that one more DATA frame fits into 64 KB. */
export const FULL_REGION_BYTES: number = 3 * DEFAULT_MAX_FRAME_BYTES - 1024;
