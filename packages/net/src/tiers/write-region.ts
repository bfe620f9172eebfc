// Memory that writes are made from. The kernel may still read it after an asynchronous write has returned, so the
// region of such a write is given away until it completes and another one takes its place.

/** Largest single write; longer ones are copied into memory of their own. */
export const REGION_BYTES: number = 256 * 1024;

/** Views of a length up to this are kept, so that small writes make no object. */
const CACHED_VIEW_BYTES = 4_096;
const MAX_POOLED = 8;

/** One piece of memory to write from. */
export class WriteRegion {
  readonly buffer: Buffer = Buffer.allocUnsafeSlow(REGION_BYTES);
  readonly #views: (Buffer | undefined)[] = [];

  /** The first `length` bytes. */
  view(length: number): Buffer {
    if (length > CACHED_VIEW_BYTES) return this.buffer.subarray(0, length);
    const known = this.#views[length];
    if (known) return known;
    const made = this.buffer.subarray(0, length);
    this.#views[length] = made;
    return made;
  }
}

/** The regions of a process. */
export class RegionPool {
  readonly #free: WriteRegion[] = [];

  /** A region that nothing else uses. */
  take(): WriteRegion {
    return this.#free.pop() ?? new WriteRegion();
  }

  /** Gives a region back, when its write is complete. */
  give(region: WriteRegion): void {
    if (this.#free.length < MAX_POOLED) this.#free.push(region);
  }
}
