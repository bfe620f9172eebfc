// The HPACK decoder (RFC 7541): header block fragments to fields. Strings are made once, when they arrive as literals;
// a field that is in a table is handed out with the same strings and without another look at its bytes.

import { knownDecimal } from "../decimal-text.ts";
import { classifyName, classifyValue, FieldFlag, FieldKind, fieldKindOf } from "../field-kind.ts";
import { huffmanDecode, huffmanDecodedBound } from "./huffman.ts";
import { KnownTexts } from "./known-texts.ts";
import { RepeatedValues } from "./repeated-values.ts";
import { STATIC_COUNT, STATIC_FLAGS, STATIC_KINDS, STATIC_NAMES, STATIC_VALUES } from "./static-table.ts";

/** Receives the fields of a header block in order. */
export interface FieldSink {
  /** `kind` is a FieldKind of the name; `flags` are FieldFlag bits of value and name. */
  onField(name: string, value: string, kind: number, flags: number): void;
}

/** Each entry counts its name, its value and this many bytes (RFC 7541 §4.1). */
export const ENTRY_OVERHEAD = 32;

/** Prefix of the name's index in literals that do not go into the table (RFC 7541 §6.2.2, §6.2.3). */
const NOT_INDEXED = 0x0f;

const KIND_BITS = 4;
const KIND_MASK = 15;

/** The largest integer that the decoder accepts (five bytes of RFC 7541 §5.1 can say more; nothing needs it). */
const MAX_INTEGER = 0x0fff_ffff;

/** Huffman-coded strings are decoded here, one at a time, synchronously. */
let scratch: Buffer = Buffer.allocUnsafeSlow(32 * 1024);

/** Names that arrive as literals, with their FieldKind. */
const NAME_SLOTS = 1024;
const MOST_NAME_BYTES = 64;
const knownNames = new KnownTexts(NAME_SLOTS);
const nameKinds: Uint8Array = new Uint8Array(NAME_SLOTS);

/**
 * Values that were put into tables, at most 64 KB of them. What its sender lets be indexed is no secret (RFC 7541 section
 * 7.1.3); but encoders index whatever they are not told about, so cookies, credentials and queries are left out.
 */
const knownValues = new KnownTexts(256);
const MOST_VALUE_BYTES = 256;

/** One decoder per connection and direction of receipt. */
export class HpackDecoder {
  /** What was wrong when `decode` returned false. */
  problem = "";
  /** Counts changes of the table and of its limit: as long as there are none, the same block says the same. */
  version = 0;

  // The dynamic table: a ring; entry k (1 = newest) is at (next - k) & mask.
  #names: string[] = [];
  #values: string[] = [];
  /** FieldKind and FieldFlag bits of each entry: kind | flags << KIND_BITS. */
  #facts: number[] = [];
  #mask: number;
  #next = 0;
  #count = 0;
  #bytes = 0;
  #maxBytes: number;
  /** What our SETTINGS_HEADER_TABLE_SIZE allows. */
  #allowedBytes: number;
  /** The limit was lowered below the size in use: the next block must say so first (RFC 7541 §4.2). */
  #mustUpdate = false;
  /** Made with the first value that it may keep. */
  #repeated: RepeatedValues | undefined = undefined;

  // Cursor and results of the readers below.
  #at = 0;
  #end = 0;
  #text = "";
  #textFlags = 0;
  #textKind = 0;

  /** `maxTableBytes`: 4096 until our own settings say otherwise and are acknowledged. */
  constructor(maxTableBytes: number = 4096) {
    this.#maxBytes = maxTableBytes;
    this.#allowedBytes = maxTableBytes;
    this.#mask = ringMask(maxTableBytes);
  }

  /** Bytes that the dynamic table counts now (RFC 7541 §4.1). */
  get tableBytes(): number {
    return this.#bytes;
  }

  /** The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE. */
  setAllowedTableBytes(bytes: number): void {
    this.version++;
    if (bytes < this.#maxBytes) this.#mustUpdate = true;
    this.#allowedBytes = bytes;
  }

  /** Decodes the complete header block `buf[start, end)`. False on a compression error, see `problem`: the connection is lost. */
  decode(buf: Buffer, start: number, end: number, sink: FieldSink): boolean {
    this.#at = start;
    this.#end = end;
    let updates = 0;
    let fields = 0;
    while (this.#at < this.#end) {
      const first = buf[this.#at++] ?? 0;
      if ((first & 0x80) !== 0) {
        const index = (first & 0x7f) === 0x7f ? this.#readInteger(buf, 0x7f) : first & 0x7f;
        if (!this.#emitIndexed(index, sink)) return false;
        fields++;
      } else if ((first & 0x40) !== 0) {
        if (!this.#readLiteral(buf, first & 0x3f, 0x3f)) return false;
        const name = this.#name;
        const value = this.#text;
        const flags = this.#nameFlags | this.#textFlags;
        this.#insert(name, value, this.#textKind, flags);
        sink.onField(name, value, this.#textKind, flags);
        fields++;
      } else if ((first & 0x20) !== 0) {
        const size = (first & 0x1f) === 0x1f ? this.#readInteger(buf, 0x1f) : first & 0x1f;
        if (size < 0) return this.#fail("an integer is cut off or too large");
        if (fields > 0) return this.#fail("a table size update stands after a field");
        if (size > this.#allowedBytes) return this.#fail("a table size update exceeds the limit");
        if (++updates > 2) return this.#fail("more than two table size updates");
        this.#resize(size);
        this.#mustUpdate = false;
      } else {
        const never = (first & 0x10) !== 0 ? FieldFlag.NEVER_INDEXED : 0;
        if (!this.#readLiteral(buf, first & NOT_INDEXED, NOT_INDEXED)) return false;
        sink.onField(this.#name, this.#text, this.#textKind, this.#nameFlags | this.#textFlags | never);
        fields++;
      }
      if (this.#mustUpdate) return this.#fail("the table size was lowered and no update came first");
    }
    return true;
  }

  #name = "";
  #nameFlags = 0;

  #emitIndexed(index: number, sink: FieldSink): boolean {
    if (index <= 0) return this.#fail(index < 0 ? "an integer is cut off or too large" : "index 0");
    if (index <= STATIC_COUNT) {
      sink.onField(
        STATIC_NAMES[index] ?? "",
        STATIC_VALUES[index] ?? "",
        STATIC_KINDS[index] ?? 0,
        STATIC_FLAGS[index] ?? 0,
      );
      return true;
    }
    const back = index - STATIC_COUNT;
    if (back > this.#count) return this.#fail("an index beyond the table");
    const slot = (this.#next - back) & this.#mask;
    const facts = this.#facts[slot] ?? 0;
    sink.onField(this.#names[slot] ?? "", this.#values[slot] ?? "", facts & KIND_MASK, facts >> KIND_BITS);
    return true;
  }

  /** Reads name and value of a literal into #name, #nameFlags, #text, #textFlags and #textKind. */
  #readLiteral(buf: Buffer, prefix: number, max: number): boolean {
    const index = prefix === max ? this.#readInteger(buf, max) : prefix;
    let kind: number;
    if (index === 0) {
      if (!this.#readName(buf)) return false;
      this.#name = this.#text;
      this.#nameFlags = this.#textFlags;
      kind = this.#textKind;
    } else if (index > 0 && index <= STATIC_COUNT) {
      this.#name = STATIC_NAMES[index] ?? "";
      this.#nameFlags = 0;
      kind = STATIC_KINDS[index] ?? 0;
    } else if (index > 0 && index - STATIC_COUNT <= this.#count) {
      const slot = (this.#next - (index - STATIC_COUNT)) & this.#mask;
      this.#name = this.#names[slot] ?? "";
      const facts = this.#facts[slot] ?? 0;
      this.#nameFlags = (facts >> KIND_BITS) & FieldFlag.BAD_NAME;
      kind = facts & KIND_MASK;
    } else {
      return this.#fail(index < 0 ? "an integer is cut off or too large" : "an index beyond the table");
    }
    if (!(max === NOT_INDEXED ? this.#readRepeated(buf) : this.#readValue(buf, kind))) return false;
    this.#textKind = kind;
    return true;
  }

  #readName(buf: Buffer): boolean {
    if (!this.#readString(buf)) return false;
    const text = this.#source;
    const start = this.#sourceStart;
    const end = this.#sourceEnd;
    this.#textFlags = classifyName(text, start, end);
    if (end - start > MOST_NAME_BYTES) {
      this.#text = text.latin1Slice(start, end);
      this.#textKind = fieldKindOf(this.#text);
      return true;
    }
    this.#text = knownNames.take(text, start, end);
    if (knownNames.isNew) nameKinds[knownNames.slot] = fieldKindOf(this.#text);
    this.#textKind = nameKinds[knownNames.slot] ?? 0;
    return true;
  }

  /** Reads a value that is put into the table. */
  #readValue(buf: Buffer, kind: number): boolean {
    if (!this.#readString(buf)) return false;
    const text = this.#source;
    const start = this.#sourceStart;
    const end = this.#sourceEnd;
    this.#textFlags = classifyValue(text, start, end);
    const isShared = end - start <= MOST_VALUE_BYTES && !isSecret(kind, text, start, end);
    this.#text = isShared ? knownValues.take(text, start, end) : text.latin1Slice(start, end);
    return true;
  }

  /** As `#readValue`, for a value that is not put into the table: one that came before is not decoded again. */
  #readRepeated(buf: Buffer): boolean {
    const length = this.#readLength(buf);
    if (length < 0) return false;
    const isKept = RepeatedValues.takes(length);
    const literal = { start: this.#at, end: this.#at + length, coded: this.#coded, nameLength: this.#name.length };
    const known = isKept ? this.#repeated?.find(buf, literal) : undefined;
    if (known !== undefined) {
      this.#at = literal.end;
      this.#text = known.text;
      this.#textFlags = known.flags;
      return true;
    }
    if (!this.#decodeString(buf, length)) return false;
    this.#takeValue();
    if (isKept)
      (this.#repeated ??= new RepeatedValues()).keep(buf, literal, { text: this.#text, flags: this.#textFlags });
    return true;
  }

  #takeValue(): void {
    this.#textFlags = classifyValue(this.#source, this.#sourceStart, this.#sourceEnd);
    this.#text =
      knownDecimal(this.#source, this.#sourceStart, this.#sourceEnd) ??
      this.#source.latin1Slice(this.#sourceStart, this.#sourceEnd);
  }

  #source: Buffer = scratch;
  #sourceStart = 0;
  #sourceEnd = 0;
  #coded = false;

  /** Finds the bytes of a string literal, decoded, in #source[#sourceStart, #sourceEnd). */
  #readString(buf: Buffer): boolean {
    const length = this.#readLength(buf);
    return length >= 0 && this.#decodeString(buf, length);
  }

  /** The length of the string literal that follows, all of which is there; whether it is Huffman-coded is in #coded. -1 on failure. */
  #readLength(buf: Buffer): number {
    if (this.#at >= this.#end) return this.#failLength("a string is cut off");
    const first = buf[this.#at++] ?? 0;
    const length = (first & 0x7f) === 0x7f ? this.#readInteger(buf, 0x7f) : first & 0x7f;
    if (length < 0) return this.#failLength("an integer is cut off or too large");
    if (this.#at + length > this.#end) return this.#failLength("a string is cut off");
    this.#coded = (first & 0x80) !== 0;
    return length;
  }

  #failLength(problem: string): number {
    this.problem = problem;
    return -1;
  }

  #decodeString(buf: Buffer, length: number): boolean {
    const start = this.#at;
    const end = start + length;
    this.#at = end;
    if (!this.#coded) {
      this.#source = buf;
      this.#sourceStart = start;
      this.#sourceEnd = end;
      return true;
    }
    const bound = huffmanDecodedBound(length);
    if (bound > scratch.length) scratch = Buffer.allocUnsafeSlow(bound * 2);
    const decoded = huffmanDecode(buf, start, end, scratch);
    if (decoded < 0) return this.#fail("a string is not valid Huffman code");
    this.#source = scratch;
    this.#sourceStart = 0;
    this.#sourceEnd = decoded;
    return true;
  }

  /** Reads the rest of an integer whose prefix was all ones (RFC 7541 §5.1); -1 when cut off or too large. */
  #readInteger(buf: Buffer, prefix: number): number {
    let value = prefix;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.#at >= this.#end) return -1;
      const byte = buf[this.#at++] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER) return -1;
      if ((byte & 0x80) === 0) return value;
    }
    return -1;
  }

  #insert(name: string, value: string, kind: number, flags: number): void {
    this.version++;
    const size = name.length + value.length + ENTRY_OVERHEAD;
    while (this.#count > 0 && this.#bytes + size > this.#maxBytes) this.#evict();
    if (size > this.#maxBytes) return;
    const slot = this.#next & this.#mask;
    this.#names[slot] = name;
    this.#values[slot] = value;
    this.#facts[slot] = kind | (flags << KIND_BITS);
    this.#next = (this.#next + 1) | 0;
    this.#count++;
    this.#bytes += size;
  }

  #evict(): void {
    const slot = (this.#next - this.#count) & this.#mask;
    this.#bytes -= (this.#names[slot] ?? "").length + (this.#values[slot] ?? "").length + ENTRY_OVERHEAD;
    this.#names[slot] = "";
    this.#values[slot] = "";
    this.#count--;
  }

  #resize(maxBytes: number): void {
    this.version++;
    this.#maxBytes = maxBytes;
    while (this.#bytes > maxBytes) this.#evict();
    const mask = ringMask(maxBytes);
    if (mask <= this.#mask) return;
    // A larger ring: move the live entries, oldest first, to its start.
    const names: string[] = [];
    const values: string[] = [];
    const facts: number[] = [];
    for (let back = this.#count; back > 0; back--) {
      const slot = (this.#next - back) & this.#mask;
      names.push(this.#names[slot] ?? "");
      values.push(this.#values[slot] ?? "");
      facts.push(this.#facts[slot] ?? 0);
    }
    this.#names = names;
    this.#values = values;
    this.#facts = facts;
    this.#next = this.#count;
    this.#mask = mask;
  }

  #fail(problem: string): boolean {
    this.problem = problem;
    return false;
  }
}

const QUESTION_MARK = 0x3f;

/** Whether a value may be nobody else's to know. */
function isSecret(kind: number, text: Buffer, start: number, end: number): boolean {
  if (kind === FieldKind.COOKIE || kind === FieldKind.CREDENTIALS) return true;
  if (kind !== FieldKind.PATH && kind !== FieldKind.OTHER) return false;
  // Links that let their holder in have the secret in the query: :path, referer, location.
  for (let at = start; at < end; at++) if (text[at] === QUESTION_MARK) return true;
  return false;
}

/** Mask of the smallest power-of-two ring that holds every entry of a table of `maxBytes`. */
function ringMask(maxBytes: number): number {
  let slots = 1;
  while (slots < maxBytes / ENTRY_OVERHEAD) slots *= 2;
  return slots - 1;
}
