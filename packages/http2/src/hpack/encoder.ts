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

/** Results of looking for a value. */
const UNKNOWN = -1;
const NOT_SOUGHT = -2;

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

/** What the encoder knows about one name. */
class NameSlot {
  readonly name: string;
  readonly handling: number;
  /** First index of the name in the static table, or 0. */
  readonly staticIndex: number;
  /** Static entries with a value of their own: value i has index staticIndex + i. */
  readonly staticValues: readonly string[];
  /** Absolute index of the newest entry with this name, or NOT_INSERTED. */
  newest = NOT_INSERTED;
  seen = false;
  /** Values met, with their absolute indices or NOT_INSERTED; a ring. */
  readonly values: string[] = [];
  readonly indices: number[] = [];
  oldest = 0;
  /** Where the last value was found. */
  lastFound = 0;
  /** New values since one was met again. */
  misses = 0;
  /** The slot of the field that followed last time: messages of one kind repeat their order. */
  following: NameSlot | undefined = undefined;

  constructor(name: string) {
    this.name = name;
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
  /** The slot of the field before; one of no field at first. */
  readonly #start = new NameSlot("");
  #previous: NameSlot = this.#start;
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
    if (slot.handling !== Handling.INDEX || neverIndexed) {
      this.#plain(out, slot, value, neverIndexed);
      return;
    }
    const { staticValues } = slot;
    for (let at = 0; at < staticValues.length; at++) {
      if (staticValues[at] !== value) continue;
      out.byte(0x80 | (slot.staticIndex + at));
      return;
    }
    const oldestLive = this.#next - this.#count;
    const known = this.#find(slot, value);
    if (known >= 0) {
      const absolute = slot.indices[known] ?? NOT_INSERTED;
      if (absolute >= oldestLive) {
        const index = STATIC_COUNT + (this.#next - absolute);
        if (index < 0x7f) out.byte(0x80 | index);
        else writeInteger(out, 0x80, 0x7f, index);
        return;
      }
    }
    const size = name.length + value.length + ENTRY_OVERHEAD;
    // The first repeat of a name without any index is worth an entry even if the value is new: the name is then known.
    const wanted = known >= 0 || (slot.seen && slot.staticIndex === 0 && slot.newest < oldestLive);
    slot.seen = true;
    if (wanted && size <= this.#maxBytes >> 1) {
      this.#literal(out, slot, Pattern.INDEXED, value);
      this.#insert(slot, size);
      this.#remember(slot, known, value, slot.newest);
      return;
    }
    this.#literal(out, slot, Pattern.PLAIN, value);
    if (known === UNKNOWN && value.length <= MAX_REMEMBERED_VALUE) this.#remember(slot, known, value, NOT_INSERTED);
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

  /** Where the slot has `value`, UNKNOWN, or NOT_SOUGHT when its values hardly ever come back. */
  #find(slot: NameSlot, value: string): number {
    const { values } = slot;
    if (values[slot.lastFound] === value) return slot.lastFound;
    if (slot.misses > VOLATILE_AFTER && (slot.misses & (VOLATILE_AFTER - 1)) !== 0) {
      slot.misses++;
      return NOT_SOUGHT;
    }
    for (let at = 0; at < values.length; at++) {
      if (values[at] !== value) continue;
      slot.lastFound = at;
      slot.misses = 0;
      return at;
    }
    slot.misses++;
    return UNKNOWN;
  }

  #insert(slot: NameSlot, size: number): void {
    this.#makeRoom(size);
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
    this.#start.following = undefined;
    for (const [name, slot] of this.#slots) {
      slot.following = undefined;
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
  const { length } = text;
  if (length > SHORT_TEXT) {
    writeInteger(out, 0x00, 0x7f, length);
    out.latin1(text);
    return;
  }
  // A call into the runtime costs more than these few bytes.
  const at = out.reserve(length + 1);
  const { buffer } = out;
  buffer[at] = length;
  for (let from = 0, to = at + 1; from < length; from++, to++) buffer[to] = text.charCodeAt(from);
  out.length = at + 1 + length;
}
