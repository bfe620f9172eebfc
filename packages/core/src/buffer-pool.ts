// Memory that is used again and again: to make a large buffer, or one for each call, costs more than to fill it.

/** What a pool keeps. Sizes are powers of two. */
export interface BufferPoolOptions {
  readonly smallestBytes: number;
  /** Larger buffers are made and forgotten. */
  readonly largestBytes: number;
  /** Bytes at rest in each size at most; one buffer stays whatever its size. */
  readonly keptBytes: number;
}

/** Hands out buffers of at least the size asked for and takes them back. */
export class BufferPool {
  readonly #smallestBytes: number;
  readonly #smallestShift: number;
  readonly #keptBytes: number;
  readonly #free: Buffer[][];
  #outstanding = 0;

  constructor({ smallestBytes, largestBytes, keptBytes }: BufferPoolOptions) {
    this.#smallestBytes = smallestBytes;
    this.#smallestShift = shiftOf(smallestBytes);
    this.#keptBytes = keptBytes;
    this.#free = Array.from({ length: shiftOf(largestBytes) - this.#smallestShift + 1 }, () => []);
  }

  /** Buffers taken and not yet given back. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** A buffer of at least `bytes`, with old content. */
  take(bytes: number): Buffer {
    this.#outstanding++;
    const index = this.#sizeOf(bytes);
    const free = this.#free[index];
    if (free === undefined) return Buffer.allocUnsafeSlow(bytes);
    return free.pop() ?? Buffer.allocUnsafeSlow(this.#smallestBytes << index);
  }

  /** Takes back a buffer that came from `take`; nobody may use it afterwards. */
  give(buffer: Buffer): void {
    this.#outstanding--;
    const { length } = buffer;
    const index = this.#sizeOf(length);
    const free = this.#free[index];
    if (free === undefined || length !== this.#smallestBytes << index) return;
    if (free.length * length < this.#keptBytes) free.push(buffer);
  }

  /** Index of the smallest size that holds so many bytes. */
  #sizeOf(bytes: number): number {
    return bytes <= this.#smallestBytes ? 0 : shiftOf(bytes) - this.#smallestShift;
  }
}

/** The least n for which 2 to the power of n is `bytes` (1 or more) or more. */
function shiftOf(bytes: number): number {
  return 32 - Math.clz32(bytes - 1);
}
