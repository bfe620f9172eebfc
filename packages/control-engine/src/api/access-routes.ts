// The API's routes for access and for the audit log.

import type { AccessTokenRequest, AuditPage, CallerView, CreatedAccessTokenView } from "@ripstop/model";
import type { KindRegistry } from "@ripstop/resources";

import { badRequest } from "../errors.ts";
import type { AccessTokens } from "./access/access-tokens.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import { meshAudit } from "../replicas/mesh-audit.ts";
import type { MeshStreams } from "../replicas/mesh-streams.ts";
import { answerJson } from "./http-answer.ts";
import { openApiDocument } from "./openapi.ts";
import { readJson } from "./read-body.ts";
import { accessTokenRequest } from "./request-schemas.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface AccessRoutesOptions {
  readonly tokens: AccessTokens;
  readonly audit: AuditLog;
  /** For the audit logs of the other control planes. */
  readonly mesh: MeshStreams;
  /** "HOST:PORT" of the API over TLS; "" when it is off. */
  apiAddress(): string;
  readonly kinds: KindRegistry;
  /** Of the program. */
  readonly version: string;
}

const MAX_BODY_BYTES = 64 * 1024;
const MAX_AUDIT = 5_000;
const DEFAULT_AUDIT = 100;

/** Routes for access. */
export function accessRoutes(options: AccessRoutesOptions): readonly Route[] {
  const { tokens, audit, mesh, kinds, version } = options;
  return [
    {
      method: "GET",
      path: "/v1/openapi.json",
      async handler({ response }) {
        answerJson(response, 200, openApiDocument(kinds.list(), version));
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/access/whoami",
      async handler({ response, caller }) {
        const { name, method } = caller;
        const grants = caller
          .grants()
          .map(({ role, namespaces }) => ({ role, ...(namespaces === undefined ? {} : { namespaces }) }));
        answerJson(response, 200, { name, method, grants } satisfies CallerView);
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/access/tokens",
      async handler({ request, response, caller, facts }) {
        const body = await readJson<AccessTokenRequest>(request, accessTokenRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const created = await tokens.create(body.value, caller.name);
        if (!created.ok) return created.error;
        const { id, name, role } = created.value;
        facts.resources = [`token ${name} (${id}): ${role}`];
        answerJson(response, 200, {
          ...created.value,
          apiAddress: options.apiAddress(),
        } satisfies CreatedAccessTokenView);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/access/tokens",
      async handler({ response }) {
        answerJson(response, 200, { tokens: tokens.list() });
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: "/v1/access/tokens/:id",
      async handler({ response, params, facts }) {
        const revoked = await tokens.revoke(params["id"] ?? "");
        if (!revoked.ok) return revoked.error;
        facts.resources = [`token ${revoked.value.name} (${revoked.value.id})`];
        answerJson(response, 200, revoked.value);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/audit",
      async handler({ response, query }) {
        const limit = Number(query.get("limit") ?? DEFAULT_AUDIT);
        if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_AUDIT)) {
          return { kind: badRequest, message: `limit is 1 to ${MAX_AUDIT}` };
        }
        const refused = query.get("refused") === "true";
        const page: AuditPage =
          query.get("here") === "true"
            ? { entries: await audit.list(refused, limit) }
            : await meshAudit(audit, mesh, { refused, limit });
        answerJson(response, 200, page);
        return undefined;
      },
    },
  ];
}
