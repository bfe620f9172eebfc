// Looks for control characters four bytes at a time, about five times faster than a byte loop.

import { HTAB, SP } from "./characters.ts";

/** Buffers used lately with their words: a proxy goes back and forth between its read buffer and a few writers. */
const RECENT = 4;
const recentBuffers: Buffer[] = Array.from({ length: RECENT }, () => Buffer.alloc(0));
const recentWords: Int32Array[] = Array.from({ length: RECENT }, () => new Int32Array(0));
let oldest = 0;

let lastBuffer: Buffer = Buffer.alloc(0);
let lastWords: Int32Array = new Int32Array(0);
let lastBase = 0;

function use(buf: Buffer): void {
  lastBuffer = buf;
  lastBase = buf.byteOffset;
  for (let at = 0; at < RECENT; at++) {
    if (recentBuffers[at] !== buf) continue;
    lastWords = recentWords[at] ?? lastWords;
    return;
  }
  const memory = buf.buffer;
  lastWords = new Int32Array(memory, 0, memory.byteLength >> 2);
  oldest = (oldest + 1) % RECENT;
  recentBuffers[oldest] = buf;
  recentWords[oldest] = lastWords;
}

/** The high bit of each byte of a word. */
export const HIGH_BITS = -0x7f7f7f80;

/** The 32-bit words of the memory that a buffer is in. */
export function wordsOf(buf: Buffer): Int32Array {
  if (buf !== lastBuffer) use(buf);
  return lastWords;
}

/** Where the buffer that `wordsOf` was asked for last starts in its memory; a read of `byteOffset` is a call. */
export function baseOfWords(): number {
  return lastBase;
}

/**
 * The offset of the first control character other than HTAB in `buf[from, end)`, or `end`.
 *
 * A word x has a byte below 0x20 when (x − 0x20202020) & ~x has a high bit set, and a byte 0x7F when the word
 * x ^ 0x7F7F7F7F has a zero byte. The borrow can only raise false alarms, which the byte loop sorts out.
 */
export function findControl(buf: Buffer, from: number, end: number): number {
  if (buf !== lastBuffer) use(buf);
  const words = lastWords;
  const base = lastBase;
  let at = from;
  const lastWord = Math.min((base + end) >> 2, words.length);
  for (let word = (base + from) >> 2; word < lastWord; word++) {
    const x = words[word] ?? 0;
    const y = x ^ 0x7f7f7f7f;
    if (((((x - 0x20202020) & ~x) | ((y - 0x01010101) & ~y)) & HIGH_BITS) === 0) continue;
    const wordStart = (word << 2) - base;
    if (wordStart > at) at = wordStart;
    const stop = Math.min(wordStart + 4, end);
    for (; at < stop; at++) {
      const byte = buf[at] ?? 0;
      if (byte < SP ? byte !== HTAB : byte === 127) return at;
    }
  }
  const wordsEnd = (lastWord << 2) - base;
  if (wordsEnd > at) at = wordsEnd;
  for (; at < end; at++) {
    const byte = buf[at] ?? 0;
    if (byte < SP ? byte !== HTAB : byte === 127) return at;
  }
  return end;
}
