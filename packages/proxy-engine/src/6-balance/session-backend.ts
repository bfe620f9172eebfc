// The backend that a session belongs to: it counts more than the weights of the backends (GEP-1619, traffic splitting).

import type { HeaderList } from "@ripstop/http";
import type { CompiledRule } from "@ripstop/routing";
import type { Cluster } from "./cluster.ts";
import { readSession } from "./sessions.ts";

/** The clusters of the backends, and the time (Unix, milliseconds). */
export interface SessionPlace {
  readonly backends: { backend(service: string): Cluster | undefined };
  readonly nowMs: number;
}

/** Position in `rule.backends` of the backend that has the endpoint of the request's session, or -1. */
export function backendOfSession(rule: CompiledRule, headers: HeaderList, { backends, nowMs }: SessionPlace): number {
  const persistence = rule.sessionPersistence;
  if (persistence === undefined) return -1;
  const session = readSession(persistence, headers, Math.floor(nowMs / 1000));
  if (session === undefined) return -1;
  return rule.backends.findIndex(
    ({ service }) =>
      service !== "" && backends.backend(service)?.endpointOfSession(persistence.scope, session.token) !== undefined,
  );
}
