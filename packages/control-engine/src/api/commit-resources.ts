// The one way by which resources change: documents are validated together and committed as one revision, or nothing is.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { ApplyRequest, ApplyResponse } from "@ripstop/model";
import {
  invalidResources,
  label,
  resourceKey,
  validateSteps,
  type KindRegistry,
  type Resource,
  type ResourceLookup,
} from "@ripstop/resources";

import { accessDenied, conflict, noSuchResource } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { atOnce, inSlices } from "../in-slices.ts";
import { planCommitSteps } from "../store/plan-commit.ts";
import type { Change, Conflict, Revision, Store, Transaction } from "../store/store.ts";
import { maySee, mayChange, owner, type ApiCaller } from "./access/api-caller.ts";
import type { CallFacts } from "./router.ts";

/** Where resources live and what kinds there are. */
export interface CommitTarget {
  readonly store: Store;
  readonly kinds: KindRegistry;
  /** Lets many documents be worked on in slices; absent, all are at once. */
  readonly clock?: Clock;
  /** Says why changes may not be made although they are valid: quotas, names of others. */
  readonly ledger?: { check(changes: readonly Change[]): Generator<undefined, Failure | undefined> };
}

/** What to change. */
export interface CommitWish extends ApplyRequest {
  /** Keys to delete in the same revision. */
  readonly deletes?: readonly string[];
  /** Versions that must still hold, beside those that the documents name themselves. */
  readonly expect?: Readonly<Record<string, string>>;
  /** Whose roles have to allow it. */
  readonly caller: ApiCaller;
  /** What the audit log is told. */
  readonly facts?: CallFacts;
}

/** Validates all documents and commits them as one revision, or nothing. */
export async function commitResources(wish: CommitWish, target: CommitTarget): Promise<Result<ApplyResponse, Failure>> {
  const { store } = target;
  const { caller, facts, reason, deletes = [] } = wish;
  const read = await readDocuments(wish.documents, target);
  if (!read.ok) return read;
  const puts = read.value;
  const denied = mayNotChange(puts, deletes, caller);
  if (denied !== undefined) return err(denied);
  const transaction: Transaction = {
    author: authorOf(caller, wish.author),
    reason,
    puts,
    deletes,
    expect: { ...wish.expect, ...expectedVersions(puts) },
  };
  const planned = await planChecked(transaction, target);
  if (!planned.ok) return planned;
  if (facts !== undefined) facts.reason = wish.dryRun ? "dry run" : reason;
  const committed: Result<Revision, Conflict> = wish.dryRun ? planned : await store.commit(transaction);
  if (!committed.ok) return err(lostAgainst(committed.error));
  if (facts !== undefined) {
    facts.resources = committed.value.changes.map((change) =>
      change.type === "put" ? label(change.resource) : label(change.before),
    );
    if (!wish.dryRun && facts.resources.length > 0) facts.revision = committed.value.number;
  }
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

/** The name that the history gets. Only the owner of the home may give another than its own. */
export function authorOf(caller: ApiCaller, given: string): string {
  return caller.method === "socket" && given !== "" ? given : caller.name;
}

/** Why the caller may not make these changes, or undefined. */
function mayNotChange(puts: readonly Resource[], deletes: readonly string[], caller: ApiCaller): Failure | undefined {
  const concerned: (readonly [string, string])[] = [
    ...puts.map((put) => [label(put), put.metadata.namespace] as const),
    ...deletes.map((key) => [key.replace("/", " "), namespaceOf(key)] as const),
  ];
  const denied = concerned.filter(([, namespace]) => !mayChange(caller, namespace));
  const [first] = denied;
  if (first === undefined) return undefined;
  const [what, namespace] = first;
  const needed = namespace === "" ? "the role admin" : `the role editor in namespace ${namespace}`;
  const more = denied.length === 1 ? "" : `, and ${denied.length - 1} more are not allowed`;
  return { kind: accessDenied, message: `${what} needs ${needed}${more}; nothing was applied` };
}

/** The namespace in a key "KIND/NAMESPACE/NAME"; "" when there is none. */
export function namespaceOf(key: string): string {
  const parts = key.split("/");
  return parts.length === 3 ? (parts[1] ?? "") : "";
}

/** What committing these documents would do now. */
export async function planDocuments(
  documents: ApplyRequest["documents"],
  target: CommitTarget,
  caller: ApiCaller = owner,
): Promise<Result<Revision, Failure>> {
  const read = await readDocuments(documents, target);
  if (!read.ok) return read;
  const hidden = read.value.find(({ kind, metadata }) => !maySee(caller, kind, metadata.namespace));
  if (hidden !== undefined) {
    return err({ kind: accessDenied, message: `${caller.name} may not look at ${label(hidden)}` });
  }
  const transaction = {
    author: "",
    reason: "",
    puts: read.value,
    deletes: [],
    expect: expectedVersions(read.value),
  };
  return planChecked(transaction, {
    store: target.store,
    ...(target.clock === undefined ? {} : { clock: target.clock }),
  });
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

async function readDocuments(
  documents: ApplyRequest["documents"],
  { store, kinds, clock }: CommitTarget,
): Promise<Result<readonly Resource[], Failure>> {
  const current: ResourceLookup = {
    get: (kind, namespace, name) => store.get(`${kind}/${namespace === "" ? name : `${namespace}/${name}`}`),
    list: (kind) => store.list(kind),
  };
  const { resources, violations } = await inSlices(validateSteps(documents, { kinds, current }), clock);
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

/** What committing would do now, when the ledger lets it be done. */
export async function planChecked(
  transaction: Transaction,
  target: Pick<CommitTarget, "store" | "clock" | "ledger">,
): Promise<Result<Revision, Failure>> {
  const { store, clock } = target;
  const { revision } = store;
  const planned = await inSlices(planCheckedSteps(transaction, target), clock);
  // Somebody committed between two slices: what holds is what holds in one turn.
  return store.revision === revision ? planned : atOnce(planCheckedSteps(transaction, target));
}

function* planCheckedSteps(
  transaction: Transaction,
  { store, ledger }: Pick<CommitTarget, "store" | "ledger">,
): Generator<undefined, Result<Revision, Failure>> {
  const { revision } = store;
  const planned = yield* planCommitSteps(transaction, { revision, timeMs: 0, get: (key) => store.get(key) });
  if (!planned.ok) return err(lostAgainst(planned.error));
  const refused = ledger === undefined ? undefined : yield* ledger.check(planned.value.changes);
  return refused === undefined ? planned : err(refused);
}
