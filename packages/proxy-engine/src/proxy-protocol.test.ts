// The PROXY protocol at the edges of a proxy: expected on a port, sent to an application, told from end to end.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as http2Connect } from "node:http2";
import { connect, type Socket } from "node:net";
import { describe, it } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { Protocol, ProxyProtocol } from "@ripstop/model";
import { encodeProxyHeader, readProxyHeader, type ProxyHeader } from "@ripstop/net";
import { StoppedClock } from "@ripstop/testkit";
import { meshEndpoint, plainEndpoint, TestMesh, TRUST_DOMAIN, type TestProxy } from "./testing/test-mesh.suite.ts";
import { eventually, httpApp, TcpClient, tcpApp, type Started } from "./testing/test-peers.suite.ts";

const CLIENT = { source: { address: "203.0.113.9", port: 4711 }, destination: { address: "192.0.2.80", port: 443 } };

async function withMesh(run: (mesh: TestMesh, keep: <S extends Started>(app: S) => S) => Promise<void>): Promise<void> {
  for (const transport of ["raw", "public"]) {
    const mesh = await TestMesh.create(transport);
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
}

/** An application that wants a header, and answers what it said and what follows it. */
function headerApp(): Promise<Started> {
  return tcpApp((socket: Socket) => {
    let held = Buffer.alloc(0);
    let header: ProxyHeader | undefined;
    socket.on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      if (header === undefined) {
        const read = readProxyHeader(held, 0, held.length);
        if (read.state === "invalid") socket.end(`invalid ${read.cause}`);
        if (read.state !== "complete") return;
        header = read.header;
        held = held.subarray(read.length);
      }
      const { version, addresses } = header;
      if (held.includes("\n"))
        socket.write(`v${version} ${JSON.stringify(addresses ?? "local")} ${held.toString("latin1")}`);
    });
  });
}

interface Served {
  readonly proxyProtocol: ProxyProtocol;
  readonly protocol: Protocol;
}

async function serve(mesh: TestMesh, app: Started, { proxyProtocol, protocol }: Served): Promise<TestProxy> {
  const orders = await mesh.start({
    id: "shop/orders-1",
    service: "shop/orders",
    ports: [{ port: 8080, applicationPort: app.port, protocol, proxyProtocol }],
  });
  mesh.service("shop/orders", {
    ports: [{ port: 80, protocol }],
    endpoints: [meshEndpoint("shop/orders-1", orders, { 80: 8080 })],
  });
  return orders;
}

const client = (proxyProtocol: boolean) => ({
  id: "shop/web-1",
  service: "shop/web",
  upstreams: [{ host: "orders", port: 80, proxyProtocol }],
});

describe("a port that expects a PROXY protocol header", () => {
  it("adds the client to the forwarded fields, for both versions and however the header is cut", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((request, response) => response.end(String(request.headers["x-forwarded-for"]))));
      await serve(mesh, app, { proxyProtocol: ProxyProtocol.NONE, protocol: Protocol.HTTP1 });
      const web = await mesh.start(client(true));
      const request = Buffer.from("GET / HTTP/1.1\r\nhost: orders\r\nconnection: close\r\n\r\n");
      for (const version of [1, 2] as const) {
        for (const pieces of [1, 1000]) {
          const from = new TcpClient(web.ports.upstreams[0] ?? 0);
          await once(from.socket, "connect");
          const bytes = Buffer.concat([encodeProxyHeader(version, CLIENT), request]);
          for (let at = 0; at < bytes.length; at += pieces) {
            from.socket.write(bytes.subarray(at, at + pieces));
            if (pieces === 1) await new Promise((resolve) => setImmediate(resolve));
          }
          await from.until("203.0.113.9, 127.0.0.1");
          from.socket.destroy();
        }
      }
      const local = new TcpClient(web.ports.upstreams[0] ?? 0);
      local.socket.write(Buffer.concat([encodeProxyHeader(2, undefined), request]));
      await local.until("\r\n\r\n127.0.0.1");
      local.socket.destroy();
    }));

  it("takes nothing else, and does not wait for ever", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end("never")));
      await serve(mesh, app, { proxyProtocol: ProxyProtocol.NONE, protocol: Protocol.HTTP1 });
      const clock = new StoppedClock();
      const web = await mesh.start({ ...client(true), clock });
      for (const bytes of [
        "GET / HTTP/1.1\r\nhost: orders\r\n\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x31",
      ]) {
        const from = new TcpClient(web.ports.upstreams[0] ?? 0);
        from.write(bytes);
        await from.untilClosed();
        assert.equal(from.received, "");
      }
      const silent = new TcpClient(web.ports.upstreams[0] ?? 0);
      silent.write("PROXY ");
      while (!silent.closed && !silent.ended) {
        clock.advance(5_000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }));
});

describe("an application that wants a PROXY protocol header", () => {
  it("is told the client of the load balancer in front of the other end, through the tunnel", () =>
    withMesh(async (mesh, keep) => {
      for (const proxyProtocol of [ProxyProtocol.V1, ProxyProtocol.V2]) {
        await serve(mesh, keep(await headerApp()), { proxyProtocol, protocol: Protocol.TCP });
        const web = await mesh.start(client(true));
        const from = new TcpClient(web.ports.upstreams[0] ?? 0);
        from.socket.write(Buffer.concat([encodeProxyHeader(2, CLIENT), Buffer.from("hello\n")]));
        await from.until("hello\n");
        assert.ok(
          from.received.startsWith(`v${proxyProtocol} {"source":{"address":"203.0.113.9","port":4711}`),
          from.received,
        );
        from.socket.destroy();
        await web.proxy.close();
      }
    }));

  it("is told the peer when nothing else is known", () =>
    withMesh(async (mesh, keep) => {
      await serve(mesh, keep(await headerApp()), { proxyProtocol: ProxyProtocol.V2, protocol: Protocol.TCP });
      const web = await mesh.start(client(false));
      const from = new TcpClient(web.ports.upstreams[0] ?? 0);
      from.write("hello\n");
      await from.until("hello\n");
      assert.match(
        from.received,
        /^v2 {"source":{"address":"127.0.0.1","port":[1-9][0-9]*},"destination":{"address":"127.0.0.1","port":8080}} /,
      );
      from.socket.destroy();
    }));

  it("gets HTTP connections that no two clients share", () =>
    withMesh(async (mesh, keep) => {
      const sockets = new Set<Socket>();
      const app = keep(
        await tcpApp((socket) => {
          sockets.add(socket);
          let header = "";
          socket.on("data", (chunk: Buffer) => {
            let text = chunk.toString("latin1");
            if (header === "") {
              header = text.slice(0, text.indexOf("\r\n"));
              text = text.slice(header.length + 2);
            }
            if (text.includes("\r\n\r\n"))
              socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${header.length}\r\n\r\n${header}`);
          });
        }),
      );
      const orders = await serve(mesh, app, { proxyProtocol: ProxyProtocol.V1, protocol: Protocol.HTTP1 });
      const web = await mesh.start(client(false));
      for (let at = 0; at < 3; at++) {
        const from = new TcpClient(web.ports.upstreams[0] ?? 0);
        from.write("GET / HTTP/1.1\r\nhost: orders\r\n\r\n");
        await from.until("PROXY TCP4 127.0.0.1 127.0.0.1 0 8080");
        from.socket.destroy();
      }
      assert.equal(sockets.size, 1);
      await eventually(() => orders.proxy.live.exchanges === 0);
    }));

  it("gets it from a proxy outside of the mesh's own endpoints too", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await headerApp());
      mesh.service("shop/orders", {
        ports: [{ port: 80, protocol: Protocol.TCP, proxyProtocol: ProxyProtocol.V2 }],
        endpoints: [plainEndpoint(app.port, { 80: app.port })],
      });
      const web = await mesh.start(client(true));
      const from = new TcpClient(web.ports.upstreams[0] ?? 0);
      from.socket.write(Buffer.concat([encodeProxyHeader(1, CLIENT), Buffer.from("hello\n")]));
      await from.until("hello\n");
      assert.equal(from.received, `v2 ${JSON.stringify(CLIENT)} hello\n`);
      from.socket.destroy();
    }));
});

describe("the inbound listener behind a load balancer", () => {
  it("takes the client's address from the header before TLS, and refuses connections without one", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((request, response) => response.end(String(request.headers["x-forwarded-for"]))));
      const orders = await mesh.start({
        id: "shop/orders-1",
        service: "shop/orders",
        ports: [{ port: 8080, applicationPort: app.port, protocol: Protocol.HTTP1 }],
        inboundProxyProtocol: true,
      });
      const svid = await mesh.authority.issue(`spiffe://${TRUST_DOMAIN}/ns/shop/sa/web`);
      const secure = {
        cert: svid.chainPem,
        key: svid.keyPem,
        ca: mesh.authority.bundlePem,
        ALPNProtocols: ["h2"],
        servername: "8080.orders-1.shop.mesh",
        checkServerIdentity: () => undefined,
      };
      for (const pieces of [1, 1000]) {
        const socket = connect({ port: orders.ports.inbound, host: "127.0.0.1" });
        const header = encodeProxyHeader(2, CLIENT);
        for (let at = 0; at < header.length; at += pieces) {
          socket.write(header.subarray(at, at + pieces));
          await new Promise((resolve) => setImmediate(resolve));
        }
        const session = http2Connect("https://orders", { createConnection: () => tlsConnect({ ...secure, socket }) });
        session.on("error", () => undefined);
        const request = session.request({ ":path": "/" });
        let answer = "";
        for await (const chunk of request) answer += String(chunk);
        assert.equal(answer, "203.0.113.9");
        session.destroy();
      }
      const bare = tlsConnect({ ...secure, port: orders.ports.inbound, host: "127.0.0.1" });
      await assert.rejects(once(bare, "secureConnect"));
    }));
});
