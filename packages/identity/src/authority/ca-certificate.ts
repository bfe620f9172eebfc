// A certificate of the authority with what the authority needs of it: its key, names, life and identifiers.

import "reflect-metadata";

import { createHash, X509Certificate } from "node:crypto";

import { BasicConstraintsExtension, SubjectKeyIdentifierExtension, X509Certificate as Parsed } from "@peculiar/x509";
import type { Name } from "@peculiar/x509";

import type { SigningKey } from "./key-store.ts";

/** The facts of a CA certificate. */
export interface CaFacts {
  readonly pem: string;
  readonly der: Uint8Array;
  /** Of the DER, hex. */
  readonly sha256: string;
  readonly subject: Name;
  /** RFC 4514. */
  readonly subjectText: string;
  /** Hex, lower case. */
  readonly serialNumber: string;
  /** Subject key identifier, hex; undefined when there is none. */
  readonly keyId: string | undefined;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly isCa: boolean;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly uriName: string | undefined;
}

/** A CA certificate whose key signs. */
export interface Ca extends CaFacts {
  readonly key: SigningKey;
  /** This certificate and those between it and the root. */
  readonly chainPem: string;
}

/** Reads the first certificate of a PEM text; throws when it is malformed. */
export function caFacts(pem: string): CaFacts {
  const certificate = new X509Certificate(pem);
  const parsed = new Parsed(certificate.raw);
  const uri = /^URI:(\S+)$/.exec(certificate.subjectAltName ?? "")?.[1];
  return {
    pem: `${certificate.toString().trimEnd()}\n`,
    der: certificate.raw,
    sha256: sha256Hex(certificate.raw),
    subject: parsed.subjectName,
    subjectText: parsed.subject,
    serialNumber: certificate.serialNumber.toLowerCase(),
    keyId: parsed.getExtension(SubjectKeyIdentifierExtension)?.keyId,
    publicKey: certificate.publicKey.export({ format: "der", type: "spki" }),
    isCa: parsed.getExtension(BasicConstraintsExtension)?.ca === true,
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    uriName: uri,
  };
}

/** True when `issuer` signed `certificate`. */
export function hasSigned(issuer: CaFacts, certificate: CaFacts): boolean {
  const upper = new X509Certificate(issuer.pem);
  const lower = new X509Certificate(certificate.pem);
  return lower.checkIssued(upper) && lower.verify(upper.publicKey);
}

/** SHA-256, hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
