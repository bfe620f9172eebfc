// The embedded store: LMDB, a copy-on-write B+tree with real transactions. A commit is acknowledged after it was
// flushed to the disk, so neither kill -9 nor a power cut loses what was acknowledged.

import { chmodSync, closeSync, mkdirSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { asBinary, open, type Database, type RootDatabase } from "lmdb";

import { err, ok, RipstopError, type Clock, type Result } from "@ripstop/core";
import { resourceKey, type Resource } from "@ripstop/resources";

import { storeDamaged, storeNewer, storeUnwritable } from "../errors.ts";
import { inSlices } from "../in-slices.ts";
import { planCommitSteps } from "./plan-commit.ts";
import { ResourceIndex } from "./resource-index.ts";
import {
  tableNames,
  type Compacted,
  type Conflict,
  type Revision,
  type Store,
  type Table,
  type TableName,
  type Transaction,
} from "./store.ts";
import { TableWatchers } from "./table-watchers.ts";
import { Watchers } from "./watchers.ts";

/** Settings of a LmdbStore. */
export interface LmdbStoreOptions {
  /** Folder of the database, made (0700) when missing. */
  readonly directory: string;
  readonly clock: Clock;
  /** Revisions kept in the log; default 1 000. */
  readonly keepRevisions?: number;
}

const FORMAT = 1;
const MAX_DATABASES = 32;
// LMDB's meta page: a 24-byte page header, the magic number, and the page size in the first database's record.
const META_BYTES = 160;
const MAGIC_OFFSET = 24;
const MAGIC = 0xbeefc0de;
const PAGE_SIZE_OFFSET = 48;
const DEFAULT_KEEP_REVISIONS = 1_000;

/** Opens (or makes) the store in a folder. Throws a RipstopError when it is damaged (RS3004) or of a newer version (RS3003). */
export function openLmdbStore(options: LmdbStoreOptions): Store {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  if (!isDataFile(join(options.directory, "data.mdb"))) {
    throw new RipstopError(storeDamaged, `${options.directory}/data.mdb is no LMDB file`);
  }
  const root: RootDatabase = open({
    path: options.directory,
    maxDbs: MAX_DATABASES,
    encoding: "json",
    // A transaction's promise is kept when its pages are on the disk, not just visible.
    overlappingSync: false,
    noMemInit: false,
  });
  for (const file of ["data.mdb", "lock.mdb"]) chmodSync(join(options.directory, file), 0o600);
  return new LmdbStore(root, options);
}

/**
 * Whether a file looks like LMDB's: both meta pages are there with their magic number. The engine itself does not look
 * closely: it would bring the process down. A file that is missing or empty is made anew.
 */
function isDataFile(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return true;
    throw new RipstopError(storeUnwritable, `${path} cannot be opened: ${String(error)}`);
  }
  try {
    const meta = Buffer.alloc(META_BYTES);
    const length = readSync(file, meta, 0, META_BYTES, 0);
    if (length === 0) return true;
    if (length < META_BYTES || meta.readUInt32LE(MAGIC_OFFSET) !== MAGIC) return false;
    const pageSize = meta.readUInt32LE(PAGE_SIZE_OFFSET);
    const second = readSync(file, meta, 0, META_BYTES, pageSize);
    return second === META_BYTES && meta.readUInt32LE(MAGIC_OFFSET) === MAGIC;
  } finally {
    closeSync(file);
  }
}

/** What a store is filled with at once. */
export interface StoreImport {
  readonly revision: number;
  readonly resources: readonly Resource[];
  readonly log: readonly Revision[];
  readonly tables: readonly { readonly table: string; readonly key: string; readonly value: unknown }[];
}

/** Makes a store in an empty folder from what another one held; tables that this version does not know are left out. */
export async function importLmdb(directory: string, content: StoreImport): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const root: RootDatabase = open({ path: directory, maxDbs: MAX_DATABASES, encoding: "json", overlappingSync: false });
  const database = (name: string): Database => root.openDB({ name, encoding: "json" });
  const known = new Map(tableNames.map((name) => [name as string, database(`table-${name}`)]));
  const [meta, resources, log] = [database("meta"), database("resources"), database("log")];
  await guard(directory, () =>
    root.transaction(() => {
      void meta.put("format", FORMAT);
      void meta.put("revision", content.revision);
      for (const resource of content.resources) void resources.put(resourceKey(resource), resource);
      for (const revision of content.log) void log.put(revision.number, revision);
      for (const { table, key, value } of content.tables) void known.get(table)?.put(key, value);
    }),
  );
  await root.close();
  for (const file of ["data.mdb", "lock.mdb"]) chmodSync(join(directory, file), 0o600);
}

class LmdbStore implements Store {
  readonly #options: LmdbStoreOptions;
  readonly #root: RootDatabase;
  readonly #meta: Database<number, string>;
  readonly #resources: Database<Resource, string>;
  readonly #log: Database<Revision, number>;
  readonly #tables = new Map<TableName, Database<unknown, string>>();
  readonly #index = new ResourceIndex();
  readonly #watchers = new Watchers();
  readonly #tableWatchers = new TableWatchers();
  #revision: number;
  /** The oldest revision in the log; one more than `#revision` when the log is empty. */
  #oldest: number;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(root: RootDatabase, options: LmdbStoreOptions) {
    this.#options = options;
    this.#root = root;
    this.#meta = root.openDB({ name: "meta", encoding: "json" });
    this.#resources = root.openDB({ name: "resources", encoding: "json" });
    this.#log = root.openDB({ name: "log", encoding: "json" });
    for (const name of tableNames) this.#tables.set(name, root.openDB({ name: `table-${name}`, encoding: "json" }));
    const format = this.#meta.get("format");
    if (format !== undefined && format > FORMAT) {
      void root.close();
      throw new RipstopError(
        storeNewer,
        `the store in ${options.directory} has format ${format}; this version reads up to ${FORMAT}`,
      );
    }
    if (format === undefined) this.#meta.putSync("format", FORMAT);
    this.#revision = this.#meta.get("revision") ?? 0;
    for (const { value } of this.#resources.getRange()) this.#index.put(value);
    const [first] = this.#log.getKeys({ limit: 1 });
    this.#oldest = first ?? this.#revision + 1;
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

  commit(transaction: Transaction): Promise<Result<Revision, Conflict>> {
    // One at a time: each is planned on the state that the one before left.
    const committed = this.#tail.then(() => this.#commit(transaction));
    this.#tail = committed.catch(() => undefined);
    return committed;
  }

  watch(after: number, onRevision: (revision: Revision) => void): Result<() => void, Compacted> {
    if (after < this.#oldest - 1) return err({ oldest: this.#oldest - 1 });
    for (const { value } of this.#log.getRange({ start: after + 1, end: this.#revision + 1 })) onRevision(value);
    return ok(this.#watchers.add(onRevision));
  }

  async readLog(after: number, upTo: number = this.#revision): Promise<Result<readonly Revision[], Compacted>> {
    if (after < this.#oldest - 1) return err({ oldest: this.#oldest - 1 });
    const end = Math.min(upTo, this.#revision) + 1;
    return ok([...this.#log.getRange({ start: after + 1, end })].map(({ value }) => value));
  }

  table<T>(name: TableName): Table<T> {
    const database = this.#tables.get(name) as Database<T, string> | undefined;
    if (database === undefined) throw new Error(`no table ${name}`);
    const watchers = this.#tableWatchers;
    const write = (key: string, value: T | undefined): Promise<void> =>
      guard(this.#options.directory, () => (value === undefined ? database.remove(key) : database.put(key, value)));
    const change = async (key: string, value: T | undefined): Promise<void> => {
      await write(key, value);
      watchers.notify(name, key, value);
    };
    return {
      get: (key) => database.get(key),
      *entries() {
        for (const { key, value } of database.getRange()) yield [key, value] as const;
      },
      put: change,
      remove: (key) => change(key, undefined),
      replace: async (key, before, after) => {
        let isDone = false;
        await guard(this.#options.directory, () =>
          this.#root.transaction(() => {
            isDone = isDeepStrictEqual(database.get(key), before);
            if (isDone && after === undefined) void database.remove(key);
            else if (isDone && after !== undefined) void database.put(key, after);
          }),
        );
        if (isDone) watchers.notify(name, key, after);
        return isDone;
      },
      watch: (listener) => watchers.add(name, listener),
    };
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#tableWatchers.clear();
    await this.#tail;
    await this.#root.close();
  }

  async #commit(transaction: Transaction): Promise<Result<Revision, Conflict>> {
    const { clock, directory, keepRevisions: keep = DEFAULT_KEEP_REVISIONS } = this.#options;
    const context = { revision: this.#revision, timeMs: clock.nowMs(), get: (key: string) => this.#index.get(key) };
    const planned = await inSlices(planCommitSteps(transaction, context), clock);
    if (!planned.ok || planned.value.changes.length === 0) return planned;
    const revision = planned.value;
    const encoded = await inSlices(encodeSteps(revision), clock);
    const oldest = Math.max(Math.min(this.#oldest, revision.number), revision.number - keep + 1);
    await guard(directory, () =>
      this.#root.transaction(() => {
        for (const { key, value } of encoded.resources) {
          if (value === undefined) void this.#resources.remove(key);
          else void this.#resources.put(key, value);
        }
        void this.#log.put(revision.number, encoded.entry);
        for (let number = this.#oldest; number < oldest; number++) void this.#log.remove(number);
        void this.#meta.put("revision", revision.number);
      }),
    );
    for (const change of revision.changes) {
      if (change.type === "put") this.#index.put(change.resource);
      else this.#index.delete(change.key);
    }
    this.#revision = revision.number;
    this.#oldest = oldest;
    this.#watchers.notify(revision);
    return planned;
  }
}

async function guard(directory: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new RipstopError(storeUnwritable, `the store in ${directory} could not be written: ${cause}`);
  }
}

/** What a transaction writes, made before it: one that is under way holds up everybody. */
interface EncodedRevision {
  /** Without a value it is removed. */
  readonly resources: readonly { readonly key: string; readonly value: Resource | undefined }[];
  readonly entry: Revision;
}

/** The JSON of a revision, with a stop after each change. */
function* encodeSteps({ changes, ...head }: Revision): Generator<undefined, EncodedRevision> {
  const resources: EncodedRevision["resources"][number][] = [];
  const texts: string[] = [];
  for (const change of changes) {
    const text = JSON.stringify(change.type === "put" ? change.resource : change.before);
    if (change.type === "put") {
      const before = change.before === undefined ? "" : `,"before":${JSON.stringify(change.before)}`;
      texts.push(`{"type":"put","resource":${text}${before}}`);
      resources.push({ key: resourceKey(change.resource), value: binary<Resource>(text) });
    } else {
      texts.push(`{"type":"delete","key":${JSON.stringify(change.key)},"before":${text}}`);
      resources.push({ key: change.key, value: undefined });
    }
    yield;
  }
  return { resources, entry: binary<Revision>(`${JSON.stringify(head).slice(0, -1)},"changes":[${texts.join()}]}`) };
}

/** Makes the engine store these bytes as they are; its types say so of databases of bytes alone. */
function binary<T>(text: string): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- reading gives the T that the text is
  return asBinary(Buffer.from(text)) as unknown as T;
}
