// The tables of an etcd store: small maps that every replica holds in memory and the watch keeps current.

import { isDeepStrictEqual } from "node:util";

import { RipstopError, type Clock } from "@ripstop/core";
import type { etcd } from "@ripstop/model";

import { etcdUnreachable } from "../../errors.ts";
import type { Table, TableName } from "../store.ts";
import { TableWatchers } from "../table-watchers.ts";
import { EtcdError, type EtcdClient } from "./etcd-client.ts";
import { rangeEndOf, type EtcdKeys } from "./etcd-keys.ts";

interface Entry {
  /** JSON; undefined: removed here, and the watch has not said so yet. */
  readonly text: string | undefined;
  /** etcd's revision of this change: what is older never replaces it. */
  readonly modRevision: number;
}

const PAGE = 1_000;

/** All tables. */
export class EtcdTables {
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #entries = new Map<string, Entry>();
  readonly #watchers = new TableWatchers();
  readonly #waiters = new Set<() => void>();
  #newest = 0;
  #complete = 0;

  constructor(client: EtcdClient, keys: EtcdKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** etcd's revision of the newest change that is here; older ones that others made may be missing. */
  get newest(): number {
    return this.#newest;
  }

  /** etcd's revision up to which every change is here. */
  get complete(): number {
    return this.#complete;
  }

  /** Every change up to a revision of etcd has been told. */
  completeTo(revision: number): void {
    if (revision <= this.#complete) return;
    this.#complete = revision;
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** True as soon as every change up to a revision of etcd is here; false when that takes longer than `withinMs`. */
  comesTo(revision: number, clock: Clock, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.clear();
        this.#waiters.delete(check);
        resolve(this.#complete >= revision);
      };
      const check = (): void => {
        if (this.#complete >= revision) finish();
      };
      const timer = clock.after(withinMs, finish);
      this.#waiters.add(check);
      check();
    });
  }

  /** Reads everything as of a revision of etcd (0: now); what is not there any more goes. */
  async load(revision: number): Promise<void> {
    const found = new Set<string>();
    let key: Buffer = Buffer.from(this.#keys.table);
    let atRevision: number | undefined;
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page = await this.#client.range({
        key,
        rangeEnd: rangeEndOf(this.#keys.table),
        limit: PAGE,
        revision,
        keysOnly: false,
      });
      atRevision ??= page.header?.revision ?? 0;
      for (const kv of page.kvs) {
        const name = Buffer.from(kv.key).toString();
        found.add(name);
        this.onEvent(name, kv.value, kv.modRevision);
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) break;
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
    for (const [name, { text, modRevision }] of [...this.#entries]) {
      // What was put while the pages were read is not among them.
      if (found.has(name) || modRevision > atRevision) continue;
      this.#entries.delete(name);
      if (text !== undefined) this.#tell(name, undefined);
    }
    this.completeTo(revision === 0 ? (atRevision ?? 0) : revision);
  }

  /** A key was put, or removed (undefined). */
  onEvent(key: string, value: Buffer | undefined, modRevision: number): void {
    this.#newest = Math.max(this.#newest, modRevision);
    const known = this.#entries.get(key);
    if ((known?.modRevision ?? 0) > modRevision) return;
    const text = value === undefined ? undefined : Buffer.from(value).toString();
    if (text === undefined) this.#entries.delete(key);
    else this.#entries.set(key, { text, modRevision });
    // An own change was told when it was made.
    if (known?.modRevision !== modRevision && known?.text !== text) this.#tell(key, text);
  }

  /** Nobody is told any more. */
  close(): void {
    this.#watchers.clear();
  }

  table<T>(name: TableName): Table<T> {
    const prefix = `${this.#keys.table}${name}/`;
    const entries = this.#entries;
    const change = async (key: string, text: string | undefined): Promise<void> => {
      await this.#change(`${prefix}${key}`, text, undefined);
    };
    return {
      get(key) {
        const text = entries.get(`${prefix}${key}`)?.text;
        return text === undefined ? undefined : (JSON.parse(text) as T);
      },
      *entries() {
        for (const [key, { text }] of entries) {
          if (text === undefined || !key.startsWith(prefix)) continue;
          yield [key.slice(prefix.length), JSON.parse(text) as T] as const;
        }
      },
      put: (key, value) => change(key, JSON.stringify(value)),
      remove: (key) => change(key, undefined),
      replace: async (key, before, after) => {
        const known = entries.get(`${prefix}${key}`);
        const isKnown =
          known?.text === undefined ? before === undefined : isDeepStrictEqual(JSON.parse(known.text), before);
        if (!isKnown) return false;
        const expected = known?.text === undefined ? 0 : known.modRevision;
        return this.#change(`${prefix}${key}`, after === undefined ? undefined : JSON.stringify(after), expected);
      },
      watch: (listener) => this.#watchers.add<T>(name, listener),
    };
  }

  #tell(key: string, text: string | undefined): void {
    const [name = "", ...rest] = key.slice(this.#keys.table.length).split("/");
    const table = name as TableName;
    if (this.#watchers.has(table))
      this.#watchers.notify(table, rest.join("/"), text === undefined ? undefined : JSON.parse(text));
  }

  /** Changes a key, with `expected` only if etcd's revision of its last change is that (0: not there); true when done. */
  async #change(key: string, text: string | undefined, expected: number | undefined): Promise<boolean> {
    const bytes = Buffer.from(key);
    const operation: etcd.RequestOp["request"] =
      text === undefined
        ? { $case: "requestDeleteRange", value: { key: bytes, rangeEnd: Buffer.alloc(0) } }
        : { $case: "requestPut", value: { key: bytes, value: Buffer.from(text), lease: 0 } };
    const compare: etcd.Compare[] =
      expected === undefined
        ? []
        : [{ result: 0, target: 2, key: bytes, targetUnion: { $case: "modRevision", value: expected } }];
    try {
      const done = await this.#client.txn({ compare, success: [{ request: operation }], failure: [] });
      if (!done.succeeded) return false;
      const modRevision = done.header?.revision ?? 0;
      this.#newest = Math.max(this.#newest, modRevision);
      const known = this.#entries.get(key);
      if ((known?.modRevision ?? 0) < modRevision) {
        this.#entries.set(key, { text, modRevision });
        if (known?.text !== text) this.#tell(key, text);
      }
      return true;
    } catch (error) {
      throw error instanceof EtcdError ? new RipstopError(etcdUnreachable, error.message) : error;
    }
  }
}
