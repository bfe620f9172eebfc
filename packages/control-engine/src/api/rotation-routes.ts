// The API's routes for the roots of the mesh: the bundle, health, rotation, recovery.

import type { OpenAuthority } from "@ripstop/identity/authority";
import type { IdentityHealth, RecoveryRequest, RotationRequest, TrustBundleView } from "@ripstop/model";

import type { EventLog } from "../events/event-log.ts";
import { failureOf, type RotationKeeper } from "../identity/rotation-keeper.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { forceRequest } from "./request-schemas.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface RotationRoutesOptions {
  readonly authority: OpenAuthority;
  readonly rotation: RotationKeeper;
  readonly events: EventLog;
  readonly health: () => IdentityHealth;
}

const MAX_BODY_BYTES = 4096;
const ROTATION = "/v1/identity/rotation";

/** Routes for the roots. */
export function rotationRoutes({ authority, rotation, events, health }: RotationRoutesOptions): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/v1/identity/bundle",
      async handler({ response }) {
        const { pem, sequence } = authority.bundle();
        answerJson(response, 200, { trustDomain: authority.trustDomain, sequence, pem } satisfies TrustBundleView);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/identity/health",
      async handler({ response }) {
        answerJson(response, 200, health());
        return undefined;
      },
    },
    {
      method: "GET",
      path: ROTATION,
      async handler({ response }) {
        answerJson(response, 200, rotation.status());
        return undefined;
      },
    },
    {
      method: "POST",
      path: ROTATION,
      async handler({ request, response }) {
        const body = await readJson<RotationRequest>(request, forceRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const done = await (body.value.force === true ? rotation.force() : rotation.start());
        if (!done.ok) return done.error;
        answerJson(response, 200, rotation.status());
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: ROTATION,
      async handler({ response }) {
        const done = await rotation.abort();
        if (!done.ok) return done.error;
        answerJson(response, 200, rotation.status());
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/identity/recovery",
      async handler({ request, response }) {
        const body = await readJson<RecoveryRequest>(request, forceRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const done = await authority.recover(body.value.force === true);
        if (!done.ok) return failureOf(done.error);
        events.add({
          severity: "warning",
          type: "RootRecovered",
          subject: authority.trustDomain,
          message: "A new root stands in place of all others; every workload gets a new SVID.",
        });
        answerJson(response, 200, health());
        return undefined;
      },
    },
  ];
}
