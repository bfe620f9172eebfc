// What a list or a watch of resources asks for: kind, namespace, labels, and what its caller may see.

import { err, ok, type Result } from "@ripstop/core";
import { resourceKey, type KindRegistry, type Resource } from "@ripstop/resources";

import { accessDenied, badRequest } from "../../errors.ts";
import type { Failure } from "../../failure.ts";
import type { Store } from "../../store/store.ts";
import { maySee, type ApiCaller } from "../access/api-caller.ts";
import { unknownKind } from "../commit-resources.ts";
import { parseLabelSelector } from "./label-selector.ts";

/** A question about resources. */
export interface ResourceQuery {
  /** Kinds, in the order of the answer. */
  readonly kinds: readonly string[];
  /** Whether a resource is asked for and its caller may see it now. */
  fits(resource: Resource): boolean;
}

/** A page of an answer. */
export interface ResourcePage {
  readonly resources: readonly Resource[];
  /** Where the next page begins; undefined when this is the last. */
  readonly next: string | undefined;
}

const MAX_PAGE = 5_000;

/** Reads the query of a request. A caller who may see nothing of what it names is told so. */
export function readResourceQuery(
  query: URLSearchParams,
  caller: ApiCaller,
  kinds: KindRegistry,
): Result<ResourceQuery, Failure> {
  const kindName = query.get("kind") ?? "";
  const namespace = query.get("namespace") ?? "";
  const known = kindName === "" ? undefined : kinds.find(kindName);
  if (kindName !== "" && known === undefined) return err(unknownKind(kindName, kinds));
  const selector = parseLabelSelector(query.get("labelSelector") ?? "");
  if (!selector.ok) return err({ kind: badRequest, message: selector.error });
  if (caller.grants().length === 0) return err({ kind: accessDenied, message: `${caller.name} has no role` });
  if (namespace !== "" && !maySee(caller, known?.kind.kind ?? "", namespace)) {
    return err({ kind: accessDenied, message: `${caller.name} may not look into namespace ${namespace}` });
  }
  return ok({
    kinds: known === undefined ? kinds.list().map(({ kind }) => kind) : [known.kind.kind],
    fits: ({ kind, metadata }) =>
      (known === undefined || kind === known.kind.kind) &&
      (namespace === "" || known?.kind.namespaced === false || metadata.namespace === namespace) &&
      selector.value(metadata.labels) &&
      maySee(caller, kind, metadata.namespace),
  });
}

/** Reads `limit`; undefined stands for all. */
export function readLimit(query: URLSearchParams): Result<number | undefined, Failure> {
  const text = query.get("limit");
  if (text === null) return ok(undefined);
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_PAGE) return ok(limit);
  return err({ kind: badRequest, message: `limit is 1 to ${MAX_PAGE}` });
}

/**
 * The resources after the one where the page before ended. The order is that of the keys in each kind, so a page never
 * repeats or leaves out what was there all the time, whatever changes between two pages.
 */
export function listPage(
  store: Store,
  query: ResourceQuery,
  { limit, after }: { readonly limit: number | undefined; readonly after: string | null },
): Result<ResourcePage, Failure> {
  const start = after === null ? undefined : readContinue(after);
  if (start !== undefined && !start.ok) return start;
  const last = start?.value ?? "";
  const lastKind = last.slice(0, Math.max(0, last.indexOf("/")));
  const firstKind = last === "" ? 0 : query.kinds.indexOf(lastKind);
  if (firstKind < 0) return err({ kind: badRequest, message: "continue is of another list" });
  const resources: Resource[] = [];
  for (const [at, kind] of query.kinds.entries()) {
    if (at < firstKind) continue;
    for (const resource of store.list(kind)) {
      if (at === firstKind && last !== "" && resourceKey(resource) <= last) continue;
      if (!query.fits(resource)) continue;
      const end = resources.at(-1);
      if (resources.length === limit && end !== undefined) {
        return ok({ resources, next: Buffer.from(resourceKey(end)).toString("base64url") });
      }
      resources.push(resource);
    }
  }
  return ok({ resources, next: undefined });
}

function readContinue(text: string): Result<string, Failure> {
  const key = text.length > 1_024 ? "" : Buffer.from(text, "base64url").toString("utf8");
  return key.includes("/") ? ok(key) : err({ kind: badRequest, message: "continue is not what a list answered" });
}
