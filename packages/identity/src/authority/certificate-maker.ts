// Makes the three kinds of certificate of a trust domain (SPIFFE X.509-SVID §4, RFC 5280): root, intermediate, leaf. The
// X.509 library's own schema of a certificate is filled in and encoded once: its generator would read back and encode
// again every part, at five times the cost (docs/decisions/062).

import "reflect-metadata";

import { createHash, randomBytes } from "node:crypto";

import { ecdsaWithSHA256, ecdsaWithSHA384 } from "@peculiar/asn1-ecc";
import { id_sha256WithRSAEncryption } from "@peculiar/asn1-rsa";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import {
  AlgorithmIdentifier,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_clientAuth,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name as AsnName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from "@peculiar/asn1-x509";
import { AsnEcSignatureFormatter, Name } from "@peculiar/x509";

import { derToPem } from "../trust-bundle.ts";
import type { SigningKey } from "./key-store.ts";

/** What a certificate says. */
export interface CertificateWish {
  /** Distinguished name, RFC 4514. */
  readonly subject: string | Name;
  readonly issuer: string | Name;
  /** Subject key identifier of the issuer, hex; undefined when its certificate has none. */
  readonly issuerKeyId: string | undefined;
  /** The only URI name. */
  readonly uri: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Number of CAs that may follow below; undefined for a leaf. */
  readonly pathLength: number | undefined;
}

/** A finished certificate. */
export interface MadeCertificate {
  readonly pem: string;
  /** Hex. */
  readonly serialNumber: string;
}

/** The subject of every SVID: who it is stands in its URI name alone. */
export const leafSubject: Name = new Name("O=Ripstop");

/** Signs a certificate. Times are cut to whole seconds, as the format has no finer ones. */
export async function makeCertificate(wish: CertificateWish, issuerKey: SigningKey): Promise<MadeCertificate> {
  const serialNumber = randomSerialNumber();
  const signatureAlgorithm = algorithmOf(issuerKey);
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: bytesOf(serialNumber),
    signature: signatureAlgorithm,
    issuer: nameOf(wish.issuer),
    validity: new Validity({ notBefore: wholeSecond(wish.notBeforeMs), notAfter: wholeSecond(wish.notAfterMs) }),
    subject: nameOf(wish.subject),
    subjectPublicKeyInfo: AsnConvert.parse(wish.publicKey, SubjectPublicKeyInfo),
    extensions: extensionsOf(wish),
  });
  const signature = await issuerKey.sign(new Uint8Array(AsnConvert.serialize(tbsCertificate)));
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm,
    signatureValue: ecdsa.toAsnSignature(issuerKey.algorithm, signature) ?? arrayBufferOf(signature),
  });
  return { pem: derToPem([new Uint8Array(AsnConvert.serialize(certificate))]), serialNumber };
}

const ecdsa = new AsnEcSignatureFormatter();
// Its parameters must be there and NULL (RFC 4055 §5). The library's constant of that name holds another algorithm's id.
const rsaWithSha256 = new AlgorithmIdentifier({ algorithm: id_sha256WithRSAEncryption, parameters: null });

function algorithmOf({ algorithm, hash }: SigningKey): AlgorithmIdentifier {
  if (algorithm.name === "RSASSA-PKCS1-v1_5") return rsaWithSha256;
  return hash === "SHA-384" ? ecdsaWithSHA384 : ecdsaWithSHA256;
}

const leafConstraints = extension(id_ce_basicConstraints, new BasicConstraints({ cA: false }), true);
const leafUsage = extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), true);
const caUsage = extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign), true);
const leafExtendedUsage = extension(
  id_ce_extKeyUsage,
  new ExtendedKeyUsage([id_kp_serverAuth, id_kp_clientAuth]),
  false,
);

function extensionsOf({ pathLength, uri, publicKey, issuerKeyId }: CertificateWish): Extensions {
  const isCa = pathLength !== undefined;
  const name = new SubjectAlternativeName([new GeneralName({ uniformResourceIdentifier: uri })]);
  const extensions = [
    isCa
      ? extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: pathLength }), true)
      : leafConstraints,
    isCa ? caUsage : leafUsage,
    extension(id_ce_subjectAltName, name, false),
    extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(bytesOf(keyId(publicKey))), false),
  ];
  if (issuerKeyId !== undefined) {
    const issuer = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(bytesOf(issuerKeyId)) });
    extensions.push(extension(id_ce_authorityKeyIdentifier, issuer, false));
  }
  if (!isCa) extensions.push(leafExtendedUsage);
  return new Extensions(extensions);
}

function extension(extnID: string, value: object, critical: boolean): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) });
}

/** The names of issuers, read once each; a name lives as long as its certificate. */
const names = new WeakMap<Name, AsnName>();

function nameOf(name: string | Name): AsnName {
  const parsed = name instanceof Name ? name : new Name(name);
  const known = names.get(parsed);
  if (known !== undefined) return known;
  const made = AsnConvert.parse(parsed.toArrayBuffer(), AsnName);
  names.set(parsed, made);
  return made;
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

/** 126 random bits, positive and never with a leading zero byte (RFC 5280 §4.1.2.2); hex. */
function randomSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

/** The identifier that certificates made here give a key: method 1 of RFC 7093 §2, over the whole key info; hex. */
export function keyId(publicKey: Uint8Array): string {
  return createHash("sha256").update(publicKey).digest("hex").slice(0, 40);
}

function bytesOf(hex: string): ArrayBuffer {
  return arrayBufferOf(Buffer.from(hex, "hex"));
}

function arrayBufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
