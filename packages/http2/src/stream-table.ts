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

/** Open streams, and a short memory of closed ones. */
export class StreamTable {
  readonly #open = new Map<number, Http2Stream>();
  #pastIds: Uint32Array | undefined;
  #pastEnds: Uint8Array | undefined;

  /** Number of streams that have an id and are not closed. */
  get size(): number {
    return this.#open.size;
  }

  /** The open stream `id`. */
  get(id: number): Http2Stream | undefined {
    return this.#open.get(id);
  }

  /** Adds an open stream. */
  add(stream: Http2Stream): void {
    this.#open.set(stream.id, stream);
  }

  /** All open streams, for loops that may close some. */
  snapshot(): Http2Stream[] {
    return [...this.#open.values()];
  }

  /** Takes the stream out and remembers how it ended. */
  close(id: number, how: PastStreamValue): void {
    this.#open.delete(id);
    this.#pastIds ??= new Uint32Array(REMEMBERED);
    this.#pastEnds ??= new Uint8Array(REMEMBERED);
    const slot = (id >>> 1) & (REMEMBERED - 1);
    this.#pastIds[slot] = id;
    this.#pastEnds[slot] = how;
  }

  /** How stream `id`, at most `newestId` and of the same side, came to be not open. */
  past(id: number, newestId: number): number {
    const slot = (id >>> 1) & (REMEMBERED - 1);
    if (this.#pastIds?.[slot] === id) return this.#pastEnds?.[slot] ?? PastStream.FORGOTTEN;
    return newestId - id < 2 * REMEMBERED ? PastStream.SKIPPED : PastStream.FORGOTTEN;
  }
}
