// TLS of applications themselves, passed through unopened: the server name says where it goes, the proxies still
// identify and judge each other.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { connect as tlsConnect, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Protocol } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { HEAD_TIMEOUT_MS } from "./settings.ts";
import { meshEndpoint, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import { eventually, TcpClient, tcpApp, type Started } from "./testing/test-peers.suite.ts";

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

/** An application with TLS of its own, which answers its name and the server name that it was asked for. */
async function tlsApp(mesh: TestMesh, name: string): Promise<Started> {
  const own = await mesh.authority.issue(`spiffe://test.local/ns/own/sa/${name}`);
  const sockets = new Set<Socket>();
  const server = createTlsServer({ cert: own.chainPem, key: own.keyPem }, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => socket.write(`${name} ${String(socket.servername)} ${chunk.toString()}`));
  });
  server.on("connection", (socket: Socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** The application "shop/NAME-1" behind the service "shop/NAME" on `servicePort`. */
async function serve(
  mesh: TestMesh,
  name: string,
  app: Started,
  options: { servicePort: number; protocol: Protocol },
): Promise<TestProxy> {
  const { servicePort, protocol } = options;
  const started = await mesh.start({
    id: `shop/${name}-1`,
    service: `shop/${name}`,
    ports: [{ port: 8443, applicationPort: app.port, protocol }],
  });
  mesh.service(`shop/${name}`, {
    ports: [{ port: servicePort, protocol }],
    endpoints: [meshEndpoint(`shop/${name}-1`, started, { [servicePort]: 8443 })],
  });
  return started;
}

/** Writes to `socket` in pieces of `size` bytes, each in a packet of its own as far as the system lets it be. */
function inPieces(socket: Socket, size: number): Duplex {
  socket.setNoDelay(true);
  const duplex = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      const next = (at: number): void => {
        if (at >= chunk.length) done();
        else socket.write(chunk.subarray(at, at + size), () => setImmediate(() => next(at + size)));
      };
      next(0);
    },
    final: (done) => {
      socket.end();
      done();
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk) => duplex.push(chunk));
  socket.on("end", () => duplex.push(null));
  socket.on("error", () => undefined);
  socket.on("close", () => duplex.destroy());
  return duplex;
}

async function ask(
  port: number,
  servername: string,
  options: { pieces?: number; alpn?: readonly string[] } = {},
): Promise<string> {
  const raw = connect({ port, host: "127.0.0.1" });
  const socket: TLSSocket = tlsConnect({
    socket: options.pieces === undefined ? raw : inPieces(raw, options.pieces),
    servername,
    rejectUnauthorized: false,
    ...(options.alpn === undefined ? {} : { ALPNProtocols: [...options.alpn] }),
  });
  await once(socket, "secureConnect");
  socket.write("hello");
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return answer.toString();
}

describe("TLS of an application", () => {
  it("reaches a declared TLS service unopened, its hello in one piece, in small ones, and large", () =>
    withMesh(async (mesh, keep) => {
      const orders = await serve(mesh, "orders", keep(await tlsApp(mesh, "orders")), {
        servicePort: 443,
        protocol: Protocol.TLS,
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 443 }] });
      const port = web.ports.upstreams[0] ?? 0;
      assert.equal(await ask(port, "orders.shop"), "orders orders.shop hello");
      assert.equal(await ask(port, "anything.example", { pieces: 7 }), "orders anything.example hello");
      // 250 protocols of 100 letters make a hello of more than one record's size.
      const alpn = Array.from({ length: 250 }, (_, at) => `${at}`.padStart(100, "p"));
      assert.equal(await ask(port, "orders.shop", { alpn, pieces: 4000 }), "orders orders.shop hello");
      await eventually(() => web.proxy.live.tunnels === 0 && orders.proxy.live.tunnels === 0);
    }));

  it("is seen between the proxies as a connection of verified peers", () =>
    withMesh(async (mesh, keep) => {
      const orders = await serve(mesh, "orders", keep(await tlsApp(mesh, "orders")), {
        servicePort: 443,
        protocol: Protocol.UNSPECIFIED,
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 443 }] });
      assert.equal(await ask(web.ports.upstreams[0] ?? 0, "orders.shop", { pieces: 1 }), "orders orders.shop hello");
      const [edge] = orders.proxy.engine.edges.take();
      assert.equal(edge?.sourceIdentity, web.spiffeId);
      assert.equal(edge?.protocol, "tcp");
    }));

  it("that comes to the HTTP proxy without CONNECT goes where its server name says", () =>
    withMesh(async (mesh, keep) => {
      await serve(mesh, "orders", keep(await tlsApp(mesh, "orders")), { servicePort: 443, protocol: Protocol.TLS });
      await serve(mesh, "stock", keep(await tlsApp(mesh, "stock")), { servicePort: 9443, protocol: Protocol.TLS });
      const web = await mesh.start({ id: "shop/web-1" });
      assert.equal(await ask(web.ports.httpProxy, "orders.shop"), "orders orders.shop hello");
      assert.equal(await ask(web.ports.httpProxy, "stock", { pieces: 3 }), "stock stock hello");
      await assert.rejects(ask(web.ports.httpProxy, ""));
    }));

  it("to an address outside of the mesh goes to the service that its server name names, and else to the address", () =>
    withMesh(async (mesh, keep) => {
      const outside = keep(await tlsApp(mesh, "outside"));
      await serve(mesh, "orders", keep(await tlsApp(mesh, "orders")), {
        servicePort: outside.port,
        protocol: Protocol.TLS,
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "127.0.0.1", port: outside.port }] });
      assert.equal(await ask(web.ports.upstreams[0] ?? 0, "orders.shop"), "orders orders.shop hello");
      assert.equal(
        await ask(web.ports.upstreams[0] ?? 0, "elsewhere.example", { pieces: 5 }),
        "outside elsewhere.example hello",
      );
    }));

  it("to a declared TLS service must be TLS", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await tcpApp((socket) => socket.end("never")));
      await serve(mesh, "orders", app, { servicePort: 443, protocol: Protocol.TLS });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 443 }] });
      for (const bytes of ["GET / HTTP/1.1\r\nhost: orders\r\n\r\n", "\x16\x03\x01\x00\x04\x02\x00\x00\x00"]) {
        const client = new TcpClient(web.ports.upstreams[0] ?? 0);
        client.write(bytes);
        await client.untilClosed();
        assert.equal(client.received, "");
      }
    }));

  it("whose hello does not go on meets a deadline", () =>
    withMesh(async (mesh, keep) => {
      const clock = new StoppedClock();
      const app = keep(await tcpApp(() => undefined));
      for (const protocol of [Protocol.TLS, Protocol.UNSPECIFIED]) {
        await serve(mesh, "orders", app, { servicePort: 443, protocol });
        const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 443 }], clock });
        for (const port of [web.ports.upstreams[0] ?? 0, web.ports.httpProxy]) {
          const client = new TcpClient(port);
          client.write("\x16\x03\x01\x02");
          while (!client.closed && !client.ended) {
            clock.advance(HEAD_TIMEOUT_MS);
            await new Promise((resolve) => setImmediate(resolve));
          }
        }
        await web.proxy.close();
      }
    }));
});
