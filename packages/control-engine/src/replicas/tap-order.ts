// Puts live requests that come from several control planes in the order of their time: each waits a moment for those that
// are under way. One that comes later than that is shown late.

import type { Clock, Timer } from "@ripstop/core";
import type { telemetry } from "@ripstop/model";

/** What is needed. */
export interface TapOrderOptions {
  readonly clock: Clock;
  /** Takes an event; false means that it cannot take more until `resume` is called. */
  onEvent(event: telemetry.TapEvent): boolean;
  /** One was dropped, the oldest, because too many wait. */
  onDrop(): void;
}

/** Proxies send what they have every 100 ms; the rest is the way. */
const HOLD_MS = 300;
const LOOK_MS = 100;
const MAX_WAITING = 1_000;

interface Waiting {
  readonly event: telemetry.TapEvent;
  readonly dueMs: number;
}

/** One for a watcher. */
export class TapOrder {
  readonly #options: TapOrderOptions;
  /** By the time of the request. */
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;
  #isReady = true;
  #isClosed = false;

  constructor(options: TapOrderOptions) {
    this.#options = options;
  }

  /** Takes an event; it is passed on in its turn. */
  offer(event: telemetry.TapEvent): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting.shift();
      this.#options.onDrop();
    }
    // Nearly all come in order: the place is found from the end.
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.event.timeUnixMs ?? 0) > event.timeUnixMs) at--;
    this.#waiting.splice(at, 0, { event, dueMs: this.#options.clock.monotonicMs() + HOLD_MS });
    this.#look();
  }

  /** The watcher can take events again. */
  resume(): void {
    this.#isReady = true;
    this.#pass();
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#timer?.clear();
  }

  #look(): void {
    this.#timer ??= this.#options.clock.after(LOOK_MS, () => {
      this.#timer = undefined;
      this.#pass();
    });
  }

  /** All up to the last one whose time has come. */
  #pass(): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.monotonicMs();
    const last = this.#waiting.findLastIndex(({ dueMs }) => dueMs <= nowMs);
    let passed = 0;
    while (passed <= last && this.#isReady) {
      const one = this.#waiting[passed++];
      if (one !== undefined) this.#isReady = this.#options.onEvent(one.event);
    }
    this.#waiting.splice(0, passed);
    if (this.#waiting.length > 0 && this.#isReady) this.#look();
  }
}
