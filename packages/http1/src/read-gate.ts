// When to stop reading from a peer: it has sent more than was passed on, or its bytes have to wait for their turn.

import { queuedBodies } from "@ripstop/http";

/** What may be unconsumed while too much waits for slow readers. */
const TIGHT_BYTES = 16 * 1024;

/** The part of the output that a gate needs. */
export interface Pausable {
  pause(): void;
  resume(): void;
}

/** Pauses above `limit` unconsumed bytes and resumes below half of it. */
export class ReadGate {
  readonly #output: Pausable;
  readonly #limit: number;
  #unconsumed = 0;
  #isFull = false;
  #isHeld = false;
  #isPaused = false;

  constructor(output: Pausable, limit: number) {
    this.#output = output;
    this.#limit = limit;
  }

  /** We hold the peer back. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** `count` bytes go to the handler. */
  received(count: number): void {
    this.#unconsumed += count;
    const limit = queuedBodies.isTight ? TIGHT_BYTES : this.#limit;
    if (this.#unconsumed <= limit || this.#isFull) return;
    this.#isFull = true;
    this.#update();
  }

  /** The handler passed `count` bytes on. */
  consumed(count: number): void {
    this.#unconsumed = Math.max(0, this.#unconsumed - count);
    if (!this.#isFull || this.#unconsumed > this.#limit / 2) return;
    this.#isFull = false;
    this.#update();
  }

  /** Bytes wait for another reason (true), or no longer (false). */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return;
    this.#isHeld = isHeld;
    this.#update();
  }

  /** The body is over: what was not consumed no longer counts. */
  reset(): void {
    this.#unconsumed = 0;
    this.#isFull = false;
    this.#update();
  }

  #update(): void {
    const shouldPause = this.#isFull || this.#isHeld;
    if (shouldPause === this.#isPaused) return;
    this.#isPaused = shouldPause;
    if (shouldPause) this.#output.pause();
    else this.#output.resume();
  }
}
