import { X509Certificate } from "node:crypto";
import { systemClock } from "@ripstop/core";
import { StoppedClock, TestAuthority, type TestLeafOptions } from "@ripstop/testkit";
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "node:test";
import { readCertificateFields } from "./certificate-fields.ts";
import { createPeerVerification } from "./peer-verification.ts";

const NOW_MS = Date.UTC(2026, 5, 15, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ID = "spiffe://test.mesh/ns/shop/sa/web";
const VALID: TestLeafOptions = { notBeforeMs: NOW_MS - MINUTE, notAfterMs: NOW_MS + HOUR };

const ACCEPTED: readonly (readonly [title: string, options: TestLeafOptions])[] = [
  ["a correct SVID", {}],
  ["one with DNS names beside the id", { dnsNames: ["web.shop", "other"] }],
  ["one without extended key usages", { extendedKeyUsages: "absent" }],
  ["one with further key usages of a leaf", { keyUsages: ["digitalSignature", "keyEncipherment"] }],
  ["a P-384 key", { keyType: "P-384" }],
  ["an RSA key", { keyType: "RSA-2048" }],
  ["one issued by a clock four minutes ahead", { notBeforeMs: NOW_MS + 4 * MINUTE }],
  ["one that ends far in the future", { notAfterMs: Date.UTC(2070, 0, 1) }],
];

const REFUSED: readonly (readonly [title: string, options: TestLeafOptions, reason: string])[] = [
  ["no URI name", { uris: [] }, "no_spiffe_id"],
  ["a DNS name only", { uris: [], dnsNames: ["web.shop"] }, "no_spiffe_id"],
  ["two URI names", { uris: [ID, "spiffe://test.mesh/ns/shop/sa/admin"] }, "several_uri_names"],
  ["the same URI name twice", { uris: [ID, ID] }, "several_uri_names"],
  ["a URI of another scheme beside it", { uris: [ID, "https://test.mesh/"] }, "several_uri_names"],
  ["another scheme", { uris: ["https://test.mesh/ns/shop/sa/web"] }, "malformed_spiffe_id"],
  ["a scheme in capitals", { uris: ["SPIFFE://test.mesh/ns/shop/sa/web"] }, "malformed_spiffe_id"],
  ["a trust domain in capitals", { uris: ["spiffe://Test.mesh/ns/shop/sa/web"] }, "malformed_spiffe_id"],
  ["NUL in the path", { uris: ["spiffe://test.mesh/ns/shop/sa/web\0"] }, "malformed_spiffe_id"],
  ["NUL in the trust domain", { uris: ["spiffe://test.mesh\0.evil/ns/shop/sa/web"] }, "malformed_spiffe_id"],
  ["percent-encoding", { uris: ["spiffe://test.mesh/ns/shop/sa/%77eb"] }, "malformed_spiffe_id"],
  ["a query", { uris: [`${ID}?x=1`] }, "malformed_spiffe_id"],
  ["a fragment", { uris: [`${ID}#x`] }, "malformed_spiffe_id"],
  ["a port", { uris: ["spiffe://test.mesh:443/ns/shop/sa/web"] }, "malformed_spiffe_id"],
  ["a user", { uris: ["spiffe://root@test.mesh/ns/shop/sa/web"] }, "malformed_spiffe_id"],
  ["a trailing slash", { uris: [`${ID}/`] }, "malformed_spiffe_id"],
  ["a doubled slash", { uris: ["spiffe://test.mesh/ns//shop/sa/web"] }, "malformed_spiffe_id"],
  ["a dot segment", { uris: ["spiffe://test.mesh/ns/shop/../sa/web"] }, "malformed_spiffe_id"],
  ["an empty trust domain", { uris: ["spiffe:///ns/shop/sa/web"] }, "malformed_spiffe_id"],
  ["a line break", { uris: [`${ID}\n`] }, "malformed_spiffe_id"],
  ["a comma that fakes a second name", { uris: [`${ID}, URI:spiffe://test.mesh/admin`] }, "malformed_spiffe_id"],
  ["a trust domain id", { uris: ["spiffe://test.mesh"] }, "malformed_spiffe_id"],
  ["an id that is too long", { uris: [`spiffe://test.mesh/${"a".repeat(2_048)}`] }, "malformed_spiffe_id"],
  ["an authority's certificate", { ca: true }, "ca_certificate"],
  ["no key usage", { keyUsages: "absent" }, "key_usage"],
  ["a key that may not sign", { keyUsages: ["keyEncipherment"] }, "key_usage"],
  ["a key that signs certificates", { keyUsages: ["digitalSignature", "keyCertSign"] }, "key_usage"],
  ["a key that signs revocation lists", { keyUsages: ["digitalSignature", "cRLSign"] }, "key_usage"],
  ["server use only", { extendedKeyUsages: ["serverAuth"] }, "extended_key_usage"],
  ["client use only", { extendedKeyUsages: ["clientAuth"] }, "extended_key_usage"],
  ["code signing", { extendedKeyUsages: ["codeSigning"] }, "extended_key_usage"],
  ["an expired certificate", { notAfterMs: NOW_MS - 1_000 }, "expired"],
  ["a start an hour ahead", { notBeforeMs: NOW_MS + HOUR }, "not_yet_valid"],
  ["a start six minutes ahead", { notBeforeMs: NOW_MS + 6 * MINUTE }, "not_yet_valid"],
];

describe("the check of a peer's certificate", async () => {
  const authority = await TestAuthority.create();
  const verify = createPeerVerification(new StoppedClock(NOW_MS));

  for (const [title, options] of ACCEPTED) {
    it(`accepts ${title}`, async () => {
      const { leafDer } = await authority.issue(ID, { ...VALID, ...options });
      assert.deepEqual(verify(new X509Certificate(leafDer)), { ok: true, id: ID, trustDomain: "test.mesh" });
    });
  }

  for (const [title, options, reason] of REFUSED) {
    it(`refuses ${title}`, async () => {
      const { leafDer } = await authority.issue(ID, { ...VALID, ...options });
      const verdict = verify(new X509Certificate(leafDer));
      assert.ok(!verdict.ok);
      assert.equal(verdict.reason, reason);
      assert.ok(verdict.message.length > 10);
    });
  }

  it("refuses the authority itself", () => {
    const verdict = createPeerVerification(new StoppedClock(systemClock.nowMs()))(
      new X509Certificate(authority.bundlePem),
    );
    assert.ok(!verdict.ok && verdict.reason === "ca_certificate");
  });

  it("reads the fields as they were written", async () => {
    const { leafDer } = await authority.issue(ID, {
      ...VALID,
      keyUsages: ["digitalSignature", "cRLSign"],
      notAfterMs: Date.UTC(2050, 1, 1),
    });
    assert.deepEqual(readCertificateFields(leafDer), {
      notBeforeMs: NOW_MS - MINUTE,
      notAfterMs: Date.UTC(2050, 1, 1),
      uriNames: [ID],
      isCa: false,
      keyUsage: 0b1000001,
      extendedKeyUsages: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
    });
  });

  it("never throws on damaged bytes", async () => {
    const { leafDer } = await authority.issue(ID, VALID);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(leafDer.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(leafDer.length),
        (edits, cut) => {
          const damaged = Buffer.from(leafDer);
          for (const [at, byte] of edits) damaged[at] = byte;
          readCertificateFields(damaged);
          readCertificateFields(damaged.subarray(0, cut));
        },
      ),
    );
    assert.equal(readCertificateFields(Buffer.alloc(0)), undefined);
    assert.equal(readCertificateFields(Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff])), undefined);
  });

  it("looks at the clock each time, also for a certificate that it has read before", async () => {
    const clock = new StoppedClock(NOW_MS);
    const verify = createPeerVerification(clock);
    const { chainPem } = await (await TestAuthority.create()).issue(ID, VALID);
    const leaf = new X509Certificate(chainPem);
    assert.ok(verify(leaf).ok);
    clock.advance(HOUR + MINUTE);
    const verdict = verify(leaf);
    assert.equal(verdict.ok ? "" : verdict.reason, "expired");
  });
});
