// What a run of revisions changed in sum: for each resource the state before the first and after the last of them.

import { isDeepStrictEqual } from "node:util";

import { resourceKey, type Resource } from "@ripstop/resources";

import type { Revision } from "./store.ts";

/** One resource that differs between two states; undefined where it does not exist. */
export interface Difference {
  readonly key: string;
  readonly before: Resource | undefined;
  readonly after: Resource | undefined;
}

/** The differences that `revisions` (in order, without a gap) make together, in key order. */
export function netDifference(revisions: Iterable<Revision>): readonly Difference[] {
  const byKey = new Map<string, Difference>();
  for (const { changes } of revisions) {
    for (const change of changes) {
      const key = change.type === "put" ? resourceKey(change.resource) : change.key;
      const first = byKey.get(key);
      const before = first === undefined ? change.before : first.before;
      byKey.set(key, { key, before, after: change.type === "put" ? change.resource : undefined });
    }
  }
  return [...byKey.values()]
    .filter(({ before, after }) => !sameContent(before, after))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** The same seen from the other end. */
export function reversed(differences: readonly Difference[]): readonly Difference[] {
  return differences.map(({ key, before, after }) => ({ key, before: after, after: before }));
}

/** Whether both are what the same author's text makes; the store's own metadata is not compared. */
function sameContent(a: Resource | undefined, b: Resource | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return (
    a.apiVersion === b.apiVersion &&
    isDeepStrictEqual(a.spec, b.spec) &&
    isDeepStrictEqual(a.metadata.labels, b.metadata.labels) &&
    isDeepStrictEqual(a.metadata.annotations, b.metadata.annotations)
  );
}
