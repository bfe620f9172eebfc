// The API's routes for looking back and going back: history, differences, rollback.

import { err, ok, type Result } from "@ripstop/core";
import type { ApplyRequest, ApplyResponse, Diff, HistoryPage, RevisionView, RollbackRequest } from "@ripstop/model";
import { bodyOf, label, redacted, resourceKey, type KindRegistry, type Resource } from "@ripstop/resources";

import { badRequest, noSuchResource, noSuchRevision } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { netDifference, reversed, type Difference } from "../store/net-difference.ts";
import type { Change, Revision, Store } from "../store/store.ts";
import { maySee, type ApiCaller } from "./access/api-caller.ts";
import { commitResources, namespaceOf, planDocuments, resolveKey, type CommitTarget } from "./commit-resources.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { applyRequest, rollbackRequest } from "./request-schemas.ts";
import type { CallFacts, Route } from "./router.ts";

/** What the routes need. */
export type HistoryRoutesOptions = CommitTarget;

const MAX_APPLY_BYTES = 8 * 1024 * 1024;
const MAX_PAGE = 500;
const DEFAULT_PAGE = 20;
/** Revisions read at a time when most of them may not concern the resource that was asked for. */
const WINDOW = 100;

/** Routes for the history. */
export function historyRoutes(options: HistoryRoutesOptions): readonly Route[] {
  const { store } = options;
  return [
    {
      method: "GET",
      path: "/v1/revisions",
      async handler({ response, query, caller }) {
        const page = await historyPage(query, caller, options);
        if (!page.ok) return page.error;
        answerJson(response, 200, page.value);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/diff",
      async handler({ response, query, caller }) {
        const from = revisionNumber(query.get("from") ?? "", store);
        if (!from.ok) return from.error;
        const to = revisionNumber(query.get("to") ?? String(store.revision), store);
        if (!to.ok) return to.error;
        const between = await differenceBetween(from.value, to.value, store);
        if (!between.ok) return between.error;
        const diff: Diff = {
          from: from.value,
          to: to.value,
          changes: between.value
            .filter(({ key }) => maySeeKey(caller, key))
            .map((one) => diffEntry(one, options.kinds)),
        };
        answerJson(response, 200, diff);
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/diff",
      async handler({ request, response, caller }) {
        const body = await readJson<ApplyRequest>(request, applyRequest, MAX_APPLY_BYTES);
        if (!body.ok) return body.error;
        const planned = await planDocuments(body.value.documents, options, caller);
        if (!planned.ok) return planned.error;
        const diff: Diff = {
          from: store.revision,
          to: 0,
          changes: planned.value.changes.map((change) => diffEntry(differenceOf(change), options.kinds)),
        };
        answerJson(response, 200, diff);
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/rollback",
      async handler({ request, response, caller, facts }) {
        const body = await readJson<RollbackRequest>(request, rollbackRequest, 64 * 1024);
        if (!body.ok) return body.error;
        const done = await rollback(body.value, { caller, facts }, options);
        if (!done.ok) return done.error;
        answerJson(response, 200, done.value);
        return undefined;
      },
    },
  ];
}

/** Whether the caller may see what has this key. */
function maySeeKey(caller: ApiCaller, key: string): boolean {
  return maySee(caller, key.slice(0, key.indexOf("/")), namespaceOf(key));
}

async function historyPage(
  query: URLSearchParams,
  caller: ApiCaller,
  { store, kinds }: HistoryRoutesOptions,
): Promise<Result<HistoryPage, Failure>> {
  const limit = Number(query.get("limit") ?? DEFAULT_PAGE);
  if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_PAGE)) {
    return err({ kind: badRequest, message: `limit is 1 to ${MAX_PAGE}` });
  }
  const start = Number(query.get("before") ?? store.revision + 1);
  if (!(Number.isSafeInteger(start) && start >= 1)) {
    return err({ kind: badRequest, message: "before is the number of a revision" });
  }
  const filter = historyFilter(query, kinds);
  if (!filter.ok) return filter;
  const oldest = await oldestRevision(store);
  const revisions: RevisionView[] = [];
  let before = Math.min(start, store.revision + 1);
  while (before > oldest + 1 && revisions.length < limit) {
    const after = Math.max(oldest, before - 1 - WINDOW);
    // oxlint-disable-next-line no-await-in-loop -- page after page, until enough were found
    const read = await store.readLog(after, before - 1);
    if (!read.ok) break;
    for (const revision of read.value.toReversed()) {
      if (revisions.length === limit) break;
      before = revision.number;
      const changes = revision.changes.filter(
        (change) => filter.value(keyOf(change)) && maySeeKey(caller, keyOf(change)),
      );
      if (changes.length > 0) revisions.push(view(revision, changes, kinds));
    }
    if (read.value.length === 0) break;
  }
  return ok({ revisions, oldest, ...(before > oldest + 1 && revisions.length === limit ? { next: before } : {}) });
}

/** Says of a resource's key whether the caller asked for it. */
function historyFilter(query: URLSearchParams, kinds: KindRegistry): Result<(key: string) => boolean, Failure> {
  const [kindName, namespace, name] = [query.get("kind") ?? "", query.get("namespace") ?? "", query.get("name") ?? ""];
  if (kindName === "") return ok(namespace === "" ? () => true : (key: string) => key.split("/").at(-2) === namespace);
  if (name !== "") {
    const key = resolveKey(kindName, namespace, name, kinds);
    return key.ok ? ok((one: string) => one === key.value) : key;
  }
  const known = kinds.find(kindName);
  if (known === undefined) {
    return err({ kind: noSuchResource, message: `there is no kind ${JSON.stringify(kindName)}` });
  }
  const prefix = `${known.kind.kind}/${known.kind.namespaced && namespace !== "" ? `${namespace}/` : ""}`;
  return ok((key) => key.startsWith(prefix));
}

/** The oldest revision that the log can be read from. */
async function oldestRevision(store: Store): Promise<number> {
  const read = await store.readLog(0, 0);
  return read.ok ? 0 : read.error.oldest;
}

function revisionNumber(text: string, store: Store): Result<number, Failure> {
  const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (number <= store.revision) return ok(number);
  return err({
    kind: noSuchRevision,
    message: `there is no revision ${JSON.stringify(text)}; the newest is ${store.revision}`,
  });
}

/** What changes on the way from one revision to another, forward or back. */
async function differenceBetween(
  from: number,
  to: number,
  store: Store,
): Promise<Result<readonly Difference[], Failure>> {
  const read = await store.readLog(Math.min(from, to), Math.max(from, to));
  if (!read.ok) {
    return err({
      kind: noSuchRevision,
      message: `the history begins with revision ${read.error.oldest}; ${Math.min(from, to)} is not kept`,
    });
  }
  const differences = netDifference(read.value);
  return ok(from <= to ? differences : reversed(differences));
}

async function rollback(
  request: RollbackRequest,
  by: { readonly caller: ApiCaller; readonly facts: CallFacts },
  options: HistoryRoutesOptions,
): Promise<Result<ApplyResponse, Failure>> {
  const { store, kinds } = options;
  const to = revisionNumber(String(request.to), store);
  if (!to.ok) return to;
  const way = await differenceBetween(store.revision, to.value, store);
  if (!way.ok) return way;
  let differences = way.value;
  if (request.only !== undefined) {
    const { kind, namespace, name } = request.only;
    const key = resolveKey(kind, namespace, name, kinds);
    if (!key.ok) return key;
    differences = differences.filter((one) => one.key === key.value);
  }
  const { author, dryRun } = request;
  const reason = request.reason === "" ? `rollback to revision ${to.value}` : request.reason;
  return commitResources(
    {
      ...by,
      author,
      reason,
      dryRun,
      // Valid then need not mean valid now: the documents take the same way as those of a user.
      documents: differences.flatMap(({ key, after }) =>
        after === undefined
          ? []
          : [{ file: `${key} of revision ${to.value}`, text: JSON.stringify(asWritten(after, kinds)) }],
      ),
      deletes: differences.filter(({ after }) => after === undefined).map(({ key }) => key),
      // What somebody changes meanwhile is not overwritten.
      expect: Object.fromEntries(differences.map((one) => [one.key, one.before?.metadata.resourceVersion ?? ""])),
    },
    options,
  );
}

/** A resource as its author wrote it, without the store's own metadata. */
function asWritten(resource: Resource, kinds: KindRegistry): unknown {
  const { apiVersion, kind, metadata } = resource;
  const { name, namespace, labels, annotations } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === "" ? {} : { namespace }), labels, annotations },
    ...bodyOf(resource, kinds.get(kind)?.kind),
  };
}

/** As its author wrote it, without secrets. */
function asShown(resource: Resource, kinds: KindRegistry): unknown {
  return asWritten(redacted(resource, kinds.get(resource.kind)?.kind), kinds);
}

function keyOf(change: Change): string {
  return change.type === "put" ? resourceKey(change.resource) : change.key;
}

function differenceOf(change: Change): Difference {
  return { key: keyOf(change), before: change.before, after: change.type === "put" ? change.resource : undefined };
}

function view(
  { number, author, reason, timeMs }: Revision,
  changes: readonly Change[],
  kinds: KindRegistry,
): RevisionView {
  return {
    number,
    author,
    reason,
    timeMs,
    changes: changes.map((change) => {
      const { resource, action } = diffEntry(differenceOf(change), kinds);
      return { resource, action };
    }),
  };
}

/** A difference as the API shows it: without secrets. */
export function diffEntry({ key, before, after }: Difference, kinds: KindRegistry): Diff["changes"][number] {
  const one = after ?? before;
  return {
    resource: one === undefined ? key : label(one),
    action: before === undefined ? "created" : after === undefined ? "deleted" : "configured",
    ...(before === undefined ? {} : { before: asShown(before, kinds) }),
    ...(after === undefined ? {} : { after: asShown(after, kinds) }),
  };
}
