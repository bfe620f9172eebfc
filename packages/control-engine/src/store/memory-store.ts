// A store in memory, for tests: nothing survives it.

import { isDeepStrictEqual } from "node:util";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { Resource } from "@ripstop/resources";

import { planCommit } from "./plan-commit.ts";
import { ResourceIndex } from "./resource-index.ts";
import type { Compacted, Conflict, Revision, Store, Table, TableName, Transaction } from "./store.ts";
import { TableWatchers } from "./table-watchers.ts";
import { Watchers } from "./watchers.ts";

/** Settings of a MemoryStore. */
export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Revisions kept in the log; default 1 000. */
  readonly keepRevisions?: number;
}

/** A Store without a disk. */
export class MemoryStore implements Store {
  readonly #options: MemoryStoreOptions;
  readonly #index = new ResourceIndex();
  readonly #log: Revision[] = [];
  readonly #watchers = new Watchers();
  readonly #tables = new Map<TableName, Map<string, string>>();
  readonly #tableWatchers = new TableWatchers();
  #revision = 0;

  constructor(options: MemoryStoreOptions) {
    this.#options = options;
  }

  get revision(): number {
    return this.#revision;
  }

  get(key: string): Resource | undefined {
    return this.#index.get(key);
  }

  list(kind: string): Iterable<Resource> {
    return this.#index.list(kind);
  }

  async commit(transaction: Transaction): Promise<Result<Revision, Conflict>> {
    const planned = planCommit(transaction, {
      revision: this.#revision,
      timeMs: this.#options.clock.nowMs(),
      get: (key) => this.#index.get(key),
    });
    if (!planned.ok || planned.value.changes.length === 0) return planned;
    const revision = planned.value;
    for (const change of revision.changes) {
      if (change.type === "put") this.#index.put(change.resource);
      else this.#index.delete(change.key);
    }
    this.#revision = revision.number;
    this.#log.push(revision);
    if (this.#log.length > (this.#options.keepRevisions ?? 1_000)) this.#log.shift();
    this.#watchers.notify(revision);
    return planned;
  }

  watch(after: number, onRevision: (revision: Revision) => void): Result<() => void, Compacted> {
    const oldest = (this.#log[0]?.number ?? this.#revision + 1) - 1;
    if (after < oldest) return err({ oldest });
    for (const revision of this.#log) if (revision.number > after) onRevision(revision);
    return ok(this.#watchers.add(onRevision));
  }

  async readLog(after: number, upTo: number = this.#revision): Promise<Result<readonly Revision[], Compacted>> {
    const oldest = (this.#log[0]?.number ?? this.#revision + 1) - 1;
    if (after < oldest) return err({ oldest });
    return ok(this.#log.filter(({ number }) => number > after && number <= upTo));
  }

  table<T>(name: TableName): Table<T> {
    let map = this.#tables.get(name);
    if (map === undefined) this.#tables.set(name, (map = new Map<string, string>()));
    const values = map;
    const watchers = this.#tableWatchers;
    const change = (key: string, value: T | undefined): void => {
      if (value === undefined) values.delete(key);
      else values.set(key, JSON.stringify(value));
      watchers.notify(name, key, value);
    };
    const get = (key: string): T | undefined => {
      const text = values.get(key);
      return text === undefined ? undefined : (JSON.parse(text) as T);
    };
    return {
      get,
      entries: () => [...values].map(([key, text]) => [key, JSON.parse(text) as T] as const),
      put: async (key, value) => change(key, value),
      remove: async (key) => change(key, undefined),
      replace: async (key, before, after) => {
        if (!isDeepStrictEqual(get(key), before)) return false;
        change(key, after);
        return true;
      },
      watch: (listener) => watchers.add(name, listener),
    };
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#tableWatchers.clear();
  }
}
