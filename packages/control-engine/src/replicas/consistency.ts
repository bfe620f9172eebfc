// What a reader may believe of an answer when several control planes share a store: the answer says whether it holds all
// that was acknowledged before the question, and a reader that wants no other gets a refusal instead.

import { readNotCurrent } from "../errors.ts";
import type { Route } from "../api/router.ts";
import type { Replication } from "../store/store.ts";

/** The header: "linearizable", or "stale" with the time for which the shared store has not answered. */
export const CONSISTENCY_HEADER = "ripstop-consistency";

const SHARED_READS = /^\/v1\/(resources|revisions|diff)(\/|$)/;

/** The routes, those that read what is shared with a read barrier before them. Query: consistency=linearizable|stale. */
export function consistentReads(routes: readonly Route[], replication: Replication | undefined): readonly Route[] {
  if (replication === undefined) return routes;
  return routes.map((route) =>
    route.method === "GET" && SHARED_READS.test(route.path) ? behindBarrier(route, replication) : route,
  );
}

function behindBarrier(route: Route, replication: Replication): Route {
  return {
    ...route,
    async handler(call) {
      const wanted = call.query.get("consistency");
      const isCurrent = wanted !== "stale" && (await replication.readBarrier());
      if (!isCurrent && wanted === "linearizable")
        return { kind: readNotCurrent, message: `etcd has not answered for ${replication.cutOffMs} ms` };
      const mark = isCurrent ? "linearizable" : `stale; cut-off-ms=${Math.round(replication.cutOffMs)}`;
      call.response.setHeader(CONSISTENCY_HEADER, mark);
      return route.handler(call);
    },
  };
}
