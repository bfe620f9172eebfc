// Makes certificates of any shape, right and wrong, with the X.509 library's own structures. Only what no library would
// write (broken encodings) is done on bytes.

import "reflect-metadata";
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from "node:crypto";
import { systemClock } from "@ripstop/core";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import * as asn from "@peculiar/asn1-x509";
import { Name, X509Certificate } from "@peculiar/x509";

/** A certificate authority that tests own. */
export interface LabCa {
  /** Distinguished name, RFC 4514. */
  readonly subject: string;
  readonly key: KeyObject;
  readonly der: Buffer;
}

/** What a peer presents. */
export interface Presented {
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
  /** Of the leaf. */
  readonly key: KeyObject;
}

/** How a certificate differs from a correct leaf. */
export interface CertificateShape {
  readonly issuer: LabCa;
  readonly subject?: string;
  /** Key of the certificate; default a new P-256 key. */
  readonly key?: KeyObject;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** Contents of the INTEGER; default 16 random bytes, positive. */
  readonly serial?: Buffer;
  /** Replaces single extensions of a correct leaf by their OIDs; undefined leaves one out. */
  readonly extensions?: Readonly<Record<string, asn.Extension | undefined>>;
  /** Appended as they are. */
  readonly more?: readonly asn.Extension[];
  /** Names of a correct leaf's SAN; default its id. */
  readonly names?: readonly asn.GeneralName[];
  /** The hash in the signature; default SHA-256. */
  readonly hash?: "sha256" | "sha1" | "md5";
  /** Signs with another key than the issuer's. */
  readonly signWith?: KeyObject;
  /** Changes the bytes that are signed. */
  readonly bytes?: (tbs: Buffer) => Buffer;
  /** 0 (v1) or 2 (v3, default). */
  readonly version?: 0 | 2;
}

const MINUTE = 60_000;
/** Object ids of extensions, RFC 5280 section 4.2.1. */
export const oids: Readonly<Record<ExtensionName, string>> = {
  keyUsage: asn.id_ce_keyUsage,
  extendedKeyUsage: asn.id_ce_extKeyUsage,
  basicConstraints: asn.id_ce_basicConstraints,
  subjectAltName: asn.id_ce_subjectAltName,
  nameConstraints: asn.id_ce_nameConstraints,
};
/** Extensions that tests replace. */
export type ExtensionName = "keyUsage" | "extendedKeyUsage" | "basicConstraints" | "subjectAltName" | "nameConstraints";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const SIGNATURES = {
  "ec sha256": "1.2.840.10045.4.3.2",
  "ec sha1": "1.2.840.10045.4.1",
  "ec md5": "1.2.840.10045.4.1",
  "rsa sha256": "1.2.840.113549.1.1.11",
  "rsa sha1": "1.2.840.113549.1.1.5",
  "rsa md5": "1.2.840.113549.1.1.4",
} as const;

/** A new EC key on a curve; default P-256. */
export function ecKey(namedCurve: string = "P-256"): KeyObject {
  return generateKeyPairSync("ec", { namedCurve }).privateKey;
}

/** A new RSA key. */
export function rsaKey(modulusLength: number, publicExponent: number = 65_537): KeyObject {
  return generateKeyPairSync("rsa", { modulusLength, publicExponent }).privateKey;
}

/** A URI name. */
export function uriName(uniformResourceIdentifier: string): asn.GeneralName {
  return new asn.GeneralName({ uniformResourceIdentifier });
}

/** An extension with the DER of a value. */
export function extension(extnID: string, critical: boolean, value: object): asn.Extension {
  return rawExtension(extnID, critical, Buffer.from(AsnConvert.serialize(value)));
}

/** An extension with any bytes. */
export function rawExtension(extnID: string, critical: boolean, value: Buffer): asn.Extension {
  return new asn.Extension({ extnID, critical, extnValue: new OctetString(value) });
}

/** keyUsage with some bits set. */
export function keyUsage(...flags: number[]): asn.Extension {
  let bits = 0;
  for (const flag of flags) bits |= flag;
  return extension(oids.keyUsage, true, new asn.KeyUsage(bits));
}

/** basicConstraints. */
export function basicConstraints(cA: boolean, pathLenConstraint?: number): asn.Extension {
  const fields = pathLenConstraint === undefined ? { cA } : { cA, pathLenConstraint };
  return extension(oids.basicConstraints, true, new asn.BasicConstraints(fields));
}

/** extendedKeyUsage. */
export function extendedKeyUsage(...usages: string[]): asn.Extension {
  return extension(oids.extendedKeyUsage, false, new asn.ExtendedKeyUsage(usages));
}

/** The certificate, DER. What is not given is as in a correct SVID for `id`. */
export function makeCertificate(
  id: string,
  shape: CertificateShape,
): { readonly der: Buffer; readonly key: KeyObject } {
  const nowMs = systemClock.nowMs();
  const key = shape.key ?? ecKey();
  const signer = shape.signWith ?? shape.issuer.key;
  const hash = shape.hash ?? "sha256";
  const kind = signer.asymmetricKeyType === "rsa" ? "rsa" : "ec";
  // A NULL parameter belongs to RSA only (RFC 4055, RFC 5758).
  const algorithm = new asn.AlgorithmIdentifier({
    algorithm: SIGNATURES[`${kind} ${hash}`],
    ...(kind === "rsa" ? { parameters: null } : {}),
  });
  const names = shape.names ?? [uriName(id)];
  const extensions: Record<string, asn.Extension | undefined> = {
    [oids.basicConstraints]: basicConstraints(false),
    [oids.keyUsage]: keyUsage(asn.KeyUsageFlags.digitalSignature),
    [oids.extendedKeyUsage]: extendedKeyUsage(SERVER_AUTH, CLIENT_AUTH),
    [oids.subjectAltName]: extension(oids.subjectAltName, true, new asn.SubjectAlternativeName([...names])),
    ...shape.extensions,
  };
  const list = [...Object.values(extensions).filter((one) => one !== undefined), ...(shape.more ?? [])];
  const tbs = new asn.TBSCertificate({
    version: shape.version ?? asn.Version.v3,
    serialNumber: arrayBuffer(shape.serial ?? positiveSerial()),
    signature: algorithm,
    issuer: nameOf(shape.issuer.subject),
    validity: new asn.Validity({
      notBefore: new Date(shape.notBeforeMs ?? nowMs - 5 * MINUTE),
      notAfter: new Date(shape.notAfterMs ?? nowMs + 60 * MINUTE),
    }),
    subject: nameOf(shape.subject ?? "O=Test"),
    subjectPublicKeyInfo: AsnConvert.parse(
      createPublicKey(key).export({ format: "der", type: "spki" }),
      asn.SubjectPublicKeyInfo,
    ),
    ...(list.length === 0 ? {} : { extensions: new asn.Extensions(list) }),
  });
  const plain = Buffer.from(AsnConvert.serialize(tbs));
  const signed = shape.bytes?.(plain) ?? plain;
  const signature = sign(hash, signed, signer);
  const tail = Buffer.concat([
    Buffer.from(AsnConvert.serialize(algorithm)),
    der(0x03, Buffer.concat([Buffer.of(0), signature])),
  ]);
  return { der: der(0x30, Buffer.concat([signed, tail])), key };
}

/** A root of its own, or an intermediate under `parent`. */
export function makeCa(
  trustDomain: string,
  options: Partial<CertificateShape> & { readonly parent?: LabCa; readonly pathLength?: number | undefined } = {},
): LabCa {
  const { parent, pathLength, ...shape } = options;
  const key = shape.key ?? ecKey();
  const subject = shape.subject ?? `CN=${parent === undefined ? "Root" : "Intermediate"} of ${trustDomain}`;
  const own: LabCa = { subject, key, der: Buffer.alloc(0) };
  const made = makeCertificate(`spiffe://${trustDomain}`, {
    subject,
    key,
    ...shape,
    issuer: shape.issuer ?? parent ?? own,
    extensions: {
      [oids.basicConstraints]: basicConstraints(true, pathLength),
      [oids.keyUsage]: keyUsage(asn.KeyUsageFlags.keyCertSign),
      [oids.extendedKeyUsage]: undefined,
      ...shape.extensions,
    },
  });
  return { subject, key, der: made.der };
}

/** An authority whose key and certificate are in PEM. */
export function caOf(certificatePem: string, keyPem: string): LabCa {
  const certificate = new X509Certificate(certificatePem);
  return { subject: certificate.subject, key: createPrivateKey(keyPem), der: Buffer.from(certificate.rawData) };
}

/** One DER element: tag, length, contents (X.690 section 8.1). */
export function der(tag: number, contents: Buffer): Buffer {
  const { length } = contents;
  const size =
    length < 0x80
      ? Buffer.of(length)
      : length < 0x100
        ? Buffer.of(0x81, length)
        : length < 0x10000
          ? Buffer.of(0x82, length >> 8, length & 0xff)
          : Buffer.of(0x83, length >> 16, (length >> 8) & 0xff, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, contents]);
}

/** The contents of the outermost element. */
export function contentsOf(element: Buffer): Buffer {
  const first = element[1] ?? 0;
  return element.subarray(first < 0x80 ? 2 : 2 + (first & 0x7f));
}

function nameOf(text: string): asn.Name {
  return AsnConvert.parse(new Name(text).toArrayBuffer(), asn.Name);
}

function positiveSerial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function arrayBuffer(bytes: Buffer): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** A certificate that is some way between right and wrong, as `numbers` (0 and up) decide. */
export function randomShape(issuer: LabCa, numbers: Iterable<number>): CertificateShape {
  const source = numbers[Symbol.iterator]();
  const below = (limit: number): number => {
    const { value, done } = source.next();
    return done === true ? 0 : value % limit;
  };
  const name = (): asn.GeneralName => {
    const text = `spiffe://m${below(9)}.example/${"x".repeat(below(300))}`;
    return below(4) === 0 ? new asn.GeneralName({ dNSName: `h${below(99)}.example` }) : uriName(text);
  };
  const nowMs = Math.floor(systemClock.nowMs() / 1000) * 1000;
  const isCa = below(3) === 0;
  const usages = [SERVER_AUTH, CLIENT_AUTH, "1.3.6.1.5.5.7.3.3", "2.5.29.37.0", "1.3.6.1.4.1.311.20.2.2"];
  return {
    issuer,
    key: issuer.key,
    names: Array.from({ length: below(6) }, name),
    notBeforeMs: nowMs - below(2 ** 31) * 1000,
    notAfterMs: nowMs + below(2 ** 31) * 2000,
    extensions: {
      [oids.basicConstraints]:
        below(4) === 0 ? undefined : isCa && below(2) === 0 ? basicConstraints(true, below(4)) : basicConstraints(isCa),
      [oids.keyUsage]: below(4) === 0 ? undefined : keyUsage(1 + below(2 ** 9 - 1)),
      [oids.extendedKeyUsage]:
        below(4) === 0 ? undefined : extendedKeyUsage(...usages.filter((_, at) => at === 0 || below(2) === 0)),
    },
    more: below(2) === 0 ? [] : [rawExtension("1.3.6.1.4.1.99999.2", false, randomBytes(below(200)))],
  };
}
