// Values that a peer sends as literals again and again, because they must not be or are not put into the table:
// credentials (RFC 7541 section 7.1.3), and with many encoders paths. The same bytes give the same text: it is not decoded,
// looked at and made once more.

/** Where a value may be kept: by its length on the wire and that of its name, so that path and credentials rarely meet. */
const SLOTS = 16;
/** Shorter values cost next to nothing to decode. */
const LEAST_BYTES = 16;
/** Longer ones are not kept: a connection that fills every slot has 16 KB of them. */
const MOST_BYTES = 1024;
/** After so many values in a row that were new, only every so many-th is looked at (ids never come back). */
const VOLATILE_AFTER = 16;

/** A value that was met. */
export interface RepeatedValue {
  readonly text: string;
  /** FieldFlag bits of the text. */
  readonly flags: number;
}

/** How a value came: `buf[start, end)`, Huffman-coded or not. */
export interface Literal {
  readonly start: number;
  readonly end: number;
  readonly coded: boolean;
  /** Characters of the name. */
  readonly nameLength: number;
}

function placeOf({ start, end, nameLength }: Literal): number {
  // Folded: ":path" and "authorization" differ by eight.
  return (end - start + (nameLength ^ (nameLength >> 3))) & (SLOTS - 1);
}

/** Reused from value to value, so that new ones cost no memory. */
class Slot implements RepeatedValue {
  bytes: Buffer;
  length = -1;
  coded = false;
  text = "";
  flags = 0;
  /** Values in a row that were new. */
  misses = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
  }

  /** Most values here are new: neither look nor keep, this time. */
  get skips(): boolean {
    return this.misses > VOLATILE_AFTER && (this.misses & (VOLATILE_AFTER - 1)) !== 0;
  }
}

/** What one connection's decoder has met. Lives no longer than the connection. */
export class RepeatedValues {
  readonly #slots: (Slot | undefined)[] = Array.from({ length: SLOTS }, () => undefined);

  /** Whether a value of so many bytes on the wire may be kept. */
  static takes(length: number): boolean {
    return length >= LEAST_BYTES && length <= MOST_BYTES;
  }

  /**
   * The value that came as these bytes before; undefined when the last one in its place was another. All bytes are always
   * compared: the time that this takes tells nobody how much of a guess was right.
   */
  find(buf: Buffer, literal: Literal): RepeatedValue | undefined {
    const { start, end, coded } = literal;
    const slot = this.#slots[placeOf(literal)];
    if (slot === undefined || slot.length !== end - start || slot.coded !== coded || slot.skips) return undefined;
    const { bytes } = slot;
    let difference = 0;
    for (let at = 0, from = start; from < end; at++, from++) difference |= (bytes[at] ?? 0) ^ (buf[from] ?? 0);
    if (difference !== 0) return undefined;
    slot.misses = 0;
    return slot;
  }

  /** Keeps a value that `find` did not know, in place of another one. */
  keep(buf: Buffer, literal: Literal, value: RepeatedValue): void {
    const { start, end, coded } = literal;
    const length = end - start;
    const place = placeOf(literal);
    const slot = (this.#slots[place] ??= new Slot(length));
    slot.misses++;
    if (slot.skips) return;
    if (slot.bytes.length < length) slot.bytes = Buffer.allocUnsafeSlow(length);
    buf.copy(slot.bytes, 0, start, end);
    slot.length = length;
    slot.coded = coded;
    slot.text = value.text;
    slot.flags = value.flags;
  }
}
