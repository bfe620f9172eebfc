// The API's routes behind the SPIFFE Workload API: JWT-SVIDs of a workload, and the bundles that it may believe.

import type { JwtIssuer } from "@ripstop/identity/authority";
import type { JwtSvidRequest, JwtSvidResponse } from "@ripstop/model";

import { badRequest, jwtRefused } from "../errors.ts";
import type { BundleDirectory } from "../federation/bundle-directory.ts";
import type { Registry } from "../registry/registry.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { jwtSvidRequest } from "./request-schemas.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface WorkloadIdentityRoutesOptions {
  readonly registry: Registry;
  readonly jwt: JwtIssuer;
  readonly bundles: BundleDirectory;
}

const MAX_BODY_BYTES = 16 * 1024;
const MAX_WAIT_MS = 300_000;

/** Routes for JWT-SVIDs and bundles. */
export function workloadIdentityRoutes({ registry, jwt, bundles }: WorkloadIdentityRoutesOptions): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/v1/workloads/:namespace/:instance/jwt-svid",
      async handler({ request, response, params }) {
        const body = await readJson<JwtSvidRequest>(request, jwtSvidRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const id = `${params["namespace"] ?? ""}/${params["instance"] ?? ""}`;
        const workload = registry.get(id);
        // `renewed` knows how to say that a workload is not there.
        if (workload === undefined) {
          const unknown = await registry.renewed(id, { svidNotAfterMs: 0 });
          return unknown.ok ? undefined : unknown.error;
        }
        const issued = await jwt.issue(workload.spiffeId, body.value.audience, body.value.ttlMs);
        if (!issued.ok) {
          const { code, message } = issued.error;
          return { kind: jwtRefused, message: `${code}: ${message}` };
        }
        answerJson(response, 200, issued.value satisfies JwtSvidResponse);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/identity/bundles",
      async handler({ response, query }) {
        const waitMs = Number(query.get("waitMs") ?? "0");
        if (!(waitMs >= 0 && waitMs <= MAX_WAIT_MS))
          return { kind: badRequest, message: `waitMs is 0 to ${MAX_WAIT_MS}` };
        answerJson(response, 200, await bundles.waitForOther(query.get("after") ?? "", waitMs));
        return undefined;
      },
    },
  ];
}
