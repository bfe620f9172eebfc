// The time-outs of one exchange: each has its own moment, one coarse timer is set to the nearest.

import type { Clock } from "@ripstop/core";
import { WheelTimer, type TimerWheel } from "@ripstop/net";

/** What is timed. HEDGE is no time-out: it begins a second try. */
export const Timed = { CONFIG: 0, REQUEST: 1, TRY: 2, HEADER: 3, BODY: 4, IDLE: 5, HEDGE: 6 } as const;
/** A value of Timed. */
export type TimedValue = (typeof Timed)[keyof typeof Timed];

const ALL: readonly TimedValue[] = Object.values(Timed);
/** Nothing is timed. */
const NONE_SET: readonly number[] = ALL.map(() => Infinity);
/** What ends with the try that it belongs to. */
const OF_A_TRY: readonly TimedValue[] = [Timed.TRY, Timed.HEADER, Timed.BODY, Timed.HEDGE];

/** Made only for an exchange that has a time-out. */
export class ExchangeTimer {
  readonly #wheel: TimerWheel;
  readonly #clock: Clock;
  readonly #onDue: (timed: TimedValue) => void;
  readonly #timer: WheelTimer;
  /** Monotonic milliseconds, by Timed. */
  readonly #atMs: number[] = NONE_SET.slice();
  #setForMs = Infinity;

  /** `onDue` hears the name of what is over, once for each `set`. */
  constructor(context: { readonly wheel: TimerWheel; readonly clock: Clock }, onDue: (timed: TimedValue) => void) {
    this.#wheel = context.wheel;
    this.#clock = context.clock;
    this.#onDue = onDue;
    this.#timer = new WheelTimer(() => this.#look());
  }

  /** Lets `timed` end at `atMs` (monotonic), in place of what was set for it before. */
  set(timed: TimedValue, atMs: number): void {
    this.#atMs[timed] = atMs;
    if (atMs < this.#setForMs || !this.#timer.scheduled) this.#arm();
  }

  /** When `timed` ends; Infinity when it is not set. */
  at(timed: TimedValue): number {
    return this.#atMs[timed] ?? Infinity;
  }

  /** `timed` does not end any more. The timer may fire for nothing. */
  clear(timed: TimedValue): void {
    this.#atMs[timed] = Infinity;
  }

  /** Whatever belongs to one try does not end any more. */
  clearTry(): void {
    for (const timed of OF_A_TRY) this.clear(timed);
  }

  /** Nothing ends any more. */
  cancel(): void {
    // In place of `fill`, which is a call into the runtime.
    for (const timed of ALL) this.#atMs[timed] = Infinity;
    this.#setForMs = Infinity;
    this.#wheel.cancel(this.#timer);
  }

  #arm(): void {
    let nearestMs = Infinity;
    for (const atMs of this.#atMs) if (atMs < nearestMs) nearestMs = atMs;
    this.#setForMs = nearestMs;
    if (nearestMs < Infinity) this.#wheel.scheduleAt(this.#timer, nearestMs);
  }

  #look(): void {
    this.#setForMs = Infinity;
    const nowMs = this.#clock.monotonicMs();
    let nearest: TimedValue | undefined;
    for (const timed of ALL) {
      if (this.at(timed) <= nowMs && (nearest === undefined || this.at(timed) < this.at(nearest))) nearest = timed;
    }
    if (nearest !== undefined) {
      this.clear(nearest);
      this.#onDue(nearest);
    }
    if (!this.#timer.scheduled) this.#arm();
  }
}
