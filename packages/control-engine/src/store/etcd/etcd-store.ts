// The store for several replicas: etcd holds a log of revisions and, from time to time, all resources as of one of them.
// Every replica keeps the resources in memory and follows the log by a watch. A commit is one transaction that holds only
// if nobody committed in between; else it is planned again on what the others did.

import { randomUUID } from "node:crypto";

import { Backoff, err, ok, RipstopError, sleep, type Clock, type Result, type Timer } from "@ripstop/core";
import type { etcd } from "@ripstop/model";
import { resourceKey, type Resource } from "@ripstop/resources";

import { etcdOfAnotherMesh, etcdUnreachable, storeDamaged, storeNewer } from "../../errors.ts";
import { netDifference } from "../net-difference.ts";
import { planCommit } from "../plan-commit.ts";
import { ResourceIndex } from "../resource-index.ts";
import type {
  Compacted,
  Conflict,
  ReplicaRecord,
  Replication,
  Revision,
  Store,
  Table,
  TableName,
  TableProgress,
  Transaction,
} from "../store.ts";
import { Watchers } from "../watchers.ts";
import { EtcdClient, EtcdError, type EtcdOptions, type EtcdWatch } from "./etcd-client.ts";
import { EtcdKeys, rangeEndOf, type Head } from "./etcd-keys.ts";
import { EtcdSession } from "./etcd-session.ts";
import { EtcdTables } from "./etcd-tables.ts";
import { SharedQuestion } from "./shared-question.ts";

/** Settings of an etcd store. */
export interface EtcdStoreOptions extends EtcdOptions {
  readonly clock: Clock;
  /** Id of the mesh home; a prefix belongs to the first one that opens it. Those that share an authority have one id. */
  readonly homeId: string;
  /** This replica's own id; there, when others may share the prefix. */
  readonly replicaId?: string;
  /** An owner that `homeId` may follow: the home that the prefix belonged to before it was shared. */
  readonly formerHomeId?: string;
  /** Prefix of all keys, so that several meshes may share an etcd; default "/ripstop/". */
  readonly prefix?: string;
  /** Revisions kept in the log at least; default 1 000. */
  readonly keepRevisions?: number;
}

/** A log entry as etcd holds it: the revision, or the number of pieces it was cut into. */
interface LogEntry {
  /** Tells a writer whether an entry is its own, when the answer to its transaction was lost. */
  readonly id: string;
  readonly revision?: Revision;
  readonly chunks?: number;
}

const FORMAT = 1;
const DEFAULT_KEEP_REVISIONS = 1_000;
const PAGE = 200;
/** etcd refuses requests over 1.5 MiB. */
const PIECE_BYTES = 1024 * 1024;
/** Large revisions whose pieces are removed in one transaction; etcd takes 128 operations. */
const MAX_OPERATIONS = 100;
/** How long a commit goes on asking when etcd does not answer. */
const COMMIT_PATIENCE_MS = 10_000;
/** How long a read waits for word that it is not stale. */
const BARRIER_MS = 2_000;
/** How long a change of a table that another one has is awaited. */
const TABLES_MS = 1_000;

/** Opens the store; throws a RipstopError: RS3061 no answer, RS3062 of another home, RS3003 newer, RS3004 damaged. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const store = new EtcdStore(options);
  try {
    await store.load();
    return store;
  } catch (error) {
    await store.close();
    throw asRipstopError(error);
  }
}

class EtcdStore implements Store {
  readonly #options: EtcdStoreOptions;
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #tables: EtcdTables;
  readonly #session: EtcdSession | undefined;
  readonly #backoff = new Backoff({ initialMs: 100, maxMs: 2_000 });
  readonly #watchers = new Watchers();
  #index = new ResourceIndex();
  /** The log in memory, oldest first; holds exactly the revisions above `#base`. */
  #log: Revision[] = [];
  /** Where the pieces of large revisions in the log lie, by number. */
  readonly #chunkIds = new Map<number, string>();
  #revision = 0;
  #base = 0;
  /** etcd's own revision of the newest `head` that is taken over; 0 when there is none yet. */
  #headRevision = 0;
  /** etcd's own revision up to which all is known. */
  #seen = 0;
  #watch: EtcdWatch | undefined;
  #following: Timer | undefined;
  /** Commits and what the watch brings are worked off one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;
  readonly #current = new SharedQuestion(() => this.#isCurrent());
  readonly #tablesAnew = new SharedQuestion(() => this.#inTurn(() => this.#tables.load(0)));
  readonly replication?: Replication;
  readonly tableProgress?: TableProgress;

  constructor(options: EtcdStoreOptions) {
    this.#options = options;
    this.#client = new EtcdClient(options);
    this.#keys = new EtcdKeys(options.prefix ?? "/ripstop/");
    this.#tables = new EtcdTables(this.#client, this.#keys);
    const { replicaId: id, clock } = options;
    if (id === undefined) return;
    const session = new EtcdSession({ id, client: this.#client, keys: this.#keys, clock });
    this.#session = session;
    this.replication = {
      id,
      get isLeader() {
        return session.isLeader;
      },
      get leader() {
        return session.leader;
      },
      get replicas() {
        return session.replicas;
      },
      get cutOffMs() {
        return session.cutOffMs;
      },
      announce: (record: Omit<ReplicaRecord, "id">) => session.announce(record),
      readBarrier: () => this.#current.ask(),
      onChange: (listener) => session.onChange(listener),
    };
    const tables = this.#tables;
    this.tableProgress = {
      get newest() {
        return tables.newest;
      },
      get complete() {
        return tables.complete;
      },
      reach: (revision) => this.#reachTables(revision),
    };
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
    return this.#inTurn(() => this.#commit(transaction));
  }

  watch(after: number, onRevision: (revision: Revision) => void): Result<() => void, Compacted> {
    if (after < this.#base) return err({ oldest: this.#base });
    for (const revision of this.#log) if (revision.number > after) onRevision(revision);
    return ok(this.#watchers.add(onRevision));
  }

  async readLog(after: number, upTo: number = this.#revision): Promise<Result<readonly Revision[], Compacted>> {
    if (after < this.#base) return err({ oldest: this.#base });
    return ok(this.#log.filter(({ number }) => number > after && number <= upTo));
  }

  table<T>(name: TableName): Table<T> {
    return this.#tables.table<T>(name);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watchers.clear();
    this.#watch?.cancel();
    this.#following?.clear();
    this.#tables.close();
    await this.#tail;
    await this.#session?.close();
    this.#client.close();
  }

  /** What is awaited comes by the watch; should it not, etcd has no such change any more, or the watch is broken. */
  async #reachTables(revision: number): Promise<boolean> {
    if (await this.#tables.comesTo(revision, this.#options.clock, TABLES_MS)) return true;
    if ((this.#session?.cutOffMs ?? 0) > 0) return false;
    try {
      await this.#tablesAnew.ask();
      return true;
    } catch {
      return false;
    }
  }

  async #isCurrent(): Promise<boolean> {
    try {
      const head = await this.#client.range(rangeOf(this.#keys.head), BARRIER_MS);
      const [kv] = head.kvs;
      if (kv === undefined || this.#readHead(kv.value).number <= this.#revision) return true;
      const caughtUp = this.#inTurn(() => this.#catchUp()).then(() => true);
      return await Promise.race([caughtUp, sleep(this.#options.clock, BARRIER_MS).then(() => false)]);
    } catch {
      return false;
    }
  }

  /** Reads everything as of one moment, and follows from there. */
  async load(): Promise<void> {
    await this.#claim();
    const head = await this.#client.range(rangeOf(this.#keys.head));
    this.#seen = revisionOf(head.header);
    const [kv] = head.kvs;
    if (kv !== undefined) {
      const { number, base } = this.#readHead(kv.value);
      for (const resources of await this.#readPieces(this.#keys.base(base))) {
        for (const resource of parse<Resource[]>(resources)) this.#index.put(resource);
      }
      this.#base = base;
      this.#revision = base;
      for (const revision of await this.#readLogFrom(base, number)) this.#apply(revision);
      this.#headRevision = kv.modRevision;
    }
    await this.#tables.load(this.#seen);
    await this.#session?.load(this.#seen);
    this.#follow();
  }

  async #claim(): Promise<void> {
    const key = Buffer.from(this.#keys.home);
    const done = await this.#client.txn({
      compare: [{ result: 0, target: 1, key, targetUnion: { $case: "createRevision", value: 0 } }],
      success: [putBytes(this.#keys.home, Buffer.from(this.#options.homeId))],
      failure: [{ request: { $case: "requestRange", value: rangeOf(this.#keys.home) } }],
    });
    const [answer] = done.responses;
    if (done.succeeded || answer?.response?.$case !== "responseRange") return;
    const [found] = answer.response.value.kvs;
    const owner = Buffer.from(found?.value ?? "").toString();
    if (owner === this.#options.homeId) return;
    if (found === undefined || owner !== this.#options.formerHomeId) {
      throw new RipstopError(etcdOfAnotherMesh, `${this.#keys.prefix} is of home ${owner === "" ? "?" : owner}`);
    }
    await this.#client.txn({
      compare: [{ result: 0, target: 2, key, targetUnion: { $case: "modRevision", value: found.modRevision } }],
      success: [putBytes(this.#keys.home, Buffer.from(this.#options.homeId))],
      failure: [],
    });
    await this.#claim();
  }

  async #commit(transaction: Transaction): Promise<Result<Revision, Conflict>> {
    const giveUpAtMs = this.#options.clock.monotonicMs() + COMMIT_PATIENCE_MS;
    for (;;) {
      const planned = planCommit(transaction, {
        revision: this.#revision,
        timeMs: this.#options.clock.nowMs(),
        get: (key) => this.#index.get(key),
      });
      if (!planned.ok || planned.value.changes.length === 0) return planned;
      // oxlint-disable-next-line no-await-in-loop -- planned again when somebody else was faster
      if (await this.#append(planned.value, giveUpAtMs)) return planned;
      // oxlint-disable-next-line no-await-in-loop -- likewise
      await guard(() => this.#catchUp());
    }
  }

  /** True when the revision is in the log now; false when another one came before it. */
  async #append(revision: Revision, giveUpAtMs: number): Promise<boolean> {
    const id = randomUUID();
    const entry = await guard(() => this.#prepareEntry(id, revision));
    const request = this.#appendRequest(revision.number, entry);
    let problem: EtcdError | undefined;
    for (;;) {
      // oxlint-disable no-await-in-loop -- asked again until the answer is certain
      try {
        const done = await this.#client.txn(request);
        if (done.succeeded) {
          this.#headRevision = revisionOf(done.header);
          this.#apply(revision);
          this.#compactLater();
          return true;
        }
        // Refused at the first attempt: another one was faster. Later it may have been the first attempt itself, which
        // the network delivered after all: then it must not be made a second time.
        if (problem === undefined) return false;
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        problem = error;
      }
      const fate = await this.#fateOf(revision.number, id);
      if (fate === "ours") {
        await guard(() => this.#catchUp());
        return true;
      }
      if (fate === "another's") return false;
      if (this.#closed || this.#options.clock.monotonicMs() > giveUpAtMs) {
        throw new RipstopError(etcdUnreachable, problem.message);
      }
      await sleep(this.#options.clock, this.#backoff.next());
      // oxlint-enable no-await-in-loop
    }
  }

  /** After a lost answer: whose revision stands in the log? */
  async #fateOf(number: number, id: string): Promise<"ours" | "another's" | "nobody's" | "unknown"> {
    try {
      const read = await this.#client.range(rangeOf(this.#keys.logEntry(number)));
      const [kv] = read.kvs;
      if (kv !== undefined) return parse<LogEntry>(kv.value).id === id ? "ours" : "another's";
      const head = await this.#client.range(rangeOf(this.#keys.head));
      const [headKv] = head.kvs;
      return headKv !== undefined && headKv.modRevision !== this.#headRevision ? "another's" : "nobody's";
    } catch {
      return "unknown";
    }
  }

  async #prepareEntry(id: string, revision: Revision): Promise<LogEntry> {
    const text = JSON.stringify(revision);
    if (Buffer.byteLength(text) <= PIECE_BYTES) return { id, revision };
    this.#chunkIds.set(revision.number, id);
    return { id, chunks: await this.#writePieces(this.#keys.chunks(id), cut(Buffer.from(text))) };
  }

  #appendRequest(number: number, entry: LogEntry): etcd.TxnRequest {
    const head: Head = { format: FORMAT, number, base: this.#base };
    return {
      compare: [this.#headUnchanged()],
      success: [put(this.#keys.logEntry(number), entry), put(this.#keys.head, head)],
      failure: [],
    };
  }

  #headUnchanged(): etcd.Compare {
    return {
      result: 0,
      target: 2,
      key: Buffer.from(this.#keys.head),
      targetUnion: { $case: "modRevision", value: this.#headRevision },
    };
  }

  /** Takes over what others committed, without waiting for the watch. */
  async #catchUp(): Promise<void> {
    const head = await this.#client.range(rangeOf(this.#keys.head));
    const [kv] = head.kvs;
    if (kv === undefined) return;
    const { number, base } = this.#readHead(kv.value);
    if (base > this.#revision) return this.#reload(base, number, kv.modRevision);
    for (const revision of await this.#readLogFrom(this.#revision, number)) this.#apply(revision);
    this.#forgetUpTo(base);
    this.#headRevision = kv.modRevision;
    return undefined;
  }

  /** Too far behind for the log: everything anew; watchers get one revision that says what differs. */
  async #reload(base: number, number: number, headRevision: number): Promise<void> {
    const index = new ResourceIndex();
    const known = new Map<string, Resource>();
    for (const resources of await this.#readPieces(this.#keys.base(base))) {
      for (const resource of parse<Resource[]>(resources)) {
        index.put(resource);
        known.set(resourceKey(resource), resource);
      }
    }
    const changes: Revision["changes"][number][] = [];
    for (const resource of known.values()) {
      const before = this.#index.get(resourceKey(resource));
      if (
        before?.metadata.resourceVersion !== resource.metadata.resourceVersion ||
        before?.metadata.uid !== resource.metadata.uid
      ) {
        changes.push({ type: "put", resource, before });
      }
    }
    for (const before of this.#index.all()) {
      const key = resourceKey(before);
      if (!known.has(key)) changes.push({ type: "delete", key, before });
    }
    this.#index = index;
    this.#log = [];
    this.#base = base;
    this.#revision = base;
    this.#watchers.notify({ number: base, author: "", reason: "", timeMs: this.#options.clock.nowMs(), changes });
    for (const revision of await this.#readLogFrom(base, number)) this.#apply(revision);
    this.#headRevision = headRevision;
  }

  #apply(revision: Revision): void {
    if (revision.number <= this.#revision) return;
    for (const change of revision.changes) {
      if (change.type === "put") this.#index.put(change.resource);
      else this.#index.delete(change.key);
    }
    this.#revision = revision.number;
    this.#log.push(revision);
    this.#watchers.notify(revision);
  }

  #forgetUpTo(base: number): void {
    if (base <= this.#base) return;
    this.#base = base;
    this.#log = this.#log.filter(({ number }) => number > base);
    for (const number of this.#chunkIds.keys()) if (number <= base) this.#chunkIds.delete(number);
  }

  /** When the log is twice as long as it must be, its older half becomes the base. */
  #compactLater(): void {
    const keep = this.#options.keepRevisions ?? DEFAULT_KEEP_REVISIONS;
    if (this.#revision - this.#base < 2 * keep || this.#session?.isLeader === false) return;
    this.#inTurn(() => this.#compact(this.#revision - keep)).catch(() => undefined);
  }

  async #compact(base: number): Promise<void> {
    const before = this.#base;
    if (base <= before) return;
    const state = new Map([...this.#index.all()].map((resource) => [resourceKey(resource), resource]));
    for (const { key, before: was } of netDifference(this.#log.filter(({ number }) => number > base))) {
      if (was === undefined) state.delete(key);
      else state.set(key, was);
    }
    await this.#writePieces(this.#keys.base(base), cutResources(state.values()));
    const head: Head = { format: FORMAT, number: this.#revision, base };
    const chunked = [...this.#chunkIds].filter(([number]) => number <= base);
    const done = await this.#client.txn({
      compare: [this.#headUnchanged()],
      success: [
        put(this.#keys.head, head),
        remove(this.#keys.logEntry(before + 1), this.#keys.logEntry(base + 1)),
        ...(before === 0 ? [] : [removeAll(this.#keys.base(before))]),
        ...chunked.slice(0, MAX_OPERATIONS).map(([, id]) => removeAll(this.#keys.chunks(id))),
      ],
      failure: [],
    });
    if (!done.succeeded) return;
    this.#headRevision = revisionOf(done.header);
    this.#forgetUpTo(base);
  }

  #follow(): void {
    if (this.#closed) return;
    this.#watch = this.#client.watch(
      {
        key: Buffer.from(this.#keys.prefix),
        rangeEnd: rangeEndOf(this.#keys.prefix),
        startRevision: this.#seen + 1,
      },
      (response) => {
        this.#inTurn(() => this.#onWatch(response)).catch(() => this.#followAgain());
      },
      () => this.#followAgain(),
    );
  }

  #followAgain(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#following?.clear();
    if (this.#closed) return;
    this.#following = this.#options.clock.after(this.#backoff.next(), () => this.#follow());
  }

  async #onWatch(response: etcd.WatchResponse): Promise<void> {
    if (this.#closed) return;
    if (response.canceled) {
      // Compacted while this replica was away: the log and the tables are keys and still there.
      this.#seen = Math.max(this.#seen, response.compactRevision);
      await this.#catchUp().catch(() => undefined);
      await this.#tables.load(0).catch(() => undefined);
      await this.#session?.load(0).catch(() => undefined);
      this.#followAgain();
      return;
    }
    this.#backoff.reset();
    for (const { type, kv } of response.events) {
      if (kv === undefined) continue;
      const key = Buffer.from(kv.key).toString();
      if (key.startsWith(this.#keys.table))
        this.#tables.onEvent(key, type === 0 ? kv.value : undefined, kv.modRevision);
      else if (this.#session?.onEvent(key, type === 0 ? kv.value : undefined) === true) continue;
      // oxlint-disable no-await-in-loop -- revisions are taken over in order
      else if (key.startsWith(this.#keys.log) && type === 0) await this.#onLogEntry(key, kv);
      else if (key === this.#keys.head && type === 0) await this.#onHead(kv);
      // oxlint-enable no-await-in-loop
    }
    // Not the header's: events of before it may still be to come, after the answer to a new watch for example.
    const last = response.events.at(-1)?.kv;
    if (response.fragment || last === undefined) return;
    this.#seen = Math.max(this.#seen, last.modRevision);
    this.#tables.completeTo(this.#seen);
  }

  async #onLogEntry(key: string, kv: etcd.KeyValue): Promise<void> {
    if (key === this.#keys.logEntry(this.#revision + 1)) this.#apply(await this.#readLogEntry(kv));
  }

  async #onHead(kv: etcd.KeyValue): Promise<void> {
    if (kv.modRevision <= this.#headRevision) return;
    const { number, base } = this.#readHead(kv.value);
    if (number !== this.#revision) return this.#catchUp();
    this.#headRevision = kv.modRevision;
    this.#forgetUpTo(base);
    return undefined;
  }

  async #readLogFrom(after: number, upTo: number): Promise<readonly Revision[]> {
    const revisions: Revision[] = [];
    let next = after + 1;
    while (next <= upTo) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page = await this.#client.range({
        ...rangeOf(this.#keys.logEntry(next)),
        rangeEnd: Buffer.from(this.#keys.logEntry(Math.min(upTo, next + PAGE - 1) + 1)),
      });
      // oxlint-disable-next-line no-await-in-loop -- in order
      for (const kv of page.kvs) revisions.push(await this.#readLogEntry(kv));
      next += PAGE;
    }
    const [first] = revisions;
    if (upTo > after && (first?.number !== after + 1 || revisions.at(-1)?.number !== upTo)) {
      throw new RipstopError(storeDamaged, `revisions ${after + 1} to ${upTo} are not all in etcd`);
    }
    return revisions;
  }

  #readLogEntry({ key, value }: etcd.KeyValue): Promise<Revision> {
    const number = Number(Buffer.from(key).toString().slice(this.#keys.log.length));
    return this.#readEntry(number, parse<LogEntry>(value));
  }

  async #readEntry(number: number, { id, revision, chunks }: LogEntry): Promise<Revision> {
    if (revision !== undefined) return revision;
    this.#chunkIds.set(number, id);
    const pieces = await this.#readPieces(this.#keys.chunks(id));
    if (pieces.length !== chunks) throw new RipstopError(storeDamaged, `pieces of entry ${id} are missing in etcd`);
    return parse<Revision>(Buffer.concat(pieces));
  }

  async #writePieces(prefix: string, pieces: Iterable<Buffer>): Promise<number> {
    let count = 0;
    for (const piece of pieces) {
      // oxlint-disable-next-line no-await-in-loop -- each is near the limit of a request
      await this.#client.txn({
        compare: [],
        success: [putBytes(this.#keys.piece(prefix, count++), piece)],
        failure: [],
      });
    }
    return count;
  }

  async #readPieces(prefix: string): Promise<readonly Buffer[]> {
    const pieces: Buffer[] = [];
    let key: Buffer = Buffer.from(prefix);
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page = await this.#client.range({ ...rangeOf(""), key, rangeEnd: rangeEndOf(prefix), limit: 16 });
      for (const kv of page.kvs) pieces.push(Buffer.from(kv.value));
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) break;
      key = Buffer.concat([last.key, Buffer.from([0])]);
    }
    return pieces;
  }

  #readHead(value: Buffer): Head {
    const head = parse<{ readonly format: number; readonly number: number; readonly base: number }>(value);
    if (head.format > FORMAT) {
      throw new RipstopError(
        storeNewer,
        `the store in etcd has format ${head.format}; this version reads up to ${FORMAT}`,
      );
    }
    return { format: FORMAT, number: head.number, base: head.base };
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(work);
    this.#tail = done.catch(() => undefined);
    return done;
  }
}

/** A request for one key as of now. */
function rangeOf(key: string): etcd.RangeRequest {
  return { key: Buffer.from(key), rangeEnd: Buffer.alloc(0), limit: 0, revision: 0, keysOnly: false };
}

function put(key: string, value: Head | LogEntry): etcd.RequestOp {
  return putBytes(key, Buffer.from(JSON.stringify(value)));
}

function putBytes(key: string, value: Buffer): etcd.RequestOp {
  return { request: { $case: "requestPut", value: { key: Buffer.from(key), value, lease: 0 } } };
}

function remove(key: string, end: string): etcd.RequestOp {
  return { request: { $case: "requestDeleteRange", value: { key: Buffer.from(key), rangeEnd: Buffer.from(end) } } };
}

function removeAll(prefix: string): etcd.RequestOp {
  const value = { key: Buffer.from(prefix), rangeEnd: rangeEndOf(prefix) };
  return { request: { $case: "requestDeleteRange", value } };
}

/** What a value of etcd says; all of them are written by a store. */
function parse<T>(value: Buffer): T {
  try {
    return JSON.parse(Buffer.from(value).toString()) as T;
  } catch (error) {
    throw new RipstopError(storeDamaged, `a value in etcd is no JSON: ${String(error)}`);
  }
}

function revisionOf(header: etcd.ResponseHeader | undefined): number {
  return header?.revision ?? 0;
}

function* cut(bytes: Buffer): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

/** Resources as JSON arrays, each as near to the limit as they fit; a resource alone is below it (limit of an apply's body). */
function* cutResources(resources: Iterable<Resource>): Iterable<Buffer> {
  let parts: string[] = [];
  let size = 0;
  for (const resource of resources) {
    const text = JSON.stringify(resource);
    if (size > 0 && size + text.length > PIECE_BYTES / 2) {
      yield Buffer.from(`[${parts.join(",")}]`);
      [parts, size] = [[], 0];
    }
    parts.push(text);
    size += text.length + 1;
  }
  if (parts.length > 0) yield Buffer.from(`[${parts.join(",")}]`);
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asRipstopError(error);
  }
}

function asRipstopError(error: unknown): unknown {
  return error instanceof EtcdError ? new RipstopError(etcdUnreachable, error.message) : error;
}
