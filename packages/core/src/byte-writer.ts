// A growable region that encoders write into; reused, so that the hot path allocates nothing.

import { copyBytes } from "./copy-bytes.ts";

declare global {
  interface Buffer {
    /** Node's own latin1 codec without the encoding dispatch of `write` and `toString`. */
    latin1Write(text: string, offset?: number, length?: number): number;
    latin1Slice(start?: number, end?: number): string;
  }
}

/** Views of this many lengths are kept. */
const KEPT_VIEWS = 64;

/** Bytes written so far are `buffer[0, length)`. The buffer is replaced when it grows: read it after writing. */
export class ByteWriter {
  buffer: Buffer;
  length = 0;
  /** Views of `#viewed`, by length modulo KEPT_VIEWS. */
  #views: (Buffer | undefined)[] = [];
  #viewed: Buffer | undefined = undefined;

  constructor(initialCapacity: number = 16 * 1024) {
    this.buffer = Buffer.allocUnsafeSlow(initialCapacity);
  }

  /** Makes room for `extra` more bytes and returns the current write position. */
  reserve(extra: number): number {
    const needed = this.length + extra;
    if (needed > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
      this.buffer.copy(grown, 0, 0, this.length);
      this.buffer = grown;
    }
    return this.length;
  }

  /** Appends text whose characters are all below 256 (header text). */
  latin1(text: string): void {
    const at = this.reserve(text.length);
    this.length = at + this.buffer.latin1Write(text, at, text.length);
  }

  /** Appends `source[start, end)`. */
  bytes(source: Buffer, start: number, end: number): void {
    const at = this.reserve(end - start);
    this.length = at + (end - start);
    copyBytes(this.buffer, at, source, start, end);
  }

  /** Appends one byte. */
  byte(value: number): void {
    const at = this.reserve(1);
    this.buffer[at] = value;
    this.length = at + 1;
  }

  /** What was written, without copying it. Views of lengths that come again are the same objects: making one costs 0.2 µs. */
  view(): Buffer {
    const { buffer, length } = this;
    if (this.#viewed !== buffer) {
      this.#viewed = buffer;
      this.#views = [];
    }
    const slot = length % KEPT_VIEWS;
    const known = this.#views[slot];
    if (known !== undefined && known.length === length) return known;
    const made = buffer.subarray(0, length);
    this.#views[slot] = made;
    return made;
  }

  /** Forgets what was written; keeps the memory. */
  clear(): void {
    this.length = 0;
  }

  /** Gives the memory away and starts with fresh memory of the same size: for bytes an asynchronous write still uses. */
  detach(): Buffer {
    const given = this.buffer.subarray(0, this.length);
    this.buffer = Buffer.allocUnsafeSlow(this.buffer.length);
    this.length = 0;
    return given;
  }
}
