// Reads from a certificate what node:crypto does not tell exactly: key usages and the bytes of the names. It only walks
// DER (X.690) that OpenSSL has parsed already; anything unexpected makes the certificate unreadable.

/** The fields of a certificate (RFC 5280 §4.1, §4.2) that identity depends on. */
export interface CertificateFields {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Every URI SAN, one character a byte. */
  readonly uriNames: readonly string[];
  readonly isCa: boolean;
  /** Bit n set: usage n of RFC 5280 §4.2.1.3 (0 digitalSignature, 5 keyCertSign, 6 cRLSign); undefined without the extension. */
  readonly keyUsage: number | undefined;
  /** Dotted ids; undefined without the extension. */
  readonly extendedKeyUsages: readonly string[] | undefined;
}

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

const SEQUENCE = 0x30;
const OID_SAN = "2.5.29.17";
const OID_KEY_USAGE = "2.5.29.15";
const OID_BASIC_CONSTRAINTS = "2.5.29.19";
const OID_EXTENDED_KEY_USAGE = "2.5.29.37";
const MAX_ELEMENTS = 256;
const MAX_SERIAL_OCTETS = 20;

/** The fields of one DER certificate; undefined when it cannot be read, or names an extension twice. */
export function readCertificateFields(der: Buffer): CertificateFields | undefined {
  try {
    return read(der);
  } catch (problem) {
    if (problem instanceof Unreadable) return undefined;
    throw problem;
  }
}

class Unreadable extends Error {}

function read(der: Buffer): CertificateFields {
  const [tbs] = children(der, one(der, { tag: 0, start: 0, end: der.length }, SEQUENCE));
  const parts = children(der, expect(tbs, SEQUENCE));
  // version [0] is there in every certificate with extensions; then serial, signature, issuer, validity.
  if (parts[0]?.tag !== 0xa0) throw new Unreadable();
  checkSerial(der, expect(parts[1], 0x02));
  const [notBefore, notAfter] = children(der, expect(parts[4], SEQUENCE));
  const extensions = new Map<string, Element>();
  for (const part of parts) {
    if (part.tag !== 0xa3) continue;
    for (const extension of children(der, one(der, part, SEQUENCE))) {
      const fields = children(der, expect(extension, SEQUENCE));
      const id = oid(der, expect(fields[0], 0x06));
      if (extensions.has(id)) throw new Unreadable();
      extensions.set(id, expect(fields.at(-1), 0x04));
    }
  }
  return {
    notBeforeMs: time(der, notBefore),
    notAfterMs: time(der, notAfter),
    uriNames: uriNames(der, extensions.get(OID_SAN)),
    isCa: isCa(der, extensions.get(OID_BASIC_CONSTRAINTS)),
    keyUsage: keyUsage(der, extensions.get(OID_KEY_USAGE)),
    extendedKeyUsages: extendedKeyUsages(der, extensions.get(OID_EXTENDED_KEY_USAGE)),
  };
}

function uriNames(der: Buffer, value: Element | undefined): readonly string[] {
  if (!value) return [];
  const names = children(der, one(der, value, SEQUENCE));
  return names.filter((name) => name.tag === 0x86).map((name) => der.toString("latin1", name.start, name.end));
}

function isCa(der: Buffer, value: Element | undefined): boolean {
  if (!value) return false;
  const [flag, ...more] = children(der, one(der, value, SEQUENCE));
  const isCa = flag?.tag === 0x01 && der[flag.start] !== 0;
  // A path length is for authorities only (RFC 5280 section 4.2.1.9).
  if (!isCa && (more.length > 0 || flag?.tag === 0x02)) throw new Unreadable();
  return isCa;
}

/** Positive, and at most 20 octets (RFC 5280 section 4.1.2.2): a certificate is revoked by this number. */
function checkSerial(der: Buffer, { start, end }: Element): void {
  const first = der[start] ?? 0;
  const isZero = end - start === 1 && first === 0;
  if (end <= start || end - start > MAX_SERIAL_OCTETS || first >= 0x80 || isZero) throw new Unreadable();
}

function keyUsage(der: Buffer, value: Element | undefined): number | undefined {
  if (!value) return undefined;
  const bits = one(der, value, 0x03);
  // The unused bits at the end are zero (X.690 section 11.2.1): readers differ about those that are not.
  const unused = der[bits.start] ?? 0;
  const last = der[bits.end - 1] ?? 0;
  if (bits.end - bits.start < 2 || unused > 7 || (last & ((1 << unused) - 1)) !== 0) throw new Unreadable();
  let usage = 0;
  for (let bit = 0; bit < 9; bit++) {
    const at = bits.start + 1 + (bit >> 3);
    if (at < bits.end && ((der[at] ?? 0) & (0x80 >> (bit & 7))) !== 0) usage |= 1 << bit;
  }
  return usage;
}

function extendedKeyUsages(der: Buffer, value: Element | undefined): readonly string[] | undefined {
  return value && children(der, one(der, value, SEQUENCE)).map((usage) => oid(der, expect(usage, 0x06)));
}

function time(der: Buffer, element: Element | undefined): number {
  if (!element) throw new Unreadable();
  const text = der.toString("latin1", element.start, element.end);
  const match = /^(\d{2}|\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/.exec(text);
  const [, year = "", month, day, hour, minute, second] = match ?? [];
  if (!match || (year.length === 2) !== (element.tag === 0x17)) throw new Unreadable();
  // UTCTime: years 50 … 99 are of the last century (RFC 5280 §4.1.2.5.1).
  const fullYear = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 50 ? 2000 : 1900);
  return Date.UTC(fullYear, Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

function oid(der: Buffer, element: Element): string {
  const arcs: number[] = [];
  let arc = 0;
  for (let at = element.start; at < element.end; at++) {
    const byte = der[at] ?? 0;
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(Math.floor(arc / 40), 2), arc - 40 * Math.min(Math.floor(arc / 40), 2));
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join(".");
}

function expect(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new Unreadable();
  return element;
}

/** The only element within `outer`. */
function one(der: Buffer, outer: Element, tag: number): Element {
  const [inner, more] = children(der, outer);
  if (more) throw new Unreadable();
  return expect(inner, tag);
}

function children(der: Buffer, outer: Element): readonly Element[] {
  const found: Element[] = [];
  for (let at = outer.start; at < outer.end;) {
    const tag = der[at] ?? 0;
    let length = der[at + 1] ?? 0;
    let start = at + 2;
    if (length >= 0x80) {
      const digits = length - 0x80;
      if (digits < 1 || digits > 3) throw new Unreadable();
      length = 0;
      for (let i = 0; i < digits; i++) length = length * 256 + (der[start + i] ?? 0);
      start += digits;
      // DER has one way to write a length (X.690 section 10.1).
      if (length < 0x80 || length < 2 ** (8 * (digits - 1))) throw new Unreadable();
    }
    const end = start + length;
    // Tag numbers above 30 do not occur in certificates.
    if ((tag & 0x1f) === 0x1f || end > outer.end || found.length >= MAX_ELEMENTS) throw new Unreadable();
    found.push({ tag, start, end });
    at = end;
  }
  return found;
}
