// Whole connections through a Gateway, and TLS to backends outside the mesh.

import assert from "node:assert/strict";
import { createServer as createHttpsServer } from "node:https";
import { createSecureServer } from "node:http2";
import type { Server as TcpServer } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, it } from "node:test";
import { GatewayListener_Kind, Protocol, type BackendTls, type KeyPair } from "@ripstop/model";
import { freePort } from "@ripstop/testkit";
import {
  handshake,
  httpRule,
  listener,
  OutsideAuthority,
  streamRule,
  TestGateway,
} from "./testing/test-gateway.suite.ts";
import { meshEndpoint, plainEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import {
  eventually,
  fetchAt,
  greetingAt,
  httpApp,
  TcpClient,
  tcpApp,
  type Answer,
  type Started,
} from "./testing/test-peers.suite.ts";

const { TCP, TLS_PASSTHROUGH, TLS_TERMINATE, HTTPS } = GatewayListener_Kind;

/** Listens, and closes with all that it accepted. */
async function serving(server: TcpServer): Promise<Started> {
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket: { destroy(): void; on(event: "close", run: () => void): void }) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** What a server says at the start of a connection, read to its end. */
function greeting(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.on("end", () => resolve(text));
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}

describe("connections through a gateway", () => {
  let mesh: TestMesh;
  let edge: TestGateway;
  let port: number;
  let ca: OutsideAuthority;
  let started: Started[];
  let draws: number[];

  beforeEach(async () => {
    mesh = await TestMesh.create();
    draws = [];
    edge = await TestGateway.start(mesh, "infra/edge", { random: () => draws.shift() ?? 0 });
    port = await freePort();
    ca = await OutsideAuthority.create();
    started = [];
  });

  afterEach(() => edge.end(started));

  /** A TCP service that says its name to whoever connects, and ends. */
  async function named(name: string, inMesh: boolean = false): Promise<string> {
    const app = await tcpApp((socket) => socket.end(name));
    started.push(app);
    if (inMesh) {
      const proxy = await mesh.start({
        id: `shop/${name}-1`,
        ports: [{ port: 80, applicationPort: app.port, protocol: Protocol.TCP }],
      });
      mesh.service(`shop/${name}`, {
        ports: [{ port: 8080, protocol: Protocol.TCP }],
        endpoints: [meshEndpoint(`shop/${name}-1`, proxy, { 8080: 80 })],
      });
    } else {
      mesh.service(`shop/${name}`, {
        ports: [{ port: 8080, protocol: Protocol.TCP }],
        endpoints: [plainEndpoint(app.port, { 8080: app.port })],
      });
    }
    return `shop/${name}`;
  }

  it("go by weight, to services of the mesh and outside, and the share of an invalid backend is closed", async () => {
    const [a, b] = [await named("a", true), await named("b")];
    const streams = [streamRule([a, 8080, 1], [b, 8080, 1], ["", 0, 2])];
    edge.route({ name: "shop/t", kind: "TCPRoute", listeners: { tcp: [] }, streams });
    await edge.listen([listener("tcp", port, { kind: TCP })]);
    const got: string[] = [];
    for (const draw of [0, 0.3, 0.6, 0.9]) {
      draws = [draw];
      got.push(await greetingAt(port));
    }
    assert.deepEqual(got, ["a", "b", "", ""]);
  });

  it("take the older of two routes, and none when none is attached", async () => {
    const [a, b] = [await named("a"), await named("b")];
    await edge.listen([listener("tcp", port, { kind: TCP })]);
    assert.equal(await greetingAt(port), "");
    const route = (name: string, created: string, service: string): void =>
      edge.route({
        name,
        kind: "TCPRoute",
        created,
        listeners: { tcp: [] },
        streams: [streamRule([service, 8080, 1])],
      });
    route("shop/new", "2026-02-01T00:00:00Z", a);
    assert.equal(await greetingAt(port), "a");
    route("shop/old", "2026-01-01T00:00:00Z", b);
    assert.equal(await greetingAt(port), "b");
    edge.remove("shop/old", "TCPRoute");
    assert.equal(await greetingAt(port), "a");
  });

  it("carry bytes both ways until both sides have ended", async () => {
    const app = await tcpApp(
      (socket) => {
        socket.on("data", (chunk: Buffer) => socket.write(chunk));
        socket.on("end", () => socket.end("bye"));
      },
      { allowHalfOpen: true },
    );
    started.push(app);
    mesh.service("shop/echo", {
      ports: [{ port: 8080, protocol: Protocol.TCP }],
      endpoints: [plainEndpoint(app.port, { 8080: app.port })],
    });
    edge.route({
      name: "shop/t",
      kind: "TCPRoute",
      listeners: { tcp: [] },
      streams: [streamRule(["shop/echo", 8080, 1])],
    });
    await edge.listen([listener("tcp", port, { kind: TCP })]);
    const client = new TcpClient(port);
    client.write("x".repeat(300_000));
    await eventually(() => client.received.length === 300_000);
    client.socket.end();
    await client.until("bye");
    await client.untilEnd();
    client.socket.destroy();
  });

  it("pass TLS by its server name to whoever ends it, and end that of others, on one port", async () => {
    const [own, passed] = [await ca.certificate("own.com"), await ca.certificate("passed.com")];
    const behind = await serving(
      createTlsServer({ cert: passed.chainPem, key: passed.keyPem }, (socket) => socket.end("behind")),
    );
    started.push(behind);
    mesh.service("shop/behind", {
      ports: [{ port: 8080, protocol: Protocol.TLS }],
      endpoints: [plainEndpoint(behind.port, { 8080: behind.port })],
    });
    const plain = await named("plain", true);
    edge.route({
      name: "shop/passed",
      kind: "TLSRoute",
      listeners: { pass: ["passed.com"] },
      streams: [streamRule(["shop/behind", 8080, 1])],
    });
    edge.route({
      name: "shop/ended",
      kind: "TLSRoute",
      listeners: { end: ["own.com"] },
      streams: [streamRule([plain, 8080, 1])],
    });
    await edge.listen([
      listener("pass", port, { kind: TLS_PASSTHROUGH, hostname: "passed.com" }),
      listener("end", port, { kind: TLS_TERMINATE, hostname: "own.com", certificates: [own] }),
    ]);
    const say = async (servername: string): Promise<string> =>
      greeting(await handshake(port, { servername, ca: ca.rootsPem }));
    assert.equal(await say("passed.com"), "behind");
    assert.equal(await say("own.com"), "plain");
    await assert.rejects(say("other.com"));
    await assert.rejects(handshake(port, { ca: ca.rootsPem }), "no server name, and no listener for all");
  });

  it("whose first bytes are no TLS are closed by a listener for TLS", async () => {
    await edge.listen([listener("end", port, { kind: HTTPS, certificates: [await ca.certificate("own.com")] })]);
    const client = new TcpClient(port);
    client.write("GET / HTTP/1.1\r\nhost: own.com\r\n\r\n");
    await client.untilEnd();
    client.socket.destroy();
    assert.equal(client.received, "");
  });

  describe("to backends with certificates", () => {
    let shown: KeyPair;
    const tls = (parts: Partial<BackendTls>): BackendTls => ({
      hostname: "backend.com",
      rootsPem: ca.rootsPem,
      subjectAltNames: [],
      invalid: "",
      source: "BackendTLSPolicy shop/test",
      ...parts,
    });

    const names = (value: string): Pick<BackendTls, "subjectAltNames"> => ({ subjectAltNames: [{ type: 0, value }] });

    beforeEach(async () => {
      shown = await ca.certificate("backend.com");
    });

    /** An HTTPS backend behind the gateway, with or without HTTP/2, and a policy for it. */
    async function backend(policy: BackendTls, options: { readonly http2?: boolean; readonly clients?: string } = {}) {
      const own = { cert: shown.chainPem, key: shown.keyPem };
      const asks = options.clients === undefined ? {} : { requestCert: true, ca: options.clients };
      const server =
        options.http2 === true
          ? createSecureServer(own, (request, response) => response.end(`h${request.httpVersion}`))
          : createHttpsServer({ ...own, ...asks }, (request, response) => {
              const serverName: unknown = Reflect.get(request.socket, "servername");
              response.end(`${String(serverName)} ${String(request.headers.host)}`);
            });
      const app = await serving(server);
      started.push(app);
      mesh.service("shop/secure", {
        ports: [{ port: 8080, backendTls: policy, ...(options.http2 === true ? { protocol: Protocol.HTTP2 } : {}) }],
        endpoints: [plainEndpoint(app.port, { 8080: app.port })],
        resilience: { maxRetries: -1 },
      });
      edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule("shop/secure")] });
      await edge.listen([listener("web", port)]);
    }

    const get = (): Promise<Answer> => fetchAt(port, "/", { headers: { host: "a.com" } });

    it("speak TLS with the policy's host name, and leave the request's own", async () => {
      await backend(tls({}));
      assert.deepEqual((await get()).body, "backend.com a.com");
    });

    it("speak HTTP/2 over it where the port is declared so", async () => {
      await backend(tls({}), { http2: true });
      assert.equal((await get()).body, "h2.0");
    });

    it("refuse a backend with another name, another root or no usable policy, and never go on in plain text", async () => {
      const other = await OutsideAuthority.create();
      for (const policy of [
        tls({ hostname: "other.com" }),
        tls({ rootsPem: other.rootsPem }),
        tls({ rootsPem: "" }),
        tls({ rootsPem: "rubbish" }),
        tls({ invalid: "there is no valid CA" }),
        tls({ subjectAltNames: [{ type: 0, value: "other.com" }] }),
      ]) {
        await backend(policy);
        const answer = await get();
        assert.ok(answer.status === 502 || answer.status === 503, `${answer.status} for ${JSON.stringify(policy)}`);
      }
    });

    it("believe any of the listed names in place of the host name", async () => {
      const { chainPem, keyPem } = await ca.authority.issue("spiffe://outside/x", {
        uris: ["spiffe://outside/backend"],
        dnsNames: ["one.com", "*.two.com"],
      });
      shown = { chainPem, keyPem };
      for (const [type, value] of [
        [1, "spiffe://outside/backend"],
        [0, "one.com"],
        [0, "x.two.com"],
        [0, "*.two.com"],
      ] as const) {
        await backend(tls({ subjectAltNames: [{ type, value }] }));
        assert.equal((await get()).status, 200, value);
      }
    });

    it("are spoken to by the policy of each port, though both lead to one port of the backend", async () => {
      await backend(tls({}));
      const [app] = started.slice(-1);
      const target = app?.port ?? 0;
      mesh.service("shop/secure", {
        ports: [
          { port: 8080, backendTls: tls({ hostname: "one.com", ...names("backend.com") }) },
          { port: 8081, backendTls: tls({ hostname: "two.com", ...names("backend.com") }) },
        ],
        endpoints: [plainEndpoint(target, { 8080: target, 8081: target })],
      });
      edge.route({
        name: "shop/a",
        listeners: { web: [] },
        http: [
          httpRule("shop/secure", { path: { type: 0, value: "/two" }, port: 8081 }),
          httpRule("shop/secure", { port: 8080 }),
        ],
      });
      const ask = async (path: string): Promise<string> =>
        (await fetchAt(port, path, { headers: { host: "a.com" } })).body;
      assert.equal(await ask("/one"), "one.com a.com");
      assert.equal(await ask("/two"), "two.com a.com");
    });

    it("in the mesh get nothing either while the policy cannot be kept", async () => {
      const app = await httpApp((_request, response) => response.end("reached"));
      started.push(app);
      const catalog = await mesh.start({
        id: "shop/catalog-1",
        service: "shop/catalog",
        ports: [{ port: 80, applicationPort: app.port }],
      });
      const serve = (policy?: BackendTls): void =>
        mesh.service("shop/catalog", {
          ports: [{ port: 8080, ...(policy === undefined ? {} : { backendTls: policy }) }],
          endpoints: [meshEndpoint("shop/catalog-1", catalog, { 8080: 80 })],
        });
      serve();
      edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule("shop/catalog")] });
      await edge.listen([listener("web", port)]);
      assert.equal((await get()).body, "reached");
      serve(tls({ invalid: "there is no valid CA" }));
      assert.equal((await get()).status, 503);
      serve(tls({}));
      assert.equal((await get()).body, "reached");
    });

    it("show the gateway's own certificate", async () => {
      const clients = await OutsideAuthority.create();
      await backend(tls({}), { clients: clients.rootsPem });
      assert.ok((await get()).status >= 500);
      await edge.listen([listener("web", port)], { backendClientCertificate: await clients.certificate("gateway") });
      assert.equal((await get()).status, 200);
    });
  });
});
