// Three sources bring a proxy trust bundles; the newest one holds, whatever comes after it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { X509Certificate } from "node:crypto";
import { bundleFile, trustBundleType } from "@ripstop/model";
import { TestAuthority } from "@ripstop/testkit";
import { meshEndpoint, TestMesh, TRUST_DOMAIN } from "./testing/test-mesh.suite.ts";
import { fetchVia, httpApp } from "./testing/test-peers.suite.ts";

describe("the trust bundle of a proxy", () => {
  it("is the newest of the stream's and the supervisor's, and what is open stays open", async () => {
    const mesh = await TestMesh.create();
    const app = await httpApp((_request, response) => void response.end("hello"));
    try {
      const web = await mesh.start({ id: "shop/web-1" });
      const server = await mesh.start({
        id: "shop/server-1",
        service: "shop/server",
        ports: [{ port: 8080, applicationPort: app.port }],
      });
      mesh.service("shop/server", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/server-1", server, { 80: 8080 })],
      });
      await Promise.all([web.becameReady, server.becameReady]);
      const status = async (): Promise<number> => (await fetchVia(web.ports.httpProxy, "http://server/")).status;
      assert.equal(await status(), 200);

      const stranger = await TestAuthority.create(TRUST_DOMAIN);
      const own = mesh.authority.bundlePem;
      assert.ok(web.proxy.setBundle(bundleFile(own, 5)).ok);
      assert.equal(web.proxy.bundleSequence, 5);
      // From a cache that is older than the file: not taken, and not refused either.
      mesh.config.set(trustBundleType, TRUST_DOMAIN, {
        trustDomain: TRUST_DOMAIN,
        sequence: 4,
        x509Authorities: [Buffer.from(new X509Certificate(stranger.bundlePem).raw)],
        revocations: [],
        federatesWith: [],
      });
      assert.equal(web.proxy.bundleSequence, 5);
      assert.ok(web.proxy.setBundle(bundleFile(stranger.bundlePem, 3)).ok);
      assert.equal(web.proxy.bundleSequence, 5);
      assert.equal(await status(), 200);

      const both = [own, stranger.bundlePem].map((pem) => Buffer.from(new X509Certificate(pem).raw));
      mesh.config.set(trustBundleType, TRUST_DOMAIN, {
        trustDomain: TRUST_DOMAIN,
        sequence: 6,
        x509Authorities: both,
        revocations: [],
        federatesWith: [],
      });
      assert.equal(web.proxy.bundleSequence, 6);
      assert.equal(await status(), 200);
      assert.equal(web.proxy.setBundle(bundleFile("nothing", 7)).ok, false);
      assert.equal(web.proxy.bundleSequence, 6, "what cannot be used changes nothing");
      assert.deepEqual(mesh.config.refused, []);
    } finally {
      await mesh.close();
      await app.close();
    }
  });
});
