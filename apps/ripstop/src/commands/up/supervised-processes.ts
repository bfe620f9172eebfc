// The processes of `ripstop up`: each is started again when it ends by itself, until all are stopped.

import { Backoff, type Clock, type Timer } from "@ripstop/core";
import { startManagedProcess, type ManagedProcess, type ManagedProcessOptions } from "./managed-process.ts";

/** A process that ran this long starts again quickly. */
const STABLE_AFTER_MS = 10_000;

/** One name and its current process. */
class SupervisedProcess {
  readonly name: string;
  readonly backoff: Backoff = new Backoff({ initialMs: 300, maxMs: 10_000 });
  process: ManagedProcess | undefined;
  restart: Timer | undefined;
  startedMs = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** Starts, restarts and stops. */
export class SupervisedProcesses {
  readonly #clock: Clock;
  readonly #say: (line: string) => void;
  readonly #all = new Map<string, SupervisedProcess>();
  #stopping = false;

  constructor(clock: Clock, say: (line: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** Starts a process under a name. */
  start(name: string, options: ManagedProcessOptions): ManagedProcess {
    const entry = this.#all.get(name) ?? new SupervisedProcess(name);
    this.#all.set(name, entry);
    return this.#launch(entry, options);
  }

  /** Ends those with the names, all at the same time; kept when they are gone. */
  async stop(names: readonly string[], graceMs: number): Promise<void> {
    const entries = names.flatMap((name) => this.#all.get(name) ?? []);
    this.#stopping = true;
    for (const entry of entries) entry.restart?.clear();
    await Promise.all(entries.map(async (entry) => entry.process?.stop(graceMs, this.#clock)));
  }

  #launch(entry: SupervisedProcess, options: ManagedProcessOptions): ManagedProcess {
    const child = startManagedProcess(options);
    entry.process = child;
    entry.startedMs = this.#clock.monotonicMs();
    void child.ended.then((how) => {
      if (this.#stopping) return;
      if (this.#clock.monotonicMs() - entry.startedMs >= STABLE_AFTER_MS) entry.backoff.reset();
      this.#say(`${entry.name} ended (${how}); it is started again, its log is ${options.logFile}`);
      entry.restart = this.#clock.after(entry.backoff.next(), () => {
        if (!this.#stopping) this.#launch(entry, options);
      });
    });
    return child;
  }
}
