// A new key and its certificate signing request, made where the key is used: the key never leaves the host. Written
// byte by byte, because every workload's supervisor does it, and an X.509 library is large and slow to load.

import { generateKeyPairSync, sign } from "node:crypto";

import { DerTag, derValue } from "./der.ts";

/** A private key and the request to certify it. */
export interface KeyAndCsr {
  /** PKCS #8, PEM. To be stored with mode 0600. */
  readonly keyPem: string;
  /** PKCS #10 (RFC 2986), PEM. */
  readonly csrPem: string;
}

// Object identifiers, encoded: organizationName, extensionRequest (RFC 2985), subjectAltName, ecdsa-with-SHA256.
const ORGANIZATION_NAME = Buffer.from("060355040a", "hex");
const EXTENSION_REQUEST = Buffer.from("06092a864886f70d01090e", "hex");
const SUBJECT_ALT_NAME = Buffer.from("0603551d11", "hex");
const ECDSA_WITH_SHA256 = Buffer.from("06082a8648ce3d040302", "hex");

const VERSION_1 = derValue(DerTag.INTEGER, Buffer.of(0));
const SUBJECT = derValue(
  DerTag.SEQUENCE,
  derValue(
    DerTag.SET,
    derValue(DerTag.SEQUENCE, ORGANIZATION_NAME, derValue(DerTag.UTF8_STRING, Buffer.from("Ripstop"))),
  ),
);

/** Makes an EC P-256 key and a request for `spiffeId`, which is ASCII. */
export function createKeyAndCsr(spiffeId: string): Promise<KeyAndCsr> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const info = derValue(
    DerTag.SEQUENCE,
    VERSION_1,
    SUBJECT,
    publicKey.export({ type: "spki", format: "der" }),
    derValue(
      DerTag.CONTEXT_0,
      derValue(DerTag.SEQUENCE, EXTENSION_REQUEST, derValue(DerTag.SET, extensions(spiffeId))),
    ),
  );
  const signature = sign("sha256", info, privateKey);
  const csr = derValue(
    DerTag.SEQUENCE,
    info,
    derValue(DerTag.SEQUENCE, ECDSA_WITH_SHA256),
    // No bit of the last byte is unused.
    derValue(DerTag.BIT_STRING, Buffer.of(0), signature),
  );
  const lines = csr.toString("base64").match(/.{1,64}/g) ?? [];
  return Promise.resolve({
    keyPem: String(privateKey.export({ type: "pkcs8", format: "pem" })),
    csrPem: `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join("\n")}\n-----END CERTIFICATE REQUEST-----\n`,
  });
}

/** The one extension asked for: the SPIFFE id as URI (RFC 5280 §4.2.1.6). */
function extensions(spiffeId: string): Buffer {
  const names = derValue(DerTag.SEQUENCE, derValue(DerTag.GENERAL_NAME_URI, Buffer.from(spiffeId, "latin1")));
  return derValue(DerTag.SEQUENCE, derValue(DerTag.SEQUENCE, SUBJECT_ALT_NAME, derValue(DerTag.OCTET_STRING, names)));
}
