// Time behind one interface. This is the only file of the project that reads a clock or sets a timer.

/** A timer that was set and can be cleared. */
export interface Timer {
  /** Stops the timer; a second call, or a call after it fired, does nothing. */
  clear(): void;
}

/** The time and timers, real or stopped (see testkit's StoppedClock). */
export interface Clock {
  /** Milliseconds since the Unix epoch, by the wall clock; may jump. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start, never going back, with sub-millisecond digits. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs` (0 … 2³¹−1). The timer does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Calls `run` every `periodMs` until cleared. The timer does not keep the process alive. */
  every(periodMs: number, run: () => void): Timer;
}

/** `globalThis.performance` is a getter that Node runs through each time: kept from the first reading on. */
let performanceClock: typeof performance | undefined;

/** The machine's own clock. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => (performanceClock ??= performance).now(),
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    handle.unref();
    return { clear: () => clearTimeout(handle) };
  },
  every(periodMs, run) {
    const handle = setInterval(run, periodMs);
    handle.unref();
    return { clear: () => clearInterval(handle) };
  },
};

/** A promise that is kept after `delayMs` on `clock`. */
export function sleep(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => clock.after(delayMs, resolve));
}

/** Keeps the process alive until cleared: timers of a Clock do not, so a role holds its process while it waits for one. */
export function holdProcess(): Timer {
  const handle = setInterval(() => {}, 2 ** 31 - 1);
  return { clear: () => clearInterval(handle) };
}
