// The proxy's reader of certificates against the X.509 library: what both can read, they read alike (see
// docs/decisions/030-certificate-fields.md).

import { makeCa, makeCertificate, randomShape } from "@ripstop/testkit/hostile";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "@peculiar/x509";
import assert from "node:assert/strict";
import { X509Certificate as NodeCertificate } from "node:crypto";
import fc from "fast-check";
import { describe, it } from "node:test";
import { readCertificateFields, type CertificateFields } from "./certificate-fields.ts";

/** The same fields by the library; undefined when it cannot read the certificate. */
function byLibrary(der: Buffer): CertificateFields | undefined {
  try {
    const certificate = new X509Certificate(der);
    const names = certificate.getExtension(SubjectAlternativeNameExtension);
    const usages = certificate.getExtension(KeyUsagesExtension);
    const extended = certificate.getExtension(ExtendedKeyUsageExtension);
    return {
      notBeforeMs: certificate.notBefore.getTime(),
      notAfterMs: certificate.notAfter.getTime(),
      uriNames: (names?.names.items ?? []).filter(({ type }) => type === "url").map(({ value }) => value),
      isCa: certificate.getExtension(BasicConstraintsExtension)?.ca ?? false,
      keyUsage: usages?.usages,
      extendedKeyUsages: extended ? Array.from(extended.usages, String) : undefined,
    };
  } catch {
    return undefined;
  }
}

function opensslReads(der: Buffer): boolean {
  try {
    // OpenSSL reads names lazily: all that identity depends on has to be there.
    return new NodeCertificate(der).raw.equals(der);
  } catch {
    return false;
  }
}

describe("the reader of certificates", () => {
  const issuer = makeCa("test.mesh");

  it("reads every field of a certificate as the library does", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 40, maxLength: 400 }), (numbers) => {
        const { der } = makeCertificate("spiffe://test.mesh/a", randomShape(issuer, numbers));
        const expected = byLibrary(der);
        assert.ok(expected);
        assert.deepEqual(readCertificateFields(der), expected);
      }),
      { numRuns: 300 },
    );
  });

  it("never throws, and reads nothing else than the library, whatever bytes are changed", () => {
    let compared = 0;
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { minLength: 40, maxLength: 400 }),
        fc.array(changes, { minLength: 5, maxLength: 5 }),
        (numbers, variants) => {
          const { der: made } = makeCertificate("spiffe://test.mesh/a", randomShape(issuer, numbers));
          // To make one costs as much as to read several.
          for (const variant of variants) {
            const der = Buffer.from(made);
            for (const [at, value] of variant) der[at % der.length] = value;
            const found = readCertificateFields(der);
            if (!found || !opensslReads(der)) continue;
            const expected = byLibrary(der);
            if (!expected) continue;
            compared++;
            assert.deepEqual(found.uriNames, expected.uriNames);
            assert.equal(found.isCa, expected.isCa);
            assert.equal(found.keyUsage, expected.keyUsage);
            assert.deepEqual(found.extendedKeyUsages, expected.extendedKeyUsages);
          }
        },
      ),
      { numRuns: 400 },
    );
    assert.ok(compared > 500, `only ${compared} were readable`);
  });
});
