// Unguessable ids without a system call or string building each: ids are slices of texts that are made of the system's
// random bytes, a few hundred at a time.

import { randomFillSync } from "node:crypto";

const HEX_BYTES = 8_192;
/**
 * Ids are cut out of the text of so many. It must be gone before the collector has met it twice, some hundreds of requests
 * later: with 512 at a time a loaded proxy had 24 MB in its old space after 200,000 requests, with 64 it has 9 to 13.
 */
const REQUEST_IDS = 64;
const ID_BYTES = 16;
const ID_CHARS = 36;
/** A traceparent that starts a trace: 00-TRACE-SPAN-00. */
const TRACES = 64;
const TRACE_BYTES = 24;
const TRACE_ID_BYTES = 16;
const TRACE_CHARS = 55;
const DASH = 0x2d;
const ZERO = 0x30;
/** Digits as character codes. */
const DIGITS: Uint8Array = Buffer.from("0123456789abcdef", "latin1");

/** Makes request, trace and span ids. */
export class RandomIds {
  #hex = "";
  #nextHex = 0;
  #requestIds = "";
  #nextRequestId = 0;
  #traces = "";
  #nextTrace = 0;

  /** `count` (≤ 64) random bytes as lower-case hex, never all zero. */
  hex(count: number): string {
    for (;;) {
      const length = count * 2;
      let at = this.#nextHex;
      if (at + length > this.#hex.length) {
        this.#hex = randomFillSync(Buffer.allocUnsafe(HEX_BYTES)).toString("hex");
        at = 0;
      }
      this.#nextHex = at + length;
      const text = this.#hex.substring(at, at + length);
      if (!isZero(text)) return text;
    }
  }

  /** A request id: a random UUID (RFC 9562 §5.4, version 4). */
  requestId(): string {
    let at = this.#nextRequestId;
    if (at >= this.#requestIds.length) {
      this.#requestIds = makeRequestIds();
      at = 0;
    }
    this.#nextRequestId = at + ID_CHARS;
    return this.#requestIds.substring(at, at + ID_CHARS);
  }

  /** A traceparent of version 00 that starts a trace: neither id is all zero, no flag is set. */
  newTraceparent(): string {
    let at = this.#nextTrace;
    if (at >= this.#traces.length) {
      this.#traces = makeTraces();
      at = 0;
    }
    this.#nextTrace = at + TRACE_CHARS;
    return this.#traces.substring(at, at + TRACE_CHARS);
  }
}

function isZero(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) !== ZERO) return false;
  return true;
}

/** Random bytes and the text made of them, used again from one filling to the next: fresh memory cost more than the digits. */
const random: Buffer = Buffer.allocUnsafeSlow(Math.max(REQUEST_IDS * ID_BYTES, TRACES * TRACE_BYTES));
const text: Buffer = Buffer.allocUnsafeSlow(Math.max(REQUEST_IDS * ID_CHARS, TRACES * TRACE_CHARS));

function makeRequestIds(): string {
  randomFillSync(random, 0, REQUEST_IDS * ID_BYTES);
  writeRequestIds();
  return text.latin1Slice(0, REQUEST_IDS * ID_CHARS);
}

/** On its own, so that V8 optimizes the loop without what follows it, which it would throw away at each end. */
function writeRequestIds(): void {
  let to = 0;
  for (let from = 0; from < REQUEST_IDS * ID_BYTES; from += ID_BYTES) {
    random[from + 6] = ((random[from + 6] ?? 0) & 0x0f) | 0x40;
    random[from + 8] = ((random[from + 8] ?? 0) & 0x3f) | 0x80;
    writeHex(to, from, from + 4);
    text[to + 8] = DASH;
    writeHex(to + 9, from + 4, from + 6);
    text[to + 13] = DASH;
    writeHex(to + 14, from + 6, from + 8);
    text[to + 18] = DASH;
    writeHex(to + 19, from + 8, from + 10);
    text[to + 23] = DASH;
    writeHex(to + 24, from + 10, from + ID_BYTES);
    to += ID_CHARS;
  }
}

function makeTraces(): string {
  randomFillSync(random, 0, TRACES * TRACE_BYTES);
  writeTraces();
  return text.latin1Slice(0, TRACES * TRACE_CHARS);
}

/** On its own for the reason of `writeRequestIds`. */
function writeTraces(): void {
  let to = 0;
  for (let from = 0; from < TRACES * TRACE_BYTES; from += TRACE_BYTES) {
    const span = from + TRACE_ID_BYTES;
    text[to] = ZERO;
    text[to + 1] = ZERO;
    text[to + 2] = DASH;
    writeId(to + 3, from, span);
    text[to + 35] = DASH;
    writeId(to + 36, span, from + TRACE_BYTES);
    text[to + 52] = DASH;
    text[to + 53] = ZERO;
    text[to + 54] = ZERO;
    to += TRACE_CHARS;
  }
}

/** As `writeHex`, for an id that must not be all zero: its last byte makes up for that. */
function writeId(at: number, start: number, end: number): void {
  let some = 0;
  for (let from = start; from < end; from++) some |= random[from] ?? 0;
  if (some === 0) random[end - 1] = 1;
  writeHex(at, start, end);
}

/** The digits of `random[start, end)` to `text` at `at`. */
function writeHex(at: number, start: number, end: number): void {
  for (let from = start, to = at; from < end; from++, to += 2) {
    const byte = random[from] ?? 0;
    text[to] = DIGITS[byte >> 4] ?? 0;
    text[to + 1] = DIGITS[byte & 15] ?? 0;
  }
}
