// Hostile signing requests: each is refused with its own code, none throws.

import "reflect-metadata";

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  BasicConstraintsExtension,
  ChallengePasswordAttribute,
  CRLDistributionPointsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  ExtensionsAttribute,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  type Attribute,
  type Extension,
  type JsonGeneralNames,
} from "@peculiar/x509";
import fc from "fast-check";

import { createKeyAndCsr } from "../csr/index.ts";
import { checkCsr } from "./csr-check.ts";

const ID = "spiffe://test.mesh/ns/shop/sa/web";
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

interface Wish {
  readonly algorithm?: {
    name: string;
    hash: string;
    namedCurve?: string;
    modulusLength?: number;
    publicExponent?: Uint8Array;
  };
  readonly extensions?: Extension[];
  readonly attributes?: Attribute[];
}

async function csr({ algorithm = P256, extensions, attributes }: Wish = {}): Promise<string> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  assert.ok("privateKey" in keys);
  const made = await Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: algorithm,
    ...(extensions ? { extensions } : {}),
    ...(attributes ? { attributes } : {}),
  });
  return made.toString("pem");
}

function rsa(
  modulusLength: number,
  hash: string = "SHA-256",
  exponent: readonly number[] = [1, 0, 1],
): NonNullable<Wish["algorithm"]> {
  return { name: "RSASSA-PKCS1-v1_5", hash, modulusLength, publicExponent: Uint8Array.from(exponent) };
}

function san(...names: JsonGeneralNames): Wish {
  return { extensions: [new SubjectAlternativeNameExtension(names)] };
}

async function verdict(pem: string): Promise<string> {
  const checked = await checkCsr(pem, ID);
  return checked.ok ? "accepted" : checked.error.code;
}

const uri = { type: "url", value: ID } as const;

const table: readonly (readonly [what: string, wish: Wish, verdict: string])[] = [
  ["a P-256 key and no name", {}, "accepted"],
  ["a P-384 key", { algorithm: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } }, "accepted"],
  ["an RSA key of 2048 bits", { algorithm: rsa(2048) }, "accepted"],
  ["exactly the id that was attested", san(uri), "accepted"],
  ["usages, which are not followed", { extensions: [new KeyUsagesExtension(KeyUsageFlags.keyCertSign)] }, "accepted"],
  ["extended usages", { extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.codeSigning])] }, "accepted"],
  ["no CA rights, said aloud", { extensions: [new BasicConstraintsExtension(false)] }, "accepted"],
  ["an RSA key of 1024 bits", { algorithm: rsa(1024) }, "RS2004"],
  ["an RSA key with exponent 3", { algorithm: rsa(2048, "SHA-256", [3]) }, "RS2004"],
  ["a P-521 key", { algorithm: { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" } }, "RS2004"],
  ["an Ed25519 key", { algorithm: { name: "Ed25519", hash: "SHA-512" } }, "RS2004"],
  ["a SHA-1 signature", { algorithm: rsa(2048, "SHA-1") }, "RS2003"],
  ["another workload", san({ type: "url", value: "spiffe://test.mesh/ns/shop/sa/admin" }), "RS2005"],
  ["another trust domain", san({ type: "url", value: "spiffe://other.mesh/ns/shop/sa/web" }), "RS2005"],
  ["the id in upper case", san({ type: "url", value: ID.toUpperCase() }), "RS2005"],
  ["the id with a NUL", san({ type: "url", value: `${ID}\0` }), "RS2005"],
  ["the id percent-encoded", san({ type: "url", value: ID.replace("web", "%77eb") }), "RS2005"],
  ["the id with a trailing slash", san({ type: "url", value: `${ID}/` }), "RS2005"],
  ["the id twice", san(uri, uri), "RS2006"],
  ["a second id", san(uri, { type: "url", value: "spiffe://test.mesh/ns/shop/sa/admin" }), "RS2006"],
  ["a DNS name beside the id", san(uri, { type: "dns", value: "web.shop" }), "RS2006"],
  ["a DNS name alone", san({ type: "dns", value: "web.shop" }), "RS2006"],
  ["an IP address", san({ type: "ip", value: "127.0.0.1" }), "RS2006"],
  ["an e-mail address", san({ type: "email", value: "root@test.mesh" }), "RS2006"],
  ["an empty list of names", san(), "RS2006"],
  ["two lists of names", { extensions: [...(san(uri).extensions ?? []), ...(san(uri).extensions ?? [])] }, "RS2006"],
  ["the rights of a CA", { extensions: [new BasicConstraintsExtension(true, 0)] }, "RS2006"],
  ["a revocation list of its own", { extensions: [new CRLDistributionPointsExtension(["http://evil/"])] }, "RS2006"],
  ["a challenge password", { attributes: [new ChallengePasswordAttribute("x")] }, "RS2006"],
  [
    "two extension requests",
    {
      attributes: [new ExtensionsAttribute([new BasicConstraintsExtension(false)])],
      extensions: san(uri).extensions ?? [],
    },
    "RS2006",
  ],
];

describe("a signing request", () => {
  for (const [what, wish, expected] of table) {
    it(`with ${what}: ${expected}`, async () => assert.equal(await verdict(await csr(wish)), expected));
  }

  it("made by createKeyAndCsr is accepted, also with Windows line ends", async () => {
    const { csrPem } = await createKeyAndCsr(ID);
    assert.equal(await verdict(csrPem), "accepted");
    assert.equal(await verdict(csrPem.replaceAll("\n", "\r\n")), "accepted");
  });

  it("whose signature does not fit is refused", async () => {
    const bytes = Buffer.from((await csr()).replaceAll(/-----[A-Z ]+-----/g, ""), "base64");
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    assert.equal(await verdict(pemOf(bytes)), "RS2003");
  });

  it("that is no request is refused", async () => {
    const good = await csr();
    assert.equal(await verdict(""), "RS2001");
    assert.equal(await verdict(good + good), "RS2001");
    assert.equal(await verdict(good.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE")), "RS2001");
    assert.equal(await verdict(pemOf(Buffer.from("not DER"))), "RS2001");
    assert.equal(await verdict(pemOf(Buffer.alloc(2000, 0x30))), "RS2001");
    assert.equal(await verdict(`${"\n".repeat(17_000)}${good}`), "RS2002");
  });

  it("cut off or with any byte changed never makes the check throw, and never changes the key it vouches for", async () => {
    const good = Buffer.from((await csr(san(uri))).replaceAll(/-----[A-Z ]+-----/g, ""), "base64");
    const clean = await checkCsr(pemOf(good), ID);
    assert.ok(clean.ok);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, flip, cut) => {
          const bytes = Buffer.from(cut ? good.subarray(0, at) : good);
          if (!cut) bytes[at] = (bytes[at] ?? 0) ^ flip;
          const checked = await checkCsr(pemOf(bytes), ID);
          if (checked.ok) assert.deepEqual(Buffer.from(checked.value), Buffer.from(clean.value));
        },
      ),
      { numRuns: 300 },
    );
  });
});

function pemOf(bytes: Buffer): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
}
