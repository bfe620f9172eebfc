// Heads and trailers to bytes (RFC 9112 §3, §4 and §7.1.2). The text is made as one string and written at once; then
// the bytes themselves are checked, so that nothing that would split a message ever leaves.

import type { ByteWriter } from "@ripstop/core";
import type { HeaderList, RequestHead, ResponseHead } from "@ripstop/http";
import { CR, LF } from "./characters.ts";
import { statusLine } from "./reason-phrases.ts";
import { baseOfWords, HIGH_BITS, wordsOf } from "./word-scan.ts";

/** What the encoder adds to a head; bits that can be combined. */
export const HeadFlag = {
  /** content-length: the head's, or 0 when it has none. */
  LENGTH: 1,
  /** transfer-encoding: chunked. */
  CHUNKED: 2,
  /** connection: close. */
  CLOSE: 4,
  /** connection: keep-alive, for HTTP/1.0 peers. */
  KEEP_ALIVE: 8,
  /** connection: upgrade, and upgrade: the head's protocol. */
  UPGRADE: 16,
  /** The request target in absolute form, for forward proxies. */
  ABSOLUTE_FORM: 32,
} as const;

/** Writes a request head. Returns false, with nothing written, when it holds what HTTP/1.1 cannot carry. */
export function encodeRequestHead(out: ByteWriter, head: RequestHead, flags: number): boolean {
  const { method, path, authority } = head;
  if (method === "" || method.includes(" ") || path.includes(" ") || authority.includes(" ")) return false;
  let target = path;
  if (method === "CONNECT") target = authority;
  else if ((flags & HeadFlag.ABSOLUTE_FORM) !== 0) {
    target = `${head.scheme === "" ? "http" : head.scheme}://${authority}${path === "*" ? "" : path}`;
  }
  if (target === "") return false;
  const start = `${method} ${target} HTTP/1.1\r\nhost: ${authority}\r\n`;
  const headers = head.headers;
  const expect = head.expectsContinue ? "expect: 100-continue\r\n" : "";
  const connection = connectionText(flags, head.protocol, headers);
  const text = start + connection + lengthText(flags, head.contentLength) + expect;
  const lines = 2 + connectionLines(flags, connection) + lengthLines(flags) + (head.expectsContinue ? 1 : 0);
  return writeSection(out, text, lines, headers);
}

/** Writes a response head. Returns false, with nothing written, when it holds what HTTP/1.1 cannot carry. */
export function encodeResponseHead(out: ByteWriter, head: ResponseHead, flags: number): boolean {
  const headers = head.headers;
  const connection = connectionText(flags, head.protocol, headers);
  let text = statusLine(head.status) + connection + lengthText(flags, head.contentLength);
  let lines = 1 + connectionLines(flags, connection) + lengthLines(flags);
  if (head.status === 426) {
    const required = requiredUpgradeText(headers);
    text += required;
    if (required !== "") lines += 2;
  }
  return writeSection(out, text, lines, headers);
}

/** Writes the last chunk and the trailer section. Returns false, with nothing written, when a field is unsafe. */
export function encodeTrailers(out: ByteWriter, trailers: HeaderList): boolean {
  return writeSection(out, "0\r\n", 1, trailers);
}

function connectionText(flags: number, protocol: string, headers: HeaderList): string {
  if ((flags & (HeadFlag.CLOSE | HeadFlag.KEEP_ALIVE | HeadFlag.UPGRADE)) === 0) {
    return headers.indexOf("te", 0) < 0 ? "" : "connection: te\r\n";
  }
  if ((flags & HeadFlag.UPGRADE) !== 0) {
    const te = headers.indexOf("te", 0) < 0 ? "" : ", te";
    return `connection: upgrade${te}\r\nupgrade: ${protocol}\r\n`;
  }
  return (flags & HeadFlag.CLOSE) !== 0 ? "connection: close\r\n" : "connection: keep-alive\r\n";
}

/** A 426 names the protocols that it requires (RFC 9110 §15.5.22). */
function requiredUpgradeText(headers: HeaderList): string {
  const protocols = headers.get("upgrade");
  return protocols === undefined ? "" : `connection: upgrade\r\nupgrade: ${protocols}\r\n`;
}

function connectionLines(flags: number, text: string): number {
  if (text === "") return 0;
  return (flags & HeadFlag.UPGRADE) !== 0 ? 2 : 1;
}

function lengthLines(flags: number): number {
  return (flags & (HeadFlag.LENGTH | HeadFlag.CHUNKED)) === 0 ? 0 : 1;
}

// The line written last: many messages in a row are of one length.
let lastLength = 0;
let lastLengthText = "content-length: 0\r\n";

function lengthText(flags: number, contentLength: number): string {
  if ((flags & HeadFlag.LENGTH) !== 0) {
    if (contentLength !== lastLength) {
      lastLength = contentLength;
      lastLengthText = `content-length: ${contentLength < 0 ? 0 : contentLength}\r\n`;
    }
    return lastLengthText;
  }
  return (flags & HeadFlag.CHUNKED) !== 0 ? "transfer-encoding: chunked\r\n" : "";
}

/**
 * Writes `start`, which is `startLines` lines, the fields that are not connection-specific, and the empty line; rolls back
 * when it is not safe. Fields that still stand side by side in the text that they came in leave as one piece of it: a name,
 * a value and three more strings for each cost four times as much.
 */
function writeSection(out: ByteWriter, start: string, startLines: number, headers: HeaderList): boolean {
  let text = start;
  let lines = startLines + 1;
  let runs = 0;
  let runStart = 0;
  let runEnd = 0;
  const { source, length } = headers;
  for (let at = 0; at < length; at++) {
    const name = headers.nameAt(at);
    if (isManaged(name)) continue;
    const lineStart = headers.lineStart(at);
    if (lineStart === runEnd && lineStart > 0) {
      runEnd = headers.lineEnd(at);
      continue;
    }
    if (runEnd > runStart) {
      noteRun(runs++, text.length, runEnd - runStart);
      text += source.substring(runStart, runEnd);
    }
    if (lineStart < 0) {
      lines++;
      text = `${text}${name}: ${headers.valueAt(at)}\r\n`;
      runStart = runEnd = 0;
    } else {
      runStart = lineStart;
      runEnd = headers.lineEnd(at);
    }
  }
  if (runEnd > runStart) {
    noteRun(runs++, text.length, runEnd - runStart);
    text += source.substring(runStart, runEnd);
  }
  const from = out.length;
  out.latin1(text + "\r\n");
  if (safeLinesOutside(runs, out, from) === lines) return true;
  out.length = from;
  return false;
}

// Where the runs of the section in hand are, in bytes from its start: pairs of start and end.
const runBounds: number[] = [];

function noteRun(at: number, start: number, length: number): void {
  runBounds[at * 2] = start;
  runBounds[at * 2 + 1] = start + length;
}

/**
 * The number of lines in what `out` holds from `from` on, outside of its runs; -1 when it is not safe. Runs are lines that
 * the scanner found in another message and that are passed on as they came: it has looked at each of their bytes.
 */
function safeLinesOutside(runs: number, out: ByteWriter, from: number): number {
  let lines = 0;
  let start = from;
  for (let run = 0; run <= runs; run++) {
    const end = run === runs ? out.length : from + (runBounds[run * 2] ?? 0);
    const found = safeLines(out.buffer, start, end);
    if (found < 0) return -1;
    lines += found;
    start = from + (runBounds[run * 2 + 1] ?? 0);
  }
  return lines;
}

/**
 * Whether the codec itself decides about `name`, so that a filter or another protocol cannot set it. Told by length first:
 * a look into a table for each field costs 0.2 µs a head.
 */
export function isManaged(name: string): boolean {
  switch (name.length) {
    case 4:
      return name === "host";
    case 6:
      return name === "expect";
    case 7:
      return name === "upgrade";
    case 10:
      return name === "connection" || name === "keep-alive";
    case 14:
      return name === "content-length" || name === "http2-settings";
    case 16:
      return name === "proxy-connection";
    case 17:
      return name === "transfer-encoding";
    default:
      return false;
  }
}

/**
 * How many times `buf[from, end)` holds CRLF; -1 when it holds any other byte below 0x20 but HTAB. The bytes are looked
 * at, not the text: characters above 255 were cut to a byte on the way.
 */
function safeLines(buf: Buffer, from: number, end: number): number {
  const words = wordsOf(buf);
  // ByteWriter memory is an ArrayBuffer of its own, so offsets and words line up; other memory goes byte by byte.
  const isAligned = baseOfWords() === 0;
  let seen = 0;
  let at = from;
  while (at < end) {
    if (isAligned && (at & 3) === 0) {
      const lastWord = end >> 2;
      let word = at >> 2;
      while (word < lastWord) {
        const x = words[word] ?? 0;
        if (((x - 0x20202020) & ~x & HIGH_BITS) !== 0) break;
        word++;
      }
      at = word << 2;
      if (at >= end) break;
    }
    const byte = buf[at] ?? 0;
    if (byte >= 32 || byte === 9) {
      at++;
    } else {
      if (byte !== CR || buf[at + 1] !== LF) return -1;
      seen++;
      at += 2;
    }
  }
  return seen;
}
