// Is a JWT-SVID genuine, meant for this audience, and still valid? (SPIFFE JWT-SVID standard §2 to §4.) The signature and
// the registered claims are checked by jose; what SPIFFE restricts beyond RFC 7519 is checked here.

import { err, ok, type Result } from "@ripstop/core";
import type { JWTPayload } from "jose";

import { parseSpiffeId } from "../spiffe-id.ts";
import type { JwtAuthority } from "./spiffe-bundle.ts";

/** What the validating party expects. */
export interface JwtSvidExpectation {
  /** Who it is: the token must be meant for it. Not empty. */
  readonly audience: string;
  readonly nowMs: number;
  /** The JWT keys of a trust domain; undefined when that domain is not trusted. */
  authorities(trustDomain: string): readonly JwtAuthority[] | undefined;
}

/** What a valid token says. */
export interface JwtSvidClaims {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** Every claim of the payload. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The algorithms of JWT-SVID §2.1. */
export const JWT_SVID_ALGORITHMS: readonly string[] = [
  "RS256",
  "RS384",
  "RS512",
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
];

/** Longest token that is looked at. */
export const MAX_JWT_SVID_CHARACTERS: number = 16 * 1024;

/** Clocks of two hosts may differ by so much. */
const LEEWAY_S = 30;
/** JWT-SVID §2: any other header is forbidden. */
const HEADERS: ReadonlySet<string> = new Set(["alg", "kid", "typ"]);

/** The claims of a valid token, or a sentence that says what is wrong with it. jose is loaded at the first call. */
export async function validateJwtSvid(
  token: string,
  expected: JwtSvidExpectation,
): Promise<Result<JwtSvidClaims, string>> {
  if (expected.audience === "") return err("the audience of the validating party is missing");
  if (token.length > MAX_JWT_SVID_CHARACTERS) return err(`a token has at most ${MAX_JWT_SVID_CHARACTERS} characters`);
  const jose = await import("jose");
  let header: Readonly<Record<string, unknown>>;
  let unproven: JWTPayload;
  try {
    header = jose.decodeProtectedHeader(token);
    unproven = jose.decodeJwt(token);
  } catch {
    return err("the token is not a signed JWT in compact form");
  }
  const { alg, kid, typ } = header;
  if (typeof alg !== "string" || !JWT_SVID_ALGORITHMS.includes(alg))
    return err("the token's algorithm is not one that JWT-SVIDs may have");
  if (typ !== undefined && typ !== "JWT" && typ !== "JOSE") return err('the token\'s type is not "JWT" or "JOSE"');
  const stranger = Object.keys(header).find((name) => !HEADERS.has(name));
  if (stranger !== undefined) return err(`the token has the header ${JSON.stringify(stranger.slice(0, 40))}`);
  if (typeof unproven.sub !== "string") return err("the token has no subject");
  const id = parseSpiffeId(unproven.sub);
  if (!id.ok) return err(`the token's subject is no SPIFFE id: ${id.error}`);
  if (id.value.path === "") return err("the token's subject is a trust domain and no workload");
  const authorities = expected.authorities(id.value.trustDomain);
  if (authorities === undefined) return err(`there is no bundle for the trust domain ${id.value.trustDomain}`);
  const family = alg.startsWith("ES") ? "EC" : "RSA";
  const candidates = authorities.filter(
    (authority) => authority.jwk.kty === family && (kid === undefined || authority.kid === kid),
  );
  if (candidates.length === 0) return err(`no key of ${id.value.trustDomain} has the token's key id`);
  let problem = "";
  for (const { jwk } of candidates) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- usually there is one key; the first that fits ends it
      const { payload } = await jose.jwtVerify(token, await jose.importJWK({ ...jwk }, alg), {
        algorithms: [alg],
        audience: expected.audience,
        subject: id.value.uri,
        currentDate: new Date(expected.nowMs),
        clockTolerance: LEEWAY_S,
        requiredClaims: ["sub", "aud", "exp"],
      });
      return ok({ spiffeId: id.value.uri, trustDomain: id.value.trustDomain, claims: payload });
    } catch (error) {
      problem = wordsFor(error);
    }
  }
  return err(problem);
}

function wordsFor(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const claim = error instanceof Error && "claim" in error ? String(error.claim) : "";
  if (code === "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") return "the token's signature is wrong";
  if (code === "ERR_JWT_EXPIRED") return "the token has expired";
  if (code === "ERR_JWT_CLAIM_VALIDATION_FAILED") {
    return claim === "aud" ? "the token is not meant for this audience" : `the token's claim ${claim} is not valid`;
  }
  return "the token cannot be verified";
}
