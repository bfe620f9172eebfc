// Stops processes for a moment, over and over, and always lets them go on.

import type { Clock, Timer } from "@ripstop/core";
import type { SeededRandom } from "@ripstop/testkit";
import type { MarkedProcess } from "./process-table.ts";

/** How long, how often, and whom. */
export interface StallerOptions {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly shortestMs: number;
  readonly longestMs: number;
  /** Longest time between two stalls. */
  readonly pauseMs: number;
  /** Share of the stalls that stop all processes at once, 0 to 1. */
  readonly together: number;
  /** The processes that may be stopped now. */
  readonly processes: () => readonly MarkedProcess[];
  /** Sends SIGSTOP or SIGCONT; false when the process is gone. */
  readonly signal: (pid: number, signal: "SIGSTOP" | "SIGCONT") => boolean;
  /** Told of every stall. */
  readonly onStall?: (stalled: readonly MarkedProcess[], stallMs: number) => void;
}

/** Stalls from `start` to `end`. A process that somebody else has stopped is left as it is. */
export class Staller {
  readonly #options: StallerOptions;
  readonly #stopped = new Set<number>();
  #timer: Timer | undefined;
  #stalls = 0;

  constructor(options: StallerOptions) {
    this.#options = options;
  }

  /** Stalls so far. */
  get stalls(): number {
    return this.#stalls;
  }

  /** Begins with a pause. */
  start(): void {
    const { clock, random, pauseMs } = this.#options;
    this.#timer = clock.after(random.next() * pauseMs, () => this.#stall());
  }

  /** Ends it for good; whatever is stopped goes on at once. */
  end(): void {
    this.#timer?.clear();
    this.#goOn();
  }

  #stall(): void {
    const { clock, random, shortestMs, longestMs, together, processes, signal, onStall } = this.#options;
    const awake = processes().filter(({ isStopped }) => !isStopped);
    const chosen = random.next() < together || awake.length === 0 ? awake : [random.pick(awake)];
    const stallMs = shortestMs + random.next() * (longestMs - shortestMs);
    const stalled = chosen.filter(({ pid }) => signal(pid, "SIGSTOP"));
    for (const { pid } of stalled) this.#stopped.add(pid);
    if (stalled.length > 0) {
      this.#stalls++;
      onStall?.(stalled, stallMs);
    }
    this.#timer = clock.after(stallMs, () => {
      this.#goOn();
      this.start();
    });
  }

  #goOn(): void {
    for (const pid of this.#stopped) this.#options.signal(pid, "SIGCONT");
    this.#stopped.clear();
  }
}
