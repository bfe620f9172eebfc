// What request and response decoding share: collecting a head however it is split, and taking bodies apart by their
// framing (RFC 9112 §6 and §7).

import type { ErrorKind } from "@ripstop/core";
import { HeaderList } from "@ripstop/http";
import { CR, FIELD_VALUE, HEX_VALUE, LF, SEMICOLON } from "./characters.ts";
import { http1Errors } from "./errors.ts";
import { FieldFacts } from "./field-facts.ts";
import { HeadScanner, ScanResult, ScanStart } from "./head-scanner.ts";
import type { Http1Limits } from "./limits.ts";

/** What a decoder tells about a body. Bytes and lists are valid only during the call. */
export interface Http1BodySink {
  /** Body bytes `buf[start, end)`, a range of the input, framing removed. */
  onBody(buf: Buffer, start: number, end: number): void;
  /** Trailers; the message has ended, `onEnd` does not follow. */
  onTrailers(trailers: HeaderList): void;
  /** The message has ended without trailers. Not called when its head already said `end`. */
  onEnd(): void;
  /** The bytes break the protocol. Nothing follows; the decoder takes no more. */
  onError(error: ErrorKind): void;
}

const Phase = {
  HEAD: 0,
  LENGTH: 1,
  CHUNK_SIZE_START: 2,
  CHUNK_SIZE: 3,
  CHUNK_EXTENSION: 4,
  CHUNK_SIZE_LF: 5,
  CHUNK_DATA: 6,
  CHUNK_DATA_CR: 7,
  CHUNK_DATA_LF: 8,
  TRAILERS: 9,
  UNTIL_CLOSE: 10,
  // From here on no byte is taken.
  COMPLETE: 11,
  TUNNEL: 12,
  FAILED: 13,
} as const;

/** How the body of a message is delimited; what `startMessage` answers. */
export const BodyFraming = { NONE: 0, LENGTH: 1, CHUNKED: 2, UNTIL_CLOSE: 3, TUNNEL: 4, INFORMATIONAL: 5 } as const;

/** Thirteen hexadecimal digits are less than 2⁵²; leading zeros count, so that a size line is bounded. */
const MAX_SIZE_DIGITS = 13;

/** Shared: heads are collected and used within one call. */
const facts = new FieldFacts();

/** Base of both decoders. */
export abstract class MessageDecoder {
  protected readonly limits: Http1Limits;
  readonly #sink: Http1BodySink;
  readonly #scanner: HeadScanner;
  readonly #headStart: number;
  #phase: number = Phase.HEAD;
  /** Messages completed so far. */
  #messages = 0;
  #remaining = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #bodyBytes = 0;
  /** The bytes of a head or trailer section that has not arrived completely. */
  #pending: Buffer | undefined = undefined;
  #pendingLength = 0;
  /** Made when the first trailers come: few connections see any. */
  #trailers: HeaderList | undefined = undefined;

  protected constructor(sink: Http1BodySink, limits: Http1Limits, headStart: number) {
    this.#sink = sink;
    this.limits = limits;
    this.#headStart = headStart;
    this.#scanner = new HeadScanner(limits.maxFields, limits.maxTargetBytes);
    this.#scanner.begin(headStart);
  }

  /** The message is complete; no byte is taken until `next`. */
  get isComplete(): boolean {
    return this.#phase === Phase.COMPLETE;
  }

  /** The connection became a tunnel (CONNECT, 101): its bytes are no longer HTTP and are not taken. */
  get isTunnel(): boolean {
    return this.#phase === Phase.TUNNEL;
  }

  /** The peer broke the protocol; no byte is taken any more. */
  get hasFailed(): boolean {
    return this.#phase === Phase.FAILED;
  }

  /** Part of a head has arrived. */
  get isInHead(): boolean {
    return this.#phase === Phase.HEAD && this.#scanner.hasBegun;
  }

  /** Body bytes that are still declared to come; 0 when unknown or none. */
  get declaredRest(): number {
    return this.#phase === Phase.LENGTH ? this.#remaining : 0;
  }

  /**
   * Takes bytes of `buf[start, end)` and calls the sink. Returns the offset up to which bytes were taken: `end`, or
   * less when a message ended there or the peer broke the protocol.
   */
  decode(buf: Buffer, start: number, end: number): number {
    let pos = start;
    const messages = this.#messages;
    while (pos < end) {
      switch (this.#phase) {
        case Phase.HEAD:
        case Phase.TRAILERS: {
          pos = this.#decodeSection(buf, pos, end);
          break;
        }
        case Phase.LENGTH: {
          const from = pos;
          pos = Math.min(end, from + this.#remaining);
          this.#remaining -= pos - from;
          const isLast = this.#remaining === 0;
          this.#sink.onBody(buf, from, pos);
          if (isLast && this.#phase === Phase.LENGTH) this.#end();
          break;
        }
        case Phase.CHUNK_DATA: {
          const from = pos;
          pos = Math.min(end, from + this.#remaining);
          this.#remaining -= pos - from;
          if (this.#remaining === 0) this.#phase = Phase.CHUNK_DATA_CR;
          this.#sink.onBody(buf, from, pos);
          break;
        }
        case Phase.UNTIL_CLOSE: {
          const from = pos;
          pos = Math.min(end, from + this.limits.maxBodyBytes - this.#bodyBytes);
          this.#bodyBytes += pos - from;
          if (pos > from) this.#sink.onBody(buf, from, pos);
          if (pos < end && this.#phase === Phase.UNTIL_CLOSE) this.fail(http1Errors.bodyTooLarge);
          break;
        }
        case Phase.COMPLETE:
        case Phase.TUNNEL:
        case Phase.FAILED:
          return pos;
        default: {
          const error = this.#decodeChunkByte(buf[pos] ?? 0);
          if (error !== undefined) return this.#failAt(pos, error);
          pos++;
        }
      }
      // The sink may have called `next` already: the next message is for the next call all the same.
      if (this.#phase >= Phase.COMPLETE || this.#messages !== messages) return pos;
    }
    return pos;
  }

  /** The peer will send no more. Ends a body that lasts until close; reports a message cut short. */
  finish(): void {
    switch (this.#phase) {
      case Phase.COMPLETE:
      case Phase.TUNNEL:
      case Phase.FAILED:
        return;
      case Phase.UNTIL_CLOSE:
        this.#end();
        return;
      case Phase.HEAD:
        if (this.#scanner.length === 0 && !this.expectsMessage()) return;
        this.fail(http1Errors.truncated);
        return;
      default:
        this.fail(http1Errors.truncated);
    }
  }

  /** Takes no more bytes and calls the sink no more. */
  stop(): void {
    this.#phase = Phase.FAILED;
    this.#pending = undefined;
  }

  /** Gets ready for the next message. */
  protected restart(): void {
    this.#phase = Phase.HEAD;
    this.#scanner.begin(this.#headStart);
  }

  /**
   * A head is complete: fill the head object from `text` and the facts, and return its BodyFraming, or the error.
   */
  protected abstract startMessage(text: string, scanner: HeadScanner, facts: FieldFacts): number | ErrorKind;

  /** Tell the sink about the head. `end`: no body follows. Called with the decoder ready for what comes after it. */
  protected abstract announce(framing: number, end: boolean): void;

  /** Whether the end of the connection before any byte cuts a message short. */
  protected abstract expectsMessage(): boolean;

  /** Declared body length of the message just started. */
  protected abstract declaredLength(): number;

  protected fail(error: ErrorKind): void {
    this.stop();
    this.#sink.onError(error);
  }

  #failAt(pos: number, error: ErrorKind): number {
    this.fail(error);
    return pos;
  }

  #complete(): void {
    this.#phase = Phase.COMPLETE;
    this.#messages++;
  }

  #end(): void {
    this.#complete();
    this.#sink.onEnd();
  }

  /** Scans a head or trailer section. Returns the offset up to which bytes were taken. */
  #decodeSection(buf: Buffer, start: number, end: number): number {
    const scanner = this.#scanner;
    const limit = this.#phase === Phase.HEAD ? this.limits.maxHeadBytes : this.limits.maxTrailerBytes;
    if (this.#pending === undefined) {
      const stop = Math.min(end, start + limit);
      const result = scanner.scan(buf, start, stop);
      if (result === ScanResult.COMPLETE) {
        const text = buf.latin1Slice(start, start + scanner.length);
        const pos = start + scanner.length;
        this.#sectionComplete(text);
        return pos;
      }
      if (result === ScanResult.FAILED) return this.#failAt(start, scanner.error ?? http1Errors.invalidRequestLine);
      if (scanner.length === limit) return this.#failAt(start, this.#tooLarge());
      this.#keep(buf, start, end);
      return end;
    }
    return this.#decodePending(buf, start, end, limit);
  }

  /** The same when earlier bytes of the section are kept: appends a piece at a time, as bodies may follow. */
  #decodePending(buf: Buffer, start: number, end: number, limit: number): number {
    const scanner = this.#scanner;
    let pos = start;
    while (pos < end) {
      const piece = Math.min(end - pos, 1024, limit - this.#pendingLength);
      const before = this.#pendingLength;
      const pending = this.#append(buf, pos, pos + piece);
      const result = scanner.scan(pending, 0, this.#pendingLength);
      if (result === ScanResult.COMPLETE) {
        const text = pending.latin1Slice(0, scanner.length);
        pos += scanner.length - before;
        this.#pending = undefined;
        this.#pendingLength = 0;
        this.#sectionComplete(text);
        return pos;
      }
      if (result === ScanResult.FAILED) return this.#failAt(pos, scanner.error ?? http1Errors.invalidRequestLine);
      if (scanner.length === limit) return this.#failAt(pos, this.#tooLarge());
      pos += piece;
    }
    return pos;
  }

  #tooLarge(): ErrorKind {
    return this.#scanner.inTarget ? http1Errors.targetTooLong : http1Errors.headTooLarge;
  }

  #keep(buf: Buffer, start: number, end: number): void {
    this.#pending = Buffer.allocUnsafeSlow(Math.max(512, (end - start) * 2));
    this.#pendingLength = 0;
    this.#append(buf, start, end);
  }

  #append(buf: Buffer, start: number, end: number): Buffer {
    const length = this.#pendingLength + end - start;
    let pending = this.#pending ?? Buffer.allocUnsafeSlow(length);
    if (length > pending.length) {
      const grown = Buffer.allocUnsafeSlow(length * 2);
      pending.copy(grown, 0, 0, this.#pendingLength);
      pending = grown;
    }
    this.#pending = pending;
    buf.copy(pending, this.#pendingLength, start, end);
    this.#pendingLength = length;
    return pending;
  }

  #sectionComplete(text: string): void {
    if (this.#phase === Phase.TRAILERS) this.#endWithTrailers(text);
    else this.#begin(text);
  }

  #endWithTrailers(text: string): void {
    if (this.#scanner.fieldCount === 0) {
      this.#end();
      return;
    }
    const trailers = (this.#trailers ??= new HeaderList());
    const error = facts.collectTrailers(this.#scanner, text, trailers);
    if (error !== undefined) {
      this.fail(error);
      return;
    }
    this.#complete();
    if (trailers.length === 0) this.#sink.onEnd();
    else this.#sink.onTrailers(trailers);
  }

  #begin(text: string): void {
    const framing = this.startMessage(text, this.#scanner, facts);
    if (typeof framing !== "number") {
      this.fail(framing);
      return;
    }
    this.#bodyBytes = 0;
    this.#extensionBytes = 0;
    switch (framing) {
      case BodyFraming.LENGTH:
        this.#remaining = this.declaredLength();
        if (this.#remaining > this.limits.maxBodyBytes) {
          this.fail(http1Errors.bodyTooLarge);
          return;
        }
        if (this.#remaining === 0) this.#complete();
        else this.#phase = Phase.LENGTH;
        break;
      case BodyFraming.CHUNKED:
        this.#phase = Phase.CHUNK_SIZE_START;
        break;
      case BodyFraming.UNTIL_CLOSE:
        this.#phase = Phase.UNTIL_CLOSE;
        break;
      case BodyFraming.TUNNEL:
        this.#phase = Phase.TUNNEL;
        break;
      case BodyFraming.INFORMATIONAL:
        this.restart();
        break;
      default:
        this.#complete();
    }
    this.announce(framing, this.#phase === Phase.COMPLETE);
  }

  /** One byte of chunk framing (RFC 9112 §7.1). */
  #decodeChunkByte(byte: number): ErrorKind | undefined {
    switch (this.#phase) {
      case Phase.CHUNK_SIZE_START:
        if (HEX_VALUE[byte] === 255) return http1Errors.chunkSizeInvalid;
        this.#remaining = 0;
        this.#sizeDigits = 0;
        this.#phase = Phase.CHUNK_SIZE;
        return this.#decodeSizeByte(byte);
      case Phase.CHUNK_SIZE:
        return this.#decodeSizeByte(byte);
      case Phase.CHUNK_EXTENSION:
        if (byte === CR) {
          this.#phase = Phase.CHUNK_SIZE_LF;
          return undefined;
        }
        if (byte === LF) return http1Errors.bareLf;
        if (FIELD_VALUE[byte] === 0) return http1Errors.chunkExtensionInvalid;
        return this.#countExtension();
      case Phase.CHUNK_SIZE_LF:
        if (byte !== LF) return http1Errors.bareCr;
        return this.#beginChunk();
      case Phase.CHUNK_DATA_CR:
        if (byte !== CR) return byte === LF ? http1Errors.bareLf : http1Errors.chunkDataUnterminated;
        this.#phase = Phase.CHUNK_DATA_LF;
        return undefined;
      default:
        if (byte !== LF) return http1Errors.bareCr;
        this.#phase = Phase.CHUNK_SIZE_START;
        return undefined;
    }
  }

  #decodeSizeByte(byte: number): ErrorKind | undefined {
    const digit = HEX_VALUE[byte] ?? 255;
    if (digit !== 255) {
      if (this.#sizeDigits === MAX_SIZE_DIGITS) return http1Errors.chunkSizeTooLarge;
      this.#sizeDigits++;
      this.#remaining = this.#remaining * 16 + digit;
      return undefined;
    }
    switch (byte) {
      case CR:
        this.#phase = Phase.CHUNK_SIZE_LF;
        return undefined;
      case SEMICOLON:
        this.#phase = Phase.CHUNK_EXTENSION;
        return this.#countExtension();
      case LF:
        return http1Errors.bareLf;
      default:
        // Blank space before ";" too (RFC 9112 allows it to old senders): Node refuses it, others read past it.
        return http1Errors.chunkSizeInvalid;
    }
  }

  #countExtension(): ErrorKind | undefined {
    this.#extensionBytes++;
    return this.#extensionBytes > this.limits.maxChunkExtensionBytes ? http1Errors.chunkExtensionTooLong : undefined;
  }

  #beginChunk(): ErrorKind | undefined {
    if (this.#remaining === 0) {
      this.#phase = Phase.TRAILERS;
      this.#scanner.begin(ScanStart.TRAILERS);
      return undefined;
    }
    this.#bodyBytes += this.#remaining;
    if (this.#bodyBytes > this.limits.maxBodyBytes) return http1Errors.bodyTooLarge;
    this.#phase = Phase.CHUNK_DATA;
    return undefined;
  }
}
