// Makes the three kinds of certificate of a trust domain (SPIFFE X.509-SVID §4, RFC 5280): root, intermediate, leaf.

import "reflect-metadata";

import { createHash, randomBytes, type webcrypto } from "node:crypto";

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  type Extension,
  type Name,
} from "@peculiar/x509";

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

/** Signs a certificate. Times are cut to whole seconds, as the format has no finer ones. */
export async function makeCertificate(wish: CertificateWish, issuerKey: SigningKey): Promise<MadeCertificate> {
  const isCa = wish.pathLength !== undefined;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(isCa, wish.pathLength, true),
    new KeyUsagesExtension(isCa ? KeyUsageFlags.keyCertSign : KeyUsageFlags.digitalSignature, true),
    new SubjectAlternativeNameExtension([{ type: "url", value: wish.uri }], false),
    new SubjectKeyIdentifierExtension(keyId(wish.publicKey)),
  ];
  if (wish.issuerKeyId !== undefined) extensions.push(new AuthorityKeyIdentifierExtension(wish.issuerKeyId));
  if (!isCa) extensions.push(new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]));
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: randomSerialNumber(),
      subject: wish.subject,
      issuer: wish.issuer,
      notBefore: new Date(Math.floor(wish.notBeforeMs / 1000) * 1000),
      notAfter: new Date(Math.floor(wish.notAfterMs / 1000) * 1000),
      publicKey: wish.publicKey,
      signingAlgorithm: { ...issuerKey.algorithm, hash: issuerKey.hash },
      signingKey: { type: "private", algorithm: issuerKey.algorithm, extractable: false, usages: ["sign"] },
      extensions,
    },
    signingOnly(issuerKey),
  );
  return { pem: `${certificate.toString("pem")}\n`, serialNumber: certificate.serialNumber };
}

/** 126 random bits, positive and never with a leading zero byte (RFC 5280 §4.1.2.2). */
function randomSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

/** The identifier that certificates made here give a key: method 1 of RFC 7093 §2, over the whole key info; hex. */
export function keyId(publicKey: Uint8Array): string {
  return createHash("sha256").update(publicKey).digest("hex").slice(0, 40);
}

/** A WebCrypto that can do one thing: sign with a key that only its store holds. */
function signingOnly(key: SigningKey): webcrypto.Crypto {
  const refuse = (): never => {
    throw new Error("the authority's crypto only signs");
  };
  return new Proxy(globalThis.crypto, {
    get(target, name): unknown {
      if (name === "subtle") {
        return { sign: (_algorithm: unknown, _key: unknown, data: ArrayBuffer) => key.sign(new Uint8Array(data)) };
      }
      return name === "getRandomValues" ? target.getRandomValues.bind(target) : refuse();
    },
  });
}
