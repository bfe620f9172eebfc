// Workloads that fell silent while their SVID was still valid: cut off, perhaps, but alive and trusted by others. A
// rotation of the root must not forget them. Durable, because they outlive a restart of the control plane.

import type { Clock } from "@ripstop/core";

import type { Registry } from "../registry/registry.ts";
import type { Table } from "../store/store.ts";

/** One of them. */
export interface AbsentWorkload {
  readonly id: string;
  readonly spiffeId: string;
  readonly pid: number;
  readonly svidNotAfterMs: number;
  readonly rootSha256: string;
  readonly sinceMs: number;
}

/** What it needs. */
export interface AbsentWorkloadsOptions {
  readonly registry: Registry;
  readonly table: Table<AbsentWorkload>;
  readonly clock: Clock;
  isProcessAlive(pid: number): boolean;
}

/** Most that are kept; beyond, the newest are not noted. */
const MAX_ABSENT = 10_000;

/** Follows the registry. */
export class AbsentWorkloads {
  readonly #options: AbsentWorkloadsOptions;
  readonly #absent: Map<string, AbsentWorkload>;
  readonly #stop: () => void;

  constructor(options: AbsentWorkloadsOptions) {
    this.#options = options;
    this.#absent = new Map(options.table.entries());
    const unwatch = options.table.watch((id, absent) => {
      if (absent === undefined) this.#absent.delete(id);
      else this.#absent.set(id, absent);
    });
    const stop = options.registry.onChange((changes) => {
      for (const { before, after, expired } of changes) {
        if (after !== undefined) this.#forget(after.id);
        if (before === undefined || after !== undefined || expired !== true) continue;
        const { id, spiffeId, pid, svidNotAfterMs, rootSha256 = "" } = before;
        const absent = { id, spiffeId, pid, svidNotAfterMs, rootSha256, sinceMs: options.clock.nowMs() };
        if (this.#absent.size >= MAX_ABSENT || this.#isGone(absent)) continue;
        this.#absent.set(id, absent);
        void options.table.put(id, absent).catch(() => undefined);
      }
    });
    this.#stop = () => {
      stop();
      unwatch();
    };
  }

  /** Those that may still live, the longest absent first. */
  list(): readonly AbsentWorkload[] {
    for (const absent of [...this.#absent.values()]) if (this.#isGone(absent)) this.#forget(absent.id);
    return [...this.#absent.values()].toSorted((a, b) => a.sinceMs - b.sinceMs);
  }

  /** Stops following. */
  close(): void {
    this.#stop();
  }

  /** Its SVID has ended, or its process on this machine. */
  #isGone({ svidNotAfterMs, pid }: AbsentWorkload): boolean {
    return svidNotAfterMs <= this.#options.clock.nowMs() || (pid > 0 && !this.#options.isProcessAlive(pid));
  }

  #forget(id: string): void {
    if (!this.#absent.delete(id)) return;
    void this.#options.table.remove(id).catch(() => undefined);
  }
}
