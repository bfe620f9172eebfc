// The SPIFFE bundle document: a trust domain's roots as a JWK set (SPIFFE Trust Domain and Bundle, section 4).

import { X509Certificate } from "node:crypto";

/** One X.509 root as a JWK (RFC 7517). */
export interface BundleKey {
  readonly use: "x509-svid";
  readonly kty: string;
  /** The certificate, DER in base64; exactly one. */
  readonly x5c: readonly [string];
  /** Parameters of the public key: crv, x, y; or n, e. */
  readonly [parameter: string]: unknown;
}

/** The document. */
export interface BundleDocument {
  readonly keys: readonly BundleKey[];
  readonly spiffe_sequence: number;
  /** Seconds after which a consumer asks again. */
  readonly spiffe_refresh_hint: number;
}

const REFRESH_HINT_S = 300;

/** The document of the roots (DER); `refreshHintS` is how often consumers should ask, default 300 s. Throws on a certificate that is malformed. */
export function bundleDocument(
  roots: readonly Uint8Array[],
  sequence: number,
  refreshHintS: number = REFRESH_HINT_S,
): BundleDocument {
  return {
    keys: roots.map((der) => {
      const jwk = new X509Certificate(der).publicKey.export({ format: "jwk" });
      return { ...jwk, kty: jwk.kty ?? "", use: "x509-svid", x5c: [Buffer.from(der).toString("base64")] };
    }),
    spiffe_sequence: sequence,
    spiffe_refresh_hint: refreshHintS,
  };
}
