// Certificates from DER to PEM (RFC 7468).

/** The PEM text of DER certificates. */
export function bundlePem(authorities: readonly Uint8Array[]): string {
  return authorities
    .map((der) => {
      const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64");
      return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}(?=.)/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
    })
    .join("");
}
