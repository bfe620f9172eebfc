// Resumed sessions and revocations: what was proved once holds no longer than it may.

import assert from "node:assert/strict";
import type { IdentityTable } from "./identity-table.ts";
import { RevocationList } from "./revocation-list.ts";
import { CLIENT, connected, describeMutualTls, failed, SERVER, withTicket } from "./tls-world.suite.ts";

function revoked(spiffeId: string): RevocationList {
  return new RevocationList([{ spiffeId, serialNumber: "", reason: "lost" }]);
}

describeMutualTls("sessions and revocations of mutual TLS", ({ world, test }) => {
  test("checks the expected server on a resumed session as well", async () => {
    const w = await world();
    const first = connected(await w.dial());
    await w.outcomes.until(() => w.accepted.length === 1);
    w.accepted[0]?.conn.write(Buffer.from("x"), 0, 1);
    await first.recorder.until(() => first.recorder.bytes === 1);
    await new Promise((resolve) => setImmediate(resolve)); // node:tls hands out the ticket after the bytes
    first.conn.destroy();
    const second = connected(await w.dial());
    assert.equal(second.conn.tls?.resumed, true);
    await w.outcomes.until(() => w.accepted.length === 2);
    assert.equal(w.accepted[1]?.conn.tls?.resumed, true);
    assert.equal(w.accepted[1]?.conn.tls?.peerId, "spiffe://test.mesh/ns/shop/sa/web");
    second.conn.destroy();
    assert.equal(failed(await w.dial({ expectedPeerId: w.authority.idOf("web") })).code, "RIPSTOP_TLS_UNEXPECTED_PEER");
  });

  test("resumes no session from before a change of certificate or bundle, and keeps live connections", async () => {
    const w = await world();
    const first = connected(await w.dial());
    await w.outcomes.until(() => w.accepted.length === 1);
    w.accepted[0]?.conn.write(Buffer.from("x"), 0, 1);
    await first.recorder.until(() => first.recorder.bytes === 1);
    await new Promise((resolve) => setImmediate(resolve));
    const renewed = await w.authority.issue(w.authority.idOf("catalog"));
    assert.ok(w.serverTable.setIdentity(SERVER, renewed).ok);
    const second = connected(await w.dial());
    assert.equal(second.conn.tls?.resumed, false);
    first.conn.write(Buffer.from("still here"), 0, 10);
    const [server] = w.accepted;
    await server?.recorder.until(() => server.recorder.bytes === 10);
    first.conn.destroy();
    second.conn.destroy();
  });

  for (const [what, change] of [
    ["a revocation of somebody else", (table) => void table.setRevocations(revoked("spiffe://test.mesh/ns/x/sa/y"))],
    ["a change of policies", (table) => table.forgetSessions()],
  ] as const satisfies readonly (readonly [string, (table: IdentityTable) => void])[]) {
    test(`resumes no session from before ${what}, on either side`, async () => {
      const w = await world();
      await withTicket(w);
      change(w.serverTable);
      const { length } = w.accepted;
      const afterServer = connected(await w.dial());
      assert.equal(afterServer.conn.tls?.resumed, false);
      await w.outcomes.until(() => w.accepted.length > length);
      afterServer.conn.destroy();
      await withTicket(w);
      change(w.clientTable);
      const afterClient = connected(await w.dial());
      assert.equal(afterClient.conn.tls?.resumed, false);
      afterClient.conn.destroy();
    });
  }

  test("refuses a revoked caller and a revoked server, and says so", async () => {
    const w = await world();
    const { authority } = w;
    assert.equal(w.serverTable.setRevocations(revoked(authority.idOf("web"))), true);
    assert.equal(w.serverTable.setRevocations(revoked(authority.idOf("web"))), false);
    const outcome = await w.dial();
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["revoked"]);
    if ("conn" in outcome) outcome.conn.destroy();
    w.serverTable.setRevocations(new RevocationList());
    connected(await w.dial()).conn.destroy();
    w.clientTable.setRevocations(revoked(authority.idOf("catalog")));
    const cause = failed(await w.dial());
    assert.equal(cause.code, "RIPSTOP_TLS_REVOKED");
    assert.match(cause.message, /sa\/catalog was revoked: lost/);
  });

  test("refuses a single revoked certificate, and the next one of the same identity is good", async () => {
    const w = await world();
    await withTicket(w);
    const serialNumber = w.accepted[0]?.conn.tls?.peerSerial ?? "";
    assert.notEqual(serialNumber, "");
    w.serverTable.setRevocations(new RevocationList([{ spiffeId: "", serialNumber, reason: "" }]));
    const outcome = await w.dial();
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["revoked"]);
    if ("conn" in outcome) outcome.conn.destroy();
    w.clientTable.setIdentity(CLIENT, await w.authority.issue(w.authority.idOf("web")));
    connected(await w.dial()).conn.destroy();
  });

  test("neither calls nor serves under an own identity that is revoked", async () => {
    const w = await world();
    w.clientTable.setRevocations(revoked(w.authority.idOf("web")));
    assert.equal(failed(await w.dial()).code, "RIPSTOP_TLS_OWN_IDENTITY_REVOKED");
    w.clientTable.setRevocations(new RevocationList());
    w.serverTable.setRevocations(revoked(w.authority.idOf("catalog")));
    const outcome = await w.dial();
    await w.outcomes.until(() => w.outcomes.reasons("server").length === 1);
    assert.deepEqual(w.outcomes.reasons("server"), ["own_identity_revoked"]);
    if ("conn" in outcome) outcome.conn.destroy();
  });
});
