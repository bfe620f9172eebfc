// The table of hostile certificate signing requests and the verdict on each: "accepted", or the code of the refusal.

import "reflect-metadata";
import { webcrypto } from "node:crypto";
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

/** One row. */
export interface CsrCase {
  readonly title: string;
  readonly verdict: string;
  /** The request, PEM, of a sender that was attested for `id`. */
  make(id: string): Promise<string>;
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

interface Wish {
  readonly algorithm?: {
    name: string;
    hash: string;
    namedCurve?: string;
    modulusLength?: number;
    saltLength?: number;
    publicExponent?: Uint8Array;
  };
  readonly extensions?: Extension[];
  readonly attributes?: Attribute[];
}

async function csr({ algorithm = P256, extensions, attributes }: Wish = {}): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new Error("no key pair");
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

function tableFor(id: string): readonly (readonly [what: string, wish: Wish, verdict: string])[] {
  const uri = { type: "url", value: id } as const;
  return [
    ["a P-256 key and no name", {}, "accepted"],
    ["a P-384 key", { algorithm: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" } }, "accepted"],
    ["an RSA key of 2048 bits", { algorithm: rsa(2048) }, "accepted"],
    [
      "an RSA key and a signature with PSS padding",
      {
        algorithm: {
          name: "RSA-PSS",
          hash: "SHA-256",
          saltLength: 32,
          modulusLength: 2048,
          publicExponent: Uint8Array.from([1, 0, 1]),
        },
      },
      "accepted",
    ],
    ["exactly the id that was attested", san(uri), "accepted"],
    ["usages, which are not followed", { extensions: [new KeyUsagesExtension(KeyUsageFlags.keyCertSign)] }, "accepted"],
    ["extended usages", { extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.codeSigning])] }, "accepted"],
    ["no CA rights, said aloud", { extensions: [new BasicConstraintsExtension(false)] }, "accepted"],
    ["an RSA key of 1024 bits", { algorithm: rsa(1024) }, "RS2004"],
    ["an RSA key with exponent 3", { algorithm: rsa(2048, "SHA-256", [3]) }, "RS2004"],
    ["a P-521 key", { algorithm: { name: "ECDSA", namedCurve: "P-521", hash: "SHA-512" } }, "RS2004"],
    ["an Ed25519 key", { algorithm: { name: "Ed25519", hash: "SHA-512" } }, "RS2004"],
    ["a SHA-1 signature", { algorithm: rsa(2048, "SHA-1") }, "RS2003"],
    ["another workload", san({ type: "url", value: id.replace(/[^/]+$/, "admin") }), "RS2005"],
    [
      "another trust domain",
      san({ type: "url", value: id.replace(/^spiffe:..[^/]+/, "spiffe://other.mesh") }),
      "RS2005",
    ],
    ["the id in upper case", san({ type: "url", value: id.toUpperCase() }), "RS2005"],
    ["the id with a NUL", san({ type: "url", value: `${id}\0` }), "RS2005"],
    ["the id percent-encoded", san({ type: "url", value: id.replace("web", "%77eb") }), "RS2005"],
    ["the id with a trailing slash", san({ type: "url", value: `${id}/` }), "RS2005"],
    ["the id twice", san(uri, uri), "RS2006"],
    ["a second id", san(uri, { type: "url", value: id.replace(/[^/]+$/, "admin") }), "RS2006"],
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
}

/** Rows that no library makes: bytes and text around a correct request. */
const broken: readonly CsrCase[] = [
  { title: "nothing", verdict: "RS2001", make: async () => " " },
  { title: "two requests in one text", verdict: "RS2001", make: async () => (await csr()) + (await csr()) },
  {
    title: "a certificate's label",
    verdict: "RS2001",
    make: async () => (await csr()).replaceAll("CERTIFICATE REQUEST", "CERTIFICATE"),
  },
  { title: "bytes that are no ASN.1", verdict: "RS2001", make: async () => pemOf(Buffer.from("not DER")) },
  { title: "two thousand nested sequences", verdict: "RS2001", make: async () => pemOf(Buffer.alloc(2_000, 0x30)) },
  { title: "half of a request", verdict: "RS2001", make: async () => pemOf((await bytesOf()).subarray(0, 90)) },
  {
    title: "a signature with one bit changed",
    verdict: "RS2003",
    make: async () => {
      const bytes = await bytesOf();
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      return pemOf(bytes);
    },
  },
];

async function bytesOf(): Promise<Buffer> {
  return Buffer.from((await csr()).replaceAll(/-----[A-Z ]+-----/g, ""), "base64");
}

function pemOf(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join("\n")}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** Every row, in the order of the document. */
export const csrCases: readonly CsrCase[] = [
  ...tableFor("spiffe://x/y").map(([title, , verdict], at) => ({
    title,
    verdict,
    make: (id: string) => csr(tableFor(id)[at]?.[1]),
  })),
  ...broken,
];
