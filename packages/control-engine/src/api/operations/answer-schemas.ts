// Schemas of what the API answers: written here where they say more than the types (packages/model/src/api.ts) do, made
// from the types otherwise.

import type { JsonSchema } from "@ripstop/resources";

import { answerTypes } from "./answer-types.gen.ts";

/** A reference to one of `answerSchemas`, written "#NAME". */
export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name.slice(1)}` };
}

/** An answer with one list, whose items are of the schema "#NAME". */
export function listOf(field: string, item: string): JsonSchema {
  return { type: "object", required: [field], properties: { [field]: { type: "array", items: ref(item) } } };
}

const string = { type: "string" };
const integer = { type: "integer" };
const strings = { type: "array", items: string };
const textMap = { type: "object", additionalProperties: string };

function object(properties: JsonSchema, optional: readonly string[] = []): JsonSchema {
  return { type: "object", required: Object.keys(properties).filter((name) => !optional.includes(name)), properties };
}

function list(items: JsonSchema): JsonSchema {
  return { type: "array", items };
}

const changed = { type: "string", enum: ["created", "configured", "deleted"] };
const role = { type: "string", enum: ["viewer", "editor", "admin"] };

/** By name. */
export const answerSchemas: Readonly<Record<string, JsonSchema>> = {
  ...answerTypes,
  ApiError: object({
    error: object(
      {
        code: { type: "string", pattern: "^RS[0-9]{4}$" },
        title: string,
        message: string,
        remedy: string,
        violations: list(
          object(
            {
              resource: string,
              path: string,
              message: string,
              remedy: string,
              source: object({ file: string, line: integer, column: integer }),
            },
            ["source"],
          ),
        ),
      },
      ["violations"],
    ),
  }),
  Metadata: object(
    {
      name: string,
      namespace: string,
      labels: textMap,
      annotations: textMap,
      uid: { type: "string", readOnly: true },
      generation: { type: "integer", readOnly: true },
      resourceVersion: {
        type: "string",
        description: "When it is given, the change is made only on top of this version.",
      },
      creationTimestamp: { type: "string", format: "date-time", readOnly: true },
    },
    ["namespace", "labels", "annotations", "uid", "generation", "resourceVersion", "creationTimestamp"],
  ),
  Resource: object(
    {
      apiVersion: string,
      kind: string,
      metadata: ref("#Metadata"),
      spec: { type: "object" },
      status: { type: "object" },
    },
    ["status"],
  ),
  ResourceList: object(
    {
      resources: list(ref("#Resource")),
      revision: { type: "integer", description: "Watching after it misses nothing." },
      continue: { type: "string", description: "Absent on the last page." },
    },
    ["continue"],
  ),
  WatchLine: object(
    {
      type: { type: "string", enum: ["ADDED", "MODIFIED", "DELETED", "BOOKMARK"] },
      revision: integer,
      resource: ref("#Resource"),
    },
    ["resource"],
  ),
  KindList: object({
    kinds: list(
      object({
        apiVersion: string,
        kind: string,
        plural: string,
        shortNames: strings,
        namespaced: { type: "boolean" },
        schema: { type: "object" },
      }),
    ),
  }),
  ApplyResponse: object({
    revision: { type: "integer", description: "The revision that holds now; 0 for a dry run." },
    changes: list(
      object({
        resource: string,
        action: { type: "string", enum: ["created", "configured", "unchanged", "deleted"] },
      }),
    ),
  }),
  LiveStatus: object(
    {
      revision: integer,
      total: integer,
      live: integer,
      pending: strings,
      rejected: list(object({ proxyId: string, reason: string })),
      elapsedMs: { type: "number" },
      unknown: list(ref("#UnknownReplica")),
    },
    ["unknown"],
  ),
  UnknownReplica: object({ id: string, streamAddress: string, proxies: integer, reason: string }),
  ProxyList: object(
    {
      proxies: list(
        object(
          {
            proxyId: string,
            identity: string,
            synced: { type: "boolean" },
            pendingMs: { type: "number" },
            rejected: list(object({ type: string, reason: string })),
            replica: string,
          },
          ["replica"],
        ),
      ),
      unknown: list(ref("#UnknownReplica")),
    },
    ["unknown"],
  ),
  HistoryPage: object(
    {
      revisions: list(
        object({
          number: integer,
          author: string,
          reason: string,
          timeMs: integer,
          changes: list(object({ resource: string, action: changed })),
        }),
      ),
      next: integer,
      oldest: integer,
    },
    ["next"],
  ),
  Diff: object({
    from: integer,
    to: integer,
    changes: list(object({ resource: string, action: changed, before: {}, after: {} }, ["before", "after"])),
  }),
  RestoreResponse: object({
    revision: { type: "integer", description: "The revision that holds now; 0 for a dry run." },
    from: integer,
    revoked: { type: "integer", description: "Revocations of the backup that were not in force any more." },
    changes: list(object({ resource: string, action: changed, before: {}, after: {} }, ["before", "after"])),
  }),
  CallerView: object({
    name: string,
    method: string,
    grants: list(object({ role, namespaces: strings }, ["namespaces"])),
  }),
  AccessToken: object(
    {
      id: string,
      name: string,
      role,
      namespaces: strings,
      createdBy: string,
      createdMs: integer,
      expiresMs: integer,
      state: { type: "string", enum: ["ready", "expired"] },
      token: { type: "string", description: "Answered once, when it is made." },
      apiAddress: string,
    },
    ["namespaces", "token", "apiAddress"],
  ),
  AuditPage: object(
    {
      entries: list(
        object(
          {
            timeMs: integer,
            caller: string,
            by: string,
            from: string,
            action: string,
            decision: { type: "string", enum: ["done", "refused", "failed"] },
            status: integer,
            code: string,
            message: string,
            revision: integer,
            resources: strings,
            replica: string,
          },
          ["replica"],
        ),
      ),
      unknown: list(ref("#UnknownReplica")),
    },
    ["unknown"],
  ),
};
