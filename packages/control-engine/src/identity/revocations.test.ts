// Revocations as the control plane keeps them, and what follows from them.

import { trustBundleType, type MeshEvent, type RevocationView, type RevokeResponse } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { resourceWhen, TestControl } from "../control.fixture.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { MAX_REVOCATIONS, Revocations, type StoredRevocation } from "./revocations.ts";

const ID = "spiffe://mesh.local/ns/shop/sa/web";
const HOUR_MS = 3_600_000;

function list(clock = new StoppedClock()): Revocations {
  const store = new MemoryStore({ clock });
  return new Revocations({ clock, trustDomain: "mesh.local", table: store.table<StoredRevocation>("revocations") });
}

describe("the list of revocations", () => {
  it("finds an identity whatever its certificate, and a certificate whatever the spelling of its number", async () => {
    const revocations = list();
    assert.ok((await revocations.add({ spiffeId: ID }, "lost")).ok);
    assert.ok((await revocations.add({ serialNumber: "0A:0B:0c" }, "")).ok);
    assert.equal(revocations.find(ID, "ff")?.reason, "lost");
    assert.equal(revocations.find("spiffe://mesh.local/ns/shop/sa/other", "000A0B0C")?.serialNumber, "a0b0c");
    assert.equal(revocations.find("spiffe://mesh.local/ns/shop/sa/other", "0a0b0d"), undefined);
    assert.equal(revocations.find("spiffe://mesh.local/ns/shop/sa/web2", ""), undefined);
    revocations.close();
  });

  it("takes no nonsense, no trust domain, and not the control plane", async () => {
    const revocations = list();
    for (const spiffeId of [
      "web",
      "spiffe://mesh.local",
      "spiffe://mesh.local/ns/ripstop-system/sa/control",
      `${ID}/`,
    ]) {
      const added = await revocations.add({ spiffeId }, "");
      assert.ok(!added.ok && added.error.kind.code === "RS3070", spiffeId);
    }
    for (const serialNumber of ["", "xyz", "1".repeat(41), "-1"]) {
      assert.ok(!(await revocations.add({ serialNumber }, "")).ok, serialNumber);
    }
    revocations.close();
  });

  it("forgets a certificate after it has expired for certain, and an identity never", async () => {
    const clock = new StoppedClock();
    const revocations = list(clock);
    await revocations.add({ spiffeId: ID }, "");
    await revocations.add({ serialNumber: "1" }, "");
    clock.advance(24 * HOUR_MS);
    assert.equal(revocations.list().length, 2);
    clock.advance(2 * HOUR_MS);
    assert.deepEqual(
      revocations.list().map(({ spiffeId }) => spiffeId),
      [ID],
    );
    revocations.close();
  });

  it("has an end, because every proxy holds it", async () => {
    const revocations = list();
    for (let at = 1; at <= MAX_REVOCATIONS; at++) await revocations.add({ serialNumber: at.toString(16) }, "");
    assert.ok(!(await revocations.add({ spiffeId: ID }, "")).ok);
    assert.ok((await revocations.add({ serialNumber: "1" }, "again")).ok);
    revocations.close();
  });
});

describe("a control plane with a revoked identity", () => {
  let control: TestControl;
  before(async () => {
    control = await TestControl.start();
  });
  after(() => control.close());

  it("tells the proxies in their trust bundle, waits for them, and ends the streams of the revoked", async () => {
    const web = await control.register("web");
    const stock = await control.register("stock");
    const revoked = await control.client(web);
    const other = await control.client(stock);
    for (const client of [revoked, other]) {
      await resourceWhen(client, { type: trustBundleType, name: "mesh.local" }, (bundle) => bundle !== undefined);
    }
    const told = [revoked, other].map((client) =>
      resourceWhen(client, { type: trustBundleType, name: "mesh.local" }, (bundle) =>
        Boolean(bundle?.revocations.some(({ spiffeId, reason }) => spiffeId === ID && reason === "lost")),
      ),
    );
    const answer = await control.send("POST", "/v1/identity/revocations", { spiffeId: ID, reason: "lost" });
    assert.equal(answer.status, 200, answer.text);
    const { total, live, revocation } = answer.json<RevokeResponse>();
    assert.deepEqual([total, live], [2, 2]);
    assert.equal(revocation.spiffeId, ID);
    await Promise.all(told);
    for (;;) {
      const { proxies } = (await control.send("GET", "/v1/proxies")).json<{ proxies: { proxyId: string }[] }>();
      if (proxies.length === 1 && proxies[0]?.proxyId === stock.workloadId) break;
    }
  });

  it("issues nothing to it and lets it not join, also after a restart", async () => {
    await control.restart();
    const { revocations } = (await control.send("GET", "/v1/identity/revocations")).json<{
      revocations: RevocationView[];
    }>();
    assert.deepEqual(
      revocations.map(({ spiffeId, reason }) => ({ spiffeId, reason })),
      [{ spiffeId: ID, reason: "lost" }],
    );
    await assert.rejects(control.register("web"), /RS2045.*lost/);
    await control.register("other");
    const { events } = (await control.send("GET", "/v1/events")).json<{ events: MeshEvent[] }>();
    assert.ok(events.some(({ type, subject }) => type === "CsrRefused" && subject === ID));
  });

  it("takes it back", async () => {
    const query = `spiffeId=${encodeURIComponent(ID)}`;
    assert.equal((await control.send("DELETE", `/v1/identity/revocations?${query}`)).status, 200);
    assert.equal((await control.send("DELETE", `/v1/identity/revocations?${query}`)).status, 404);
    await control.register("web");
  });

  it("makes an event of a workload that may not join", async () => {
    const taken = await control.register("cart");
    const instance = taken.workloadId.split("/")[1] ?? "";
    await assert.rejects(control.register("cart", { instance, pid: process.ppid }), /RS3016/);
    const { events } = (await control.send("GET", "/v1/events")).json<{ events: MeshEvent[] }>();
    assert.ok(events.some(({ type, subject }) => type === "JoinRefused" && subject === "shop/cart"));
  });

  it("wants one identity or one serial number, and issues no identity of its own namespace", async () => {
    const both = { spiffeId: ID, serialNumber: "1" };
    assert.equal((await control.send("POST", "/v1/identity/revocations", both)).status, 400);
    assert.equal((await control.send("POST", "/v1/identity/revocations", {})).status, 400);
    const spiffeId = "spiffe://mesh.local/ns/ripstop-system/sa/control";
    const issue = await control.send("POST", "/v1/identity/issue", { spiffeId, csrPem: "x" });
    assert.match(issue.text, /RS3050/);
    assert.equal((await control.send("GET", "/v1/identity/identity?id=nobody")).status, 404);
  });
});
