// The API's routes for resources: apply, list, watch, get, delete, kinds, and how far a revision has come.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { ApplyRequest, LiveStatus } from "@ripstop/model";
import { resourceKey, shownDocument, type Resource } from "@ripstop/resources";

import { accessDenied, badRequest, noSuchResource } from "../errors.ts";
import type { Failure } from "../failure.ts";
import { maySee, type ApiCaller } from "./access/api-caller.ts";
import { commitResources, namespaceOf, resolveKey, type CommitTarget } from "./commit-resources.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { applyRequest } from "./request-schemas.ts";
import { listPage, readLimit, readResourceQuery } from "./resources/resource-query.ts";
import { ResourceWatches } from "./resources/resource-watches.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface ResourceRoutesOptions extends CommitTarget {
  readonly clock: Clock;
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
  const watches = new ResourceWatches({ ...options, show: (resource) => shown(resource, options) });
  return [
    {
      method: "POST",
      path: "/v1/apply",
      async handler({ request, response, caller, facts }) {
        const body = await readJson<ApplyRequest>(request, applyRequest, MAX_APPLY_BYTES);
        if (!body.ok) return body.error;
        const applied = await commitResources({ ...body.value, caller, facts }, options);
        if (!applied.ok) return applied.error;
        answerJson(response, 200, applied.value);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/resources",
      async handler({ response, query, caller }) {
        const asked = readResourceQuery(query, caller, kinds);
        if (!asked.ok) return asked.error;
        if (query.get("watch") === "true") {
          const since = query.get("since");
          if (since !== null && !(/^[0-9]{1,15}$/.test(since) && Number(since) <= store.revision)) {
            return { kind: badRequest, message: `since is a revision up to ${store.revision}` };
          }
          const wish = { query: asked.value, caller, since: since === null ? undefined : Number(since) };
          const started = watches.start(wish, response);
          return started.ok ? undefined : started.error;
        }
        const limit = readLimit(query);
        if (!limit.ok) return limit.error;
        const { revision } = store;
        const page = listPage(store, asked.value, { limit: limit.value, after: query.get("continue") });
        if (!page.ok) return page.error;
        const { resources, next } = page.value;
        answerJson(response, 200, {
          resources: resources.map((resource) => shown(resource, options)),
          revision,
          ...(next === undefined ? {} : { continue: next }),
        });
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/kinds",
      async handler({ response }) {
        const list = kinds.list().map(({ apiVersion, kind, plural, shortNames, namespaced, schema }) => {
          return { apiVersion, kind, plural, shortNames, namespaced, schema };
        });
        answerJson(response, 200, { kinds: list });
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/resources/:kind/:namespace/:name",
      async handler({ response, params, caller }) {
        const found = find(params, caller, options);
        if (!found.ok) return found.error;
        answerJson(response, 200, shown(found.value, options));
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: "/v1/resources/:kind/:namespace/:name",
      async handler({ response, params, query, caller, facts }) {
        const found = find(params, caller, options);
        if (!found.ok) return found.error;
        const deleted = await commitResources(
          {
            documents: [],
            deletes: [resourceKey(found.value)],
            author: query.get("author") ?? "",
            reason: query.get("reason") ?? "",
            dryRun: query.get("dryRun") === "true",
            caller,
            facts,
          },
          options,
        );
        if (!deleted.ok) return deleted.error;
        answerJson(response, 200, deleted.value);
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
function shown(resource: Resource, options: ResourceRoutesOptions): unknown {
  return shownDocument(options.withStatus(resource), options.kinds.get(resource.kind)?.kind);
}

function find(
  params: Readonly<Record<string, string>>,
  caller: ApiCaller,
  { store, kinds }: ResourceRoutesOptions,
): Result<Resource, Failure> {
  const { kind = "", namespace = "", name = "" } = params;
  const key = resolveKey(kind, namespace, name, kinds);
  if (!key.ok) return key;
  // Before it is looked up: who may not see it does not learn whether it is there.
  if (!maySee(caller, key.value.slice(0, key.value.indexOf("/")), namespaceOf(key.value))) {
    return err({ kind: accessDenied, message: `${caller.name} may not look at ${key.value.replace("/", " ")}` });
  }
  const resource = store.get(key.value);
  if (resource !== undefined) return ok(resource);
  return err({ kind: noSuchResource, message: `there is no ${key.value.replace("/", " ")}` });
}
