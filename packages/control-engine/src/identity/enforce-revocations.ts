// What follows from a revocation in the control plane: nothing is issued, the proxies hear of it, and the revoked
// proxy's own streams end once it has heard.

import { err, ok, type Clock } from "@ripstop/core";
import type { PeerVerifier } from "@ripstop/discovery/server";
import { identityRevoked, type AuthorityOptions } from "@ripstop/identity/authority";
import { revocationText } from "@ripstop/net";

import type { EventLog } from "../events/event-log.ts";
import type { IssuedIdentities } from "./issued-identities.ts";
import { waitForProxies, type ProxyStreams } from "./proxy-acknowledgements.ts";
import type { Revocations } from "./revocations.ts";

/** A revoked proxy hears so within this time, or its streams end all the same. */
const TELL_MS = 2_000;

/** The authority's rules: nothing for the revoked; who got what is kept, who was refused becomes an event. */
export function issuanceRules(parts: {
  readonly revocations: Revocations;
  readonly issued: IssuedIdentities;
  readonly events: EventLog;
}): Required<Pick<AuthorityOptions, "mayIssue" | "onIssued" | "onRefused">> {
  const { revocations, issued, events } = parts;
  return {
    mayIssue(spiffeId) {
      const revocation = revocations.find(spiffeId, "");
      return revocation === undefined
        ? ok(undefined)
        : err({ code: identityRevoked.code, message: revocationText(spiffeId, revocation) });
    },
    onIssued: ({ spiffeId, ...certificate }) => issued.record(spiffeId, certificate),
    onRefused: (spiffeId, { code, message }) =>
      events.addLimited({
        severity: "warning",
        type: "CsrRefused",
        subject: spiffeId.slice(0, 512),
        message: `${code}: ${message.slice(0, 512)}`,
      }),
  };
}

/** `verify`, and no revoked peer. */
export function refuseRevoked(verify: PeerVerifier, revocations: Revocations): PeerVerifier {
  return (leaf) => {
    const verdict = verify(leaf);
    if (!verdict.ok) return verdict;
    const revocation = revocations.find(verdict.id, leaf.serialNumber);
    return revocation === undefined
      ? verdict
      : { ok: false, reason: "revoked", message: revocationText(verdict.id, revocation) };
  };
}

/** Brings every change to the proxies, and ends the streams of those that are revoked; returns how to stop. */
export function distributeRevocations(parts: {
  readonly revocations: Revocations;
  readonly issued: IssuedIdentities;
  readonly compiler: { bundleChanged(): void };
  readonly discovery: ProxyStreams & { disconnect(proxyId: string, reason: string): void };
  readonly clock: Clock;
}): () => void {
  const { revocations, issued, compiler, discovery, clock } = parts;
  return revocations.onChange(() => {
    compiler.bundleChanged();
    // The revoked hear of it too: their side of every connection ends as soon as the peers'.
    void waitForProxies(discovery, clock, TELL_MS).then(() => {
      const serials = new Set(revocations.list().map(({ serialNumber }) => serialNumber));
      for (const { proxyId, identity } of discovery.proxies()) {
        // Which certificate a stream was opened with is not kept: those with a good one are back at once.
        const suspect =
          revocations.find(identity, "") !== undefined ||
          (serials.size > 0 &&
            issued
              .get(identity)
              ?.certificates.some(({ serialNumber }) => revocations.find("", serialNumber) !== undefined) === true);
        if (suspect) discovery.disconnect(proxyId, `${identityRevoked.code} ${identity} was revoked`);
      }
    });
  });
}

/** The workload's own certificate is revoked and its identity is not: a new certificate brings it back. */
export function hasRevokedCertificate(
  { spiffeId, svidSerialNumber }: { readonly spiffeId: string; readonly svidSerialNumber?: string },
  revocations: Revocations,
): boolean {
  return (
    svidSerialNumber !== undefined &&
    revocations.find(spiffeId, "") === undefined &&
    revocations.find(spiffeId, svidSerialNumber) !== undefined
  );
}
