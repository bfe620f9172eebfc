// The tables of an etcd store: small maps that every replica holds in memory and the watch keeps current.

import { RipstopError } from "@ripstop/core";
import type { etcd } from "@ripstop/model";

import { etcdUnreachable } from "../../errors.ts";
import type { Table, TableName } from "../store.ts";
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

  constructor(client: EtcdClient, keys: EtcdKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  /** Reads everything as of a revision of etcd (0: now); what is not there any more goes. */
  async load(revision: number): Promise<void> {
    const found = new Set<string>();
    let key: Buffer = Buffer.from(this.#keys.table);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page = await this.#client.range({
        key,
        rangeEnd: rangeEndOf(this.#keys.table),
        limit: PAGE,
        revision,
        keysOnly: false,
      });
      for (const kv of page.kvs) {
        const name = Buffer.from(kv.key).toString();
        found.add(name);
        this.onEvent(name, kv.value, kv.modRevision);
      }
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) break;
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
    for (const name of this.#entries.keys()) if (!found.has(name)) this.#entries.delete(name);
  }

  /** A key was put, or removed (undefined). */
  onEvent(key: string, value: Buffer | undefined, modRevision: number): void {
    if ((this.#entries.get(key)?.modRevision ?? 0) > modRevision) return;
    if (value === undefined) this.#entries.delete(key);
    else this.#entries.set(key, { text: Buffer.from(value).toString(), modRevision });
  }

  table<T>(name: TableName): Table<T> {
    const prefix = `${this.#keys.table}${name}/`;
    const entries = this.#entries;
    const change = (key: string, text: string | undefined): Promise<void> => this.#change(`${prefix}${key}`, text);
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
    };
  }

  async #change(key: string, text: string | undefined): Promise<void> {
    const bytes = Buffer.from(key);
    const operation: etcd.RequestOp["request"] =
      text === undefined
        ? { $case: "requestDeleteRange", value: { key: bytes, rangeEnd: Buffer.alloc(0) } }
        : { $case: "requestPut", value: { key: bytes, value: Buffer.from(text), lease: 0 } };
    try {
      const done = await this.#client.txn({ compare: [], success: [{ request: operation }], failure: [] });
      const modRevision = done.header?.revision ?? 0;
      if ((this.#entries.get(key)?.modRevision ?? 0) <= modRevision) this.#entries.set(key, { text, modRevision });
    } catch (error) {
      throw error instanceof EtcdError ? new RipstopError(etcdUnreachable, error.message) : error;
    }
  }
}
