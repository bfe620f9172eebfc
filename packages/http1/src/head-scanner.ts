// The byte loop over a start line and its header section (RFC 9112 §2–§5). It stores where things are and makes no
// string, so that a head costs one slice in all. It may stop after any byte and go on later; heads that are here as a
// whole, which is nearly all, go a faster way.

import type { ErrorKind } from "@ripstop/core";
import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TARGET, TOKEN_LOWER } from "./characters.ts";
import { http1Errors } from "./errors.ts";
import { fieldNameAt, BEFORE_FIELDS, spells, type FieldName } from "./field-names.ts";
import { FIELD_CAPACITY, MAX_METHOD_BYTES } from "./limits.ts";
import { findControl } from "./word-scan.ts";

const State = {
  REQUEST_START: 0,
  REQUEST_START_LF: 1,
  METHOD: 2,
  TARGET: 3,
  REQUEST_VERSION: 4,
  LINE_CR: 5,
  LINE_LF: 6,
  FIELD_START: 7,
  NAME: 8,
  VALUE_START: 9,
  VALUE: 10,
  VALUE_LF: 11,
  END_LF: 12,
  STATUS_VERSION: 13,
  STATUS_CODE: 14,
  STATUS_SPACE: 15,
  REASON: 16,
} as const;

/** What a scan begins with. */
export const ScanStart: { readonly REQUEST: number; readonly RESPONSE: number; readonly TRAILERS: number } = {
  REQUEST: State.REQUEST_START,
  RESPONSE: State.STATUS_VERSION,
  TRAILERS: State.FIELD_START,
};

/** How a scan ended. */
export const ScanResult = { INCOMPLETE: 0, COMPLETE: 1, FAILED: 2 } as const;

/** Two empty lines: what old clients send behind a body, and then some. */
const MAX_BLANK_BYTES = 4;

const VERSION_BYTES = [72, 84, 84, 80, 47];

// One scan runs at a time and its result is used before the next starts, so all connections share these tables;
// a scan that stops early takes its part of them along.
const offsets = new Int32Array(FIELD_CAPACITY * 2);
const names: (FieldName | undefined)[] = Array.from({ length: FIELD_CAPACITY });

/** Where the parts of a head are. All offsets count from the first byte of the head. */
export class HeadScanner {
  /** Number of fields found. */
  fieldCount = 0;
  /** Method, and after it target, of a request. */
  methodStart = 0;
  methodEnd = 0;
  targetEnd = 0;
  /** Digits of HTTP/major.minor as one number: 10 or 11. */
  version = 0;
  /** Status code of a response. */
  status = 0;
  /** Offset behind the last byte that was scanned; behind the head when it is complete. */
  length = 0;
  /** Set when a scan FAILED. */
  error: ErrorKind | undefined = undefined;

  readonly #maxFields: number;
  readonly #maxTargetBytes: number;
  #state: number = State.REQUEST_START;
  /** Offset of the first byte of the part in hand, or a count of bytes in parts of fixed length. */
  #mark = 0;
  #hash = 0;
  #savedOffsets: Int32Array | undefined = undefined;
  #savedNames: (FieldName | undefined)[] | undefined = undefined;

  constructor(maxFields: number, maxTargetBytes: number) {
    this.#maxFields = Math.min(maxFields, FIELD_CAPACITY);
    this.#maxTargetBytes = maxTargetBytes;
  }

  /** Forgets everything and starts with `start` (a ScanStart). */
  begin(start: number): void {
    this.#state = start;
    this.fieldCount = 0;
    this.length = 0;
    this.#mark = 0;
    this.error = undefined;
    this.#savedOffsets = undefined;
    this.#savedNames = undefined;
  }

  /** A head has begun. An empty line or two before a request line are no part of one (RFC 9112 §2.2); more count. */
  get hasBegun(): boolean {
    const isBlank = this.#state === State.REQUEST_START || this.#state === State.REQUEST_START_LF;
    return this.length > (isBlank ? MAX_BLANK_BYTES : 0);
  }

  /** Whether the part in hand is the request target (for the choice between 414 and 431). */
  get inTarget(): boolean {
    return this.#state === State.TARGET;
  }

  /** The name of field `at`; valid until the next scan of any connection. */
  nameOf(at: number): FieldName | undefined {
    return names[at];
  }

  /** Offset of the first byte of the value of field `at`. */
  valueStart(at: number): number {
    return offsets[at * 2] ?? 0;
  }

  /** Offset behind the last byte of the value of field `at`. */
  valueEnd(at: number): number {
    return offsets[at * 2 + 1] ?? 0;
  }

  /**
   * Scans `buf[base + length, end)`, where the head starts at `base`: earlier bytes must still be there.
   * Returns a ScanResult.
   */
  scan(buf: Buffer, base: number, end: number): number {
    if (this.#savedOffsets !== undefined) this.#restore();
    if (this.length === 0 && this.#scanWhole(buf, base, end)) return ScanResult.COMPLETE;
    let state = this.#state;
    let mark = this.#mark;
    let pos = base + this.length;
    while (pos < end) {
      switch (state) {
        case State.REQUEST_START: {
          // RFC 9112 §2.2: empty lines before the request line are skipped.
          const byte = buf[pos] ?? 0;
          if (byte === CR) {
            state = State.REQUEST_START_LF;
            pos++;
            break;
          }
          if (byte === LF) return this.#fail(http1Errors.bareLf);
          if (TOKEN_LOWER[byte] === 0) return this.#fail(http1Errors.invalidMethod);
          mark = pos - base;
          state = State.METHOD;
          break;
        }
        case State.REQUEST_START_LF:
          if (buf[pos] !== LF) return this.#fail(http1Errors.bareCr);
          pos++;
          state = State.REQUEST_START;
          break;
        case State.METHOD: {
          const stop = Math.min(end, base + mark + MAX_METHOD_BYTES + 1);
          while (pos < stop && TOKEN_LOWER[buf[pos] ?? 0] !== 0) pos++;
          if (pos - base - mark > MAX_METHOD_BYTES) return this.#fail(http1Errors.methodTooLong);
          if (pos === end) break;
          const byte = buf[pos] ?? 0;
          if (byte !== SP) {
            return this.#fail(byte === CR || byte === LF ? http1Errors.invalidRequestLine : http1Errors.invalidMethod);
          }
          this.methodStart = mark;
          this.methodEnd = pos - base;
          pos++;
          mark = pos - base;
          state = State.TARGET;
          break;
        }
        case State.TARGET: {
          const limit = base + mark + this.#maxTargetBytes;
          const stop = Math.min(end, limit + 1);
          while (pos < stop && TARGET[buf[pos] ?? 0] !== 0) pos++;
          if (pos > limit) return this.#fail(http1Errors.targetTooLong);
          if (pos === end) break;
          const byte = buf[pos] ?? 0;
          if (byte !== SP) {
            return this.#fail(byte === CR || byte === LF ? http1Errors.invalidRequestLine : http1Errors.invalidTarget);
          }
          if (pos - base === mark) return this.#fail(http1Errors.invalidRequestLine);
          this.targetEnd = pos - base;
          pos++;
          mark = 0;
          state = State.REQUEST_VERSION;
          break;
        }
        case State.REQUEST_VERSION:
        case State.STATUS_VERSION: {
          const isRequest = state === State.REQUEST_VERSION;
          if (!this.#scanVersionByte(mark, buf[pos] ?? 0)) {
            return this.#fail(isRequest ? http1Errors.invalidRequestLine : http1Errors.invalidStatusLine);
          }
          pos++;
          mark++;
          if (mark === 8) {
            if (this.version !== 11 && this.version !== 10) return this.#fail(http1Errors.unsupportedVersion);
            mark = 0;
            state = isRequest ? State.LINE_CR : State.STATUS_CODE;
          }
          break;
        }
        case State.LINE_CR: {
          const byte = buf[pos] ?? 0;
          if (byte !== CR) return this.#fail(byte === LF ? http1Errors.bareLf : http1Errors.invalidRequestLine);
          pos++;
          state = State.LINE_LF;
          break;
        }
        case State.STATUS_CODE: {
          const byte = buf[pos] ?? 0;
          if (mark === 0) {
            if (byte !== SP) return this.#fail(http1Errors.invalidStatusLine);
            this.status = 0;
          } else {
            if (byte < 48 || byte > 57) return this.#fail(http1Errors.invalidStatusLine);
            this.status = this.status * 10 + byte - 48;
          }
          pos++;
          mark++;
          if (mark === 4) {
            if (this.status < 100 || this.status > 599) return this.#fail(http1Errors.invalidStatusLine);
            state = State.STATUS_SPACE;
          }
          break;
        }
        case State.STATUS_SPACE: {
          // The reason phrase may be empty; many servers then leave its space out too, which nobody misreads.
          const byte = buf[pos] ?? 0;
          if (byte === SP) state = State.REASON;
          else if (byte === CR) state = State.LINE_LF;
          else return this.#fail(byte === LF ? http1Errors.bareLf : http1Errors.invalidStatusLine);
          pos++;
          break;
        }
        case State.REASON: {
          while (pos < end && FIELD_VALUE[buf[pos] ?? 0] !== 0) pos++;
          if (pos === end) break;
          const byte = buf[pos] ?? 0;
          if (byte !== CR) return this.#fail(byte === LF ? http1Errors.bareLf : http1Errors.invalidStatusLine);
          pos++;
          state = State.LINE_LF;
          break;
        }
        case State.LINE_LF:
        case State.VALUE_LF:
          if (buf[pos] !== LF) return this.#fail(http1Errors.bareCr);
          pos++;
          state = State.FIELD_START;
          break;
        case State.FIELD_START: {
          const byte = buf[pos] ?? 0;
          if (byte === CR) {
            pos++;
            state = State.END_LF;
            break;
          }
          if (byte === LF) return this.#fail(http1Errors.bareLf);
          if (byte === SP || byte === HTAB) return this.#fail(http1Errors.obsFold);
          if (this.fieldCount === this.#maxFields) return this.#fail(http1Errors.tooManyFields);
          mark = pos - base;
          this.#hash = 0;
          state = State.NAME;
          break;
        }
        case State.NAME: {
          let hash = this.#hash;
          let lower = TOKEN_LOWER[buf[pos] ?? 0] ?? 0;
          while (lower !== 0) {
            hash = (Math.imul(hash, 31) + lower) | 0;
            pos++;
            if (pos === end) break;
            lower = TOKEN_LOWER[buf[pos] ?? 0] ?? 0;
          }
          this.#hash = hash;
          if (pos === end) break;
          const byte = buf[pos] ?? 0;
          if (byte !== COLON || pos - base === mark) return this.#fail(nameError(byte, pos - base === mark));
          names[this.fieldCount] = fieldNameAt(buf, base + mark, pos, hash);
          pos++;
          state = State.VALUE_START;
          break;
        }
        case State.VALUE_START: {
          const byte = buf[pos] ?? 0;
          if (byte === SP || byte === HTAB) {
            pos++;
            break;
          }
          mark = pos - base;
          state = State.VALUE;
          break;
        }
        case State.VALUE: {
          while (pos < end && FIELD_VALUE[buf[pos] ?? 0] !== 0) pos++;
          if (pos === end) break;
          const byte = buf[pos] ?? 0;
          if (byte !== CR) return this.#fail(byte === LF ? http1Errors.bareLf : http1Errors.invalidFieldValue);
          let last = pos;
          const first = base + mark;
          while (last > first && (buf[last - 1] === SP || buf[last - 1] === HTAB)) last--;
          const slot = this.fieldCount * 2;
          offsets[slot] = mark;
          offsets[slot + 1] = last - base;
          this.fieldCount++;
          pos++;
          state = State.VALUE_LF;
          break;
        }
        case State.END_LF:
          if (buf[pos] !== LF) return this.#fail(http1Errors.bareCr);
          this.length = pos + 1 - base;
          return ScanResult.COMPLETE;
        default:
          return this.#fail(http1Errors.invalidRequestLine);
      }
    }
    this.#state = state;
    this.#mark = mark;
    this.length = pos - base;
    this.#save(state);
    return ScanResult.INCOMPLETE;
  }

  /**
   * The fast way for a head that is here as a whole and has nothing unusual. Returns false, with nothing changed that
   * matters, for anything else: the byte loop then finds out what it is. It must accept nothing that the loop refuses.
   */
  #scanWhole(buf: Buffer, base: number, end: number): boolean {
    let pos = base;
    let previous = BEFORE_FIELDS;
    const isRequest = this.#state === State.REQUEST_START;
    if (isRequest) {
      pos = this.#requestLineEnd(buf, base, end);
    } else if (this.#state === State.STATUS_VERSION) {
      pos = this.#statusLineEnd(buf, base, end);
    }
    if (pos < 0) return false;
    let count = 0;
    while (pos < end) {
      const start = pos;
      const guess = isRequest ? previous.nextInRequest : previous.nextInOther;
      if (
        guess !== undefined &&
        !guess.isForgotten &&
        pos + guess.spelling.length <= end &&
        spells(guess.spelling, buf, pos)
      ) {
        previous = guess;
        pos += guess.spelling.length;
      } else {
        pos = scanName(buf, pos, end);
        if (pos === start) {
          if (buf[pos] !== CR || buf[pos + 1] !== LF || pos + 1 >= end) return false;
          this.fieldCount = count;
          this.length = pos + 2 - base;
          return true;
        }
        if (pos >= end || buf[pos] !== COLON) return false;
        const name = fieldNameAt(buf, start, pos, scannedHash);
        if (!name.isForgotten) {
          name.missed(buf, start, pos);
          if (isRequest) previous.nextInRequest = name;
          else previous.nextInOther = name;
        }
        previous = name;
        pos++;
      }
      if (count === this.#maxFields) return false;
      names[count] = previous;
      while (pos < end && (buf[pos] === SP || buf[pos] === HTAB)) pos++;
      const valueStart = pos;
      pos = findControl(buf, pos, end);
      if (pos + 1 >= end || buf[pos] !== CR || buf[pos + 1] !== LF) return false;
      let valueEnd = pos;
      while (valueEnd > valueStart && (buf[valueEnd - 1] === SP || buf[valueEnd - 1] === HTAB)) valueEnd--;
      offsets[count * 2] = valueStart - base;
      offsets[count * 2 + 1] = valueEnd - base;
      count++;
      pos += 2;
    }
    return false;
  }

  /** Offset behind "METHOD TARGET HTTP/1.1 CRLF", or −1. */
  #requestLineEnd(buf: Buffer, base: number, end: number): number {
    const targetBytes = TARGET;
    let pos = scanName(buf, base, end);
    const methodLength = pos - base;
    if (methodLength === 0 || methodLength > MAX_METHOD_BYTES || buf[pos] !== SP) return -1;
    pos++;
    const target = pos;
    while (pos < end && targetBytes[buf[pos] ?? 0] !== 0) pos++;
    if (pos === target || pos - target > this.#maxTargetBytes) return -1;
    if (pos + 11 > end || buf[pos] !== SP || !isVersion11(buf, pos + 1)) return -1;
    if (buf[pos + 9] !== CR || buf[pos + 10] !== LF) return -1;
    this.methodStart = 0;
    this.methodEnd = methodLength;
    this.targetEnd = pos - base;
    this.version = 11;
    return pos + 11;
  }

  /** Offset behind "HTTP/1.1 NNN REASON CRLF", or −1. */
  #statusLineEnd(buf: Buffer, base: number, end: number): number {
    if (base + 15 > end || !isVersion11(buf, base) || buf[base + 8] !== SP || buf[base + 12] !== SP) return -1;
    const hundreds = (buf[base + 9] ?? 0) - 48;
    const tens = (buf[base + 10] ?? 0) - 48;
    const ones = (buf[base + 11] ?? 0) - 48;
    if (hundreds < 1 || hundreds > 5 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return -1;
    const pos = findControl(buf, base + 13, end);
    if (pos + 1 >= end || buf[pos] !== CR || buf[pos + 1] !== LF) return -1;
    this.status = hundreds * 100 + tens * 10 + ones;
    this.version = 11;
    return pos + 2;
  }

  /** Takes byte number `at` (0 … 7) of "HTTP/d.d"; false when it does not fit. */
  #scanVersionByte(at: number, byte: number): boolean {
    if (at < 5) return byte === VERSION_BYTES[at];
    if (at === 6) return byte === 46;
    if (byte < 48 || byte > 57) return false;
    this.version = at === 5 ? (byte - 48) * 10 : this.version + byte - 48;
    return true;
  }

  #fail(error: ErrorKind): number {
    this.error = error;
    return ScanResult.FAILED;
  }

  #save(state: number): void {
    const inField = state === State.VALUE_START || state === State.VALUE ? 1 : 0;
    const count = this.fieldCount + inField;
    if (count === 0) return;
    this.#savedOffsets = offsets.slice(0, count * 2);
    this.#savedNames = names.slice(0, count);
  }

  #restore(): void {
    if (this.#savedOffsets !== undefined) offsets.set(this.#savedOffsets);
    const saved = this.#savedNames ?? [];
    for (let at = 0; at < saved.length; at++) names[at] = saved[at];
    this.#savedOffsets = undefined;
    this.#savedNames = undefined;
  }
}

/** Hash of the name that `scanName` went over last. */
let scannedHash = 0;

/** The offset of the first byte from `from` on that is no tchar, or `end`. */
function scanName(buf: Buffer, from: number, end: number): number {
  const lowerCase = TOKEN_LOWER;
  let hash = 0;
  let pos = from;
  for (; pos < end; pos++) {
    const lower = lowerCase[buf[pos] ?? 0] ?? 0;
    if (lower === 0) break;
    hash = (Math.imul(hash, 31) + lower) | 0;
  }
  scannedHash = hash;
  return pos;
}

/** "HTTP/1.1" at `at`. */
function isVersion11(buf: Buffer, at: number): boolean {
  return (
    buf[at] === 72 &&
    buf[at + 1] === 84 &&
    buf[at + 2] === 84 &&
    buf[at + 3] === 80 &&
    buf[at + 4] === 47 &&
    buf[at + 5] === 49 &&
    buf[at + 6] === 46 &&
    buf[at + 7] === 49
  );
}

function nameError(byte: number, isEmpty: boolean): ErrorKind {
  if (byte === SP || byte === HTAB) return http1Errors.spaceBeforeColon;
  if (byte === CR && !isEmpty) return http1Errors.invalidFieldName;
  return byte === LF ? http1Errors.bareLf : http1Errors.invalidFieldName;
}
