// The time-outs of one exchange: each has its own moment, one coarse timer is set to the nearest.

import type { Clock } from "@ripstop/core";
import { WheelTimer, type TimerWheel } from "@ripstop/net";

/** What is timed. `hedge` is no time-out: it begins a second try. */
export type Timed = "config" | "request" | "try" | "header" | "body" | "idle" | "hedge";

const NAMES: readonly Timed[] = ["config", "request", "try", "header", "body", "idle", "hedge"];
/** Nothing is timed. */
const NONE_SET: readonly number[] = NAMES.map(() => Infinity);
/** What ends with the try that it belongs to. */
const OF_A_TRY: readonly Timed[] = ["try", "header", "body", "hedge"];

/** Made only for an exchange that has a time-out. */
export class ExchangeTimer {
  readonly #wheel: TimerWheel;
  readonly #clock: Clock;
  readonly #onDue: (timed: Timed) => void;
  readonly #timer: WheelTimer;
  /** Monotonic milliseconds, in the order of NAMES. */
  readonly #atMs: number[] = NONE_SET.slice();
  #setForMs = Infinity;

  /** `onDue` hears the name of what is over, once for each `set`. */
  constructor(context: { readonly wheel: TimerWheel; readonly clock: Clock }, onDue: (timed: Timed) => void) {
    this.#wheel = context.wheel;
    this.#clock = context.clock;
    this.#onDue = onDue;
    this.#timer = new WheelTimer(() => this.#look());
  }

  /** Lets `timed` end at `atMs` (monotonic), in place of what was set for it before. */
  set(timed: Timed, atMs: number): void {
    this.#atMs[NAMES.indexOf(timed)] = atMs;
    if (atMs < this.#setForMs || !this.#timer.scheduled) this.#arm();
  }

  /** When `timed` ends; Infinity when it is not set. */
  at(timed: Timed): number {
    return this.#atMs[NAMES.indexOf(timed)] ?? Infinity;
  }

  /** `timed` does not end any more. The timer may fire for nothing. */
  clear(timed: Timed): void {
    this.#atMs[NAMES.indexOf(timed)] = Infinity;
  }

  /** Whatever belongs to one try does not end any more. */
  clearTry(): void {
    for (const timed of OF_A_TRY) this.clear(timed);
  }

  /** Nothing ends any more. */
  cancel(): void {
    this.#atMs.fill(Infinity);
    this.#setForMs = Infinity;
    this.#wheel.cancel(this.#timer);
  }

  #arm(): void {
    let nearestMs = Infinity;
    for (const atMs of this.#atMs) if (atMs < nearestMs) nearestMs = atMs;
    this.#setForMs = nearestMs;
    if (this.#setForMs === Infinity) return;
    this.#wheel.schedule(this.#timer, Math.max(0, this.#setForMs - this.#clock.monotonicMs()));
  }

  #look(): void {
    this.#setForMs = Infinity;
    const nowMs = this.#clock.monotonicMs();
    let nearest: Timed | undefined;
    for (const timed of NAMES) {
      if (this.at(timed) <= nowMs && (nearest === undefined || this.at(timed) < this.at(nearest))) nearest = timed;
    }
    if (nearest !== undefined) {
      this.clear(nearest);
      this.#onDue(nearest);
    }
    if (!this.#timer.scheduled) this.#arm();
  }
}
