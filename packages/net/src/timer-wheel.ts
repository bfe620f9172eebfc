// Coarse timers for the hot path: scheduling and cancelling touch two links and allocate nothing. A timer fires up to
// two ticks late and never early.

import type { Clock, Timer } from "@ripstop/core";

/** A timer that is embedded in what it watches: make one per purpose, once, and schedule it again and again. */
export class WheelTimer {
  /** Called when the time is over; the timer is then free to be scheduled again. Must not throw. */
  onTimer: () => void;
  /** Owned by the wheel. */
  dueTick = 0;
  /** Owned by the wheel. */
  next: WheelTimer | undefined = undefined;
  /** Owned by the wheel; undefined when not scheduled. */
  previous: WheelTimer | undefined = undefined;

  constructor(onTimer: () => void) {
    this.onTimer = onTimer;
  }

  /** True between `schedule` and its firing or cancelling. */
  get scheduled(): boolean {
    return this.previous !== undefined;
  }
}

const SLOTS = 512;

/** Settings of a wheel. */
export interface TimerWheelOptions {
  readonly clock: Clock;
  /** Default 250 ms. */
  readonly tickMs?: number;
}

/** All coarse timers of a process. It keeps a clock timer only while something is scheduled. */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #startMs: number;
  readonly #slots: readonly WheelTimer[];
  readonly #marker = new WheelTimer(() => undefined);
  #tick = 0;
  #count = 0;
  #ticking: Timer | undefined;

  constructor(options: TimerWheelOptions) {
    this.#clock = options.clock;
    this.#tickMs = options.tickMs ?? 250;
    this.#startMs = options.clock.monotonicMs();
    this.#slots = Array.from({ length: SLOTS }, () => {
      const head = new WheelTimer(() => undefined);
      head.next = head;
      head.previous = head;
      return head;
    });
  }

  /** Timers that are scheduled. */
  get size(): number {
    return this.#count;
  }

  /** Lets `timer` fire `delayMs` (≥ 0) from now, at most two ticks late; one that is scheduled already is moved. */
  schedule(timer: WheelTimer, delayMs: number): void {
    this.scheduleAt(timer, this.#clock.monotonicMs() + delayMs);
  }

  /** As `schedule`, for a moment of the clock (monotonic); one that is past is the next tick. */
  scheduleAt(timer: WheelTimer, atMs: number): void {
    if (timer.previous) this.#unlink(timer);
    if (!this.#ticking) {
      this.#tick = this.#tickNow();
      this.#ticking = this.#clock.every(this.#tickMs, () => this.#advance());
    }
    timer.dueTick = Math.max(Math.ceil((atMs - this.#startMs) / this.#tickMs), this.#tick + 1);
    const head = this.#slots[timer.dueTick % SLOTS];
    const last = head?.previous;
    if (!head || !last) return;
    timer.previous = last;
    timer.next = head;
    last.next = timer;
    head.previous = timer;
    this.#count++;
  }

  /** Takes `timer` off; one that is not scheduled is left alone. */
  cancel(timer: WheelTimer): void {
    if (timer.previous) this.#unlink(timer);
  }

  #tickNow(): number {
    return Math.floor((this.#clock.monotonicMs() - this.#startMs) / this.#tickMs);
  }

  #advance(): void {
    const now = this.#tickNow();
    // After a long stall every slot is visited once, not once per missed tick.
    const first = Math.max(this.#tick + 1, now - SLOTS + 1);
    this.#tick = now;
    for (let tick = first; tick <= now; tick++) this.#fire(this.#slots[tick % SLOTS], now);
    if (this.#count > 0) return;
    this.#ticking?.clear();
    this.#ticking = undefined;
  }

  #fire(head: WheelTimer | undefined, now: number): void {
    if (!head) return;
    // A callback may cancel or schedule any timer, so each round starts from the head; timers of later rounds of the
    // wheel are stepped over through a marker that stays in the list.
    const marker = this.#marker;
    insertAfter(marker, head);
    for (let timer = marker.next; timer && timer !== head; timer = marker.next) {
      remove(marker);
      insertAfter(marker, timer);
      if (timer.dueTick > now) continue;
      this.#unlink(timer);
      timer.onTimer();
    }
    remove(marker);
  }

  #unlink(timer: WheelTimer): void {
    remove(timer);
    this.#count--;
  }
}

function insertAfter(timer: WheelTimer, place: WheelTimer): void {
  timer.previous = place;
  timer.next = place.next;
  if (place.next) place.next.previous = timer;
  place.next = timer;
}

function remove(timer: WheelTimer): void {
  if (timer.previous) timer.previous.next = timer.next;
  if (timer.next) timer.next.previous = timer.previous;
  timer.previous = undefined;
  timer.next = undefined;
}
