// A TCPRoute of a Service: whole connections go to its backends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Protocol, routesName, routesType } from "@ripstop/model";
import { plainEndpoint, rule, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import { fetchVia, TcpClient, tcpApp, type Started } from "./testing/test-peers.suite.ts";

type Backend = readonly [string, number, number];

const backend = (service: string, weight: number = 1): Backend => [service, 80, weight];

/** Sends every connection to `backends`. */
function route(mesh: TestMesh, ...backends: readonly Backend[]): void {
  mesh.config.set(routesType, routesName("shop/front", "shop"), {
    service: "shop/front",
    ports: [{ port: 0, http: [rule(backends, { source: "TCPRoute shop/r rule 0 match 0" })], connections: true }],
  });
}

async function withMesh(
  protocol: Protocol,
  run: (mesh: TestMesh, web: TestProxy, rolls: number[]) => Promise<void>,
): Promise<void> {
  const mesh = await TestMesh.create();
  const apps: Started[] = [];
  try {
    for (const name of ["front", "one", "two"]) {
      const app = await tcpApp((socket) => {
        socket.write(`${name} `);
        socket.on("data", (chunk) => socket.write(chunk));
      });
      apps.push(app);
      mesh.service(`shop/${name}`, {
        ports: [{ port: 80, protocol }],
        endpoints: [plainEndpoint(app.port, { 80: app.port })],
      });
    }
    const rolls: number[] = [];
    const web = await mesh.start({
      id: "shop/web-1",
      upstreams: [{ host: "front", port: 80 }],
      random: () => rolls[0] ?? 0.5,
    });
    await run(mesh, web, rolls);
  } finally {
    await mesh.close();
    for (const app of apps) await app.close();
  }
}

const clientOf = (web: TestProxy): TcpClient => new TcpClient(web.ports.upstreams[0] ?? 0);

describe("a TCPRoute of a Service", () => {
  it("sends each connection to one of its backends by weight, before the client says a word", () =>
    withMesh(Protocol.TCP, async (mesh, web, rolls) => {
      route(mesh, backend("shop/one", 70), backend("shop/two", 30));
      for (const [roll, name] of [
        [0.1, "one"],
        [0.69, "one"],
        [0.71, "two"],
      ] as const) {
        rolls[0] = roll;
        const client = clientOf(web);
        await client.until(`${name} `);
        client.socket.destroy();
      }
    }));

  it("carries what looks like HTTP as it is, on a port that declares nothing or HTTP", async () => {
    for (const protocol of [Protocol.UNSPECIFIED, Protocol.HTTP1]) {
      await withMesh(protocol, async (mesh, web) => {
        route(mesh, backend("shop/one"));
        const client = clientOf(web);
        const text = "GET / HTTP/1.1\r\nhost: elsewhere\r\nx-Odd:  1\r\n\r\n";
        client.write(text);
        await client.until("one ");
        await client.until(text);
        assert.equal(client.received, `one ${text}`);
        client.socket.destroy();
      });
    }
  });

  it("closes the connections of a backend that cannot be used, and answers requests to the HTTP proxy with 500", () =>
    withMesh(Protocol.TCP, async (mesh, web) => {
      route(mesh, backend(""));
      const client = clientOf(web);
      await client.untilClosed();
      assert.equal(client.received, "");
      assert.equal((await fetchVia(web.ports.httpProxy, "http://front/")).status, 500);
    }));

  it("decides for new connections; those under way stay, and without it the Service has them again", () =>
    withMesh(Protocol.TCP, async (mesh, web) => {
      route(mesh, backend("shop/one"));
      const first = clientOf(web);
      await first.until("one ");
      route(mesh, backend("shop/two"));
      const second = clientOf(web);
      await second.until("two ");
      mesh.routes("shop/front", undefined);
      const third = clientOf(web);
      await third.until("front ");
      first.write("still");
      await first.until("still");
      for (const client of [first, second, third]) client.socket.destroy();
    }));
});
