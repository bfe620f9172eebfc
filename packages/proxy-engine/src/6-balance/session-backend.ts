// The backend that a session belongs to: it counts more than the weights of the backends (GEP-1619, traffic splitting).

import type { HeaderList } from "@ripstop/http";
import type { CompiledRule } from "@ripstop/routing";
import type { Frontend } from "../4-route/frontend.ts";
import { readSession } from "./sessions.ts";

/** Position in `rule.backends` of the backend that has the endpoint of the request's session, or -1. */
export function backendOfSession(
  rule: CompiledRule,
  headers: HeaderList,
  { frontend, nowMs }: { readonly frontend: Frontend; readonly nowMs: number },
): number {
  const persistence = rule.sessionPersistence;
  if (persistence === undefined) return -1;
  const session = readSession(persistence, headers, Math.floor(nowMs / 1000));
  if (session === undefined) return -1;
  return rule.backends.findIndex(
    ({ service }) =>
      service !== "" && frontend.backend(service)?.endpointOfSession(persistence.scope, session.token) !== undefined,
  );
}
