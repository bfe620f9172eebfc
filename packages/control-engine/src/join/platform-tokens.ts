// Signed JWTs of a platform as proofs: TokenIssuer resources say whose, WorkloadIdentity resources for which identity.

import { err, ok, parseDurationMs, type Result } from "@ripstop/core";
import type { PlatformClaims, PlatformJwtVerifier } from "@ripstop/identity/attestation";
import type { Resource, TokenIssuerSpec, WorkloadIdentitySpec } from "@ripstop/resources";

import { joinOtherIdentity, platformTokenRefused } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Store } from "../store/store.ts";
import { describeWanted, type Attested, type Attestor, type Wanted } from "./attestor.ts";
import { claimAt } from "./claim-at.ts";

/** Verifies the tokens of trusted issuers. */
export class PlatformTokens implements Attestor {
  readonly type = "jwt";
  readonly #store: Store;
  readonly #verifier: PlatformJwtVerifier;

  constructor(store: Store, verifier: PlatformJwtVerifier) {
    this.#store = store;
    this.#verifier = verifier;
  }

  async attest(evidence: string, wanted: Wanted): Promise<Result<Attested, Failure>> {
    const issuers = [...this.#store.list("TokenIssuer")] as Resource<TokenIssuerSpec>[];
    const verified = await this.#verifier.verify(
      evidence.trim(),
      issuers.map(({ spec }) => issuerOf(spec)),
    );
    if (!verified.ok) return err({ kind: platformTokenRefused, message: verified.error });
    const claims = verified.value;
    const issuer = issuers.find(({ spec }) => spec.issuer === claims.issuer);
    if (issuer === undefined) return err({ kind: platformTokenRefused, message: "its issuer is gone" });
    const entry = wanted.kind === "node" ? undefined : this.#entryFor(wanted, issuer.metadata.name, claims);
    if (entry === undefined && !isItself(wanted, issuer.spec, claims)) {
      return err({
        kind: joinOtherIdentity,
        message: `${claims.subject} of ${claims.issuer} is not ${describeWanted(wanted)}`,
      });
    }
    const ttlMs = entry?.spec.ttl === undefined ? undefined : parseDurationMs(entry.spec.ttl);
    return ok({
      method: `jwt ${claims.issuer} ${claims.subject}`.slice(0, 300),
      ...(ttlMs?.ok === true ? { ttlMs: ttlMs.value } : {}),
      release: () => Promise.resolve(),
    });
  }

  #entryFor(
    { namespace, serviceAccount }: Wanted & { readonly kind: "workload" },
    issuerName: string,
    token: PlatformClaims,
  ): Resource<WorkloadIdentitySpec> | undefined {
    for (const resource of this.#store.list("WorkloadIdentity")) {
      const entry = resource as Resource<WorkloadIdentitySpec>;
      const { jwt } = entry.spec;
      if (entry.metadata.namespace !== namespace || serviceAccountOf(entry) !== serviceAccount) continue;
      if (jwt === undefined || jwt.issuer !== issuerName) continue;
      if (jwt.subject !== undefined && jwt.subject !== token.subject) continue;
      if (jwt.subject === undefined && jwt.claims === undefined) continue;
      if (Object.entries(jwt.claims ?? {}).every(([name, value]) => claimAt(token.claims, name) === value))
        return entry;
    }
    return undefined;
  }
}

/** The service account of an entry. */
export function serviceAccountOf({ metadata, spec }: Resource<WorkloadIdentitySpec>): string {
  return spec.serviceAccount ?? metadata.name;
}

/** What the issuer's tokens prove without an entry: a node, or a service account of Kubernetes. */
function isItself(wanted: Wanted, spec: TokenIssuerSpec, { subject, claims }: PlatformClaims): boolean {
  if (wanted.kind === "node") {
    return (
      spec.nodes !== undefined && subject === spec.nodes.subject && claimAt(claims, spec.nodes.claim) === wanted.name
    );
  }
  return spec.kubernetes && subject === `system:serviceaccount:${wanted.namespace}:${wanted.serviceAccount}`;
}

function issuerOf(spec: TokenIssuerSpec): Parameters<PlatformJwtVerifier["verify"]>[1][number] {
  const { issuer, audience, jwksUri, jwks, caPem } = spec;
  return {
    issuer,
    audience,
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(jwks === undefined ? {} : { jwks: { keys: [...jwks.keys] } }),
    ...(caPem === undefined ? {} : { caPem }),
  };
}
