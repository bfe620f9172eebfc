// The API's routes for identities: who is who, revoking and taking it back, SVIDs for tools outside the mesh.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { workloadOf } from "@ripstop/identity";
import type { Authority } from "@ripstop/identity/authority";
import type {
  IssueRequest,
  IssueResponse,
  ProxyList,
  ProxyView,
  RevocationView,
  RevokeRequest,
  RevokeResponse,
} from "@ripstop/model";

import type { Compiler } from "../compile/compiler.ts";
import { badRequest, csrRefused, identityReserved, noSuchIdentity } from "../errors.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Failure } from "../failure.ts";
import { identityDetails, identityList } from "../identity/identity-views.ts";
import type { IssuedIdentities } from "../identity/issued-identities.ts";
import { waitForProxies } from "../identity/proxy-acknowledgements.ts";
import type { Revocations, RevocationTarget, StoredRevocation } from "../identity/revocations.ts";
import type { Registry } from "../registry/registry.ts";
import { answerJson } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { issueRequest, revokeRequest } from "./request-schemas.ts";
import type { Route } from "./router.ts";

/** What the routes need. */
export interface IdentityRoutesOptions {
  readonly authority: Authority;
  readonly registry: Registry;
  readonly revocations: Revocations;
  readonly issued: IssuedIdentities;
  readonly compiler: Compiler;
  readonly discovery: { proxies(): readonly ProxyView[] };
  /** The streams of all control planes. */
  readonly streams: { proxies(): Promise<ProxyList> };
  readonly events: EventLog;
  readonly clock: Clock;
}

const MAX_BODY_BYTES = 64 * 1024;
const DEFAULT_WAIT_MS = 5_000;
const RESERVED_NAMESPACE = "ripstop-system";

/** Routes for identities. */
export function identityRoutes(options: IdentityRoutesOptions): readonly Route[] {
  const { authority, revocations, issued, discovery, events, clock } = options;

  /** Waits for the proxies after a change that was just made. */
  const inForce = async (changed: StoredRevocation, waitMs: number): Promise<RevokeResponse> => {
    const { total, pending, elapsedMs } = await waitForProxies(discovery, clock, waitMs);
    return { revocation: viewOf(changed), total, live: total - pending.length, pending, elapsedMs };
  };

  return [
    {
      method: "GET",
      path: "/v1/proxies",
      async handler({ response, query }) {
        const isHere = query.get("here") === "true";
        const list: ProxyList = isHere ? { proxies: discovery.proxies() } : await options.streams.proxies();
        answerJson(response, 200, list);
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/identity/identities",
      async handler({ response }) {
        answerJson(response, 200, identityList(options));
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/identity/identity",
      async handler({ response, query }) {
        const id = query.get("id") ?? "";
        const known = issued.get(id);
        if (known === undefined) return { kind: noSuchIdentity, message: JSON.stringify(id.slice(0, 2048)) };
        answerJson(response, 200, identityDetails(known, options));
        return undefined;
      },
    },
    {
      method: "GET",
      path: "/v1/identity/revocations",
      async handler({ response }) {
        answerJson(response, 200, { revocations: revocations.views() });
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/identity/revocations",
      async handler({ request, response }) {
        const body = await readJson<RevokeRequest>(request, revokeRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const target = targetOf(body.value.spiffeId, body.value.serialNumber);
        if (!target.ok) return target.error;
        const revoked = await revocations.add(target.value, body.value.reason);
        if (!revoked.ok) return revoked.error;
        const answer = inForce(revoked.value, body.value.waitMs);
        const { reason, serialNumber } = revoked.value;
        const effect =
          serialNumber === "" ? "is refused everywhere and gets no certificate any more" : "is refused everywhere";
        events.add({
          severity: "warning",
          type: "IdentityRevoked",
          subject: subjectOf(revoked.value),
          message: `it ${effect}${reason === "" ? "" : `: ${reason}`}`,
        });
        answerJson(response, 200, await answer);
        return undefined;
      },
    },
    {
      method: "DELETE",
      path: "/v1/identity/revocations",
      async handler({ response, query }) {
        const target = targetOf(query.get("spiffeId") ?? undefined, query.get("serialNumber") ?? undefined);
        if (!target.ok) return target.error;
        const removed = await revocations.remove(target.value);
        if (!removed.ok) return removed.error;
        const answer = inForce(removed.value, DEFAULT_WAIT_MS);
        events.add({
          severity: "info",
          type: "RevocationTakenBack",
          subject: subjectOf(removed.value),
          message: "it is trusted again",
        });
        answerJson(response, 200, await answer);
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/identity/issue",
      async handler({ request, response }) {
        const body = await readJson<IssueRequest>(request, issueRequest, MAX_BODY_BYTES);
        if (!body.ok) return body.error;
        const { spiffeId, csrPem, ttlMs } = body.value;
        if (workloadOf(spiffeId)?.namespace === RESERVED_NAMESPACE)
          return { kind: identityReserved, message: spiffeId };
        const svid = await authority.issue(csrPem, spiffeId, ttlMs);
        if (!svid.ok) return { kind: csrRefused, message: `${svid.error.code}: ${svid.error.message}` };
        const { chainPem, notAfterMs, serialNumber } = svid.value;
        events.add({
          severity: "info",
          type: "IdentityIssuedByHand",
          subject: spiffeId,
          message: `certificate ${serialNumber} was issued for a key outside the mesh`,
        });
        const bundlePem = authority.bundle().pem;
        answerJson(response, 200, {
          spiffeId,
          serialNumber,
          svidChainPem: chainPem,
          bundlePem,
          notAfterMs,
        } satisfies IssueResponse);
        return undefined;
      },
    },
  ];
}

function targetOf(spiffeId: string | undefined, serialNumber: string | undefined): Result<RevocationTarget, Failure> {
  if ((spiffeId === undefined) === (serialNumber === undefined)) {
    return err({ kind: badRequest, message: "give exactly one of spiffeId and serialNumber" });
  }
  return ok(spiffeId === undefined ? { serialNumber: serialNumber ?? "" } : { spiffeId });
}

function subjectOf({ spiffeId, serialNumber }: RevocationView): string {
  return spiffeId === "" ? `serial ${serialNumber}` : spiffeId;
}

function viewOf({ spiffeId, serialNumber, reason, revokedMs }: StoredRevocation): RevocationView {
  return { spiffeId, serialNumber, reason, revokedMs };
}
