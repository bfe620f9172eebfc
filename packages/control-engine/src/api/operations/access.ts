// Operations on access, the audit log and the API itself.

import { accessTokenRequest, backupRequest } from "../request-schemas.ts";
import { flag, number, text, type Operations } from "./operation.ts";

/** Routes under /v1/access, /v1/audit and /v1/openapi.json. */
export const accessOperations: Operations = {
  "GET /v1/access/whoami": {
    id: "whoami",
    tag: "access",
    summary: "Who the caller is, and its roles",
    access: "caller",
    answer: "#CallerView",
  },
  "POST /v1/access/tokens": {
    id: "createAccessToken",
    tag: "access",
    summary: "Makes an API token; its text is answered once",
    access: "admin",
    body: accessTokenRequest.schema,
    answer: "#AccessToken",
  },
  "GET /v1/access/tokens": {
    id: "listAccessTokens",
    tag: "access",
    summary: "The API tokens, without their secrets",
    access: "admin",
    answer: {
      type: "object",
      properties: { tokens: { type: "array", items: { $ref: "#/components/schemas/AccessToken" } } },
    },
  },
  "DELETE /v1/access/tokens/:id": {
    id: "revokeAccessToken",
    tag: "access",
    summary: "Makes an API token useless at once",
    access: "admin",
    answer: "#AccessToken",
  },
  "GET /v1/audit": {
    id: "listAudit",
    tag: "access",
    summary: "Writes, or refusals, newest first, of all control planes that answer",
    access: "admin",
    query: {
      refused: flag("Refusals instead of writes"),
      limit: number("Most entries, 1 to 5000", 1),
      here: flag("Only the calls of the control plane that answers"),
    },
    answer: "#AuditPage",
  },
  "POST /v1/backup": {
    id: "backup",
    tag: "operation",
    summary: "A consistent copy of resources, history and tables, one JSON object a line",
    access: "admin",
    body: backupRequest.schema,
    answer: { type: "object" },
    answerType: "application/x-ndjson",
  },
  "POST /v1/restore": {
    id: "restore",
    tag: "operation",
    summary: "Makes the resources of a backup the current ones, as a new revision; proxies go on",
    access: "admin",
    query: {
      author: text("Who does it, for the history; taken only from the owner of the mesh home"),
      reason: text("Why, for the history"),
      dryRun: flag("Only says what would change"),
    },
    bodyType: "application/x-ndjson",
    answer: "#RestoreResponse",
  },
  "GET /v1/openapi.json": {
    id: "getOpenApi",
    tag: "operation",
    summary: "This document",
    access: "caller",
    answer: { type: "object" },
  },
};
