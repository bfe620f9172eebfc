// Writes once per turn of the event loop: connections with bytes to send are flushed together at its end.

/** Something with bytes to write. */
export interface TurnFlushable {
  flush(): void;
}

/** A list of connections that have something to write. */
export class TurnFlusher {
  #dirty: TurnFlushable[] = [];
  #spare: TurnFlushable[] = [];
  readonly #run = (): void => {
    const batch = this.#dirty;
    this.#dirty = this.#spare;
    this.#spare = batch;
    for (let at = 0; at < batch.length; at++) batch[at]?.flush();
    batch.length = 0;
  };

  /** Flushes `target` at the end of this turn. */
  schedule(target: TurnFlushable): void {
    if (this.#dirty.push(target) === 1) setImmediate(this.#run);
  }
}
