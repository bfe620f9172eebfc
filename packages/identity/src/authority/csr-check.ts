// Strict reading of a certificate signing request (PKCS #10, RFC 2986): what it asks for is never taken over,
// only compared; the one thing that goes into the certificate is its public key.

import "reflect-metadata";

import { createPublicKey, verify, type KeyObject } from "node:crypto";

import { CertificationRequest, type CertificationRequestInfo } from "@peculiar/asn1-csr";
import { id_ecdsaWithSHA256, id_ecdsaWithSHA384, id_ecdsaWithSHA512 } from "@peculiar/asn1-ecc";
import { id_sha256WithRSAEncryption, id_sha384WithRSAEncryption, id_sha512WithRSAEncryption } from "@peculiar/asn1-rsa";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  BasicConstraints,
  ExtendedKeyUsage,
  Extensions,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  KeyUsage,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  type Extension,
} from "@peculiar/asn1-x509";
import { err, ok, type ErrorKind, type Result } from "@ripstop/core";
import { Pkcs10CertificateRequest } from "@peculiar/x509";

import type { IssueRefusal } from "./authority.ts";
import {
  csrAsksForMore,
  csrKeyRefused,
  csrMalformed,
  csrOtherIdentity,
  csrSignatureInvalid,
  csrTooLarge,
} from "../errors.ts";

const MAX_PEM_CHARACTERS = 16 * 1024;
const PEM =
  /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END (?:NEW )?CERTIFICATE REQUEST-----\s*$/;
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const HASHES: ReadonlySet<string> = new Set(["SHA-256", "SHA-384", "SHA-512"]);
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1"]);

/** A refusal of a kind with the facts of this case. */
export function refusal(kind: ErrorKind, fact: string): IssueRefusal {
  return { code: kind.code, message: `${kind.title}: ${fact}. ${kind.remedy}` };
}

/**
 * As `checkCsr`, for a proof that is used up before the authority signs, and checks the request itself: that second check
 * of a sound request takes the result of this one, because reading a request is half of the cost of an SVID.
 */
export async function checkCsrAhead(csrPem: string, spiffeId: string): Promise<Result<Uint8Array, IssueRefusal>> {
  const checked = await checkCsr(csrPem, spiffeId);
  if (!checked.ok) return checked;
  for (const oldest of checkedAhead.keys()) {
    if (checkedAhead.size < MAX_CHECKED_AHEAD) break;
    checkedAhead.delete(oldest);
  }
  checkedAhead.set(`${spiffeId} ${csrPem}`, checked.value);
  return checked;
}

const MAX_CHECKED_AHEAD = 64;
/** Keys of sound requests by identity and text. */
const checkedAhead = new Map<string, Uint8Array>();

/** The public key (SubjectPublicKeyInfo, DER) of a sound request for `spiffeId`, or why it is refused. Never throws. */
export async function checkCsr(csrPem: string, spiffeId: string): Promise<Result<Uint8Array, IssueRefusal>> {
  const known = checkedAhead.get(`${spiffeId} ${csrPem}`);
  if (known !== undefined) {
    checkedAhead.delete(`${spiffeId} ${csrPem}`);
    return ok(known);
  }
  if (csrPem.length > MAX_PEM_CHARACTERS) {
    return err(refusal(csrTooLarge, `it has ${csrPem.length} characters, the limit is ${MAX_PEM_CHARACTERS}`));
  }
  const body = PEM.exec(csrPem)?.[1];
  if (body === undefined) return err(refusal(csrMalformed, "it is not exactly one PEM block CERTIFICATE REQUEST"));
  try {
    const der = Buffer.from(body, "base64");
    const csr = AsnConvert.parse(der, CertificationRequest);
    const key = checkKey(csr.certificationRequestInfo);
    if (!key.ok) return key;
    const asked = checkWishes(csr.certificationRequestInfo, spiffeId);
    if (!asked.ok) return asked;
    const signed = await checkSignature(der, csr, key.value);
    // Exported again: the certificate gets the canonical encoding of the key, whatever spelling was sent.
    return signed.ok ? ok(key.value.export({ format: "der", type: "spki" })) : signed;
  } catch (error) {
    // The parser throws on malformed bytes; its text is for the log of the caller, who is the sender of those bytes.
    const message = error instanceof Error ? error.message : String(error);
    return err(refusal(csrMalformed, message.replace(/[^\x20-\x7e]/g, "?").slice(0, 200)));
  }
}

function checkKey({ subjectPKInfo }: CertificationRequestInfo): Result<KeyObject, IssueRefusal> {
  const spki = Buffer.from(AsnConvert.serialize(subjectPKInfo));
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki, format: "der", type: "spki" });
  } catch {
    return err(refusal(csrKeyRefused, "the public key is not a valid key"));
  }
  const { namedCurve, modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ec":
      if (namedCurve === undefined || !CURVES.has(namedCurve)) {
        return err(refusal(csrKeyRefused, `it is an EC key on ${namedCurve ?? "an unnamed curve"}`));
      }
      break;
    case "rsa":
      if (modulusLength === undefined || modulusLength < 2048 || modulusLength > 4096 || publicExponent !== 65_537n) {
        return err(refusal(csrKeyRefused, `it is RSA with ${modulusLength} bits and exponent ${publicExponent}`));
      }
      break;
    default:
      return err(refusal(csrKeyRefused, `it is of type ${key.asymmetricKeyType ?? "unknown"}`));
  }
  return ok(key);
}

/** What requests are signed with in practice (RFC 5758 §3.2, RFC 8017 §A.2.4): the kind of key, and the hash. */
const SIGNATURES: ReadonlyMap<string, readonly [type: "ec" | "rsa", hash: string]> = new Map([
  [id_ecdsaWithSHA256, ["ec", "sha256"]],
  [id_ecdsaWithSHA384, ["ec", "sha384"]],
  [id_ecdsaWithSHA512, ["ec", "sha512"]],
  [id_sha256WithRSAEncryption, ["rsa", "sha256"]],
  [id_sha384WithRSAEncryption, ["rsa", "sha384"]],
  [id_sha512WithRSAEncryption, ["rsa", "sha512"]],
]);

async function checkSignature(
  der: Buffer,
  { certificationRequestInfoRaw, signatureAlgorithm, signature }: CertificationRequest,
  key: KeyObject,
): Promise<Result<undefined, IssueRefusal>> {
  const [type, hash] = SIGNATURES.get(signatureAlgorithm.algorithm) ?? [];
  if (type === undefined || hash === undefined || certificationRequestInfoRaw === undefined) return byLibrary(der);
  const isSound =
    type === key.asymmetricKeyType &&
    verify(hash, new Uint8Array(certificationRequestInfoRaw), key, new Uint8Array(signature));
  return isSound ? ok(undefined) : err(refusal(csrSignatureInvalid, NOT_BY_KEY));
}

const NOT_BY_KEY = "the signature does not belong to the key";

/** The rarer algorithms, RSASSA-PSS with its parameters among them. */
async function byLibrary(der: Buffer): Promise<Result<undefined, IssueRefusal>> {
  const csr = new Pkcs10CertificateRequest(der);
  const hash: unknown = csr.signatureAlgorithm.hash;
  const hashName = typeof hash === "object" && hash !== null && "name" in hash ? String(hash.name) : String(hash);
  if (!HASHES.has(hashName)) return err(refusal(csrSignatureInvalid, `it is signed with ${hashName}`));
  return (await csr.verify()) ? ok(undefined) : err(refusal(csrSignatureInvalid, NOT_BY_KEY));
}

function checkWishes(info: CertificationRequestInfo, spiffeId: string): Result<undefined, IssueRefusal> {
  let requests = 0;
  let extensions: readonly Extension[] = [];
  for (const { type, values } of info.attributes) {
    if (type !== EXTENSION_REQUEST) return err(refusal(csrAsksForMore, `it holds the attribute ${type}`));
    if (++requests > 1 || values.length > 1) {
      return err(refusal(csrAsksForMore, "it holds several extension requests"));
    }
    const [value] = values;
    if (value !== undefined) extensions = AsnConvert.parse(value, Extensions);
  }
  const seen = new Set<string>();
  for (const extension of extensions) {
    const { extnID } = extension;
    if (seen.has(extnID)) return err(refusal(csrAsksForMore, `it holds the extension ${extnID} twice`));
    seen.add(extnID);
    const checked = checkExtension(extension, spiffeId);
    if (!checked.ok) return checked;
  }
  return ok(undefined);
}

/** Usages are wishes that the authority neither needs nor follows; they only have to be well formed. */
const NOT_FOLLOWED: ReadonlyMap<string, new () => unknown> = new Map<string, new () => unknown>([
  [id_ce_keyUsage, KeyUsage],
  [id_ce_extKeyUsage, ExtendedKeyUsage],
  [id_ce_subjectKeyIdentifier, SubjectKeyIdentifier],
]);

function checkExtension({ extnID, extnValue }: Extension, spiffeId: string): Result<undefined, IssueRefusal> {
  if (extnID === id_ce_subjectAltName) {
    return checkNames(AsnConvert.parse(extnValue, SubjectAlternativeName), spiffeId);
  }
  if (extnID === id_ce_basicConstraints) {
    const { cA } = AsnConvert.parse(extnValue, BasicConstraints);
    return cA ? err(refusal(csrAsksForMore, "it asks for the rights of a CA")) : ok(undefined);
  }
  const schema = NOT_FOLLOWED.get(extnID);
  if (schema === undefined) return err(refusal(csrAsksForMore, `it holds the extension ${extnID}`));
  AsnConvert.parse(extnValue, schema);
  return ok(undefined);
}

function checkNames(names: SubjectAlternativeName, spiffeId: string): Result<undefined, IssueRefusal> {
  const [name] = names;
  if (name === undefined || names.length !== 1) {
    return err(refusal(csrAsksForMore, `it asks for ${names.length} names`));
  }
  const { uniformResourceIdentifier: uri } = name;
  if (uri === undefined) {
    const type = Object.entries(name).find(([, value]) => value !== undefined)?.[0] ?? "unknown";
    return err(refusal(csrAsksForMore, `it asks for a name of type ${type}`));
  }
  if (uri !== spiffeId) {
    return err(refusal(csrOtherIdentity, `it asks for ${JSON.stringify(uri.slice(0, 300))}, not ${spiffeId}`));
  }
  return ok(undefined);
}
