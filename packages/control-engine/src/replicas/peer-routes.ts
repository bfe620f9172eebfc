// What a control plane tells the others of what it alone has, on its join listener. Only a control plane may ask.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { ReplicaLive } from "@ripstop/model";

import { answerJson } from "../api/http-answer.ts";
import { answerTap, readTapFilter, tapQuery } from "../api/tap-answer.ts";
import type { Call, Route } from "../api/router.ts";
import { accessDenied, badRequest } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Callers } from "../join/caller.ts";
import type { OwnAudit } from "./mesh-audit.ts";
import type { TapFilter, TapHub } from "../telemetry/tap-hub.ts";
import type { OwnObservation } from "./mesh-observation.ts";
import type { OwnStreams } from "./mesh-streams.ts";
import { PEER_BEAT_MS } from "./peer-stream.ts";

/** What the routes need. */
export interface PeerRoutesOptions {
  readonly callers: Callers;
  /** SPIFFE id of every control plane of the mesh. */
  readonly controlIdentity: string;
  readonly streams: OwnStreams;
  readonly audit: OwnAudit;
  readonly observation: OwnObservation;
  readonly taps: TapHub;
  readonly clock: Clock;
}

/** Longest wait that another may ask for. */
const MAX_WAIT_MS = 300_000;
const MAX_AUDIT = 5_000;

/** Paths of the questions. */
export const peerPaths = {
  proxies: "/v1/replica/proxies",
  audit: (refused: boolean, limit: number): string => `/v1/replica/audit?refused=${refused}&limit=${limit}`,
  traffic: "/v1/replica/traffic",
  events: (after: number): string => `/v1/replica/events?after=${after}`,
  egress: "/v1/replica/egress",
  tap: (filter: TapFilter): string => `/v1/replica/tap?${tapQuery(filter)}`,
  live: (revision: number, waitMs: number): string => `/v1/replica/revisions/${revision}/live?waitMs=${waitMs}`,
} as const;

/** Routes for the join listener. */
export function peerRoutes(options: PeerRoutesOptions): readonly Route[] {
  const { callers, controlIdentity, streams, audit, observation } = options;
  const onlyPeers = (handler: (call: Call) => Promise<Failure | undefined>): Route["handler"] => {
    return async (call) => {
      const caller = callers.identify(call.request);
      if (!caller.ok) return caller.error;
      if (caller.value.spiffeId === controlIdentity) return handler(call);
      return { kind: accessDenied, message: `${caller.value.spiffeId} is no control plane` };
    };
  };
  return [
    {
      method: "GET",
      path: peerPaths.proxies,
      handler: onlyPeers(async ({ response }) => {
        answerJson(response, 200, { proxies: streams.proxies() });
        return undefined;
      }),
    },
    {
      method: "GET",
      path: "/v1/replica/audit",
      handler: onlyPeers(async ({ response, query }) => {
        const limit = Number(query.get("limit"));
        if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_AUDIT))
          return { kind: badRequest, message: `limit is 1 to ${MAX_AUDIT}` };
        answerJson(response, 200, { entries: await audit.list(query.get("refused") === "true", limit) });
        return undefined;
      }),
    },
    {
      method: "GET",
      path: peerPaths.traffic,
      handler: onlyPeers(async ({ response }) => {
        answerJson(response, 200, observation.traffic());
        return undefined;
      }),
    },
    {
      method: "GET",
      path: "/v1/replica/events",
      handler: onlyPeers(async ({ response, query }) => {
        const after = Number(query.get("after"));
        if (!(Number.isSafeInteger(after) && after >= 0)) return { kind: badRequest, message: "after is a number" };
        answerJson(response, 200, { events: observation.events(after) });
        return undefined;
      }),
    },
    {
      method: "GET",
      path: peerPaths.egress,
      handler: onlyPeers(async ({ response }) => {
        answerJson(response, 200, { seen: observation.egress() });
        return undefined;
      }),
    },
    {
      method: "GET",
      path: "/v1/replica/tap",
      handler: onlyPeers(async ({ response, query }) => {
        const filter = readTapFilter(query);
        if (!filter.ok) return filter.error;
        const { taps, clock } = options;
        return answerTap(response, {
          source: taps,
          filter: filter.value,
          beat: { clock, everyMs: PEER_BEAT_MS },
        });
      }),
    },
    {
      method: "GET",
      path: "/v1/replica/revisions/:number/live",
      handler: onlyPeers(async ({ response, params, query }) => {
        const asked = readQuestion(params["number"], query.get("waitMs"));
        if (!asked.ok) return asked.error;
        const live: ReplicaLive = await streams.waitProgress(asked.value.revision, asked.value.waitMs);
        answerJson(response, 200, live);
        return undefined;
      }),
    },
  ];
}

function readQuestion(
  number: string | undefined,
  wait: string | null,
): Result<{ readonly revision: number; readonly waitMs: number }, Failure> {
  const revision = Number(number);
  const waitMs = Number(wait ?? "0");
  if (Number.isSafeInteger(revision) && revision >= 0 && waitMs >= 0 && waitMs <= MAX_WAIT_MS)
    return ok({ revision, waitMs });
  return err({ kind: badRequest, message: `a revision, and waitMs of 0 to ${MAX_WAIT_MS}` });
}
