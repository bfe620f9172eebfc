// What a transaction would do to the resources as they are: a pure step that every store engine shares.

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";

import { err, ok, type Result } from "@ripstop/core";
import { resourceKey, type Metadata, type Resource } from "@ripstop/resources";

import { atOnce } from "../in-slices.ts";
import type { Change, Conflict, Revision, Transaction } from "./store.ts";

/** The state that a transaction meets. */
export interface CommitContext {
  readonly revision: number;
  readonly timeMs: number;
  get(key: string): Resource | undefined;
}

/** The revision that committing `transaction` makes, or the first expectation that does not hold. */
export function planCommit(transaction: Transaction, context: CommitContext): Result<Revision, Conflict> {
  return atOnce(planCommitSteps(transaction, context));
}

/** As `planCommit`, with a stop after each resource: much can be planned in slices. */
export function* planCommitSteps(
  transaction: Transaction,
  context: CommitContext,
): Generator<undefined, Result<Revision, Conflict>> {
  const lost = lostAgainst(transaction, context);
  if (lost !== undefined) return err(lost);
  const number = context.revision + 1;
  // The last word about a key wins; within one transaction a key changes once.
  const puts = new Map(transaction.puts.map((resource) => [resourceKey(resource), resource]));
  const changes: Change[] = [];
  for (const [key, resource] of puts) {
    const before = context.get(key);
    const after = stamp(resource, before, number, context.timeMs);
    yield;
    if (after !== undefined) changes.push({ type: "put", resource: after, before });
  }
  for (const key of new Set(transaction.deletes)) {
    const before = context.get(key);
    if (before !== undefined && !puts.has(key)) changes.push({ type: "delete", key, before });
  }
  const { author, reason } = transaction;
  return ok({
    number: changes.length > 0 ? number : context.revision,
    author,
    reason,
    timeMs: context.timeMs,
    changes,
  });
}

/** The first expectation that does not hold. */
function lostAgainst({ expect = {} }: Transaction, context: CommitContext): Conflict | undefined {
  for (const [key, expected] of Object.entries(expect)) {
    const actual = context.get(key)?.metadata.resourceVersion ?? "";
    if (actual !== expected) return { key, expected, actual };
  }
  return undefined;
}

/** `resource` with the store's own metadata, or undefined when nothing changes. Status is not stored: it is computed. */
function stamp(
  resource: Resource,
  before: Resource | undefined,
  revision: number,
  timeMs: number,
): Resource | undefined {
  const { apiVersion, kind, spec } = resource;
  const { name, namespace, labels, annotations } = resource.metadata;
  const metadata = (own: Pick<Metadata, "uid" | "generation" | "creationTimestamp">): Metadata => ({
    name,
    namespace,
    labels,
    annotations,
    uid: own.uid,
    generation: own.generation,
    resourceVersion: String(revision),
    creationTimestamp: own.creationTimestamp,
  });
  if (before === undefined) {
    const creationTimestamp = new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
    return { apiVersion, kind, metadata: metadata({ uid: randomUUID(), generation: 1, creationTimestamp }), spec };
  }
  const sameSpec = isDeepStrictEqual(before.spec, spec) && before.apiVersion === apiVersion;
  const sameMeta =
    isDeepStrictEqual(before.metadata.labels, labels) && isDeepStrictEqual(before.metadata.annotations, annotations);
  if (sameSpec && sameMeta) return undefined;
  const { uid, generation, creationTimestamp } = before.metadata;
  return {
    apiVersion,
    kind,
    metadata: metadata({ uid, generation: sameSpec ? generation : generation + 1, creationTimestamp }),
    spec,
  };
}
