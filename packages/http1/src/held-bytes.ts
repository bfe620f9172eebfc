// Received bytes that may not be looked at yet, kept up to a limit.

/** A bounded queue of copied bytes. */
export class HeldBytes {
  readonly #limit: number;
  #bytes: Buffer | undefined = undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Nothing is held. */
  get isEmpty(): boolean {
    return this.#bytes === undefined;
  }

  /** Keeps a copy of `buf[start, end)`. Returns false, with nothing kept, when that would be beyond the limit. */
  append(buf: Buffer, start: number, end: number): boolean {
    const piece = buf.subarray(start, end);
    const held = this.#bytes;
    if ((held?.length ?? 0) + piece.length > this.#limit) return false;
    this.#bytes = held === undefined ? Buffer.from(piece) : Buffer.concat([held, piece]);
    return true;
  }

  /** Everything held, which the caller now owns; undefined when there is nothing. */
  take(): Buffer | undefined {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    return bytes;
  }

  /** Forgets everything. */
  clear(): void {
    this.#bytes = undefined;
  }
}
