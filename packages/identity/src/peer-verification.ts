// Does a peer's leaf certificate name an acceptable SPIFFE identity? (SPIFFE X.509-SVID standard §2 to §5.) The chain
// and that it ends in a root of the id's own trust domain are checked by packages/net.

import type { KeyObject, X509Certificate } from "node:crypto";
import type { Clock } from "@ripstop/core";
import type { PeerVerdict, VerifyPeer } from "@ripstop/net";
import { readCertificateFields, type CertificateFields } from "./certificate-fields.ts";
import { parseSpiffeId } from "./spiffe-id.ts";

/** Clocks of two hosts may differ by so much when a certificate is new. */
export const CLOCK_TOLERANCE_MS: number = 5 * 60_000;

/** An SVID has some 600 bytes. */
const MAX_LEAF_BYTES = 16 * 1024;
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const MIN_RSA_BITS = 2_048;
const MIN_RSA_EXPONENT = 65_537n;
const DIGITAL_SIGNATURE = 1 << 0;
const KEY_CERT_SIGN = 1 << 5;
const CRL_SIGN = 1 << 6;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

/** What a leaf says, which never changes: only the time does. */
interface ReadLeaf {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly verdict: PeerVerdict;
}

/** The check of a leaf by the time of `clock`. Every refusal has a reason of a fixed set and a sentence. */
export function createPeerVerification(clock: Clock): VerifyPeer {
  // Transports keep the certificates of known peers, so each is read once.
  const known = new WeakMap<X509Certificate, ReadLeaf>();
  return (leaf: X509Certificate): PeerVerdict => {
    let read = known.get(leaf);
    if (!read) {
      read = readLeaf(leaf);
      known.set(leaf, read);
    }
    return refuseByTime(read, clock.nowMs()) ?? read.verdict;
  };
}

/** What RFC 9151 and the CA/Browser Forum still allow; OpenSSL's own limits differ from one Node version to another. */
function isStrong({ asymmetricKeyType, asymmetricKeyDetails = {} }: KeyObject): boolean {
  const { namedCurve = "", modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails;
  switch (asymmetricKeyType) {
    case "ec":
      return CURVES.has(namedCurve);
    case "ed25519":
      return true;
    case "rsa":
    case "rsa-pss":
      return modulusLength >= MIN_RSA_BITS && publicExponent >= MIN_RSA_EXPONENT;
    default:
      return false;
  }
}

function refuseByTime({ notBeforeMs, notAfterMs }: ReadLeaf, nowMs: number): PeerVerdict | undefined {
  if (nowMs < notBeforeMs - CLOCK_TOLERANCE_MS) {
    const minutes = Math.round((notBeforeMs - nowMs) / 60_000);
    return refuse(
      "not_yet_valid",
      `the certificate is valid only in ${minutes} min: the clocks of the two hosts differ, or it is for later`,
    );
  }
  if (nowMs > notAfterMs) {
    const minutes = Math.round((nowMs - notAfterMs) / 60_000);
    return refuse(
      "expired",
      `the certificate expired ${minutes} min ago: it was not renewed, or the clocks of the two hosts differ`,
    );
  }
  return undefined;
}

function readLeaf(leaf: X509Certificate): ReadLeaf {
  const der = leaf.raw;
  if (der.length > MAX_LEAF_BYTES) {
    return always(
      refuse("certificate_too_large", `the certificate has ${der.length} bytes, the limit is ${MAX_LEAF_BYTES}`),
    );
  }
  const fields = readCertificateFields(der);
  if (!fields) return always(refuse("malformed_certificate", "the certificate cannot be read"));
  const { notBeforeMs, notAfterMs } = fields;
  const verdict = verifyFields(fields);
  if (!verdict.ok || isStrong(leaf.publicKey)) return { notBeforeMs, notAfterMs, verdict };
  const weak = "the peer's key is weak: EC on P-256 to P-521, Ed25519, or RSA from 2048 bits are accepted";
  return { notBeforeMs, notAfterMs, verdict: refuse("weak_key", weak) };
}

/** Whatever the time is. */
function always(verdict: PeerVerdict): ReadLeaf {
  return { notBeforeMs: -Infinity, notAfterMs: Infinity, verdict };
}

function verifyFields(fields: CertificateFields): PeerVerdict {
  if (fields.isCa) return refuse("ca_certificate", "a certificate authority may not act as a workload");
  if (fields.keyUsage === undefined) return refuse("key_usage", "the certificate does not say what its key is for");
  if ((fields.keyUsage & DIGITAL_SIGNATURE) === 0) return refuse("key_usage", "the key is not for digital signatures");
  if ((fields.keyUsage & (KEY_CERT_SIGN | CRL_SIGN)) !== 0)
    return refuse("key_usage", "the key is for signing certificates");
  const extended = fields.extendedKeyUsages;
  if (extended && !(extended.includes(SERVER_AUTH) && extended.includes(CLIENT_AUTH))) {
    return refuse("extended_key_usage", "the certificate is not for both TLS server and TLS client");
  }
  return verifyName(fields.uriNames);
}

function verifyName(uriNames: readonly string[]): PeerVerdict {
  const [uri, second] = uriNames;
  if (uri === undefined) return refuse("no_spiffe_id", "the certificate has no URI name");
  if (second !== undefined)
    return refuse("several_uri_names", `the certificate has ${uriNames.length} URI names and may have one`);
  const id = parseSpiffeId(uri);
  if (!id.ok) return refuse("malformed_spiffe_id", `the certificate's name is no SPIFFE id: ${id.error}`);
  if (id.value.path === "")
    return refuse("malformed_spiffe_id", "the certificate names a trust domain and no workload");
  return { ok: true, id: id.value.uri, trustDomain: id.value.trustDomain };
}

function refuse(reason: string, message: string): PeerVerdict {
  return { ok: false, reason, message };
}
