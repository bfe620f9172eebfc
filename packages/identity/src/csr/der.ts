// Writes DER (ITU-T X.690): tag, length, content.

/** The tags that a certificate signing request is made of. */
export const DerTag = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  UTF8_STRING: 0x0c,
  SEQUENCE: 0x30,
  SET: 0x31,
  /** uniformResourceIdentifier of a GeneralName (RFC 5280 §4.2.1.6). */
  GENERAL_NAME_URI: 0x86,
  /** A constructed value with the context tag 0. */
  CONTEXT_0: 0xa0,
} as const;

/** One value, whose content is the `parts` one after the other; at most 65,535 bytes together. */
export function derValue(tag: (typeof DerTag)[keyof typeof DerTag], ...parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head =
    length < 0x80
      ? Buffer.of(tag, length)
      : length < 0x100
        ? Buffer.of(tag, 0x81, length)
        : Buffer.of(tag, 0x82, length >> 8, length & 0xff);
  return Buffer.concat([head, ...parts]);
}
