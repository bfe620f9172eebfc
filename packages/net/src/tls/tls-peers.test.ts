// Whom mutual TLS takes for whom, by certificates, bundles and trust domains.

import assert from "node:assert/strict";
import { createServer as createTlsServer } from "node:tls";
import { systemClock } from "@ripstop/core";
import { TestAuthority } from "@ripstop/testkit";
import type { CloseCause } from "../conn.ts";
import type { PeerVerdict } from "./peer-verdict.ts";
import { CLIENT, connected, describeMutualTls, failed, SERVER, SERVER_NAME } from "./tls-world.suite.ts";

describeMutualTls("peers of mutual TLS", ({ world, test }) => {
  test("tells both sides who the other is, with TLS 1.3", async () => {
    const w = await world();
    const { conn } = connected(await w.dial());
    await w.outcomes.until(() => w.accepted.length === 1);
    assert.equal(conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/catalog");
    assert.equal(conn.tls?.version, "TLSv1.3");
    assert.equal(w.accepted[0]?.conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/web");
    assert.equal(w.accepted[0]?.conn.tls?.serverName, "8080.catalog-1.shop.mesh");
    assert.equal(w.accepted[0]?.conn.tls?.alpn, "h2");
    conn.destroy();
  });

  test("refuses a client of another authority, of the same trust domain name", async () => {
    const w = await world({ clientAuthority: await TestAuthority.create() });
    const outcome = await w.dial();
    if ("conn" in outcome)
      await outcome.recorder.until(() => outcome.recorder.closes.length > 0 || outcome.recorder.ends > 0);
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["untrusted_chain"]);
    assert.equal(w.accepted.length, 0);
    if ("conn" in outcome) outcome.conn.destroy();
  });

  test("refuses a client whose certificate has expired", async () => {
    const hour = 3_600_000;
    const w = await world({
      clientLeaf: { notBeforeMs: systemClock.nowMs() - 2 * hour, notAfterMs: systemClock.nowMs() - hour },
    });
    const outcome = await w.dial();
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["expired"]);
    assert.equal(w.accepted.length, 0);
    if ("conn" in outcome) outcome.conn.destroy();
  });

  test("refuses what the injected verification refuses, even when it throws", async () => {
    for (const verdict of [
      (): PeerVerdict => ({ ok: false, reason: "san", message: "no" }),
      (): PeerVerdict => {
        throw new Error("bug");
      },
    ]) {
      const w = await world({ verifyPeer: verdict });
      const outcome = await w.dial();
      await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
      assert.match(w.outcomes.reasons("server")[0] ?? "", /^(san|malformed_certificate)$/);
      assert.equal(w.accepted.length, 0);
      if ("conn" in outcome) outcome.conn.destroy();
    }
  });

  test("refuses a server that is not exactly the expected one", async () => {
    const w = await world();
    const cause = failed(await w.dial({ expectedPeerId: w.authority.idOf("orders") }));
    assert.equal(cause.code, "RIPSTOP_TLS_UNEXPECTED_PEER");
    assert.equal(
      cause.message,
      "expected spiffe://test.mesh/ns/shop/sa/orders, found spiffe://test.mesh/ns/shop/sa/catalog",
    );
  });

  test("presents the new certificate to new connections after a swap", async () => {
    const w = await world();
    const moved = await w.authority.issue(w.authority.idOf("catalog-v2"));
    assert.ok(w.serverTable.setIdentity(SERVER, moved).ok);
    const { conn } = connected(await w.dial({ expectedPeerId: w.authority.idOf("catalog-v2") }));
    conn.destroy();
  });

  test("stops accepting peers whose root was taken out of the bundle", async () => {
    const w = await world();
    const other = await TestAuthority.create();
    assert.ok(w.serverTable.setBundles(new Map([["test.mesh", other.bundlePem]])).ok);
    const outcome = await w.dial();
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["untrusted_chain"]);
    if ("conn" in outcome) outcome.conn.destroy();
  });

  test("refuses an id of one trust domain that a root of another one signed", async () => {
    const w = await world();
    const foreign = await TestAuthority.create("other.mesh");
    w.serverTable.setBundles(
      new Map([
        ["test.mesh", w.authority.bundlePem],
        ["other.mesh", foreign.bundlePem],
      ]),
    );
    const lie = await foreign.issue("spiffe://test.mesh/ns/shop/sa/web");
    const truth = await foreign.issue("spiffe://other.mesh/ns/shop/sa/web");
    w.clientTable.setIdentity(CLIENT, lie);
    const refused = await w.dial();
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["wrong_trust_domain"]);
    w.clientTable.setIdentity(CLIENT, truth);
    const accepted = connected(await w.dial());
    await w.outcomes.until(() => w.accepted.length === 1);
    assert.equal(w.accepted[0]?.conn.tls?.peerId, "spiffe://other.mesh/ns/shop/sa/web");
    accepted.conn.destroy();
    if ("conn" in refused) refused.conn.destroy();
  });

  test("follows intermediates of its own domain while there are several", async () => {
    const w = await world();
    const foreign = await TestAuthority.create("other.mesh");
    const below = await w.authority.intermediate();
    w.serverTable.setBundles(
      new Map([
        ["test.mesh", w.authority.bundlePem],
        ["other.mesh", foreign.bundlePem],
      ]),
    );
    w.serverTable.setIdentity(SERVER, await below.issue(w.authority.idOf("catalog")));
    w.clientTable.setIdentity(CLIENT, await below.issue(w.authority.idOf("web")));
    for (let round = 1; round <= 2; round++) {
      const { conn, recorder } = connected(await w.dial());
      await w.outcomes.until(() => w.accepted.length === round);
      assert.equal(w.accepted[round - 1]?.conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/web");
      w.accepted[round - 1]?.conn.write(Buffer.from("x"), 0, 1);
      await recorder.until(() => recorder.bytes === 1);
      await new Promise((resolve) => setImmediate(resolve));
      conn.destroy();
    }
    assert.ok(w.outcomes.accepts.includes("server resumed"));
  });

  test("accepts a federated peer that was issued by an intermediate of its own domain, resumed as well", async () => {
    const w = await world();
    const foreign = await TestAuthority.create("other.mesh");
    w.serverTable.setBundles(
      new Map([
        ["test.mesh", w.authority.bundlePem],
        ["other.mesh", foreign.bundlePem],
      ]),
    );
    w.clientTable.setIdentity(CLIENT, await (await foreign.intermediate()).issue("spiffe://other.mesh/ns/shop/sa/web"));
    for (const resumed of [false, true]) {
      const { conn, recorder } = connected(await w.dial());
      const count = resumed ? 2 : 1;
      await w.outcomes.until(() => w.accepted.length === count);
      w.accepted.at(-1)?.conn.write(Buffer.from("x"), 0, 1);
      await recorder.until(() => recorder.bytes === 1);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(w.accepted.at(-1)?.conn.tls?.peerId, "spiffe://other.mesh/ns/shop/sa/web");
      assert.equal(w.accepted.at(-1)?.conn.tls?.resumed, resumed);
      conn.destroy();
    }
  });

  test("refuses a caller that says it is of a trust domain without bundle", async () => {
    const w = await world();
    const foreign = await TestAuthority.create("other.mesh");
    w.clientTable.setIdentity(CLIENT, await foreign.issue("spiffe://other.mesh/ns/shop/sa/web"));
    failed(await w.dial());
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["unknown_trust_domain"]);
  });

  test("fails at once, and explained, while there is no certificate", async () => {
    const w = await world();
    w.clientTable.removeIdentity(CLIENT);
    assert.equal(failed(await w.dial()).code, "RIPSTOP_TLS_NO_IDENTITY");
  });

  test("refuses a server that presents an untrusted or no mesh certificate", async () => {
    const w = await world();
    const impostor = await (await TestAuthority.create()).issue(w.authority.idOf("catalog"));
    const server = createTlsServer({ cert: impostor.chainPem, key: impostor.keyPem, ALPNProtocols: ["h2"] });
    server.on("tlsClientError", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    const address = server.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const cause = await new Promise<CloseCause>((resolve, reject) =>
      w.dialer.dial(
        {
          host: "127.0.0.1",
          port,
          workloadId: CLIENT,
          serverName: SERVER_NAME,
          expectedPeerId: w.authority.idOf("catalog"),
          trustDomain: "test.mesh",
          timeoutMs: 60_000,
        },
        { onConnected: () => reject(new Error("connected")), onFailed: resolve },
      ),
    );
    assert.equal(cause.code, "RIPSTOP_TLS_UNTRUSTED_CHAIN");
    server.close();
  });

  test("refuses keys and bundles that cannot be used, and keeps the old ones", async () => {
    const w = await world();
    const one = await w.authority.issue(w.authority.idOf("catalog"));
    const two = await w.authority.issue(w.authority.idOf("catalog"));
    const mixed = w.serverTable.setIdentity(SERVER, { chainPem: one.chainPem, keyPem: two.keyPem });
    assert.ok(!mixed.ok);
    assert.equal(mixed.error.kind.code, "RS5010");
    assert.ok(!w.serverTable.setIdentity(SERVER, { chainPem: "garbage", keyPem: two.keyPem }).ok);
    assert.ok(!w.serverTable.setBundles(new Map([["test.mesh", ""]])).ok);
    connected(await w.dial()).conn.destroy();
  });
});
