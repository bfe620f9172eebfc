// Unguessable ids without a system call or string building each: ids are slices of texts that are made of the system's
// random bytes, a few hundred at a time.

import { randomFillSync } from "node:crypto";

const HEX_BYTES = 8_192;
const REQUEST_IDS = 512;
const ID_BYTES = 16;
const ID_CHARS = 36;
/** A traceparent that starts a trace: 00-TRACE-SPAN-00. */
const TRACES = 512;
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

function makeRequestIds(): string {
  const random = randomFillSync(Buffer.allocUnsafe(REQUEST_IDS * ID_BYTES));
  const text = Buffer.allocUnsafe(REQUEST_IDS * ID_CHARS);
  writeRequestIds(text, random);
  return text.latin1Slice(0, text.length);
}

/** On its own, so that V8 optimizes the loop without what follows it, which it would throw away at each end. */
function writeRequestIds(text: Buffer, random: Buffer): void {
  let to = 0;
  for (let from = 0; from < random.length; from++) {
    const place = from % ID_BYTES;
    let byte = random[from] ?? 0;
    if (place === 6) byte = (byte & 0x0f) | 0x40;
    else if (place === 8) byte = (byte & 0x3f) | 0x80;
    if (place === 4 || place === 6 || place === 8 || place === 10) text[to++] = DASH;
    text[to++] = DIGITS[byte >> 4] ?? 0;
    text[to++] = DIGITS[byte & 15] ?? 0;
  }
}

function makeTraces(): string {
  const random = randomFillSync(Buffer.allocUnsafe(TRACES * TRACE_BYTES));
  const text = Buffer.allocUnsafe(TRACES * TRACE_CHARS);
  writeTraces(text, random);
  return text.latin1Slice(0, text.length);
}

/** On its own for the reason of `writeRequestIds`. */
function writeTraces(text: Buffer, random: Buffer): void {
  let to = 0;
  let some = 0;
  for (let from = 0; from < random.length; from++) {
    const place = from % TRACE_BYTES;
    let byte = random[from] ?? 0;
    if (place === 0) {
      text[to++] = ZERO;
      text[to++] = ZERO;
      text[to++] = DASH;
      some = 0;
    } else if (place === TRACE_ID_BYTES) {
      text[to++] = DASH;
      some = 0;
    }
    some |= byte;
    // The last byte of an id makes up for one that would be all zero.
    if ((place === TRACE_ID_BYTES - 1 || place === TRACE_BYTES - 1) && some === 0) byte = 1;
    text[to++] = DIGITS[byte >> 4] ?? 0;
    text[to++] = DIGITS[byte & 15] ?? 0;
    if (place === TRACE_BYTES - 1) {
      text[to++] = DASH;
      text[to++] = ZERO;
      text[to++] = ZERO;
    }
  }
}
