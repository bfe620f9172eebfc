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
  /** Keys ("KIND/NAMESPACE/NAME"). */
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

/** Transactional, ordered, durable: what `commit` acknowledged survives kill -9 and power loss. */
export interface Store {
  get(key: string): Resource | undefined;
  /** All resources of a kind, in key order. */
  list(kind: string): Iterable<Resource>;
  /** All or nothing. Puts that change nothing are left out; when nothing is left, the current revision number is returned with no changes. */
  commit(transaction: Transaction): Promise<Result<Revision, Conflict>>;
  /** The last revision's number; 0 when empty. */
  readonly revision: number;
  /** Committed revisions after `after`, in order, then every further one, without a gap. Returns how to stop. */
  watch(after: number, onRevision: (revision: Revision) => void): () => void;
  close(): Promise<void>;
}
