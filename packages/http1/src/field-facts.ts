// What the connection-specific fields of one head say about framing and the connection (RFC 9112 §6, RFC 9110 §7.6).

import type { ErrorKind } from "@ripstop/core";
import type { HeaderList } from "@ripstop/http";
import { COLON, CR, SP, TOKEN_LOWER } from "./characters.ts";
import { http1Errors } from "./errors.ts";
import { FieldRole, roleOfName } from "./field-names.ts";
import type { HeadScanner } from "./head-scanner.ts";

/** Each nominated field costs a pass over the headers; real messages nominate one or two. */
const MAX_NOMINATED = 32;

/** Facts of the head in hand; one instance serves all decoders of a thread because they use it at once. */
export class FieldFacts {
  hostCount = 0;
  /** Where the value of the last Host stands in the head's text. */
  hostStart = 0;
  hostEnd = 0;
  /** Declared length, or −1. */
  contentLength = -1;
  isChunked = false;
  close = false;
  keepAlive = false;
  /** Connection nominated Upgrade. */
  connectionUpgrade = false;
  upgrade = "";
  expect = "";
  /** The one HTTP2-Settings field, nominated by Connection; "" when there is none, or more than one. */
  http2Settings = "";
  #http2SettingsCount = 0;
  #nominatesHttp2Settings = false;
  readonly #nominated: string[] = [];
  #acceptsTrailers = false;

  /** Sorts the scanned fields of the head `text` into `headers` and facts. Returns the first error. */
  collect(scanner: HeadScanner, text: string, headers: HeaderList): ErrorKind | undefined {
    this.#reset();
    headers.clear();
    headers.source = text;
    const count = scanner.fieldCount;
    for (let at = 0; at < count; at++) {
      const name = scanner.nameOf(at);
      if (name === undefined) continue;
      const start = scanner.valueStart(at);
      const end = scanner.valueEnd(at);
      if (name.role === FieldRole.ORDINARY) {
        if (isPlainLine(text, start, end)) headers.appendLine(name.name, start - name.name.length - 2, end + 2);
        else headers.append(name.name, text.substring(start, end));
        continue;
      }
      if (name.role === FieldRole.HOST) {
        this.hostCount++;
        this.hostStart = start;
        this.hostEnd = end;
        continue;
      }
      const error = this.#collectSpecial(name.role, text.substring(start, end));
      if (error !== undefined) return error;
    }
    if (this.isChunked && this.contentLength >= 0) return http1Errors.lengthAndTransferEncoding;
    for (const name of this.#nominated) headers.remove(name);
    if (this.#http2SettingsCount > 1 || !this.#nominatesHttp2Settings) this.http2Settings = "";
    if (this.#acceptsTrailers) headers.append("te", "trailers");
    return undefined;
  }

  /** Sorts scanned trailer fields into `trailers`. Returns the error when one would change framing or routing. */
  collectTrailers(scanner: HeadScanner, text: string, trailers: HeaderList): ErrorKind | undefined {
    trailers.clear();
    for (let at = 0; at < scanner.fieldCount; at++) {
      const name = scanner.nameOf(at);
      if (name === undefined) continue;
      switch (name.role) {
        case FieldRole.ORDINARY:
          trailers.append(name.name, text.substring(scanner.valueStart(at), scanner.valueEnd(at)));
          break;
        case FieldRole.HOST:
        case FieldRole.CONTENT_LENGTH:
        case FieldRole.TRANSFER_ENCODING:
          return http1Errors.trailerForbidden;
        default:
      }
    }
    return undefined;
  }

  #reset(): void {
    this.hostCount = 0;
    this.contentLength = -1;
    this.isChunked = false;
    this.close = false;
    this.keepAlive = false;
    this.connectionUpgrade = false;
    this.upgrade = "";
    this.expect = "";
    this.http2Settings = "";
    this.#http2SettingsCount = 0;
    this.#nominatesHttp2Settings = false;
    this.#acceptsTrailers = false;
    if (this.#nominated.length > 0) this.#nominated.length = 0;
  }

  #collectSpecial(role: number, value: string): ErrorKind | undefined {
    switch (role) {
      case FieldRole.CONTENT_LENGTH:
        return this.#collectLength(value);
      case FieldRole.TRANSFER_ENCODING:
        return this.#collectTransferEncoding(value);
      case FieldRole.CONNECTION:
        return this.#collectConnection(value);
      case FieldRole.UPGRADE:
        this.upgrade = this.upgrade === "" ? value : `${this.upgrade},${value}`;
        return undefined;
      case FieldRole.EXPECT:
        this.expect = this.expect === "" ? value : `${this.expect},${value}`;
        return undefined;
      case FieldRole.HTTP2_SETTINGS:
        this.http2Settings = value;
        this.#http2SettingsCount++;
        return undefined;
      case FieldRole.TE:
        for (const item of value.split(",")) {
          if (item.trim().toLowerCase() === "trailers") this.#acceptsTrailers = true;
        }
        return undefined;
      default:
        return undefined;
    }
  }

  /** RFC 9110 §8.6: 1*DIGIT, once. Equal repeats are refused too: to fold them into one would be a repair. */
  #collectLength(value: string): ErrorKind | undefined {
    if (this.contentLength >= 0) return http1Errors.contentLengthDuplicate;
    if (value.length === 0 || value.length > 16) return lengthError(value);
    let length = 0;
    for (let at = 0; at < value.length; at++) {
      const digit = value.charCodeAt(at) - 48;
      if (digit < 0 || digit > 9) return lengthError(value);
      length = length * 10 + digit;
    }
    if (length > Number.MAX_SAFE_INTEGER) return http1Errors.contentLengthInvalid;
    this.contentLength = length;
    return undefined;
  }

  /** RFC 9112 §6.1 and §6.3: over all fields, the codings must be exactly "chunked". */
  #collectTransferEncoding(value: string): ErrorKind | undefined {
    if (this.isChunked) return http1Errors.transferEncodingInvalid;
    if (value === "chunked" || value.toLowerCase() === "chunked") {
      this.isChunked = true;
      return undefined;
    }
    const codings = value.toLowerCase().split(",");
    let sawChunked = false;
    for (const item of codings) {
      const coding = trimOws(item);
      if (sawChunked || !isToken(coding)) return http1Errors.transferEncodingInvalid;
      sawChunked = coding === "chunked";
    }
    return sawChunked ? http1Errors.transferCodingUnknown : http1Errors.transferEncodingInvalid;
  }

  #collectConnection(value: string): ErrorKind | undefined {
    switch (value) {
      case "keep-alive":
        this.keepAlive = true;
        return undefined;
      case "close":
        this.close = true;
        return undefined;
      default:
    }
    for (const item of value.toLowerCase().split(",")) {
      const option = trimOws(item);
      if (option === "") continue;
      if (!isToken(option)) return http1Errors.connectionFieldInvalid;
      if (option === "close") this.close = true;
      else if (option === "keep-alive") this.keepAlive = true;
      else if (option === "upgrade") this.connectionUpgrade = true;
      else if (option === "http2-settings") this.#nominatesHttp2Settings = true;
      // Framing and routing fields are never in the list, so nominating them removes nothing.
      else if (roleOfName(option) === FieldRole.ORDINARY) {
        if (this.#nominated.length === MAX_NOMINATED) return http1Errors.connectionFieldInvalid;
        this.#nominated.push(option);
      }
    }
    return undefined;
  }
}

/** "5, 5" and "5, 6" are repeats; anything else is no number. */
function lengthError(value: string): ErrorKind {
  return value.includes(",") ? http1Errors.contentLengthDuplicate : http1Errors.contentLengthInvalid;
}

/** Whether the value `text[start, end)` stands between ": " and CRLF, without further white space. */
function isPlainLine(text: string, start: number, end: number): boolean {
  return (
    text.charCodeAt(end) === CR &&
    text.charCodeAt(start - 1) === SP &&
    text.charCodeAt(start - 2) === COLON &&
    end > start
  );
}

/** Whether `text[start, end)` is `known`, without cutting it out. Both must be flat strings to be quick. */
export function standsAt(text: string, start: number, end: number, known: string): boolean {
  if (end - start !== known.length) return false;
  for (let at = start; at < end; at++) if (text.charCodeAt(at) !== known.charCodeAt(at - start)) return false;
  return true;
}

/** Whether `text` is a token of RFC 9110 §5.6.2: at least one tchar and nothing else. */
export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 255 || TOKEN_LOWER[code] === 0) return false;
  }
  return text.length > 0;
}

/** `text` without SP and HTAB at both ends; unlike trim(), nothing else counts as white space. */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isOws(text.charCodeAt(start))) start++;
  while (end > start && isOws(text.charCodeAt(end - 1))) end--;
  return text.substring(start, end);
}

function isOws(code: number): boolean {
  return code === 32 || code === 9;
}
