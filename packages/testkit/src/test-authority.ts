// A throwaway certificate authority for tests: real keys, real certificates, and every hostile variant of a leaf.

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { systemClock } from "@ripstop/core";
import * as x509 from "@peculiar/x509";

const HOUR_MS = 3_600_000;
const BACKDATE_MS = 300_000;

/** Key types that tests ask for. */
export type TestKeyType = "P-256" | "P-384" | "RSA-2048";

/** How a leaf differs from a correct X.509-SVID. */
export interface TestLeafOptions {
  /** URI SANs, in place of the one with the SPIFFE id. */
  readonly uris?: readonly string[];
  /** DNS SANs; default none. */
  readonly dnsNames?: readonly string[];
  /** Start of validity, milliseconds since the epoch; default five minutes ago. */
  readonly notBeforeMs?: number;
  /** End of validity, milliseconds since the epoch; default in one hour. */
  readonly notAfterMs?: number;
  /** cA of the basic constraints; default false. */
  readonly ca?: boolean;
  /** Key usages; default digitalSignature; "absent" leaves the extension out. */
  readonly keyUsages?: readonly ("digitalSignature" | "keyEncipherment" | "keyCertSign" | "cRLSign")[] | "absent";
  /** Extended key usages as names; default server and client auth; "absent" leaves the extension out. */
  readonly extendedKeyUsages?: readonly ("serverAuth" | "clientAuth" | "codeSigning")[] | "absent";
  readonly keyType?: TestKeyType;
}

/** A certificate chain and its key. */
export interface TestSvid {
  readonly spiffeId: string;
  /** Leaf first, then intermediates; without the root. */
  readonly chainPem: string;
  /** PKCS #8. */
  readonly keyPem: string;
  readonly leafDer: Buffer;
}

interface Signer {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  /** PEM of the intermediates from this signer up, without the root. */
  readonly chainPem: string;
}

/** Issues certificates of one trust domain. Time is the machine's own, because OpenSSL checks against that. */
export class TestAuthority {
  readonly trustDomain: string;
  /** The root certificate, PEM: the trust bundle. */
  readonly bundlePem: string;
  readonly #signer: Signer;

  private constructor(trustDomain: string, bundlePem: string, signer: Signer) {
    this.trustDomain = trustDomain;
    this.bundlePem = bundlePem;
    this.#signer = signer;
  }

  /** A new authority with a root of its own (EC P-256). */
  static async create(trustDomain: string = "test.mesh"): Promise<TestAuthority> {
    const keys = await generateKeys("P-256");
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: `CN=Root of ${trustDomain}`,
      issuer: `CN=Root of ${trustDomain}`,
      notBefore: new Date(systemClock.nowMs() - BACKDATE_MS),
      notAfter: new Date(systemClock.nowMs() + 24 * HOUR_MS),
      signingKey: keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions: [
        new x509.BasicConstraintsExtension(true, 2, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new TestAuthority(trustDomain, certificate.toString("pem"), { certificate, keys, chainPem: "" });
  }

  /** An authority under this one: same root, and its certificate in every chain that it issues. */
  async intermediate(): Promise<TestAuthority> {
    const keys = await generateKeys("P-256");
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: `CN=Intermediate of ${this.trustDomain}`,
      issuer: this.#signer.certificate.subject,
      notBefore: new Date(systemClock.nowMs() - BACKDATE_MS),
      notAfter: new Date(systemClock.nowMs() + 12 * HOUR_MS),
      signingKey: this.#signer.keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions: [
        new x509.BasicConstraintsExtension(true, 1, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        new x509.SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${this.trustDomain}` }]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(this.#signer.keys.publicKey),
      ],
    });
    const chainPem = `${certificate.toString("pem")}\n${this.#signer.chainPem}`;
    return new TestAuthority(this.trustDomain, this.bundlePem, { certificate, keys, chainPem });
  }

  /** The id of a workload in the default form of the mesh. */
  idOf(serviceAccount: string, namespace: string = "shop"): string {
    return `spiffe://${this.trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  }

  /** A leaf for `spiffeId` with a new key. With `options` it can be wrong in any way. */
  async issue(spiffeId: string, options: TestLeafOptions = {}): Promise<TestSvid> {
    const keys = await generateKeys(options.keyType ?? "P-256");
    const names: x509.JsonGeneralNames = [
      ...(options.uris ?? [spiffeId]).map((value) => ({ type: "url" as const, value })),
      ...(options.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
    ];
    const extensions: x509.Extension[] = [
      new x509.BasicConstraintsExtension(options.ca ?? false, undefined, true),
      await x509.AuthorityKeyIdentifierExtension.create(this.#signer.keys.publicKey),
    ];
    // A SAN is critical when the subject is empty (RFC 5280 §4.2.1.6).
    if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names, true));
    const usages = options.keyUsages ?? ["digitalSignature"];
    if (usages !== "absent") {
      let flags = 0;
      for (const usage of usages) flags |= x509.KeyUsageFlags[usage];
      // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the flags are bits, and the constructor takes their sum
      extensions.push(new x509.KeyUsagesExtension(flags, true));
    }
    const extended = options.extendedKeyUsages ?? ["serverAuth", "clientAuth"];
    if (extended !== "absent") {
      extensions.push(new x509.ExtendedKeyUsageExtension(extended.map((name) => x509.ExtendedKeyUsage[name])));
    }
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: randomSerial(),
      subject: "",
      issuer: this.#signer.certificate.subject,
      notBefore: new Date(options.notBeforeMs ?? systemClock.nowMs() - BACKDATE_MS),
      notAfter: new Date(options.notAfterMs ?? systemClock.nowMs() + HOUR_MS),
      signingKey: this.#signer.keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
      extensions,
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
    return {
      spiffeId,
      chainPem: `${certificate.toString("pem")}\n${this.#signer.chainPem}`,
      keyPem: `-----BEGIN PRIVATE KEY-----\n${pkcs8.replace(/.{64}/g, "$&\n")}\n-----END PRIVATE KEY-----\n`,
      leafDer: Buffer.from(certificate.rawData),
    };
  }
}

async function generateKeys(type: TestKeyType): Promise<webcrypto.CryptoKeyPair> {
  const usages: webcrypto.KeyUsage[] = ["sign", "verify"];
  if (type === "RSA-2048") {
    const algorithm = {
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
    };
    return webcrypto.subtle.generateKey(algorithm, true, usages);
  }
  return webcrypto.subtle.generateKey({ name: "ECDSA", namedCurve: type }, true, usages);
}

/** 16 random bytes as hex, positive and not zero. */
function randomSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return Buffer.from(bytes).toString("hex");
}
