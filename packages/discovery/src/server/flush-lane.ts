// Streams that have something to send, served in slices: whatever many streams wait for at once, sockets, heartbeats and
// the other lanes are served in between.

import type { Clock, Timer } from "@ripstop/core";

/** A stream, as far as a lane knows it. */
interface Flushable {
  flush(): void;
}

/** Milliseconds of sending in one turn of the event loop. */
const SLICE_MS = 10;

/** One queue of streams, each in it at most once, the one that waits longest first. */
export class FlushLane {
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #due = new Set<Flushable>();
  #timer: Timer | undefined;

  /** What comes within `delayMs` after the first stream goes out together. */
  constructor(clock: Clock, delayMs: number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** Flushes the stream when its turn comes. */
  add(stream: Flushable): void {
    this.#due.add(stream);
    this.#timer ??= this.#clock.after(this.#delayMs, () => this.#slice());
  }

  /** A stream that ended waits for nothing. */
  remove(stream: Flushable): void {
    this.#due.delete(stream);
  }

  /** Stops. */
  close(): void {
    this.#timer?.clear();
    this.#due.clear();
  }

  #slice(): void {
    const endMs = this.#clock.monotonicMs() + SLICE_MS;
    for (const stream of this.#due) {
      this.#due.delete(stream);
      stream.flush();
      if (this.#clock.monotonicMs() >= endMs) break;
    }
    this.#timer = this.#due.size > 0 ? this.#clock.after(0, () => this.#slice()) : undefined;
  }
}
