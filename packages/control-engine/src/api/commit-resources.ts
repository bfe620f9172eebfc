// The one way by which resources change: documents are validated together and committed as one revision, or nothing is.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { ApplyRequest, ApplyResponse } from "@ripstop/model";
import {
  invalidResources,
  label,
  resourceKey,
  validateAll,
  validateSteps,
  type KindRegistry,
  type Resource,
  type ResourceLookup,
  type Validated,
} from "@ripstop/resources";

import { conflict, noSuchResource } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { inSlices } from "../in-slices.ts";
import { planCommit } from "../store/plan-commit.ts";
import type { Conflict, Revision, Store, Transaction } from "../store/store.ts";

/** Where resources live and what kinds there are. */
export interface CommitTarget {
  readonly store: Store;
  readonly kinds: KindRegistry;
  /** Lets many documents be validated in slices; absent, all are at once. */
  readonly clock?: Clock;
}

/** What to change. */
export interface CommitWish extends ApplyRequest {
  /** Keys to delete in the same revision. */
  readonly deletes?: readonly string[];
  /** Versions that must still hold, beside those that the documents name themselves. */
  readonly expect?: Readonly<Record<string, string>>;
}

/** Validates all documents and commits them as one revision, or nothing. */
export async function commitResources(
  wish: CommitWish,
  { store, kinds, clock }: CommitTarget,
): Promise<Result<ApplyResponse, Failure>> {
  const read = await readInSlices(wish.documents, { store, kinds, ...(clock === undefined ? {} : { clock }) });
  if (!read.ok) return read;
  const puts = read.value;
  const { author, reason, deletes = [] } = wish;
  const transaction: Transaction = {
    author,
    reason,
    puts,
    deletes,
    expect: { ...wish.expect, ...expectedVersions(puts) },
  };
  const committed: Result<Revision, Conflict> = wish.dryRun
    ? plan(transaction, store)
    : await store.commit(transaction);
  if (!committed.ok) return err(lostAgainst(committed.error));
  const { number, changes } = committed.value;
  const actions = new Map<string, "created" | "configured">();
  const gone: Resource[] = [];
  for (const change of changes) {
    if (change.type === "delete") gone.push(change.before);
    else actions.set(resourceKey(change.resource), change.before === undefined ? "created" : "configured");
  }
  return ok({
    revision: wish.dryRun ? 0 : number,
    changes: [
      ...puts.map((put) => ({ resource: label(put), action: actions.get(resourceKey(put)) ?? "unchanged" }) as const),
      ...gone.map((resource) => ({ resource: label(resource), action: "deleted" }) as const),
    ],
  });
}

/** What committing these documents would do now. */
export function planDocuments(documents: ApplyRequest["documents"], target: CommitTarget): Result<Revision, Failure> {
  const read = readDocuments(documents, target);
  if (!read.ok) return read;
  const planned = plan(
    { author: "", reason: "", puts: read.value, deletes: [], expect: expectedVersions(read.value) },
    target.store,
  );
  return planned.ok ? planned : err(lostAgainst(planned.error));
}

/** The key of a resource that was named with any of its kind's names. */
export function resolveKey(
  kindName: string,
  namespace: string,
  name: string,
  kinds: KindRegistry,
): Result<string, Failure> {
  const known = kinds.find(kindName);
  if (known === undefined) return err(unknownKind(kindName, kinds));
  const { kind, namespaced } = known.kind;
  return ok(`${kind}/${namespaced ? `${namespace}/${name}` : name}`);
}

/** Says that there is no such kind, and what may have been meant. */
export function unknownKind(name: string, kinds: KindRegistry): Failure {
  const near = kinds.closest(name);
  const known = kinds.list().map(({ kind }) => kind);
  const hint = near === undefined ? `known kinds: ${known.join(", ")}` : `did you mean ${near}?`;
  return { kind: noSuchResource, message: `there is no kind ${JSON.stringify(name)}; ${hint}` };
}

/** Says against what a write lost. */
export function lostAgainst({ key, expected, actual }: Conflict): Failure {
  const now = actual === "" ? "does not exist" : `is at resourceVersion ${actual}`;
  return { kind: conflict, message: `${key} ${now}, not at ${expected === "" ? "none" : expected}` };
}

function readDocuments(
  documents: ApplyRequest["documents"],
  { store, kinds }: CommitTarget,
): Result<readonly Resource[], Failure> {
  return readResult(validateAll(documents, { kinds, current: lookupIn(store) }));
}

async function readInSlices(
  documents: ApplyRequest["documents"],
  { store, kinds, clock }: CommitTarget,
): Promise<Result<readonly Resource[], Failure>> {
  return readResult(await inSlices(validateSteps(documents, { kinds, current: lookupIn(store) }), clock));
}

function lookupIn(store: Store): ResourceLookup {
  return {
    get: (kind, namespace, name) => store.get(`${kind}/${namespace === "" ? name : `${namespace}/${name}`}`),
    list: (kind) => store.list(kind),
  };
}

function readResult({ resources, violations }: Validated): Result<readonly Resource[], Failure> {
  if (violations.length === 0) return ok(resources.map(({ resource }) => resource));
  const count = violations.length === 1 ? "1 violation" : `${violations.length} violations`;
  return err({ kind: invalidResources, message: `${count}; nothing was applied`, violations });
}

function expectedVersions(puts: readonly Resource[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    puts
      .filter(({ metadata }) => metadata.resourceVersion !== "")
      .map((put) => [resourceKey(put), put.metadata.resourceVersion]),
  );
}

function plan(transaction: Transaction, store: Store): Result<Revision, Conflict> {
  return planCommit(transaction, { revision: store.revision, timeMs: 0, get: (key) => store.get(key) });
}
