// The API's routes for resources: apply, get, delete, and how far a revision has come.

import { err, ok, type Result } from "@ripstop/core";
import type { ApplyRequest, ApplyResponse, LiveStatus } from "@ripstop/model";
import {
  invalidResources,
  label,
  resourceKey,
  validateAll,
  type KindRegistry,
  type Resource,
  type ResourceLookup,
} from "@ripstop/resources";

import { badRequest, conflict, noSuchResource } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { planCommit } from "../store/plan-commit.ts";
import type { Conflict, Revision, Store, Transaction } from "../store/store.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { applyRequest } from "./request-schemas.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface ResourceRoutesOptions {
  readonly store: Store;
  readonly kinds: KindRegistry;
  /** Adds the status to the kinds that have one. */
  withStatus(resource: Resource): Resource;
  /** How far a revision has come, after waiting up to `waitMs` for all proxies. */
  waitLive(revision: number, waitMs: number): Promise<LiveStatus>;
}

const MAX_APPLY_BYTES = 8 * 1024 * 1024;
const MAX_WAIT_MS = 300_000;

/** Routes for resources. */
export function resourceRoutes(options: ResourceRoutesOptions): readonly Route[] {
  const { store, kinds } = options;
  return [
    {
      method: "POST",
      path: "/v1/apply",
      async handler({ request, response }) {
        const body = await readJson<ApplyRequest>(request, applyRequest, MAX_APPLY_BYTES);
        if (!body.ok) return body.error;
        const applied = await apply(body.value, options);
        if (!applied.ok) return applied.error;
        answerJson(response, 200, applied.value);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/resources",
      async handler({ response, query }) {
        const [kindName, namespace] = [query.get("kind"), query.get("namespace")];
        const known = kindName === null || kindName === "" ? undefined : kinds.find(kindName);
        if (kindName !== null && kindName !== "" && known === undefined) return unknownKind(kindName, kinds);
        const wanted = known === undefined ? kinds.list() : [known.kind];
        const resources = wanted
          .flatMap(({ kind }) => [...store.list(kind)])
          .filter(({ metadata }) => namespace === null || namespace === "" || metadata.namespace === namespace)
          .map((resource) => options.withStatus(resource));
        answerJson(response, 200, { resources });
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/resources/:kind/:namespace/:name",
      async handler({ response, params }) {
        const found = find(params, options);
        if (!found.ok) return found.error;
        answerJson(response, 200, options.withStatus(found.value));
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: "/v1/resources/:kind/:namespace/:name",
      async handler({ response, params, query }) {
        const found = find(params, options);
        if (!found.ok) return found.error;
        const [author, reason] = [query.get("author") ?? "", query.get("reason") ?? ""];
        const committed = await store.commit({ author, reason, puts: [], deletes: [resourceKey(found.value)] });
        if (!committed.ok) return lost(committed.error);
        const { number } = committed.value;
        answerJson(response, 200, {
          revision: number,
          changes: [{ resource: label(found.value), action: "deleted" }],
        } satisfies ApplyResponse);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/revisions/:number/live",
      async handler({ response, params, query }) {
        const number = Number(params["number"]);
        const waitMs = Number(query.get("waitMs") ?? "0");
        if (!Number.isSafeInteger(number) || number < 0 || number > store.revision) {
          return {
            kind: badRequest,
            message: `there is no revision ${params["number"] ?? ""}; the newest is ${store.revision}`,
          };
        }
        if (!(waitMs >= 0 && waitMs <= MAX_WAIT_MS))
          return { kind: badRequest, message: `waitMs is 0 to ${MAX_WAIT_MS}` };
        answerJson(response, 200, await options.waitLive(number, waitMs));
        return undefined;
      },
    },
  ];
}

/** Validates all files and commits them as one revision, or nothing. */
async function apply(
  request: ApplyRequest,
  { store, kinds }: ResourceRoutesOptions,
): Promise<Result<ApplyResponse, Failure>> {
  const current: ResourceLookup = {
    get: (kind, namespace, name) => store.get(`${kind}/${namespace === "" ? name : `${namespace}/${name}`}`),
    list: (kind) => store.list(kind),
  };
  const { resources, violations } = validateAll(request.documents, { kinds, current });
  if (violations.length > 0) {
    const count = violations.length === 1 ? "1 violation" : `${violations.length} violations`;
    return err({ kind: invalidResources, message: `${count}; nothing was applied`, violations });
  }
  const puts = resources.map(({ resource }) => resource);
  const expect = Object.fromEntries(
    puts
      .filter(({ metadata }) => metadata.resourceVersion !== "")
      .map((put) => [resourceKey(put), put.metadata.resourceVersion]),
  );
  const transaction: Transaction = { author: request.author, reason: request.reason, puts, deletes: [], expect };
  const committed: Result<Revision, Conflict> = request.dryRun
    ? planCommit(transaction, { revision: store.revision, timeMs: 0, get: (key) => store.get(key) })
    : await store.commit(transaction);
  if (!committed.ok) return err(lost(committed.error));
  const { number, changes } = committed.value;
  const actions = new Map<string, "created" | "configured">();
  for (const change of changes) {
    if (change.type === "put")
      actions.set(resourceKey(change.resource), change.before === undefined ? "created" : "configured");
  }
  return ok({
    revision: request.dryRun ? 0 : number,
    changes: puts.map((put) => ({ resource: label(put), action: actions.get(resourceKey(put)) ?? "unchanged" })),
  });
}

function find(
  params: Readonly<Record<string, string>>,
  { store, kinds }: ResourceRoutesOptions,
): Result<Resource, Failure> {
  const { kind: kindName = "", namespace = "", name = "" } = params;
  const known = kinds.find(kindName);
  if (known === undefined) return err(unknownKind(kindName, kinds));
  const { kind, namespaced } = known.kind;
  const path = namespaced ? `${namespace}/${name}` : name;
  const resource = store.get(`${kind}/${path}`);
  return resource === undefined ? err({ kind: noSuchResource, message: `there is no ${kind} ${path}` }) : ok(resource);
}

function unknownKind(name: string, kinds: KindRegistry): Failure {
  const near = kinds.closest(name);
  const known = kinds.list().map(({ kind }) => kind);
  const hint = near === undefined ? `known kinds: ${known.join(", ")}` : `did you mean ${near}?`;
  return { kind: noSuchResource, message: `there is no kind ${JSON.stringify(name)}; ${hint}` };
}

function lost({ key, expected, actual }: Conflict): Failure {
  const now = actual === "" ? "does not exist" : `is at resourceVersion ${actual}`;
  return { kind: conflict, message: `${key} ${now}, not at ${expected === "" ? "none" : expected}` };
}
