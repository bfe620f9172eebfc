// The streams of a connection by id, and how the latest closed ones ended: frames that were on their way when we reset
// a stream are honest, frames after the peer's own end are not (RFC 9113 §5.1).

import type { Http2Stream } from "./stream.ts";

/** What is known of a stream id that is not open. */
export const PastStream = {
  /** Closed too long ago to know how. */
  FORGOTTEN: 0,
  /** We reset it: the peer may not know yet. */
  RESET_BY_US: 1,
  /** The peer reset it. */
  RESET_BY_PEER: 2,
  /** Both sides ended it. */
  ENDED: 3,
  /** It was never open, and a higher one was: it never can be (RFC 9113 §5.1.1). */
  SKIPPED: 4,
} as const;
/** A value of PastStream. */
export type PastStreamValue = (typeof PastStream)[keyof typeof PastStream];

/** Closed streams remembered, a power of two. */
const REMEMBERED = 256;
/** Room for them at first: most connections of a mesh are idle, and so few lie in the object itself. */
const FIRST_REMEMBERED = 16;
/** In `#past`: the upper bits of the id, and below them how the stream ended. */
const HOW_BITS = 2;
const HOW_MASK = 3;

/** Slots for open streams at first and at most, powers of two. */
const FIRST_SLOTS = 16;
const MAX_SLOTS = 1024;

function emptySlots(count: number): (Http2Stream | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}

/**
 * Open streams, and a short memory of closed ones. Ids of a connection follow each other, so an open stream has the slot
 * of its id's low bits; the few that find theirs taken, by a stream much older, are in a map. (A map for all of them costs
 * 0.3 µs a request and garbage: it is rebuilt after every few dozen deletions.)
 */
export class StreamTable {
  #slots: (Http2Stream | undefined)[] = emptySlots(FIRST_SLOTS);
  #size = 0;
  readonly #crowded = new Map<number, Http2Stream>();
  /** By the low bits of the id; 0 when nothing is known. */
  #past = new Uint32Array(FIRST_REMEMBERED);

  /** Number of streams that have an id and are not closed. */
  get size(): number {
    return this.#size;
  }

  /** The open stream `id`. */
  get(id: number): Http2Stream | undefined {
    const stream = this.#slots[(id >>> 1) & (this.#slots.length - 1)];
    if (stream !== undefined && stream.id === id) return stream;
    return this.#crowded.size === 0 ? undefined : this.#crowded.get(id);
  }

  /** Adds an open stream. */
  add(stream: Http2Stream): void {
    this.#size++;
    if (!this.#place(stream)) this.#grow(stream);
  }

  /** All open streams, for loops that may close some. */
  snapshot(): Http2Stream[] {
    const streams = [...this.#crowded.values()];
    for (const stream of this.#slots) if (stream !== undefined) streams.push(stream);
    return streams.sort((a, b) => a.id - b.id);
  }

  /** Takes the stream out and remembers how it ended. */
  close(id: number, how: PastStreamValue): void {
    this.#remove(id);
    const entry = ((id >>> 1) << HOW_BITS) | how;
    while (!this.#remember(entry)) this.#growPast();
  }

  /** How stream `id`, at most `newestId` and of the same side, came to be not open. */
  past(id: number, newestId: number): number {
    const entry = this.#past[(id >>> 1) & (this.#past.length - 1)] ?? 0;
    if (entry !== 0 && entry >>> HOW_BITS === id >>> 1) return entry & HOW_MASK;
    return newestId - id < 2 * REMEMBERED ? PastStream.SKIPPED : PastStream.FORGOTTEN;
  }

  /** False when the place is taken by another stream that shall not be forgotten yet. */
  #remember(entry: number): boolean {
    const slot = (entry >>> HOW_BITS) & (this.#past.length - 1);
    const before = this.#past[slot] ?? 0;
    if (before !== 0 && before >>> HOW_BITS !== entry >>> HOW_BITS && this.#past.length < REMEMBERED) return false;
    // A stream that lived long is forgotten at once rather than push out one of the latest.
    if (before >>> HOW_BITS <= entry >>> HOW_BITS) this.#past[slot] = entry;
    return true;
  }

  #growPast(): void {
    const entries = this.#past;
    this.#past = new Uint32Array(entries.length * 2);
    // Twice the places never put two into one that had places of their own.
    for (const entry of entries) if (entry !== 0) this.#remember(entry);
  }

  #place(stream: Http2Stream): boolean {
    const slot = (stream.id >>> 1) & (this.#slots.length - 1);
    if (this.#slots[slot] !== undefined) return false;
    this.#slots[slot] = stream;
    return true;
  }

  /** `stream` finds its slot taken: more slots when half of them are in use, else a place apart. */
  #grow(stream: Http2Stream): void {
    if (this.#slots.length === MAX_SLOTS || this.#size * 2 <= this.#slots.length) {
      this.#crowded.set(stream.id, stream);
      return;
    }
    const all = this.snapshot();
    all.push(stream);
    this.#slots = emptySlots(this.#slots.length * 2);
    this.#crowded.clear();
    for (const one of all) if (!this.#place(one)) this.#crowded.set(one.id, one);
  }

  #remove(id: number): void {
    const slot = (id >>> 1) & (this.#slots.length - 1);
    if (this.#slots[slot]?.id === id) {
      this.#slots[slot] = undefined;
      this.#size--;
    } else if (this.#crowded.size > 0 && this.#crowded.delete(id)) {
      this.#size--;
    }
  }
}
