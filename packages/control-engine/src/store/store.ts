// Where resources live. One interface, one test suite (store.suite.ts), several engines.

import type { Result } from "@ripstop/core";
import type { Resource } from "@ripstop/resources";

/** One change of a revision. */
export type Change =
  | { readonly type: "put"; readonly resource: Resource; readonly before: Resource | undefined }
  | { readonly type: "delete"; readonly key: string; readonly before: Resource };

/** One committed write. */
export interface Revision {
  /** 1, 2, 3 …; never reused. */
  readonly number: number;
  readonly author: string;
  readonly reason: string;
  readonly timeMs: number;
  readonly changes: readonly Change[];
}

/** What a write wants to do. `uid`, `generation`, `resourceVersion` and `creationTimestamp` are set by the store. */
export interface Transaction {
  readonly author: string;
  readonly reason: string;
  readonly puts: readonly Resource[];
  /** Keys ("KIND/NAMESPACE/NAME"). Those that do not exist are left out. */
  readonly deletes: readonly string[];
  /** Key → resourceVersion it must still have ("" = must not exist). */
  readonly expect?: Readonly<Record<string, string>>;
}

/** A write that lost against another. */
export interface Conflict {
  readonly key: string;
  readonly expected: string;
  readonly actual: string;
}

/** Revisions that were asked for are gone from the log: read the whole state, then watch from its revision. */
export interface Compacted {
  /** The oldest revision that `watch` and `readLog` can start after. */
  readonly oldest: number;
}

/** A small durable map beside the resources, for what is no resource: not part of revisions. Values are plain JSON data. */
export interface Table<T> {
  get(key: string): T | undefined;
  entries(): Iterable<readonly [string, T]>;
  /** Durable when the promise is kept. */
  put(key: string, value: T): Promise<void>;
  remove(key: string): Promise<void>;
  /**
   * Puts `after` (undefined removes) only if the entry is `before` (undefined: not there): of several that try at the same
   * moment, on whichever replicas, one gets true. Durable when kept with true.
   */
  replace(key: string, before: T | undefined, after: T | undefined): Promise<boolean>;
  /**
   * Calls `listener` after every change, made here or by another replica, with the entry as it is now (undefined: removed).
   * An own change is told before its promise is kept. Returns how to stop.
   */
  watch(listener: (key: string, value: T | undefined) => void): () => void;
}

/** A control plane that is there, as its peers see it. */
export interface ReplicaRecord {
  /** Of its home; the same after a restart. */
  readonly id: string;
  readonly version: string;
  /** "HOST:PORT" of its config stream and of its join listener. */
  readonly streamAddress: string;
  readonly joinAddress: string;
  readonly startedMs: number;
  /** Proxies that are connected to it. */
  readonly proxies: number;
  /** SHA-256 of the root that its own SVID leads to, hex. */
  readonly rootSha256: string;
}

/** How several control planes share one store. */
export interface Replication {
  readonly id: string;
  /** This one may do what only one may: it leads, and heard so recently enough to be sure. */
  readonly isLeader: boolean;
  /** Id of the leader, "" while there is none. */
  readonly leader: string;
  /** All that are there, this one included while it is, in the order of their ids. */
  readonly replicas: readonly ReplicaRecord[];
  /** For how long the shared store has not answered, in ms; 0 while it does. What is read meanwhile may be old. */
  readonly cutOffMs: number;
  /** Says what others see of this one. */
  announce(record: Omit<ReplicaRecord, "id">): void;
  /**
   * Kept with true when everything is here that was acknowledged, by whichever replica, before the call; with false when
   * that cannot be found out: what is read now may be old.
   */
  readBarrier(): Promise<boolean>;
  /** Calls `listener` after replicas, leader or the connection changed; returns how to stop. */
  onChange(listener: () => void): () => void;
}

/** How far a store that several control planes share has come with its tables, in an order that is the same for all. */
export interface TableProgress {
  /** Of the newest change that is here, made here or elsewhere; older ones may be missing. 0: none. */
  readonly newest: number;
  /** Every change up to this one is here. */
  readonly complete: number;
  /**
   * Kept with true when every change up to `revision` is here, or the store never had it, because it was restored; with
   * false when that cannot be found out. Within about six seconds.
   */
  reach(revision: number): Promise<boolean>;
}

/** Transactional, ordered, durable: what `commit` acknowledged survives kill -9 and power loss. */
export interface Store {
  get(key: string): Resource | undefined;
  /** All resources of a kind, in key order. */
  list(kind: string): Iterable<Resource>;
  /**
   * All or nothing. Puts that change nothing are left out; when nothing is left, a revision with the current number
   * and no changes is returned. Rejects with a RipstopError (RS3002) when the disk refuses.
   */
  commit(transaction: Transaction): Promise<Result<Revision, Conflict>>;
  /** The last revision's number; 0 when empty. */
  readonly revision: number;
  /** Committed revisions after `after`, in order, then every further one, without a gap. Returns how to stop. */
  watch(after: number, onRevision: (revision: Revision) => void): Result<() => void, Compacted>;
  /**
   * Committed revisions with numbers above `after` up to `upTo` (default: the newest), in order, for looking back.
   * Revisions below the oldest kept one give Compacted.
   */
  readLog(after: number, upTo?: number): Promise<Result<readonly Revision[], Compacted>>;
  /** The table of that name. The values' type is the caller's to keep. */
  table<T>(name: TableName): Table<T>;
  /** There, when other control planes may share this store. */
  readonly replication?: Replication;
  /** There, when other control planes may share this store. */
  readonly tableProgress?: TableProgress;
  close(): Promise<void>;
}

/** The tables that exist. */
export const tableNames = [
  "workloads",
  "conditions",
  "absent",
  "revocations",
  "identities",
  "federation",
  "bundle-numbers",
  "join-tokens",
  "nodes",
  "authority",
  "access-tokens",
  "imports",
  "damping",
] as const;

/** Name of a table. */
export type TableName = (typeof tableNames)[number];
