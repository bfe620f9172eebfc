// Coarse timers for exchanges: setting and clearing one is a few assignments, and one clock timer serves them all.

import type { Clock, Timer } from "@ripstop/core";

/** Something that has one deadline at a time. Extend or hold it; the wheel links it in. */
export class Deadline {
  readonly #owner: DeadlineOwner;
  /** @internal */
  dueTick = -1;
  /** @internal */
  next: Deadline | undefined = undefined;
  /** @internal */
  previous: Deadline | undefined = undefined;

  constructor(owner: DeadlineOwner) {
    this.#owner = owner;
  }

  /** @internal */
  fire(): void {
    this.#owner.onDeadline();
  }
}

/** Hears when a deadline passes. */
export interface DeadlineOwner {
  onDeadline(): void;
}

const TICK_MS = 50;
const SLOTS = 512;

/** Deadlines with a resolution of 50 ms: they fire up to one tick late, never early. */
export class DeadlineWheel {
  readonly #clock: Clock;
  readonly #slots: (Deadline | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  readonly #startMs: number;
  #tick = 0;
  #count = 0;
  #timer: Timer | undefined = undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  /** Sets `deadline` to fire after `delayMs`, in place of what it was set to. */
  schedule(deadline: Deadline, delayMs: number): void {
    this.cancel(deadline);
    const dueMs = this.#clock.monotonicMs() - this.#startMs + Math.max(0, delayMs);
    if (this.#timer === undefined) {
      this.#tick = Math.floor((this.#clock.monotonicMs() - this.#startMs) / TICK_MS);
      this.#timer = this.#clock.every(TICK_MS, () => this.#advance());
    }
    deadline.dueTick = Math.max(this.#tick + 1, Math.ceil(dueMs / TICK_MS));
    const slot = deadline.dueTick % SLOTS;
    const first = this.#slots[slot];
    deadline.next = first;
    if (first !== undefined) first.previous = deadline;
    this.#slots[slot] = deadline;
    this.#count++;
  }

  /** Clears `deadline`; nothing happens when it is not set. */
  cancel(deadline: Deadline): void {
    if (deadline.dueTick < 0) return;
    const slot = deadline.dueTick % SLOTS;
    if (deadline.previous !== undefined) deadline.previous.next = deadline.next;
    else this.#slots[slot] = deadline.next;
    if (deadline.next !== undefined) deadline.next.previous = deadline.previous;
    deadline.next = undefined;
    deadline.previous = undefined;
    deadline.dueTick = -1;
    this.#count--;
  }

  /** Number of deadlines that are set. */
  get pending(): number {
    return this.#count;
  }

  /** Stops; nothing fires any more. */
  close(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #advance(): void {
    const now = Math.floor((this.#clock.monotonicMs() - this.#startMs) / TICK_MS);
    // After a long pause every slot is looked at once; what is overdue fires.
    const last = Math.min(now, this.#tick + SLOTS);
    for (let tick = this.#tick + 1; tick <= last; tick++) this.#fireSlot(tick % SLOTS, now);
    this.#tick = now;
    if (this.#count === 0) {
      this.#timer?.clear();
      this.#timer = undefined;
    }
  }

  #fireSlot(slot: number, now: number): void {
    let deadline = this.#slots[slot];
    while (deadline !== undefined) {
      const { next } = deadline;
      if (deadline.dueTick <= now) {
        this.cancel(deadline);
        deadline.fire();
        // Firing may have changed the list: begin again.
        deadline = this.#slots[slot];
      } else {
        deadline = next;
      }
    }
  }
}
