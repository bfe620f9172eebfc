// Operations on access, the audit log and the API itself.

import { accessTokenRequest } from "../request-schemas.ts";
import { flag, number, type Operations } from "./operation.ts";

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
    summary: "Writes, or refusals, newest first",
    access: "admin",
    query: { refused: flag("Refusals instead of writes"), limit: number("Most entries, 1 to 5000", 1) },
    answer: "#AuditPage",
  },
  "GET /v1/openapi.json": {
    id: "getOpenApi",
    tag: "operation",
    summary: "This document",
    access: "caller",
    answer: { type: "object" },
  },
};
