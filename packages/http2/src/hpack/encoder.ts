// The HPACK encoder (RFC 7541): fields to header block. A pair goes into the dynamic table when it is met a second
// time, so values that never come back (ids, trace contexts) do not push out those that do. Text is not Huffman-coded:
// between proxies the bytes are cheaper than the work.

import type { ByteWriter } from "@ripstop/core";
import { fieldKindOf, FieldKind } from "../field-kind.ts";
import { ENTRY_OVERHEAD } from "./decoder.ts";
import { STATIC_COUNT, STATIC_NAMES, STATIC_VALUES, staticIndexOfName } from "./static-table.ts";

/** The most that our own table takes, whatever the peer allows. */
const MAX_TABLE_BYTES = 4096;

/** Values remembered per name. */
const REMEMBERED = 8;

/** Names remembered per connection. */
const MAX_NAMES = 256;

/** Cookies shorter than this are never indexed: few guesses would find them (RFC 7541 §7.1.3). */
const SHORT_COOKIE = 20;

/** Longer values than this are not remembered: comparing and holding them costs more than it saves. */
const MAX_REMEMBERED_VALUE = 1024;

/** Below no absolute index: the pair was seen but is not in the table. */
const NOT_INSERTED = -1;

const NO_SIZES = new Uint16Array(0);
const NO_VALUES: readonly string[] = [];

/** Texts up to this length are written without a call into the runtime. */
const SHORT_TEXT = 24;

/** First bytes of literals (RFC 7541 §6.2). */
const Pattern = { PLAIN: 0x00, NEVER: 0x10, INDEXED: 0x40 } as const;

const Handling = {
  INDEX: 0,
  /** Never put into a table, here or by anyone behind us. */
  NEVER: 1,
  /** As NEVER when short, else a literal that is not indexed. */
  COOKIE: 2,
  /** Left out of messages (RFC 9113 §8.2.2). */
  DROP: 3,
} as const;

function handlingOf(name: string): number {
  switch (name) {
    case "authorization":
    case "proxy-authorization":
      return Handling.NEVER;
    case "cookie":
    case "set-cookie":
      return Handling.COOKIE;
    default:
      return fieldKindOf(name) === FieldKind.CONNECTION_SPECIFIC ? Handling.DROP : Handling.INDEX;
  }
}

/** After so many values in a row that were new, only every so many-th is looked up and remembered. */
const VOLATILE_AFTER = 16;

/** A value that was met under a name. */
class Met {
  readonly value: string;
  /** Absolute index of its entry, or NOT_INSERTED. */
  index: number = NOT_INSERTED;
  next: Met | undefined;

  constructor(value: string, next: Met | undefined) {
    this.value = value;
    this.next = next;
  }
}

/** What the encoder knows about one name. */
class NameSlot {
  readonly name: string;
  readonly handling: number;
  readonly isTe: boolean;
  /** First index of the name in the static table, or 0. */
  readonly staticIndex: number;
  /** Static entries with a value of their own: value i has index staticIndex + i. */
  readonly staticValues: readonly string[];
  /** Absolute index of the newest entry with this name, or NOT_INSERTED. */
  newest: number = NOT_INSERTED;
  seen = false;
  /** Values met, the latest first. */
  first: Met | undefined = undefined;
  /** New values since one was met again. */
  misses = 0;
  /** The value that was written as one byte last, that byte, and the state of the table in which it was. */
  hit = "";
  hitByte = 0;
  hitVersion = -1;
  /** The slot of the field that followed last time: messages of one kind repeat their order. */
  following: NameSlot | undefined = undefined;

  constructor(name: string) {
    this.name = name;
    this.handling = handlingOf(name);
    this.isTe = name === "te";
    this.staticIndex = staticIndexOfName(name);
    const values: string[] = [];
    for (let at = this.staticIndex; at > 0 && at <= STATIC_COUNT && STATIC_NAMES[at] === name; at++) {
      values.push(STATIC_VALUES[at] ?? "");
    }
    this.staticValues = values.length === 0 || values[0] === "" ? NO_VALUES : values;
  }
}

/** One encoder per connection and direction of sending. */
export class HpackEncoder {
  readonly #slots = new Map<string, NameSlot>();
  /** The slot of the field before; one of no field at first. */
  readonly #start = new NameSlot("");
  #previous: NameSlot = this.#start;
  /** Sizes of the live entries, a ring by absolute index; made with the first entry, which idle connections never have. */
  #sizes: Uint16Array = NO_SIZES;
  /** Absolute index of the next insertion. */
  #next = 0;
  #count = 0;
  #bytes = 0;
  /** Counts changes of the table: as long as there are none, a pair has the same index. */
  #version = 0;
  #maxBytes: number;
  /** Size updates owed at the start of the next block: the lowest limit since, and that an update is owed at all. */
  #lowestBytes: number;
  #updateOwed = false;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE is 4096 until it says otherwise. */
  constructor() {
    this.#maxBytes = MAX_TABLE_BYTES;
    this.#lowestBytes = MAX_TABLE_BYTES;
  }

  /** Bytes that the dynamic table counts now. */
  get tableBytes(): number {
    return this.#bytes;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, which may have changed (RFC 7541 §4.2). */
  setPeerTableBytes(bytes: number): void {
    const limit = Math.min(bytes, MAX_TABLE_BYTES);
    if (limit === this.#maxBytes && !this.#updateOwed) return;
    this.#lowestBytes = this.#updateOwed ? Math.min(this.#lowestBytes, limit) : Math.min(this.#maxBytes, limit);
    this.#updateOwed = true;
    this.#maxBytes = limit;
    this.#version++;
    this.#makeRoom(0);
  }

  /** Begins a header block: must be called before its first field. */
  begin(out: ByteWriter): void {
    this.#previous = this.#start;
    if (!this.#updateOwed) return;
    this.#updateOwed = false;
    if (this.#lowestBytes < this.#maxBytes) writeInteger(out, 0x20, 0x1f, this.#lowestBytes);
    writeInteger(out, 0x20, 0x1f, this.#maxBytes);
    this.#lowestBytes = this.#maxBytes;
  }

  /** Appends a field. `name` is lower case; `neverIndexed` as the sender of the field asked (RFC 7541 §6.2.3). */
  field(out: ByteWriter, name: string, value: string, neverIndexed: boolean): void {
    const slot = this.#slotOf(name);
    if (slot.hitVersion === this.#version && slot.hit === value && !neverIndexed) {
      slot.misses = 0;
      out.byte(slot.hitByte);
      return;
    }
    if (slot.handling !== Handling.INDEX || neverIndexed) {
      this.#plain(out, slot, value, neverIndexed);
      return;
    }
    const { staticValues } = slot;
    for (let at = 0; at < staticValues.length; at++) {
      if (staticValues[at] === value) return this.#indexed(out, slot, value, slot.staticIndex + at);
    }
    const oldestLive = this.#next - this.#count;
    const { misses } = slot;
    const met = this.#find(slot, value);
    if (met !== undefined && met.index >= oldestLive) {
      return this.#indexed(out, slot, value, STATIC_COUNT + (this.#next - met.index));
    }
    // Values of te other than this one are for HTTP/1.1 alone (RFC 9113 §8.2.2).
    if (slot.isTe && value !== "trailers") return;
    const size = name.length + value.length + ENTRY_OVERHEAD;
    // The first repeat of a name without any index is worth an entry even if the value is new: the name is then known.
    const wanted = met !== undefined || (slot.seen && slot.staticIndex === 0 && slot.newest < oldestLive);
    slot.seen = true;
    const inserted = wanted && size <= this.#maxBytes >> 1;
    this.#literal(out, slot, inserted ? Pattern.INDEXED : Pattern.PLAIN, value);
    if (inserted) this.#insert(slot, size);
    if (met !== undefined) met.index = inserted ? slot.newest : NOT_INSERTED;
    else if (!isSkipped(misses) && value.length <= MAX_REMEMBERED_VALUE) remember(slot, value, inserted);
  }

  #slotOf(name: string): NameSlot {
    const { following } = this.#previous;
    const slot = following !== undefined && following.name === name ? following : this.#lookUp(name);
    this.#previous = slot;
    return slot;
  }

  #lookUp(name: string): NameSlot {
    const slot = this.#slots.get(name) ?? this.#addSlot(name);
    this.#previous.following = slot;
    return slot;
  }

  /** What the slot knows of `value`; nothing when its values hardly ever come back and this one is not looked at. */
  #find(slot: NameSlot, value: string): Met | undefined {
    const { first } = slot;
    // Before any comparison: new ids are parts of larger texts, which V8 compares by a call into the runtime.
    if (first === undefined || isSkipped(slot.misses++)) return undefined;
    if (first.value === value) {
      slot.misses = 0;
      return first;
    }
    let before = first;
    for (let met = first.next; met !== undefined; met = met.next) {
      if (met.value === value) {
        before.next = met.next;
        met.next = first;
        slot.first = met;
        slot.misses = 0;
        return met;
      }
      before = met;
    }
    return undefined;
  }

  /** Writes an index, and remembers it as the slot's hit when it is one byte. */
  #indexed(out: ByteWriter, slot: NameSlot, value: string, index: number): void {
    if (index >= 0x7f) {
      writeInteger(out, 0x80, 0x7f, index);
      return;
    }
    slot.hit = value;
    slot.hitByte = 0x80 | index;
    slot.hitVersion = this.#version;
    out.byte(slot.hitByte);
  }

  #insert(slot: NameSlot, size: number): void {
    this.#makeRoom(size);
    this.#version++;
    if (this.#sizes === NO_SIZES) this.#sizes = new Uint16Array(MAX_TABLE_BYTES / ENTRY_OVERHEAD);
    this.#sizes[this.#next % this.#sizes.length] = size;
    this.#count++;
    this.#bytes += size;
    slot.newest = this.#next++;
  }

  #plain(out: ByteWriter, slot: NameSlot, value: string, neverIndexed: boolean): void {
    if (slot.handling === Handling.DROP) return;
    const never = neverIndexed || slot.handling === Handling.NEVER || value.length < SHORT_COOKIE;
    this.#literal(out, slot, never ? Pattern.NEVER : Pattern.PLAIN, value);
  }

  /** A literal whose first byte has `pattern`; the index of the name has six bits of prefix after INDEXED, else four. */
  #literal(out: ByteWriter, slot: NameSlot, pattern: number, value: string): void {
    const nameIndex = this.#nameIndex(slot);
    if (nameIndex > 0) {
      writeInteger(out, pattern, pattern === Pattern.INDEXED ? 0x3f : 0x0f, nameIndex);
    } else {
      out.byte(pattern);
      writeString(out, slot.name);
    }
    writeString(out, value);
  }

  /** An index that stands for the name, or 0. */
  #nameIndex(slot: NameSlot): number {
    if (slot.staticIndex > 0) return slot.staticIndex;
    return slot.newest >= this.#next - this.#count ? STATIC_COUNT + (this.#next - slot.newest) : 0;
  }

  #makeRoom(size: number): void {
    while (this.#count > 0 && this.#bytes + size > this.#maxBytes) {
      this.#bytes -= this.#sizes[(this.#next - this.#count) % this.#sizes.length] ?? 0;
      this.#count--;
    }
  }

  #addSlot(name: string): NameSlot {
    const slot = new NameSlot(name);
    if (this.#slots.size >= MAX_NAMES) this.#forgetNames();
    if (this.#slots.size < MAX_NAMES) this.#slots.set(name, slot);
    return slot;
  }

  /** Forgets every name that has no entry in the table: at most 128 stay, so the cost is spread over as many new names. */
  #forgetNames(): void {
    const oldestLive = this.#next - this.#count;
    this.#start.following = undefined;
    for (const [name, slot] of this.#slots) {
      slot.following = undefined;
      if (slot.newest < oldestLive) this.#slots.delete(name);
    }
  }
}

/** Whether a value after so many new ones is not looked at. */
function isSkipped(misses: number): boolean {
  return misses > VOLATILE_AFTER && (misses & (VOLATILE_AFTER - 1)) !== 0;
}

/** Puts a new value before those met; the oldest of too many goes. */
function remember(slot: NameSlot, value: string, inserted: boolean): void {
  const met = new Met(value, slot.first);
  if (inserted) met.index = slot.newest;
  slot.first = met;
  let last = met;
  for (let count = 1; count < REMEMBERED; count++) {
    if (last.next === undefined) return;
    last = last.next;
  }
  last.next = undefined;
}

/** Appends an integer with a prefix (RFC 7541 §5.1). */
function writeInteger(out: ByteWriter, pattern: number, max: number, value: number): void {
  if (value < max) {
    out.byte(pattern | value);
    return;
  }
  out.byte(pattern | max);
  let rest = value - max;
  while (rest >= 0x80) {
    out.byte((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  out.byte(rest);
}

function writeString(out: ByteWriter, text: string): void {
  const { length } = text;
  if (length >= 0x7f) {
    writeInteger(out, 0x00, 0x7f, length);
    out.latin1(text);
    return;
  }
  const at = out.reserve(length + 1);
  const { buffer } = out;
  buffer[at] = length;
  // A call into the runtime costs more than few bytes.
  if (length > SHORT_TEXT) buffer.latin1Write(text, at + 1, length);
  else for (let from = 0, to = at + 1; from < length; from++, to++) buffer[to] = text.charCodeAt(from);
  out.length = at + 1 + length;
}
