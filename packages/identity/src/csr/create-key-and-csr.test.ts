// The request that a workload makes, read by the X.509 library and by OpenSSL.

import "reflect-metadata";

import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { describe, it } from "node:test";

import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";

import { createKeyAndCsr } from "./create-key-and-csr.ts";

const ID = "spiffe://test.mesh/ns/shop/sa/web";

describe("a key and its signing request", () => {
  it("belong together, and the request asks for one URI name and nothing else", async () => {
    const { keyPem, csrPem } = await createKeyAndCsr(ID);
    const csr = new Pkcs10CertificateRequest(csrPem);
    assert.ok(await csr.verify());
    assert.equal(csr.subject, "O=Ripstop");
    assert.deepEqual(
      Array.from(csr.extensions, (extension) =>
        extension instanceof SubjectAlternativeNameExtension ? extension.names.toJSON() : extension.type,
      ),
      [[{ type: "url", value: ID }]],
    );
    const key = createPrivateKey(keyPem);
    assert.equal(key.asymmetricKeyDetails?.namedCurve, "prime256v1");
    assert.deepEqual(createPublicKey(key).export({ format: "der", type: "spki" }), Buffer.from(csr.publicKey.rawData));
  });

  it("are new ones each time", async () => {
    const [one, other] = await Promise.all([createKeyAndCsr(ID), createKeyAndCsr(ID)]);
    assert.notEqual(one.keyPem, other.keyPem);
    assert.notEqual(one.csrPem, other.csrPem);
  });
});
