// People who call the API with an ID token of a LoginIssuer (OpenID Connect Core 1.0); AccessBindings say what they may.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { PlatformJwtVerifier } from "@ripstop/identity/attestation";
import { isRecord, type AccessBindingSpec, type LoginIssuerSpec, type Resource } from "@ripstop/resources";

import { claimAt } from "../../join/claim-at.ts";
import type { Store } from "../../store/store.ts";
import type { ApiCaller, Grant } from "./api-caller.ts";

/** Verifies ID tokens. */
export class OidcLogins {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #verifier: PlatformJwtVerifier;

  constructor(store: Store, clock: Clock, verifier: PlatformJwtVerifier = new PlatformJwtVerifier(clock)) {
    this.#store = store;
    this.#clock = clock;
    this.#verifier = verifier;
  }

  /** Who the bearer of a token is; a sentence when it is not believed. Roles follow the bindings as they change. */
  async identify(token: string, from: string): Promise<Result<ApiCaller, string>> {
    const issuers = [...this.#store.list("LoginIssuer")] as Resource<LoginIssuerSpec>[];
    const verified = await this.#verifier.verify(
      token,
      issuers.map(({ spec }) => issuerOf(spec)),
      "LoginIssuer",
    );
    if (!verified.ok) return verified;
    const { issuer, claims, subject, expiresMs } = verified.value;
    const trusted = issuers.find(({ spec }) => spec.issuer === issuer);
    if (trusted === undefined) return err("its issuer is gone");
    const { name } = trusted.metadata;
    return ok({
      name: `${claimAt(claims, trusted.spec.nameClaim) ?? subject} of ${name}`.slice(0, 256),
      method: "oidc",
      from,
      grants: () => {
        const isOver = this.#clock.nowMs() >= expiresMs;
        const isTrusted = this.#store.get(`LoginIssuer/${name}`) !== undefined;
        return isOver || !isTrusted ? [] : this.#grants(name, claims);
      },
    });
  }

  #grants(issuerName: string, claims: Readonly<Record<string, unknown>>): readonly Grant[] {
    const bindings = [...this.#store.list("AccessBinding")] as Resource<AccessBindingSpec>[];
    return bindings
      .filter(({ spec }) =>
        spec.subjects.some(({ issuer, claim, value }) => issuer === issuerName && holds(claims, claim, value)),
      )
      .map(({ spec }) => ({ role: spec.role, namespaces: spec.namespaces }));
  }
}

/** Whether the claim is the value, or a list with it. */
function holds(claims: Readonly<Record<string, unknown>>, claim: string, value: string): boolean {
  if (claimAt(claims, claim) === value) return true;
  const parts = claim.startsWith("/") ? claim.slice(1).split("/") : [claim];
  const last = (parts.pop() ?? "").replaceAll("~1", "/").replaceAll("~0", "~");
  let holder: unknown = claims;
  for (const part of parts) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    holder = isRecord(holder) && Object.hasOwn(holder, key) ? holder[key] : undefined;
  }
  if (!isRecord(holder) || !Object.hasOwn(holder, last)) return false;
  const found: unknown = holder[last];
  return Array.isArray(found) && found.includes(value);
}

function issuerOf(spec: LoginIssuerSpec): Parameters<PlatformJwtVerifier["verify"]>[1][number] {
  const { issuer, audience, jwksUri, jwks, caPem } = spec;
  return {
    issuer,
    audience,
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(jwks === undefined ? {} : { jwks: { keys: [...jwks.keys] } }),
    ...(caPem === undefined ? {} : { caPem }),
  };
}
