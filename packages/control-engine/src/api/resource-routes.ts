// The API's routes for resources: apply, get, delete, and how far a revision has come.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { ApplyRequest, ApplyResponse, LiveStatus } from "@ripstop/model";
import { label, resourceKey, shownDocument, type KindRegistry, type Resource } from "@ripstop/resources";

import { badRequest, noSuchResource } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Store } from "../store/store.ts";
import { commitResources, lostAgainst, resolveKey, unknownKind } from "./commit-resources.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { applyRequest } from "./request-schemas.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface ResourceRoutesOptions {
  readonly store: Store;
  readonly kinds: KindRegistry;
  /** Lets a large apply be validated in slices. */
  readonly clock?: Clock;
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
        const applied = await commitResources(body.value, options);
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
          .map((resource) => shown(resource, options));
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
        answerJson(response, 200, shown(found.value, options));
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
        if (!committed.ok) return lostAgainst(committed.error);
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

/** With its status, without secrets. */
function shown(resource: Resource, { kinds, withStatus }: ResourceRoutesOptions): unknown {
  return shownDocument(withStatus(resource), kinds.get(resource.kind)?.kind);
}

function find(
  params: Readonly<Record<string, string>>,
  { store, kinds }: ResourceRoutesOptions,
): Result<Resource, Failure> {
  const { kind = "", namespace = "", name = "" } = params;
  const key = resolveKey(kind, namespace, name, kinds);
  if (!key.ok) return key;
  const resource = store.get(key.value);
  if (resource !== undefined) return ok(resource);
  return err({ kind: noSuchResource, message: `there is no ${key.value.replace("/", " ")}` });
}
