// Hands changes of tables to those who watch.

import type { TableName } from "./store.ts";

type Listener = (key: string, value: unknown) => void;

/** Watchers by table, each in the order in which they came. */
export class TableWatchers {
  readonly #watchers = new Map<TableName, Set<Listener>>();

  /** Returns how to stop. The type of the values is the caller's to keep. */
  add<T>(table: TableName, listener: (key: string, value: T | undefined) => void): () => void {
    const entry: Listener = (key, value) => listener(key, value as T | undefined);
    const watchers = this.#watchers.get(table);
    if (watchers === undefined) this.#watchers.set(table, new Set([entry]));
    else watchers.add(entry);
    return () => this.#watchers.get(table)?.delete(entry);
  }

  /** Something watches the table: a value that is only made to be told need not be made otherwise. */
  has(table: TableName): boolean {
    return (this.#watchers.get(table)?.size ?? 0) > 0;
  }

  notify(table: TableName, key: string, value: unknown): void {
    for (const listener of this.#watchers.get(table) ?? []) listener(key, value);
  }

  clear(): void {
    this.#watchers.clear();
  }
}
