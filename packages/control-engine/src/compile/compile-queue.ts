// When what is recompiled: small changes at once, large ones in slices between which the process serves everyone else,
// the namespaces in turn, and one that costs too much after all others and only with its share of the time.

import type { Clock, Timer } from "@ripstop/core";

import { SLICE_MS } from "../in-slices.ts";

/** Settings of a CompileQueue. */
export interface CompileQueueOptions {
  /** Absent, everything is done at once and nothing is measured. */
  readonly clock?: Clock;
  /** Milliseconds of work in one turn of the event loop; default 5. */
  readonly sliceMs?: number;
  /** Milliseconds of work that a namespace may cost in a window, others waiting; default 500. */
  readonly budgetMs?: number;
  /** Length of the window in milliseconds; default 5 000. */
  readonly windowMs?: number;
  /** A namespace went over its budget: what it still waits for is done when the window ends. Once a window. */
  readonly onOverBudget?: (namespace: string, spentMs: number) => void;
}

/** One thing to do. */
export interface CompileTask {
  readonly key: string;
  /** Who pays for it; "" is nobody in particular, without a budget. */
  readonly namespace: string;
  /** The revision that made it necessary; 0 for none. */
  readonly revision: number;
  /** Does not wait behind others, whatever its namespace has spent. */
  readonly urgent: boolean;
}

interface Spent {
  windowStartMs: number;
  ms: number;
  isTold: boolean;
}

const DEFAULT_BUDGET_MS = 500;
const DEFAULT_WINDOW_MS = 5_000;

/** Tasks by namespace; a key is in it once. */
export class CompileQueue {
  readonly #options: CompileQueueOptions;
  readonly #work: (key: string, revision: number) => void;
  readonly #afterSlice: (completeRevision: number) => void;
  /** Namespace → key → newest revision. The namespace that is first is next. */
  readonly #waiting = new Map<string, Map<string, number>>();
  readonly #spent = new Map<string, Spent>();
  #newestRevision = 0;
  #timer: Timer | undefined;

  /**
   * `work` does one task. `afterSlice` hears after each turn the newest revision of which nothing waits any more, but
   * for namespaces over their budget.
   */
  constructor(
    options: CompileQueueOptions,
    work: (key: string, revision: number) => void,
    afterSlice: (completeRevision: number) => void,
  ) {
    this.#options = options;
    this.#work = work;
    this.#afterSlice = afterSlice;
  }

  /** Tasks that wait. */
  get size(): number {
    let size = 0;
    for (const keys of this.#waiting.values()) size += keys.size;
    return size;
  }

  /** Takes over the tasks of one change and does what fits in this turn. */
  add(tasks: readonly CompileTask[], revision: number): void {
    this.#newestRevision = Math.max(this.#newestRevision, revision);
    for (const task of tasks) {
      if (task.urgent) this.#run(task.namespace, task.key, task.revision);
      else this.#enqueue(task);
    }
    this.#slice();
  }

  /** Drops what waits. */
  close(): void {
    this.#timer?.clear();
    this.#waiting.clear();
  }

  #enqueue({ namespace, key, revision }: CompileTask): void {
    let keys = this.#waiting.get(namespace);
    if (keys === undefined) this.#waiting.set(namespace, (keys = new Map<string, number>()));
    keys.set(key, Math.max(revision, keys.get(key) ?? 0));
  }

  #slice(): void {
    const { clock, sliceMs = SLICE_MS } = this.#options;
    this.#timer?.clear();
    this.#timer = undefined;
    const endMs = clock === undefined ? Infinity : clock.monotonicMs() + sliceMs;
    let isFull = false;
    while (!isFull) {
      const namespace = this.#next();
      if (namespace === undefined) break;
      const keys = this.#waiting.get(namespace) ?? new Map<string, number>();
      this.#waiting.delete(namespace);
      for (const [key, revision] of keys) {
        keys.delete(key);
        this.#run(namespace, key, revision);
        isFull = clock !== undefined && clock.monotonicMs() >= endMs;
        if (isFull || this.#isOverBudget(namespace)) break;
      }
      // To the end of the line: the others are next.
      if (keys.size > 0) this.#waiting.set(namespace, keys);
    }
    this.#afterSlice(this.#completeRevision());
    if (this.#waiting.size > 0 && clock !== undefined)
      this.#timer = clock.after(isFull ? 0 : this.#untilBudgetMs(), () => this.#slice());
  }

  /** The first namespace that has budget left. */
  #next(): string | undefined {
    for (const namespace of this.#waiting.keys()) if (!this.#isOverBudget(namespace)) return namespace;
    return undefined;
  }

  #run(namespace: string, key: string, revision: number): void {
    const { clock } = this.#options;
    if (clock === undefined) {
      this.#work(key, revision);
      return;
    }
    const startMs = clock.monotonicMs();
    this.#work(key, revision);
    this.#charge(namespace, startMs, clock.monotonicMs());
  }

  #charge(namespace: string, startMs: number, endMs: number): void {
    const { windowMs = DEFAULT_WINDOW_MS, budgetMs = DEFAULT_BUDGET_MS, onOverBudget } = this.#options;
    if (namespace === "") return;
    let spent = this.#spent.get(namespace);
    if (spent === undefined || endMs - spent.windowStartMs >= windowMs) {
      spent = { windowStartMs: startMs, ms: 0, isTold: false };
      this.#spent.set(namespace, spent);
    }
    spent.ms += endMs - startMs;
    if (spent.ms < budgetMs || spent.isTold) return;
    spent.isTold = true;
    onOverBudget?.(namespace, spent.ms);
  }

  #isOverBudget(namespace: string): boolean {
    const { clock, budgetMs = DEFAULT_BUDGET_MS, windowMs = DEFAULT_WINDOW_MS } = this.#options;
    const spent = this.#spent.get(namespace);
    if (spent === undefined || clock === undefined || spent.ms < budgetMs) return false;
    if (clock.monotonicMs() - spent.windowStartMs < windowMs) return true;
    this.#spent.delete(namespace);
    return false;
  }

  #untilBudgetMs(): number {
    const { clock, windowMs = DEFAULT_WINDOW_MS } = this.#options;
    const nowMs = clock?.monotonicMs() ?? 0;
    let soonestMs = windowMs;
    for (const namespace of this.#waiting.keys()) {
      const startMs = this.#spent.get(namespace)?.windowStartMs ?? nowMs - windowMs;
      soonestMs = Math.min(soonestMs, startMs + windowMs - nowMs);
    }
    return Math.max(0, Math.ceil(soonestMs));
  }

  #completeRevision(): number {
    let oldest = Infinity;
    for (const [namespace, keys] of this.#waiting) {
      if (this.#isOverBudget(namespace)) continue;
      for (const revision of keys.values()) if (revision > 0) oldest = Math.min(oldest, revision);
    }
    return Math.min(this.#newestRevision, oldest - 1);
  }
}
