// A peer that says the same again and again (calls of one method, answers of one kind) sends the same header block. As long
// as the decoder's table stays the same, so does what the block says: it is neither decoded nor checked once more.

import { copyBytes } from "@ripstop/core";

/** Longer blocks are not kept. */
const MOST_BYTES = 512;
/** The first blocks of a connection fill the table, and a connection that is mostly idle should hold nothing. */
const FIRST_KEPT = 8;
/** After so many blocks in a row that were new, only every so many-th is kept (those with ids never come back). */
const VOLATILE_AFTER = 16;

const NO_BYTES: Buffer = Buffer.alloc(0);

/** The last block of one kind on a connection, and what it said. */
export class RepeatedBlock<Message> {
  /** What the block says; undefined until that is known. */
  message: Message | undefined = undefined;
  #bytes: Buffer = NO_BYTES;
  /** -1 when no block is kept. */
  #length = -1;
  /** State of the decoder's table before the block. */
  #version = 0;
  #blocks = 0;
  /** Blocks in a row that were new. */
  #misses = 0;

  /**
   * Whether `buf[start, end)` is the block kept, with the decoder's table as it was; else it is kept in its place. All bytes
   * are always compared: the time that this takes tells nobody how much of a guess was right.
   */
  isSame(buf: Buffer, start: number, end: number, version: number): boolean {
    const length = end - start;
    if (length === this.#length && version === this.#version) {
      const bytes = this.#bytes;
      let difference = 0;
      for (let at = 0, from = start; from < end; at++, from++) difference |= (bytes[at] ?? 0) ^ (buf[from] ?? 0);
      if (difference === 0) {
        this.#misses = 0;
        return true;
      }
    }
    this.#length = -1;
    this.message = undefined;
    if (this.#blocks < FIRST_KEPT) this.#blocks++;
    else if (length <= MOST_BYTES && !this.#skips()) this.#keep(buf, start, end, version);
    return false;
  }

  #skips(): boolean {
    const misses = ++this.#misses;
    return misses > VOLATILE_AFTER && (misses & (VOLATILE_AFTER - 1)) !== 0;
  }

  #keep(buf: Buffer, start: number, end: number, version: number): void {
    const length = end - start;
    if (this.#bytes.length < length) this.#bytes = Buffer.allocUnsafeSlow(length);
    copyBytes(this.#bytes, 0, buf, start, end);
    this.#length = length;
    this.#version = version;
  }
}
