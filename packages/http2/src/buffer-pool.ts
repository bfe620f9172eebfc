// Memory for output regions, send queues and incomplete frames, shared by all connections of the process:
// a connection that has nothing in flight holds none of it.

/** Smallest and largest pooled sizes: 4 KB … 256 KB in powers of two. */
const SMALLEST_SHIFT = 12;
const CLASSES = 7;

/** Bytes kept in each class at most. */
const KEPT_BYTES = 1024 * 1024;

/** Hands out buffers of at least the size asked for and takes them back. */
export class BufferPool {
  readonly #free: Buffer[][] = Array.from({ length: CLASSES }, () => []);
  #outstanding = 0;

  /** Buffers taken and not yet given back. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** A buffer of at least `bytes`, with old content. */
  take(bytes: number): Buffer {
    this.#outstanding++;
    const index = classOf(bytes);
    if (index >= CLASSES) return Buffer.allocUnsafeSlow(bytes);
    return this.#free[index]?.pop() ?? Buffer.allocUnsafeSlow(1 << (SMALLEST_SHIFT + index));
  }

  /** Takes back a buffer that came from `take`; nobody may use it afterwards. */
  give(buffer: Buffer): void {
    this.#outstanding--;
    const index = classOf(buffer.length);
    const free = this.#free[index];
    if (free === undefined || buffer.length !== 1 << (SMALLEST_SHIFT + index)) return;
    if (free.length * buffer.length < KEPT_BYTES) free.push(buffer);
  }
}

/** The pool of this process. */
export const sharedPool: BufferPool = new BufferPool();

function classOf(bytes: number): number {
  let index = 0;
  while (bytes > 1 << (SMALLEST_SHIFT + index) && index < CLASSES) index++;
  return index;
}
