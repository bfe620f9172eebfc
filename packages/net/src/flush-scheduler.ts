// One write per socket per event-loop turn: codecs mark themselves dirty, and are flushed together when the turn ends.

/** Something with output to write at the end of the turn. */
export interface Flushable {
  /** Owned by the scheduler: true while it is on the list. Initialise with false. */
  flushPending: boolean;
  /** Writes what has gathered. Must not throw. */
  flush(): void;
}

/** The dirty list of a process. */
export class FlushScheduler {
  #dirty: Flushable[] = [];
  #flushing: Flushable[] = [];
  #scheduled = false;
  readonly #run: () => void;

  constructor() {
    this.#run = () => this.flushAll();
  }

  /** Calls `target.flush()` once before the next poll for input, however often it is marked until then. */
  mark(target: Flushable): void {
    if (target.flushPending) return;
    target.flushPending = true;
    this.#dirty.push(target);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }

  /** Flushes everything that is marked now; what gets marked meanwhile waits for the next turn. */
  flushAll(): void {
    this.#scheduled = false;
    const list = this.#dirty;
    this.#dirty = this.#flushing;
    this.#flushing = list;
    for (let i = 0; i < list.length; i++) {
      const target = list[i];
      if (!target) continue;
      target.flushPending = false;
      target.flush();
    }
    list.length = 0;
  }
}
