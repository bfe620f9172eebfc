// Signed JWTs by which a platform says who runs (RFC 7519; OpenID Connect Core 1.0 §2 for the claims). Kubernetes'
// projected service account token is one of them.

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { CLOCK_TOLERANCE_MS } from "../peer-verification.ts";
import { IssuerKeys, type IssuerSource } from "./issuer-keys.ts";

/** An issuer that is trusted for some audience. */
export interface PlatformIssuer extends IssuerSource {
  /** One of the token's audiences must be this one. */
  readonly audience: string;
}

/** What a verified token says. */
export interface PlatformClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly expiresMs: number;
}

const MAX_CHARACTERS = 16_384;
/** Only signatures, by keys of the issuer; "none" and shared secrets are not among them. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** Verifies tokens against the issuers that are trusted. */
export class PlatformJwtVerifier {
  readonly #clock: Clock;
  readonly #keys: IssuerKeys;

  constructor(clock: Clock, keys: IssuerKeys = new IssuerKeys(clock)) {
    this.#clock = clock;
    this.#keys = keys;
  }

  /**
   * The claims of a token that one of `issuers` signed for its audience; a sentence when it is refused, in which the
   * resources that issuers come from are called `kind`. Never throws.
   */
  async verify(
    token: string,
    issuers: readonly PlatformIssuer[],
    kind: string = "TokenIssuer",
  ): Promise<Result<PlatformClaims, string>> {
    if (token.length > MAX_CHARACTERS) return err(`the token has over ${MAX_CHARACTERS} characters`);
    const jose = await import("jose");
    let named: unknown;
    try {
      named = jose.decodeJwt(token).iss;
    } catch {
      return err("it is no JWT");
    }
    const issuer = issuers.find((one) => one.issuer === named);
    if (issuer === undefined) return err(`its issuer ${quoted(named)} is not trusted here: there is no ${kind} for it`);
    const first = await this.#check(token, issuer, false);
    // The issuer may have changed its keys since they were fetched.
    const checked = first === "unknown key" ? await this.#check(token, issuer, true) : first;
    if (checked === "unknown key") return err(`it is signed with a key that ${issuer.issuer} does not publish`);
    return checked;
  }

  async #check(
    token: string,
    issuer: PlatformIssuer,
    again: boolean,
  ): Promise<Result<PlatformClaims, string> | "unknown key"> {
    const jose = await import("jose");
    const keys = await this.#keys.get(issuer, again);
    if (!keys.ok) return err(`the keys of ${issuer.issuer} are not to be had: ${keys.error}`);
    const nowMs = this.#clock.nowMs();
    try {
      const { payload } = await jose.jwtVerify(token, jose.createLocalJWKSet(keys.value), {
        issuer: issuer.issuer,
        audience: issuer.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ["exp", "sub"],
        clockTolerance: CLOCK_TOLERANCE_MS / 1000,
        currentDate: new Date(nowMs),
      });
      const { iat, sub = "", exp = 0 } = payload;
      if (iat !== undefined && iat * 1000 > nowMs + CLOCK_TOLERANCE_MS) {
        return err(`it was issued ${minutes(iat * 1000 - nowMs)} from now: the clocks differ`);
      }
      return ok({ issuer: issuer.issuer, subject: sub, claims: payload, expiresMs: exp * 1000 });
    } catch (error) {
      if (error instanceof jose.errors.JWKSNoMatchingKey) return "unknown key";
      return err(reasonOf(error, token, { jose, nowMs, audience: issuer.audience }));
    }
  }
}

interface Situation {
  readonly jose: typeof import("jose");
  readonly nowMs: number;
  readonly audience: string;
}

function reasonOf(error: unknown, token: string, { jose, nowMs, audience }: Situation): string {
  const { exp, nbf, aud } = jose.decodeJwt(token);
  if (error instanceof jose.errors.JWTExpired) {
    return `it expired ${minutes(nowMs - (exp ?? 0) * 1000)} ago: it was not renewed, or the clocks differ`;
  }
  if (error instanceof jose.errors.JWTClaimValidationFailed) {
    if (error.claim === "nbf") return `it is valid only in ${minutes((nbf ?? 0) * 1000 - nowMs)}: the clocks differ`;
    if (error.claim === "aud") return `it is for the audience ${quoted(aud)}, not ${JSON.stringify(audience)}`;
    return error.reason === "missing" ? `it has no ${error.claim}` : `its ${error.claim} is refused`;
  }
  if (error instanceof jose.errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  if (error instanceof jose.errors.JOSEAlgNotAllowed) return "it is signed with an algorithm that is not accepted";
  return `it is refused: ${error instanceof Error ? error.message.slice(0, 200) : "malformed"}`;
}

function minutes(ms: number): string {
  return `${Math.round(ms / 60_000)} min`;
}

function quoted(value: unknown): string {
  return (JSON.stringify(value) ?? "none").slice(0, 200);
}
