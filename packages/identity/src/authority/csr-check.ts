// Strict reading of a certificate signing request (PKCS #10, RFC 2986): what it asks for is never taken over,
// only compared; the one thing that goes into the certificate is its public key.

import "reflect-metadata";

import { createPublicKey, type KeyObject } from "node:crypto";

import { err, ok, type ErrorKind, type Result } from "@ripstop/core";
import {
  BasicConstraintsExtension,
  ExtensionsAttribute,
  ExtendedKeyUsageExtension,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type Extension,
} from "@peculiar/x509";

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
    const csr = new Pkcs10CertificateRequest(Buffer.from(body, "base64"));
    const key = checkKey(csr);
    if (!key.ok) return key;
    const asked = checkWishes(csr, spiffeId);
    if (!asked.ok) return asked;
    const hash: unknown = csr.signatureAlgorithm.hash;
    const hashName = typeof hash === "object" && hash !== null && "name" in hash ? String(hash.name) : String(hash);
    if (!HASHES.has(hashName)) return err(refusal(csrSignatureInvalid, `it is signed with ${hashName}`));
    if (!(await csr.verify())) return err(refusal(csrSignatureInvalid, "the signature does not belong to the key"));
    return key;
  } catch (error) {
    // The parser throws on malformed bytes; its text is for the log of the caller, who is the sender of those bytes.
    const message = error instanceof Error ? error.message : String(error);
    return err(refusal(csrMalformed, message.replace(/[^\x20-\x7e]/g, "?").slice(0, 200)));
  }
}

function checkKey(csr: Pkcs10CertificateRequest): Result<Uint8Array, IssueRefusal> {
  const spki = Buffer.from(csr.publicKey.rawData);
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
  // Exported again: the certificate gets the canonical encoding of the key, whatever spelling was sent.
  return ok(key.export({ format: "der", type: "spki" }));
}

function checkWishes(csr: Pkcs10CertificateRequest, spiffeId: string): Result<undefined, IssueRefusal> {
  let requests = 0;
  for (const attribute of csr.attributes) {
    if (attribute.type !== EXTENSION_REQUEST) {
      return err(refusal(csrAsksForMore, `it holds the attribute ${attribute.type}`));
    }
    if (++requests > 1 || !(attribute instanceof ExtensionsAttribute) || attribute.values.length > 1) {
      return err(refusal(csrAsksForMore, "it holds several extension requests"));
    }
  }
  const seen = new Set<string>();
  for (const extension of csr.extensions) {
    if (seen.has(extension.type)) return err(refusal(csrAsksForMore, `it holds the extension ${extension.type} twice`));
    seen.add(extension.type);
    const checked = checkExtension(extension, spiffeId);
    if (!checked.ok) return checked;
  }
  return ok(undefined);
}

function checkExtension(extension: Extension, spiffeId: string): Result<undefined, IssueRefusal> {
  if (extension instanceof SubjectAlternativeNameExtension) {
    const names = extension.names.items;
    if (names.length !== 1) return err(refusal(csrAsksForMore, `it asks for ${names.length} names`));
    for (const name of names) {
      if (name.type !== "url") return err(refusal(csrAsksForMore, `it asks for a name of type ${name.type}`));
      if (name.value !== spiffeId) {
        return err(
          refusal(csrOtherIdentity, `it asks for ${JSON.stringify(name.value.slice(0, 300))}, not ${spiffeId}`),
        );
      }
    }
    return ok(undefined);
  }
  if (extension instanceof BasicConstraintsExtension) {
    return extension.ca ? err(refusal(csrAsksForMore, "it asks for the rights of a CA")) : ok(undefined);
  }
  // Usages are wishes that the authority neither needs nor follows.
  if (
    extension instanceof KeyUsagesExtension ||
    extension instanceof ExtendedKeyUsageExtension ||
    extension instanceof SubjectKeyIdentifierExtension
  ) {
    return ok(undefined);
  }
  return err(refusal(csrAsksForMore, `it holds the extension ${extension.type}`));
}
