// A new key and its certificate signing request, made where the key is used: the key never leaves the host.

/** A private key and the request to certify it. */
export interface KeyAndCsr {
  /** PKCS #8, PEM. To be stored with mode 0600. */
  readonly keyPem: string;
  /** PKCS #10 (RFC 2986), PEM. */
  readonly csrPem: string;
}

/** Makes an EC P-256 key and a request for `spiffeId`. The X.509 library is loaded at the first call only. */
export async function createKeyAndCsr(spiffeId: string): Promise<KeyAndCsr> {
  await import("reflect-metadata");
  const { Pkcs10CertificateRequestGenerator, SubjectAlternativeNameExtension } = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name: "O=Ripstop",
    keys,
    signingAlgorithm: { ...algorithm, hash: "SHA-256" },
    extensions: [new SubjectAlternativeNameExtension([{ type: "url", value: spiffeId }], false)],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  const keyPem = `-----BEGIN PRIVATE KEY-----\n${(pkcs8.match(/.{1,64}/g) ?? []).join("\n")}\n-----END PRIVATE KEY-----\n`;
  return { keyPem, csrPem: `${csr.toString("pem")}\n` };
}
