// The HPACK encoder (RFC 7541): fields to header block. A pair goes into the dynamic table when it is met a second
// time, so values that never come back (ids, trace contexts) do not push out those that do. Text is not Huffman-coded:
// between proxies the bytes are cheaper than the work.

import { ByteWriter } from "@ripstop/core";
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

/** What the encoder knows about one name. */
class NameSlot {
  readonly handling: number;
  /** First index of the name in the static table, or 0. */
  readonly staticIndex: number;
  /** Static entries with a value of their own: value i has index staticIndex + i. */
  readonly staticValues: readonly string[];
  /** Absolute index of the newest entry with this name, or NOT_INSERTED. */
  newest = NOT_INSERTED;
  seen = false;
  readonly values: string[] = [];
  readonly indices: number[] = [];
  oldest = 0;

  constructor(name: string) {
    this.handling = handlingOf(name);
    this.staticIndex = staticIndexOfName(name);
    const values: string[] = [];
    for (let at = this.staticIndex; at > 0 && at <= STATIC_COUNT && STATIC_NAMES[at] === name; at++) {
      values.push(STATIC_VALUES[at] ?? "");
    }
    this.staticValues = values.length === 1 && values[0] === "" ? [] : values;
  }
}

/** One encoder per connection and direction of sending. */
export class HpackEncoder {
  readonly #slots = new Map<string, NameSlot>();
  /** Sizes of the live entries, a ring by absolute index. */
  readonly #sizes = new Uint16Array(MAX_TABLE_BYTES / ENTRY_OVERHEAD);
  /** Absolute index of the next insertion. */
  #next = 0;
  #count = 0;
  #bytes = 0;
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
    this.#makeRoom(0);
  }

  /** Begins a header block: must be called before its first field. */
  begin(out: ByteWriter): void {
    if (!this.#updateOwed) return;
    this.#updateOwed = false;
    if (this.#lowestBytes < this.#maxBytes) writeInteger(out, 0x20, 0x1f, this.#lowestBytes);
    writeInteger(out, 0x20, 0x1f, this.#maxBytes);
    this.#lowestBytes = this.#maxBytes;
  }

  /** Appends a field. `name` is lower case; `neverIndexed` as the sender of the field asked (RFC 7541 §6.2.3). */
  field(out: ByteWriter, name: string, value: string, neverIndexed: boolean): void {
    const slot = this.#slots.get(name) ?? this.#addSlot(name);
    if (slot.handling !== Handling.INDEX || neverIndexed) {
      this.#plain(out, slot, name, value, neverIndexed);
      return;
    }
    const staticAt = slot.staticValues.indexOf(value);
    if (staticAt >= 0) {
      out.byte(0x80 | (slot.staticIndex + staticAt));
      return;
    }
    const known = slot.values.indexOf(value);
    const oldestLive = this.#next - this.#count;
    if (known >= 0) {
      const absolute = slot.indices[known] ?? NOT_INSERTED;
      if (absolute >= oldestLive) {
        writeInteger(out, 0x80, 0x7f, STATIC_COUNT + (this.#next - absolute));
        return;
      }
    }
    const size = name.length + value.length + ENTRY_OVERHEAD;
    // The first repeat of a name without any index is worth an entry even if the value is new: the name is then known.
    const wanted = known >= 0 || (slot.seen && slot.staticIndex === 0 && slot.newest < oldestLive);
    slot.seen = true;
    const nameIndex = this.#nameIndex(slot);
    if (wanted && size <= this.#maxBytes >> 1) {
      writeLiteral(out, nameIndex, 0x40, 0x3f, name, value);
      this.#makeRoom(size);
      this.#sizes[this.#next % this.#sizes.length] = size;
      this.#count++;
      this.#bytes += size;
      this.#remember(slot, known, value, this.#next);
      slot.newest = this.#next++;
      return;
    }
    writeLiteral(out, nameIndex, 0x00, 0x0f, name, value);
    if (known < 0 && value.length <= MAX_REMEMBERED_VALUE) this.#remember(slot, known, value, NOT_INSERTED);
  }

  #plain(out: ByteWriter, slot: NameSlot, name: string, value: string, neverIndexed: boolean): void {
    if (slot.handling === Handling.DROP) return;
    const never = neverIndexed || slot.handling === Handling.NEVER || value.length < SHORT_COOKIE;
    writeLiteral(out, this.#nameIndex(slot), never ? 0x10 : 0x00, 0x0f, name, value);
  }

  /** An index that stands for the name, or 0. */
  #nameIndex(slot: NameSlot): number {
    if (slot.staticIndex > 0) return slot.staticIndex;
    return slot.newest >= this.#next - this.#count ? STATIC_COUNT + (this.#next - slot.newest) : 0;
  }

  #remember(slot: NameSlot, known: number, value: string, absolute: number): void {
    let at = known;
    if (at < 0) {
      at = slot.oldest;
      slot.oldest = (at + 1) % REMEMBERED;
      slot.values[at] = value;
    }
    slot.indices[at] = absolute;
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
    for (const [name, slot] of this.#slots) {
      if (slot.newest < oldestLive) this.#slots.delete(name);
    }
  }
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
  if (text.length < 0x7f) out.byte(text.length);
  else writeInteger(out, 0x00, 0x7f, text.length);
  out.latin1(text);
}

function writeLiteral(
  out: ByteWriter,
  nameIndex: number,
  pattern: number,
  max: number,
  name: string,
  value: string,
): void {
  if (nameIndex > 0) {
    writeInteger(out, pattern, max, nameIndex);
  } else {
    out.byte(pattern);
    writeString(out, name);
  }
  writeString(out, value);
}
