// The SPIFFE bundle document: a JWK Set with the X.509 roots and the JWT keys of one trust domain (SPIFFE Trust Domain
// and Bundle §4, X.509-SVID §6, JWT-SVID §6).

import { createPublicKey, X509Certificate, type KeyObject } from "node:crypto";

import { err, ok, type Result } from "@ripstop/core";

/** The public part of a JSON Web Key (RFC 7517, RFC 7518 §6): EC or RSA. */
export type PublicJwk =
  | { readonly kty: "EC"; readonly crv: "P-256" | "P-384" | "P-521"; readonly x: string; readonly y: string }
  | { readonly kty: "RSA"; readonly n: string; readonly e: string };

/** A key that signs JWT-SVIDs. */
export interface JwtAuthority {
  readonly kid: string;
  readonly jwk: PublicJwk;
}

/** What is known of a trust domain: whom to believe for it. */
export interface SpiffeBundle {
  /** Root certificates, DER. */
  readonly x509Authorities: readonly Uint8Array[];
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** Grows with every change; undefined when the publisher does not say. */
  readonly sequence: number | undefined;
  /** How often to look for changes, seconds; undefined when the publisher does not say. */
  readonly refreshHintS: number | undefined;
}

/** Longest document that is read. */
export const MAX_BUNDLE_CHARACTERS: number = 1024 * 1024;

const MAX_KEYS = 256;
const MAX_KID = 256;
const MIN_RSA_BITS = 2048;
const CURVES: ReadonlySet<string> = new Set(["P-256", "P-384", "P-521"]);

/** A bundle that trusts nobody. */
export const emptyBundle: SpiffeBundle = {
  x509Authorities: [],
  jwtAuthorities: [],
  sequence: undefined,
  refreshHintS: undefined,
};

/** The document of a bundle, as JSON text. */
export function formatBundle(bundle: SpiffeBundle): string {
  return JSON.stringify({
    keys: [
      ...bundle.x509Authorities.map((der) => ({
        use: "x509-svid",
        ...publicJwk(new X509Certificate(der).publicKey),
        x5c: [Buffer.from(der).toString("base64")],
      })),
      ...bundle.jwtAuthorities.map(({ kid, jwk }) => ({ use: "jwt-svid", kid, ...jwk })),
    ],
    ...(bundle.sequence === undefined ? {} : { spiffe_sequence: bundle.sequence }),
    ...(bundle.refreshHintS === undefined ? {} : { spiffe_refresh_hint: bundle.refreshHintS }),
  });
}

/** The JWT keys alone as a plain JWK Set (RFC 7517 §5), without `use`: validators that know no SPIFFE know no "jwt-svid". */
export function jwksOf(bundle: SpiffeBundle): string {
  return JSON.stringify({ keys: bundle.jwtAuthorities.map(({ kid, jwk }) => ({ kid, ...jwk })) });
}

/**
 * Reads a document. Keys of an unknown type or use, and keys that cannot be used, are left out, as the standard says: what
 * is left may be nothing, and then nobody of the trust domain is to be believed. A sentence when it is no such document.
 */
export function parseBundle(text: string): Result<SpiffeBundle, string> {
  if (text.length > MAX_BUNDLE_CHARACTERS) return err(`a bundle has at most ${MAX_BUNDLE_CHARACTERS} characters`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return err("the bundle is not JSON");
  }
  if (!isRecord(document)) return err("the bundle is not a JSON object");
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: refreshHintS } = document;
  if (!Array.isArray(keys)) return err("the bundle has no list `keys`");
  if (keys.length > MAX_KEYS) return err(`a bundle has at most ${MAX_KEYS} keys`);
  if (sequence !== undefined && !isCount(sequence)) return err("spiffe_sequence is not a whole number");
  if (refreshHintS !== undefined && !isCount(refreshHintS)) return err("spiffe_refresh_hint is not a whole number");
  const x509Authorities: Uint8Array[] = [];
  const jwtAuthorities: JwtAuthority[] = [];
  for (const key of keys as readonly unknown[]) {
    if (!isRecord(key)) continue;
    if (key["use"] === "x509-svid") {
      const root = readRoot(key);
      if (root !== undefined) x509Authorities.push(root);
    } else if (key["use"] === "jwt-svid") {
      const authority = readJwtAuthority(key);
      if (authority !== undefined && jwtAuthorities.every(({ kid }) => kid !== authority.kid))
        jwtAuthorities.push(authority);
    }
  }
  return ok({ x509Authorities, jwtAuthorities, sequence, refreshHintS });
}

/** Reads a plain JWK Set as `jwksOf` writes it. Keys without id, of an unknown type, or not usable are left out. */
export function parseJwks(text: string): Result<readonly JwtAuthority[], string> {
  if (text.length > MAX_BUNDLE_CHARACTERS) return err(`a JWK Set has at most ${MAX_BUNDLE_CHARACTERS} characters`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return err("the JWK Set is not JSON");
  }
  const keys: unknown = isRecord(document) ? document["keys"] : undefined;
  if (!Array.isArray(keys) || keys.length > MAX_KEYS)
    return err(`a JWK Set has a list \`keys\` of at most ${MAX_KEYS}`);
  return ok(
    (keys as readonly unknown[]).flatMap((key) => {
      const authority = isRecord(key) ? readJwtAuthority(key) : undefined;
      return authority === undefined ? [] : [authority];
    }),
  );
}

/** The public JWK of a key; throws for a key that is neither EC nor RSA. */
export function publicJwk(key: KeyObject): PublicJwk {
  const { kty, crv, x, y, n, e } = key.export({ format: "jwk" });
  if (kty === "EC" && isCurve(crv) && x !== undefined && y !== undefined) return { kty, crv, x, y };
  if (kty === "RSA" && n !== undefined && e !== undefined) return { kty, n, e };
  throw new Error(`a key of type ${kty ?? "unknown"} has no place in a bundle`);
}

/** The one certificate of an "x509-svid" entry (X.509-SVID §6.1), or undefined when it is not usable. */
function readRoot(key: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  const chain = key["x5c"];
  if (!Array.isArray(chain) || chain.length !== 1) return undefined;
  const [base64] = chain as readonly unknown[];
  if (typeof base64 !== "string") return undefined;
  try {
    const certificate = new X509Certificate(Buffer.from(base64, "base64"));
    return certificate.ca ? certificate.raw : undefined;
  } catch {
    return undefined;
  }
}

/** The key of a "jwt-svid" entry; only its public part is kept. Undefined when it is not usable. */
function readJwtAuthority(key: Readonly<Record<string, unknown>>): JwtAuthority | undefined {
  const { kid, kty, crv, x, y, n, e } = key;
  if (typeof kid !== "string" || kid === "" || kid.length > MAX_KID) return undefined;
  try {
    if (kty === "EC" && isCurve(crv) && typeof x === "string" && typeof y === "string") {
      return { kid, jwk: publicJwk(createPublicKey({ key: { kty, crv, x, y }, format: "jwk" })) };
    }
    if (kty === "RSA" && typeof n === "string" && typeof e === "string") {
      const rsa = createPublicKey({ key: { kty, n, e }, format: "jwk" });
      if ((rsa.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) return undefined;
      return { kid, jwk: publicJwk(rsa) };
    }
  } catch {
    // Not a point of the curve, not base64: not usable.
  }
  return undefined;
}

function isCurve(value: unknown): value is "P-256" | "P-384" | "P-521" {
  return typeof value === "string" && CURVES.has(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
