// One proxy for several workloads, as a host has it: each acts and is served under its own identity.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineError } from "@ripstop/core";
import { policyType, Protocol, type Endpoint } from "@ripstop/model";
import type { FilterFactory } from "@ripstop/policy-api/proxy";
import { meshEndpoint, TestMesh, TRUST_DOMAIN, type TestProxy } from "./testing/test-mesh.suite.ts";
import { eventually, fetchVia, httpApp, TcpClient, tcpApp, type Started } from "./testing/test-peers.suite.ts";

const idOf = (name: string): string => `spiffe://${TRUST_DOMAIN}/ns/shop/sa/${name}`;

async function withMesh(run: (mesh: TestMesh, keep: <S extends Started>(app: S) => S) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const apps: Started[] = [];
  try {
    await run(mesh, (app) => {
      apps.push(app);
      return app;
    });
  } finally {
    await mesh.close();
    for (const app of apps) await app.close();
  }
}

/** Answers its own name and who called, as its proxy says. */
const introduced = (name: string): Promise<Started> =>
  httpApp((request, response) => response.end(`${name} for ${String(request.headers["x-ripstop-source-identity"])}`));

const denied = defineError({
  code: "RS1101",
  name: "test_denied",
  status: 403,
  grpcStatus: 7,
  title: "denied",
  cause: "a test",
  remedy: "none",
});

/** A policy whose config is the one identity that is let in. */
const admitFactory: FilterFactory = {
  kind: "admit",
  order: 100,
  create: ([config]) => ({
    onRequest(request) {
      const admitted = Buffer.from(config?.config ?? "").toString();
      if (request.source.identity === admitted) return undefined;
      return {
        kind: denied,
        policy: config?.name ?? "",
        clause: "spec",
        message: `${request.source.identity} is not it`,
      };
    },
  }),
};

function part(proxies: readonly TestProxy[], at: number): TestProxy {
  const found = proxies[at];
  assert.ok(found);
  return found;
}

/** Who is connected to a workload now, as the handshakes proved. */
function peersOf(started: TestProxy, id: string): readonly { peerId: string; resumed: boolean; destroy(): void }[] {
  return [...(started.proxy.workloads.get(id)?.inboundSessions ?? [])].map(({ conn }) => ({
    peerId: conn.tls?.peerId ?? "",
    resumed: conn.tls?.resumed ?? false,
    destroy: () => conn.destroy(),
  }));
}

describe("one proxy for two calling workloads", () => {
  it("calls under the identity of the workload that asks, on connections of its own, resumed ones too", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await introduced("orders"));
      const orders = await mesh.start({
        id: "shop/orders-1",
        service: "shop/orders",
        ports: [{ port: 8080, applicationPort: app.port }],
      });
      mesh.service("shop/orders", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/orders-1", orders, { 80: 8080 })],
      });
      const node = await mesh.startNode([{ id: "shop/web-1" }, { id: "shop/admin-1" }]);
      const [web, admin] = [part(node, 0), part(node, 1)];
      assert.equal(web.proxy, admin.proxy);
      const askAll = async (): Promise<void> => {
        const [first, second] = await Promise.all([
          fetchVia(web.ports.httpProxy, "http://orders/"),
          fetchVia(admin.ports.httpProxy, "http://orders/"),
        ]);
        assert.equal(first.body, `orders for ${idOf("web")}`);
        assert.equal(second.body, `orders for ${idOf("admin")}`);
      };
      await askAll();
      await askAll();
      const peers = peersOf(orders, "shop/orders-1");
      assert.deepEqual(peers.map(({ peerId }) => peerId).sort(), [idOf("admin"), idOf("web")]);
      for (const peer of peers) peer.destroy();
      await eventually(() => peersOf(orders, "shop/orders-1").length === 0);
      await askAll();
      const again = peersOf(orders, "shop/orders-1");
      assert.deepEqual(again.map(({ peerId }) => peerId).sort(), [idOf("admin"), idOf("web")]);
      assert.ok(
        again.every(({ resumed }) => resumed),
        "both sessions were resumed",
      );
    }));

  it("tunnels raw TCP under the identity of the workload whose port was dialled", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await tcpApp((socket) => socket.on("data", (data) => socket.write(data))));
      mesh.config.set(policyType, "admit/shop/web", {
        name: "admit/shop/web",
        kind: "admit",
        config: Buffer.from(idOf("web")),
      });
      const store = await mesh.start({
        id: "shop/store-1",
        service: "shop/store",
        ports: [{ port: 9000, applicationPort: app.port, protocol: Protocol.TCP }],
        policies: [{ name: "admit/shop/web" }],
        factories: [admitFactory],
      });
      mesh.service("shop/store", {
        ports: [{ port: 9000, protocol: Protocol.TCP }],
        endpoints: [meshEndpoint("shop/store-1", store, { 9000: 9000 })],
      });
      const upstreams = [{ host: "store", port: 9000 }];
      const node = await mesh.startNode([
        { id: "shop/web-1", upstreams },
        { id: "shop/admin-1", upstreams },
      ]);
      await part(node, 0).becameReady;
      const allowed = new TcpClient(part(node, 0).ports.upstreams[0] ?? 0);
      allowed.write("ping");
      await allowed.until("ping");
      const refused = new TcpClient(part(node, 1).ports.upstreams[0] ?? 0);
      refused.write("ping");
      await refused.untilEnd();
      assert.equal(refused.received, "");
      for (const client of [allowed, refused]) client.socket.destroy();
    }));
});

describe("one proxy for two serving workloads", () => {
  it("serves each under its own certificate and its own policies, whichever listener a caller took", () =>
    withMesh(async (mesh, keep) => {
      const apps = [keep(await introduced("orders")), keep(await introduced("stock"))] as const;
      for (const name of ["web", "nobody"])
        mesh.config.set(policyType, `admit/shop/${name}`, {
          name: `admit/shop/${name}`,
          kind: "admit",
          config: Buffer.from(idOf(name)),
        });
      const node = await mesh.startNode([
        {
          id: "shop/orders-1",
          service: "shop/orders",
          ports: [{ port: 8080, applicationPort: apps[0].port }],
          policies: [{ name: "admit/shop/web" }],
          factories: [admitFactory],
        },
        {
          id: "shop/stock-1",
          service: "shop/stock",
          ports: [{ port: 8080, applicationPort: apps[1].port }],
          policies: [{ name: "admit/shop/nobody" }],
        },
      ]);
      const [orders, stock] = [part(node, 0), part(node, 1)];
      const service = (name: string, endpoint: Endpoint): void =>
        mesh.service(`shop/${name}`, { ports: [{ port: 80 }], endpoints: [endpoint] });
      service("orders", meshEndpoint("shop/orders-1", orders, { 80: 8080 }));
      service("stock", meshEndpoint("shop/stock-1", stock, { 80: 8080 }));
      // The name in the handshake says which workload is meant, not the port that was dialled.
      service("crossed", {
        ...meshEndpoint("shop/stock-1", stock, { 80: 8080 }),
        address: `127.0.0.1:${orders.ports.inbound}`,
      });
      service("swapped", { ...meshEndpoint("shop/stock-1", stock, { 80: 8080 }), spiffeId: orders.spiffeId });
      const web = await mesh.start({ id: "shop/web-1" });
      const ask = (host: string): ReturnType<typeof fetchVia> => fetchVia(web.ports.httpProxy, `http://${host}/`);
      assert.equal((await ask("orders")).body, `orders for ${idOf("web")}`);
      assert.equal((await ask("stock")).status, 403);
      assert.equal((await ask("crossed")).status, 403);
      const swapped = await ask("swapped");
      assert.ok(swapped.status >= 502, `${swapped.status} ${swapped.body}`);
      mesh.config.set(policyType, "admit/shop/nobody", {
        name: "admit/shop/nobody",
        kind: "admit",
        config: Buffer.from(idOf("web")),
      });
      assert.equal((await ask("stock")).body, `stock for ${idOf("web")}`);
      assert.equal((await ask("crossed")).body, `stock for ${idOf("web")}`);
      assert.ok((await ask("swapped")).status >= 502);
    }));

  it("takes a new identity for one workload and leaves the other's connections alone", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await introduced("any"));
      const ports = [{ port: 8080, applicationPort: app.port }];
      const node = await mesh.startNode([
        { id: "shop/orders-1", service: "shop/orders", ports },
        { id: "shop/stock-1", service: "shop/stock", ports },
      ]);
      const names = ["orders", "stock"] as const;
      for (const [at, name] of names.entries())
        mesh.service(`shop/${name}`, {
          ports: [{ port: 80 }],
          endpoints: [meshEndpoint(`shop/${name}-1`, part(node, at), { 80: 8080 })],
        });
      const web = await mesh.start({ id: "shop/web-1" });
      const ask = async (host: string): Promise<string> =>
        (await fetchVia(web.ports.httpProxy, `http://${host}/`)).body;
      for (const name of names) assert.equal(await ask(name), `any for ${idOf("web")}`);
      const renewed = await mesh.authority.issue(idOf("orders"));
      assert.ok(part(node, 0).proxy.setIdentity("shop/orders-1", renewed).ok);
      for (const name of names) {
        assert.equal(await ask(name), `any for ${idOf("web")}`);
        assert.equal(peersOf(part(node, 0), `shop/${name}-1`).length, 1);
      }
    }));
});
