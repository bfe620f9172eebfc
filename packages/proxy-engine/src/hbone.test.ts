// HBONE with proxies of other meshes: clients and servers that behave as Istio's ztunnel does, made with node:http2. They
// send no server name, open tunnels with a bare CONNECT to an address and port, put HTTP into them as it is, and add
// baggage, forwarded and traceparent fields.

import assert from "node:assert/strict";
import { once } from "node:events";
import {
  connect as http2Connect,
  createSecureServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2ServerRequest,
  type ServerHttp2Stream,
} from "node:http2";
import { connect, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import { defineError } from "@ripstop/core";
import { Endpoint_Reach, policyType, Protocol, type Endpoint } from "@ripstop/model";
import type { Denial, FilterFactory, RequestInfo } from "@ripstop/policy-api/proxy";
import { plainEndpoint, TestMesh, TRUST_DOMAIN, type TestProxy } from "./testing/test-mesh.suite.ts";
import { eventually, fetchAt, http2App, httpApp, TcpClient, tcpApp, type Started } from "./testing/test-peers.suite.ts";

const CLIENT_ID = `spiffe://${TRUST_DOMAIN}/ns/istio/sa/sleep`;
const SERVER_ID = `spiffe://${TRUST_DOMAIN}/ns/istio/sa/httpbin`;

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

/** A proxy of another mesh that dials `port`, as ztunnel does: TLS 1.3, ALPN h2, no server name, large windows. */
async function ztunnelClient(
  mesh: TestMesh,
  port: number,
  id: string = CLIENT_ID,
): Promise<Started & { session: ClientHttp2Session }> {
  const svid = await mesh.authority.issue(id);
  const socket: TLSSocket = tlsConnect({
    host: "127.0.0.1",
    port,
    cert: svid.chainPem,
    key: svid.keyPem,
    ca: mesh.authority.bundlePem,
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.3",
    checkServerIdentity: () => undefined,
  });
  await once(socket, "secureConnect");
  assert.equal(socket.alpnProtocol, "h2");
  const session = http2Connect("https://127.0.0.1", {
    createConnection: () => socket,
    settings: { initialWindowSize: 4 * 1024 * 1024, maxFrameSize: 1024 * 1024, enablePush: false },
  });
  session.on("error", () => undefined);
  return {
    port,
    session,
    close: async () => {
      session.destroy();
    },
  };
}

interface Opened {
  readonly stream: ClientHttp2Stream;
  readonly status: number;
  readonly headers: Record<string, unknown>;
}

/** One tunnel to `authority`, with the fields that ztunnel adds. */
async function openTunnel(session: ClientHttp2Session, authority: string): Promise<Opened> {
  const stream = session.request(
    {
      ":method": "CONNECT",
      ":authority": authority,
      baggage: "k8s.namespace.name=istio,k8s.deployment.name=sleep,service.name=sleep,service.version=v1",
      forwarded: 'for="10.0.0.7:41000";host=orders.shop.svc.cluster.local',
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    },
    { endStream: false },
  );
  stream.on("error", () => undefined);
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  return { stream, status: Number(headers[":status"]), headers };
}

/** What the stream brings, to its end. */
async function readAll(stream: ClientHttp2Stream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("latin1");
}

/** Reads until what came contains `text`; nothing after that is lost. */
async function until(stream: ClientHttp2Stream, text: string): Promise<string> {
  let received = "";
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    if (chunk !== null) received += chunk.toString("latin1");
    if (received.includes(text)) return received;
    if (stream.destroyed) throw new Error(`closed before ${text}: ${received}`);
    if (chunk === null) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

const echo = (): Promise<Started> =>
  tcpApp(
    (socket) => {
      socket.on("data", (chunk) => socket.write(chunk));
      socket.on("end", () => socket.end("|bye"));
    },
    { allowHalfOpen: true },
  );

function hosted(
  mesh: TestMesh,
  app: Started,
  protocol: Protocol,
  factories: readonly FilterFactory[] = [],
): Promise<TestProxy> {
  return mesh.start({
    id: "shop/orders-1",
    service: "shop/orders",
    ports: [{ port: 8080, applicationPort: app.port, protocol }],
    factories,
    policies: factories.length > 0 ? [{ name: "Gate/shop/gate" }] : [],
  });
}

const denied = defineError({
  code: "RS1196",
  name: "hbone_test_denied",
  status: 403,
  grpcStatus: 7,
  title: "Denied by the test",
  cause: "The test says so.",
  remedy: "None.",
});

/** A policy that denies what `isDenied` says. */
function gate(mesh: TestMesh, isDenied: (request: RequestInfo) => boolean): FilterFactory[] {
  mesh.config.set(policyType, "Gate/shop/gate", { name: "Gate/shop/gate", kind: "gate", config: Buffer.alloc(0) });
  const onRequest = (request: RequestInfo): Denial | undefined =>
    isDenied(request)
      ? { kind: denied, message: "not allowed", policy: "Gate/shop/gate", clause: "the test" }
      : undefined;
  return [{ kind: "gate", order: 100, create: () => ({ onRequest }) }];
}

describe("HBONE from a proxy of another mesh", () => {
  it("carries raw bytes to the port that the authority names, with half-close", () =>
    withMesh(async (mesh, keep) => {
      const orders = await hosted(mesh, keep(await echo()), Protocol.TCP);
      const peer = keep(await ztunnelClient(mesh, orders.ports.inbound));
      for (const authority of ["127.0.0.1:8080", "orders.shop:8080", "orders.shop.svc.cluster.local:8080"]) {
        const { stream, status } = await openTunnel(peer.session, authority);
        assert.equal(status, 200, authority);
        stream.write("over HBONE");
        assert.equal(await until(stream, "over HBONE"), "over HBONE");
        stream.end();
        assert.equal(await readAll(stream), "|bye");
      }
      await eventually(() => orders.proxy.live.tunnels === 0 && orders.proxy.live.exchanges === 0);
    }));

  it("takes bytes that the peer sends before the answer", () =>
    withMesh(async (mesh, keep) => {
      const orders = await hosted(mesh, keep(await echo()), Protocol.TCP);
      const peer = keep(await ztunnelClient(mesh, orders.ports.inbound));
      const stream = peer.session.request(
        { ":method": "CONNECT", ":authority": "127.0.0.1:8080" },
        { endStream: false },
      );
      stream.end("early");
      assert.equal(await readAll(stream), "early|bye");
    }));

  it("serves the HTTP inside of a tunnel request by request, with the peer's identity", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await httpApp((request, response) =>
          response.end(JSON.stringify({ url: request.url, headers: request.headers })),
        ),
      );
      for (const protocol of [Protocol.HTTP1, Protocol.UNSPECIFIED]) {
        const orders = await hosted(mesh, app, protocol);
        const peer = keep(await ztunnelClient(mesh, orders.ports.inbound));
        const { stream, status } = await openTunnel(peer.session, "127.0.0.1:8080");
        assert.equal(status, 200);
        for (const path of ["/one", "/two"]) {
          stream.write(`GET ${path} HTTP/1.1\r\nhost: orders\r\nx-ripstop-source-identity: spiffe://evil/x\r\n\r\n`);
          const answer = await until(stream, "}}");
          assert.match(answer, /^HTTP\/1\.1 200 /);
          const seen = JSON.parse(answer.slice(answer.indexOf("{"))) as {
            url: string;
            headers: Record<string, string>;
          };
          assert.equal(seen.url, path);
          assert.equal(seen.headers["x-ripstop-source-identity"], CLIENT_ID);
        }
        stream.destroy();
        await eventually(() => orders.proxy.live.tunnels === 0 && orders.proxy.live.exchanges === 0);
        await orders.proxy.close();
      }
    }));

  it("serves HTTP/2 inside of a tunnel", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await http2App((server) =>
          server.on("stream", (stream: ServerHttp2Stream, headers) => {
            stream.respond({ ":status": 200 });
            stream.end(`h2 ${String(headers[":path"])}`);
          }),
        ),
      );
      const orders = await hosted(mesh, app, Protocol.GRPC);
      const peer = keep(await ztunnelClient(mesh, orders.ports.inbound));
      const { stream } = await openTunnel(peer.session, "127.0.0.1:8080");
      const inner = http2Connect("http://orders", { createConnection: () => stream });
      inner.on("error", () => undefined);
      const request = inner.request({ ":path": "/inner" });
      assert.equal(await readAll(request), "h2 /inner");
      inner.destroy();
    }));

  it("lets a server speak first on a port that is not declared", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await tcpApp((socket) => socket.write("220 ready\r\n")));
      const orders = await hosted(mesh, app, Protocol.UNSPECIFIED);
      const peer = keep(await ztunnelClient(mesh, orders.ports.inbound));
      const { stream } = await openTunnel(peer.session, "127.0.0.1:8080");
      assert.equal(await until(stream, "ready"), "220 ready\r\n");
      stream.destroy();
      await eventually(() => orders.proxy.live.tunnels === 0);
    }));

  it("judges the requests inside of a tunnel by the HTTP policies, on declared and undeclared ports", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end("secret")));
      const factories = gate(mesh, (request) => !request.http || request.path.startsWith("/private"));
      for (const protocol of [Protocol.HTTP1, Protocol.UNSPECIFIED]) {
        const orders = await hosted(mesh, app, protocol, factories);
        const peer = keep(await ztunnelClient(mesh, orders.ports.inbound));
        const { stream } = await openTunnel(peer.session, "127.0.0.1:8080");
        stream.write("GET /private HTTP/1.1\r\nhost: orders\r\n\r\n");
        assert.match(await until(stream, "}}"), /^HTTP\/1\.1 403 /);
        stream.write("GET /public HTTP/1.1\r\nhost: orders\r\n\r\n");
        assert.match(await until(stream, "secret"), /^HTTP\/1\.1 200 /);
        // Raw bytes are a connection, which this policy refuses.
        const raw = await openTunnel(peer.session, "127.0.0.1:8080");
        raw.stream.write("\x00\x01raw");
        if (protocol === Protocol.UNSPECIFIED) await eventually(() => raw.stream.destroyed);
        else assert.match(await until(raw.stream, "\r\n\r\n"), /^HTTP\/1\.1 400 /);
        await orders.proxy.close();
      }
    }));

  it("refuses other hosts, unknown ports, requests outside of tunnels and what policy denies", () =>
    withMesh(async (mesh, keep) => {
      let open = true;
      const factories = gate(mesh, () => !open);
      const orders = await hosted(mesh, keep(await echo()), Protocol.TCP, factories);
      const peer = keep(await ztunnelClient(mesh, orders.ports.inbound));
      for (const authority of ["10.1.2.3:8080", "other.shop:8080", "localhost:8080"]) {
        assert.equal((await openTunnel(peer.session, authority)).status, 421, authority);
      }
      assert.equal((await openTunnel(peer.session, "127.0.0.1:9")).status, 502);
      const request = peer.session.request({ ":path": "/" });
      const [headers] = (await once(request, "response")) as [Record<string, unknown>];
      assert.equal(headers[":status"], 400);
      open = false;
      assert.equal((await openTunnel(peer.session, "127.0.0.1:8080")).status, 403);
      await eventually(() => orders.proxy.live.tunnels === 0 && orders.proxy.live.exchanges === 0);
    }));

  it("refuses a peer without a certificate of the mesh's roots", () =>
    withMesh(async (mesh, keep) => {
      const orders = await hosted(mesh, keep(await echo()), Protocol.TCP);
      const socket = tlsConnect({
        host: "127.0.0.1",
        port: orders.ports.inbound,
        ca: mesh.authority.bundlePem,
        ALPNProtocols: ["h2"],
        checkServerIdentity: () => undefined,
      });
      socket.resume();
      const refused: unknown = await once(socket, "close").catch((error: unknown) => error);
      assert.match(String(refused), /certificate required/);
    }));
});

interface OtherMesh extends Started {
  /** Authorities of the tunnels that were opened. */
  readonly tunnels: string[];
  readonly serverNames: unknown[];
}

/** A proxy of another mesh that accepts only HBONE: it connects each tunnel to the port that it names. */
async function ztunnelServer(mesh: TestMesh, answer: (authority: string) => number = () => 200): Promise<OtherMesh> {
  const svid = await mesh.authority.issue(SERVER_ID);
  const tunnels: string[] = [];
  const serverNames: unknown[] = [];
  const server = createSecureServer({
    cert: svid.chainPem,
    key: svid.keyPem,
    ca: mesh.authority.bundlePem,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    settings: { maxConcurrentStreams: 100 },
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
  });
  server.on("secureConnection", (socket) => serverNames.push(socket.servername));
  server.on("connect", () => undefined);
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => undefined);
    const authority = String(headers[":authority"]);
    tunnels.push(authority);
    const status = headers[":method"] === "CONNECT" && headers[":path"] === undefined ? answer(authority) : 400;
    if (status !== 200) {
      stream.respond({ ":status": status }, { endStream: true });
      return;
    }
    const inner = connect({ host: "127.0.0.1", port: Number(authority.split(":")[1]), allowHalfOpen: true });
    inner.on("error", () => stream.close());
    inner.on("connect", () => {
      stream.respond({ ":status": 200 });
      stream.pipe(inner);
      inner.pipe(stream);
    });
    stream.on("close", () => inner.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    tunnels,
    serverNames,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  };
}

function hboneEndpoint(port: number, targetPorts: Record<number, number>, spiffeId: string = SERVER_ID): Endpoint {
  return { ...plainEndpoint(port, targetPorts), id: "istio/httpbin-1", reach: Endpoint_Reach.HBONE, spiffeId };
}

describe("HBONE to a proxy of another mesh", () => {
  it("tunnels raw bytes, without a server name", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await echo());
      const other = keep(await ztunnelServer(mesh));
      mesh.service("shop/httpbin", {
        ports: [{ port: 80, protocol: Protocol.TCP }],
        endpoints: [hboneEndpoint(other.port, { 80: app.port })],
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "httpbin", port: 80 }] });
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      client.write("hello");
      await client.until("hello");
      client.socket.end();
      await client.until("|bye");
      assert.deepEqual(other.tunnels, [`127.0.0.1:${app.port}`]);
      assert.deepEqual(other.serverNames.filter(Boolean), []);
      await eventually(() => web.proxy.live.tunnels === 0);
    }));

  it("puts HTTP/1.1 and gRPC-like HTTP/2 into tunnels that are used again", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await httpApp((request, response) =>
          response.end(`${request.url} ${String(request.headers["x-ripstop-source-service"])}`),
        ),
      );
      const h2 = keep(
        await http2App((server) =>
          server.on("request", (request: Http2ServerRequest, response: { end(text: string): void }) =>
            response.end(`h2 ${request.url}`),
          ),
        ),
      );
      const other = keep(await ztunnelServer(mesh));
      mesh.service("shop/httpbin", {
        ports: [
          { port: 80, protocol: Protocol.HTTP1 },
          { port: 81, protocol: Protocol.HTTP2 },
        ],
        endpoints: [hboneEndpoint(other.port, { 80: app.port, 81: h2.port })],
      });
      const web = await mesh.start({
        id: "shop/web-1",
        service: "shop/web",
        upstreams: [
          { host: "httpbin", port: 80 },
          { host: "httpbin", port: 81 },
        ],
      });
      for (const path of ["/a", "/b", "/c"]) {
        const answer = await fetchAt(web.ports.upstreams[0] ?? 0, path);
        assert.equal(answer.status, 200, answer.body);
        assert.equal(answer.body, `${path} undefined`);
        assert.equal((await fetchAt(web.ports.upstreams[1] ?? 0, path)).body, `h2 ${path}`);
      }
      assert.deepEqual(other.tunnels.sort(), [`127.0.0.1:${app.port}`, `127.0.0.1:${h2.port}`].sort());
    }));

  it("does not talk to a peer of another identity, and tells a refusal apart from a failure", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await echo());
      const other = keep(await ztunnelServer(mesh, () => 401));
      mesh.service("shop/httpbin", {
        ports: [{ port: 80, protocol: Protocol.HTTP1 }],
        endpoints: [hboneEndpoint(other.port, { 80: app.port })],
      });
      mesh.service("shop/fake", {
        ports: [{ port: 80, protocol: Protocol.HTTP1 }],
        endpoints: [hboneEndpoint(other.port, { 80: app.port }, `spiffe://${TRUST_DOMAIN}/ns/istio/sa/someone-else`)],
      });
      const web = await mesh.start({
        id: "shop/web-1",
        upstreams: [
          { host: "httpbin", port: 80 },
          { host: "fake", port: 80 },
        ],
      });
      const refused = await fetchAt(web.ports.upstreams[0] ?? 0, "/");
      assert.equal(refused.status, 503);
      assert.match(refused.body, /answered the tunnel with 401/);
      const tunnelsBefore = other.tunnels.length;
      assert.equal((await fetchAt(web.ports.upstreams[1] ?? 0, "/")).status, 503);
      assert.equal(other.tunnels.length, tunnelsBefore);
    }));
});
