// Our own encoding, read by an X.509 library.

import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { before, describe, it } from "node:test";

import { createKeyAndCsr } from "./create-key-and-csr.ts";

describe("a certificate signing request", () => {
  let x509: typeof import("@peculiar/x509");
  before(async () => {
    await import("reflect-metadata");
    x509 = await import("@peculiar/x509");
  });

  for (const length of [40, 127, 128, 200, 255, 256, 300, 2048]) {
    it(`asks for a SPIFFE id of ${length} characters, signed by its key`, async () => {
      const spiffeId = "spiffe://mesh.local/ns/shop/sa/".padEnd(length, "a");
      const { keyPem, csrPem } = await createKeyAndCsr(spiffeId);
      const request = new x509.Pkcs10CertificateRequest(csrPem);
      assert.equal(await request.verify(), true);
      assert.equal(request.subject, "O=Ripstop");
      const names = [...request.extensions].flatMap((extension) =>
        extension instanceof x509.SubjectAlternativeNameExtension ? extension.names.items : [],
      );
      assert.deepEqual(
        names.map(({ type, value }) => [type, value]),
        [["url", spiffeId]],
      );
      assert.equal(request.extensions.length, 1);
      const key = createPrivateKey(keyPem);
      assert.equal(key.asymmetricKeyDetails?.namedCurve, "prime256v1");
    });
  }

  it("has a new key every time", async () => {
    const [first, second] = await Promise.all([createKeyAndCsr("spiffe://a/b"), createKeyAndCsr("spiffe://a/b")]);
    assert.notEqual(first.keyPem, second.keyPem);
  });
});
