// Encodings of certificates.

import { randomBytes } from "node:crypto";
import * as asn from "@peculiar/asn1-x509";
import { basicConstraints, contentsOf, der, keyUsage, oids, rawExtension } from "../certificate-lab.ts";
import type { CertificateCase } from "./certificate-case.ts";
import { encoded, leaf, peerId } from "./presented.ts";

const { KeyUsageFlags: Usage } = asn;

/** An id that nobody registered. */
const UNKNOWN_OID = "1.3.6.1.4.1.99999.1";

/** Replaces one byte sequence that occurs once. */
function replaced(bytes: Buffer, from: Buffer, to: Buffer): Buffer {
  const at = bytes.indexOf(from);
  return at < 0 ? bytes : Buffer.concat([bytes.subarray(0, at), to, bytes.subarray(at + from.length)]);
}

function randomLike(): Buffer {
  return Buffer.from("ffeeddccbbaa99887766554433221100", "hex");
}

/** Rows on encodings. */
export const encodings: readonly CertificateCase[] = [
  {
    group: "encodings",
    title: "version 1 without extensions",
    verdict: "malformed_certificate",
    make: leaf({
      version: 0,
      extensions: {
        [oids.basicConstraints]: undefined,
        [oids.keyUsage]: undefined,
        [oids.extendedKeyUsage]: undefined,
        [oids.subjectAltName]: undefined,
      },
    }),
  },
  {
    group: "encodings",
    title: "version 1 with extensions",
    verdict: "malformed_certificate",
    make: leaf({ version: 0 }),
  },
  {
    group: "encodings",
    title: "a negative serial number",
    verdict: "malformed_certificate",
    make: leaf({ serial: Buffer.of(0x80, 1) }),
  },
  {
    group: "encodings",
    title: "the serial number 0",
    verdict: "malformed_certificate",
    make: leaf({ serial: Buffer.of(0) }),
  },
  {
    group: "encodings",
    title: "a serial number of 64 bytes",
    verdict: "malformed_certificate",
    make: leaf({ serial: Buffer.concat([Buffer.of(1), Buffer.alloc(63, 7)]) }),
  },
  {
    group: "encodings",
    title: "the same extension twice",
    verdict: "malformed_certificate",
    make: leaf({ more: [keyUsage(Usage.digitalSignature)] }),
  },
  {
    group: "encodings",
    title: "an unknown critical extension",
    verdict: "untrusted_chain",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, true, Buffer.of(5, 0))] }),
  },
  {
    group: "encodings",
    title: "an unknown extension that is not critical",
    verdict: "accepted",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, false, Buffer.of(5, 0))] }),
  },
  {
    group: "encodings",
    title: "a certificate of 90 KiB",
    verdict: "certificate_too_large",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, false, der(4, Buffer.alloc(90 * 1024)))] }),
  },
  {
    group: "encodings",
    title: "a certificate of 2 MiB",
    verdict: "certificate_too_large",
    make: leaf({ more: [rawExtension(UNKNOWN_OID, false, der(4, Buffer.alloc(2 * 1024 * 1024)))] }),
  },
  {
    group: "encodings",
    title: "bytes after the certificate",
    verdict: "malformed_certificate",
    make: encoded((bytes) => Buffer.concat([bytes, Buffer.from("trailing")])),
  },
  {
    group: "encodings",
    title: "bytes after the names within the SAN",
    verdict: "malformed_certificate",
    make: leaf(({ trustDomain }) => ({
      extensions: {
        [oids.subjectAltName]: rawExtension(
          oids.subjectAltName,
          true,
          Buffer.concat([der(0x30, der(0x86, Buffer.from(peerId(trustDomain)))), Buffer.from("xx")]),
        ),
      },
    })),
  },
  {
    group: "encodings",
    title: "an indefinite length around the certificate (outside what is signed: read as the definite one)",
    verdict: "accepted",
    make: encoded((bytes) => Buffer.concat([Buffer.of(0x30, 0x80), contentsOf(bytes), Buffer.of(0, 0)])),
  },
  {
    group: "encodings",
    title: "a length with a leading zero around the certificate (outside what is signed: read as the short one)",
    verdict: "accepted",
    make: encoded((bytes) => {
      const contents = contentsOf(bytes);
      return Buffer.concat([Buffer.of(0x30, 0x83, 0, contents.length >> 8, contents.length & 0xff), contents]);
    }),
  },
  {
    group: "encodings",
    title: "an indefinite length within what is signed",
    verdict: "malformed_certificate",
    make: leaf({ bytes: (tbs) => Buffer.concat([Buffer.of(0x30, 0x80), contentsOf(tbs), Buffer.of(0, 0)]) }),
  },
  {
    group: "encodings",
    title: "a length with a leading zero within what is signed",
    verdict: "malformed_certificate",
    make: leaf({
      bytes: (tbs) => {
        const contents = contentsOf(tbs);
        return Buffer.concat([Buffer.of(0x30, 0x83, 0, contents.length >> 8, contents.length & 0xff), contents]);
      },
    }),
  },
  {
    group: "encodings",
    title: "a truncated certificate",
    verdict: "malformed_certificate",
    make: encoded((bytes) => bytes.subarray(0, bytes.length - 20)),
  },
  {
    group: "encodings",
    title: "random bytes",
    verdict: "malformed_certificate",
    make: encoded(() => randomBytes(600)),
  },
  {
    group: "encodings",
    title: "an empty certificate",
    verdict: "malformed_certificate",
    make: encoded(() => Buffer.alloc(0)),
  },
  {
    group: "encodings",
    title: "a SAN that is no ASN.1",
    verdict: "malformed_certificate",
    make: leaf({ extensions: { [oids.subjectAltName]: rawExtension(oids.subjectAltName, true, randomLike()) } }),
  },
  {
    group: "encodings",
    title: "the cA flag as 01 instead of FF",
    verdict: "ca_certificate",
    make: leaf({
      extensions: { [oids.basicConstraints]: rawExtension(oids.basicConstraints, true, Buffer.of(0x30, 3, 1, 1, 1)) },
    }),
  },
  {
    group: "encodings",
    title: "a month 13 in the validity",
    verdict: "malformed_certificate",
    make: leaf({
      notAfterMs: Date.UTC(2039, 10, 30, 10, 11, 12),
      bytes: (tbs) => replaced(tbs, Buffer.from("391130101112Z"), Buffer.from("391330101112Z")),
    }),
  },
  {
    group: "encodings",
    title: "a path length on a leaf",
    verdict: "malformed_certificate",
    make: leaf({ extensions: { [oids.basicConstraints]: basicConstraints(false, 3) } }),
  },
  {
    group: "encodings",
    title: "a key usage without a bit set",
    verdict: "malformed_certificate",
    make: leaf({ extensions: { [oids.keyUsage]: rawExtension(oids.keyUsage, true, Buffer.of(3, 2, 7, 0)) } }),
  },
];
