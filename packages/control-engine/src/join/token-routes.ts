// Routes of the API's socket for join tokens and nodes.

import type { CreatedJoinTokenView, JoinTokenRequest } from "@ripstop/model";

import { answerJson } from "../api/http-answer.ts";
import { readJson } from "../api/read-body.ts";
import type { Route } from "../api/router.ts";
import { joinTokenRequest } from "./join-schemas.ts";
import type { JoinTokens } from "./join-tokens.ts";
import type { Nodes } from "./nodes.ts";

/** What the routes need. */
export interface TokenRoutesOptions {
  readonly tokens: JoinTokens;
  readonly nodes: Nodes;
  /** "HOST:PORT", or "" when there is no join listener. */
  readonly joinAddress: () => string;
}

const MAX_BODY_BYTES = 4 * 1024;

/** Routes for tokens and nodes. */
export function tokenRoutes({ tokens, nodes, joinAddress }: TokenRoutesOptions): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/v1/join/tokens",
      async handler({ request, response }) {
        const body = await readJson<JoinTokenRequest>(request, joinTokenRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const created = await tokens.create(body.value);
        if (!created.ok) return created.error;
        answerJson(response, 200, { ...created.value, joinAddress: joinAddress() } satisfies CreatedJoinTokenView);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/join/tokens",
      async handler({ response }) {
        answerJson(response, 200, { tokens: tokens.list() });
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: "/v1/join/tokens/:id",
      async handler({ response, params }) {
        const revoked = await tokens.revoke(params["id"] ?? "");
        if (!revoked.ok) return revoked.error;
        answerJson(response, 200, revoked.value);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/nodes",
      async handler({ response }) {
        answerJson(response, 200, { nodes: nodes.list() });
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: "/v1/nodes/:name",
      async handler({ response, params }) {
        const removed = await nodes.remove(params["name"] ?? "");
        if (!removed.ok) return removed.error;
        answerJson(response, 200, removed.value);
        return undefined;
      },
    },
  ];
}
