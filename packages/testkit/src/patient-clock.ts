// The machine's clock for tests with real sockets, in which a process that was not allowed to run loses no time.

import { systemClock, type Clock, type Timer } from "@ripstop/core";

/** A timer looks at least this often how far the time has come. */
const SLICE_MS = 10;

/** What passes between two looks counts as no more than this. */
const MOST_MS = 20;

/** Delays above this are graces and limits, those up to it are pauses between two looks. */
const GRACE_MS = 1_000;

/** How patient the clock is. */
export interface PatientClockOptions {
  /** The clock below; default the system's. */
  readonly system?: Clock;
  /** Makes delays of more than a second so many times longer: for what other processes must do in time. Default 1. */
  readonly graceTimes?: number;
}

/**
 * Goes like the system's clock while the process runs, and nearly stands still while it does not: when a busy machine
 * stops a test for six seconds, a limit of five has not passed before the bytes that arrived meanwhile were read.
 * For limits that a test does not mean to reach; a limit that it does mean to reach belongs on a StoppedClock.
 * The wall clock is the system's own, since certificates are judged by it.
 */
export class PatientClock implements Clock {
  readonly #system: Clock;
  readonly #graceTimes: number;
  #seenMs: number;
  #passedMs = 0;

  constructor({ system = systemClock, graceTimes = 1 }: PatientClockOptions = {}) {
    this.#system = system;
    this.#graceTimes = graceTimes;
    this.#seenMs = system.monotonicMs();
  }

  nowMs(): number {
    return this.#system.nowMs();
  }

  monotonicMs(): number {
    const seenMs = this.#system.monotonicMs();
    this.#passedMs += Math.min(seenMs - this.#seenMs, MOST_MS);
    this.#seenMs = seenMs;
    return this.#passedMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const dueMs = this.monotonicMs() + delayMs * (delayMs > GRACE_MS ? this.#graceTimes : 1);
    let timer: Timer;
    const look = (): void => {
      const leftMs = dueMs - this.monotonicMs();
      if (leftMs <= 0) run();
      else timer = this.#system.after(Math.min(leftMs, SLICE_MS), look);
    };
    timer = this.#system.after(Math.min(delayMs, SLICE_MS), look);
    return { clear: () => timer.clear() };
  }

  every(periodMs: number, run: () => void): Timer {
    let timer: Timer;
    const again = (): void => {
      timer = this.after(periodMs, again);
      run();
    };
    timer = this.after(periodMs, again);
    return { clear: () => timer.clear() };
  }
}
