import { X509Certificate, createPrivateKey } from "node:crypto";
import { describe, it } from "node:test";
import assert from "node:assert/strict";
import { TestAuthority } from "./test-authority.ts";

describe("the throwaway authority", () => {
  it("issues a leaf with one URI SAN that its root verifies and whose key fits", async () => {
    const authority = await TestAuthority.create();
    const svid = await authority.issue(authority.idOf("catalog"));
    const leaf = new X509Certificate(svid.chainPem);
    assert.equal(leaf.subjectAltName, "URI:spiffe://test.mesh/ns/shop/sa/catalog");
    assert.ok(leaf.verify(new X509Certificate(authority.bundlePem).publicKey));
    assert.ok(leaf.checkPrivateKey(createPrivateKey(svid.keyPem)));
    assert.equal(leaf.ca, false);
  });

  it("puts the intermediate into the chain", async () => {
    const root = await TestAuthority.create();
    const svid = await (await root.intermediate()).issue(root.idOf("catalog"));
    const [leafPem, intermediatePem] = svid.chainPem.split(/(?<=-----END CERTIFICATE-----)/);
    const intermediate = new X509Certificate(intermediatePem!);
    assert.ok(new X509Certificate(leafPem!).checkIssued(intermediate));
    assert.ok(intermediate.verify(new X509Certificate(root.bundlePem).publicKey));
  });

  it("makes leaves that are wrong as asked", async () => {
    const authority = await TestAuthority.create();
    const svid = await authority.issue(authority.idOf("a"), {
      uris: [],
      ca: true,
      keyUsages: ["keyCertSign"],
      extendedKeyUsages: ["codeSigning"],
    });
    const leaf = new X509Certificate(svid.leafDer);
    assert.equal(leaf.subjectAltName, undefined);
    assert.equal(leaf.ca, true);
    assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.3"]);
  });
});
