// Certificates are encoded from the X.509 library's schema; its own generator says what must come out.

import "reflect-metadata";

import assert from "node:assert/strict";
import { createPrivateKey, webcrypto, X509Certificate as NodeCertificate } from "node:crypto";
import { describe, it } from "node:test";

import { AsnConvert } from "@peculiar/asn1-schema";
import { Certificate } from "@peculiar/asn1-x509";
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
} from "@peculiar/x509";

import { caFacts } from "./ca-certificate.ts";
import { keyId, leafSubject, makeCertificate, type CertificateWish } from "./certificate-maker.ts";
import { generateSigningKey, keyKinds, type KeyKind, type SigningKey } from "./key-store.ts";

const START_MS = Date.UTC(2026, 0, 1, 0, 0, 0, 500);
const HOUR_MS = 3_600_000;

/** The same certificate by the library's generator: what is signed in it. */
async function byGenerator(wish: CertificateWish, serialNumber: string, issuer: Issuer): Promise<Buffer> {
  const isCa = wish.pathLength !== undefined;
  const extensions: Extension[] = [
    new BasicConstraintsExtension(isCa, wish.pathLength, true),
    new KeyUsagesExtension(isCa ? KeyUsageFlags.keyCertSign : KeyUsageFlags.digitalSignature, true),
    new SubjectAlternativeNameExtension([{ type: "url", value: wish.uri }], false),
    new SubjectKeyIdentifierExtension(keyId(wish.publicKey)),
  ];
  if (wish.issuerKeyId !== undefined) extensions.push(new AuthorityKeyIdentifierExtension(wish.issuerKeyId));
  if (!isCa) extensions.push(new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]));
  const { algorithm, hash } = issuer.key;
  const pkcs8 = createPrivateKey(issuer.pem).export({ format: "der", type: "pkcs8" });
  const certificate = await X509CertificateGenerator.create({
    serialNumber,
    subject: wish.subject,
    issuer: wish.issuer,
    notBefore: new Date(Math.floor(wish.notBeforeMs / 1000) * 1000),
    notAfter: new Date(Math.floor(wish.notAfterMs / 1000) * 1000),
    publicKey: wish.publicKey,
    signingAlgorithm: { ...algorithm, hash },
    signingKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, { ...algorithm, hash }, false, ["sign"]),
    extensions,
  });
  return signedPart(Buffer.from(certificate.rawData));
}

interface Issuer {
  readonly key: SigningKey;
  readonly pem: string;
}

function signedPart(der: Buffer): Buffer {
  const raw = AsnConvert.parse(der, Certificate).tbsCertificateRaw;
  assert.ok(raw !== undefined);
  return Buffer.from(raw);
}

async function check(wish: CertificateWish, issuer: Issuer): Promise<NodeCertificate> {
  const { pem, serialNumber } = await makeCertificate(wish, issuer.key);
  const made = new NodeCertificate(pem);
  assert.equal(made.serialNumber.toLowerCase(), serialNumber);
  assert.deepEqual(signedPart(made.raw), await byGenerator(wish, serialNumber, issuer));
  return made;
}

function rootWish(key: SigningKey): CertificateWish {
  const subject = "CN=Ripstop root 1234 of test.mesh, O=Ripstop";
  return {
    subject,
    issuer: subject,
    issuerKeyId: undefined,
    uri: "spiffe://test.mesh",
    publicKey: key.publicKey,
    notBeforeMs: START_MS,
    // Beyond 2049 a time has another form (RFC 5280 section 4.1.2.5).
    notAfterMs: START_MS + 30 * 365 * 24 * HOUR_MS,
    pathLength: 1,
  };
}

describe("a certificate", () => {
  for (const kind of keyKinds) {
    it(`signed by a key of kind ${kind} is byte for byte what the library's generator makes, and verifies`, async () => {
      const issuer: Issuer = await generateSigningKey(kind);
      const root = await check(rootWish(issuer.key), issuer);
      assert.ok(root.verify(root.publicKey));
      const facts = caFacts(root.toString());
      for (const leafKind of ["ec-p256", "rsa-2048"] satisfies KeyKind[]) {
        const { publicKey } = (await generateSigningKey(leafKind)).key;
        const leaf = await check(
          {
            subject: leafSubject,
            issuer: facts.subject,
            issuerKeyId: facts.keyId,
            uri: "spiffe://test.mesh/ns/shop/sa/web",
            publicKey,
            notBeforeMs: START_MS,
            notAfterMs: START_MS + HOUR_MS,
            pathLength: undefined,
          },
          issuer,
        );
        assert.ok(leaf.checkIssued(root));
        assert.ok(leaf.verify(root.publicKey));
      }
    });
  }

  it("below a CA of path length 0, and of an issuer without key identifier, is the generator's too", async () => {
    const issuer: Issuer = await generateSigningKey("ec-p256");
    await check({ ...rootWish(issuer.key), pathLength: 0 }, issuer);
    await check({ ...rootWish(issuer.key), pathLength: undefined, subject: leafSubject }, issuer);
  });

  it("never gets a serial number twice, nor one that is negative or short", async () => {
    const issuer = (await generateSigningKey("ec-p256")).key;
    const made = await Promise.all(Array.from({ length: 50 }, () => makeCertificate(rootWish(issuer), issuer)));
    const numbers = made.map(({ serialNumber }) => serialNumber);
    assert.equal(new Set(numbers).size, 50);
    for (const number of numbers) assert.match(number, /^[4-7][0-9a-f]{31}$/);
  });
});
