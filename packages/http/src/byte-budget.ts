// Memory that body bytes take up while they wait for slow readers: one sum for all connections of the process, and a bound
// above which senders are held back.

/** Counts what waits. Above the limit it is tight, until half of that is free again. */
export class ByteBudget {
  /** Whoever is to be granted room gets little. A plain field: it is looked at for every piece of a body. */
  isTight = false;
  #limitBytes: number;
  #heldBytes = 0;

  constructor(limitBytes: number = Infinity) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that wait now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes above which the budget is tight (>= 0). */
  get limitBytes(): number {
    return this.#limitBytes;
  }

  set limitBytes(bytes: number) {
    this.#limitBytes = bytes;
    this.add(0);
  }

  /** `count` bytes more wait; fewer when it is negative. */
  add(count: number): void {
    this.#heldBytes += count;
    if (this.#heldBytes > this.#limitBytes) this.isTight = true;
    else if (this.#heldBytes * 2 <= this.#limitBytes) this.isTight = false;
  }
}

/** The bodies that wait in this process. There is no limit until who runs it sets one. */
export const queuedBodies: ByteBudget = new ByteBudget();
