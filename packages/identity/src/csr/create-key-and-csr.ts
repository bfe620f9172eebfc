// A new key and its certificate signing request, made where the key is used: the key never leaves the host.

import { generateKeyPair, sign } from "node:crypto";
import { promisify } from "node:util";

/** A private key and the request to certify it. */
export interface KeyAndCsr {
  /** PKCS #8, PEM. To be stored with mode 0600. */
  readonly keyPem: string;
  /** PKCS #10 (RFC 2986), PEM. */
  readonly csrPem: string;
}

const generate = promisify(generateKeyPair);
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";

/** Makes an EC P-256 key and a request for `spiffeId`. The schema of requests is loaded at the first call only. */
export async function createKeyAndCsr(spiffeId: string): Promise<KeyAndCsr> {
  const [{ AsnConvert, OctetString }, x509, { Attributes, CertificationRequest, CertificationRequestInfo }, ecc] =
    await Promise.all([
      import("@peculiar/asn1-schema"),
      import("@peculiar/asn1-x509"),
      import("@peculiar/asn1-csr"),
      import("@peculiar/asn1-ecc"),
    ]);
  const { publicKey, privateKey } = await generate("ec", { namedCurve: "P-256" });
  const organization = new x509.AttributeTypeAndValue({
    type: "2.5.4.10",
    value: new x509.AttributeValue({ utf8String: "Ripstop" }),
  });
  const name = new x509.SubjectAlternativeName([new x509.GeneralName({ uniformResourceIdentifier: spiffeId })]);
  const extensions = new x509.Extensions([
    new x509.Extension({ extnID: x509.id_ce_subjectAltName, extnValue: new OctetString(AsnConvert.serialize(name)) }),
  ]);
  const certificationRequestInfo = new CertificationRequestInfo({
    subject: new x509.Name([new x509.RelativeDistinguishedName([organization])]),
    subjectPKInfo: AsnConvert.parse(publicKey.export({ format: "der", type: "spki" }), x509.SubjectPublicKeyInfo),
    attributes: new Attributes([
      new x509.Attribute({ type: EXTENSION_REQUEST, values: [AsnConvert.serialize(extensions)] }),
    ]),
  });
  const signature = sign("sha256", new Uint8Array(AsnConvert.serialize(certificationRequestInfo)), privateKey);
  const request = new CertificationRequest({
    certificationRequestInfo,
    signatureAlgorithm: ecc.ecdsaWithSHA256,
    signature: Uint8Array.from(signature).buffer,
  });
  const base64 = Buffer.from(AsnConvert.serialize(request)).toString("base64");
  return {
    keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    csrPem: `-----BEGIN CERTIFICATE REQUEST-----\n${(base64.match(/.{1,64}/g) ?? []).join("\n")}\n-----END CERTIFICATE REQUEST-----\n`,
  };
}
