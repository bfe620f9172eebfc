// HTTP through a Gateway: real listeners, real clients, backends in the mesh and outside.

import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent } from "node:https";
import { connect as http2Connect, type ClientHttp2Session } from "node:http2";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  GatewayListener_Kind,
  gatewayRoutesType,
  gatewayType,
  PathMatch_Type,
  policyType,
  Protocol,
  type GatewayListener,
  type HttpRule,
  type Policy,
} from "@ripstop/model";
import { freePort, StoppedClock } from "@ripstop/testkit";
import { policyKinds } from "@ripstop/policies/control";
import { filterFactories } from "@ripstop/policies/proxy";
import { fetchSecure, httpRule, listener, OutsideAuthority, TestGateway } from "./testing/test-gateway.suite.ts";
import { meshEndpoint, plainEndpoint, TestMesh, TRUST_DOMAIN } from "./testing/test-mesh.suite.ts";
import {
  eventually,
  fetchAt,
  http2App,
  http2Client,
  httpApp,
  TcpClient,
  tcpApp,
  type Answer,
  type Ask,
  type Started,
} from "./testing/test-peers.suite.ts";

const HTTPS = GatewayListener_Kind.HTTPS;

interface Seen {
  readonly service: string;
  readonly host: string;
  readonly path: string;
  readonly headers: Record<string, string>;
}

function seen(answer: Answer): Seen {
  assert.equal(answer.status, 200, answer.body);
  return JSON.parse(answer.body) as Seen;
}

/** What a client of an HTTP/2 connection gets for a path. */
function askHttp2(session: ClientHttp2Session, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": "/", ...headers });
    let status = 0;
    let body = "";
    stream.on("response", (head) => (status = head[":status"] ?? 0));
    stream.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
    stream.on("end", () => resolve({ status, body, headers: {} }));
    stream.on("error", reject);
    stream.end();
  });
}

const prefix = (value: string): Partial<HttpRule> => ({ path: { type: PathMatch_Type.PREFIX, value } });

describe("a gateway", () => {
  let mesh: TestMesh;
  let edge: TestGateway;
  let port: number;
  let apps: Started[];

  beforeEach(async () => {
    mesh = await TestMesh.create();
    edge = await TestGateway.start(mesh);
    port = await freePort();
    apps = [];
  });

  afterEach(async () => {
    assert.deepEqual(mesh.config.refused, []);
    assert.equal(edge.started.proxy.live.exchanges, 0);
    await mesh.close();
    for (const app of apps) await app.close();
  });

  function echo(name: string): (request: IncomingMessage, response: ServerResponse) => void {
    return (request, response) => {
      const { host = "", ...headers } = request.headers;
      response.end(JSON.stringify({ service: name, host, path: request.url, headers }));
    };
  }

  /** A service of the mesh with one instance behind its own proxy. */
  async function inMesh(name: string): Promise<string> {
    const app = await httpApp(echo(name));
    apps.push(app);
    const id = `shop/${name}-1`;
    const started = await mesh.start({ id, service: `shop/${name}`, ports: [{ port: 80, applicationPort: app.port }] });
    const endpoints = [meshEndpoint(id, started, { 8080: 80 })];
    mesh.service(`shop/${name}`, { ports: [{ port: 8080 }], endpoints });
    return `shop/${name}`;
  }

  /** A service outside the mesh. */
  async function outside(name: string): Promise<string> {
    const app = await httpApp(echo(name));
    apps.push(app);
    mesh.service(`shop/${name}`, {
      ports: [{ port: 8080 }],
      endpoints: [plainEndpoint(app.port, { 8080: app.port })],
    });
    return `shop/${name}`;
  }

  const get = (host: string, path: string = "/", ask: Ask = {}): Promise<Answer> =>
    fetchAt(port, path, { ...ask, headers: { host, ...ask.headers } });

  it("routes by host and path to services of the mesh, over mutual TLS, and to others", async () => {
    const catalog = await inMesh("catalog");
    const stock = await outside("stock");
    edge.route({
      name: "shop/a",
      listeners: { web: ["shop.example.com"] },
      http: [httpRule(catalog, prefix("/")), httpRule(stock, prefix("/stock"))],
    });
    await edge.listen([listener("web", port)]);
    const first = seen(await get("shop.example.com", "/books?a=b"));
    assert.equal(first.service, "catalog");
    assert.equal(first.path, "/books?a=b");
    assert.equal(first.headers["x-ripstop-source-identity"], "spiffe://test.local/ns/infra/sa/edge");
    assert.equal(seen(await get("shop.example.com:1234", "/stock/1")).service, "stock");
    assert.equal(seen(await get("shop.example.com:1234", "/stock/1")).host, "shop.example.com:1234");
    assert.equal((await get("other.example.com")).status, 404);
    assert.equal((await get("shop.example.com", "/", { method: "POST", body: "x".repeat(100_000) })).status, 200);
  });

  it("speaks HTTP/2 with prior knowledge too", async () => {
    edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule(await inMesh("catalog"))] });
    await edge.listen([listener("web", port)]);
    const session = http2Client(port);
    try {
      const answer = await askHttp2(session, { ":authority": "any" });
      assert.equal(seen(answer).service, "catalog");
      assert.equal(seen(answer).host, "any");
    } finally {
      session.destroy();
    }
  });

  it("says itself who asked, and believes no client about it", async () => {
    edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule(await outside("catalog"))] });
    await edge.listen([listener("web", port)]);
    const headers = {
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "evil",
      "x-forwarded-client-cert": "By=evil",
      forwarded: "for=6.6.6.6",
      "x-real-ip": "6.6.6.6",
      "x-ripstop-source-identity": "spiffe://test.local/ns/shop/sa/admin",
      "x-own": "kept",
    };
    const { headers: got } = seen(await get("a.com", "/", { headers }));
    assert.equal(got["x-forwarded-for"], "127.0.0.1");
    assert.equal(got["x-forwarded-proto"], "http");
    assert.equal(got["x-forwarded-host"], "a.com");
    assert.equal(got["x-forwarded-port"], String(port));
    assert.equal(got["x-own"], "kept");
    for (const name of ["x-forwarded-client-cert", "forwarded", "x-real-ip", "x-ripstop-source-identity"])
      assert.equal(got[name], undefined, name);
  });

  it("takes the most specific listener, and no route of another", async () => {
    const [a, b, c] = [await outside("a"), await outside("b"), await outside("c")];
    edge.route({ name: "shop/a", listeners: { all: [] }, http: [httpRule(a)] });
    edge.route({ name: "shop/b", listeners: { wide: [] }, http: [httpRule(b)] });
    edge.route({ name: "shop/c", listeners: { exact: ["x.example.com"] }, http: [httpRule(c, prefix("/c"))] });
    await edge.listen([
      listener("all", port),
      listener("wide", port, { hostname: "*.example.com" }),
      listener("exact", port, { hostname: "x.example.com" }),
    ]);
    assert.equal(seen(await get("x.example.com", "/c")).service, "c");
    assert.equal((await get("x.example.com", "/")).status, 404);
    assert.equal(seen(await get("y.z.example.com", "/c")).service, "b");
    assert.equal(seen(await get("example.com", "/c")).service, "a");
  });

  it("answers as the specification says when there is no way to go, and tells outsiders no more than that", async () => {
    mesh.service("shop/empty", { ports: [{ port: 8080 }] });
    edge.route({
      name: "shop/a",
      listeners: { web: [] },
      http: [httpRule("shop/empty", prefix("/empty")), httpRule("", prefix("/none"))],
    });
    await edge.listen([listener("web", port)]);
    assert.equal((await get("a.com", "/other")).status, 404);
    assert.equal((await get("a.com", "/none")).status, 500);
    const empty = await get("a.com", "/empty");
    assert.equal(empty.status, 503);
    assert.doesNotMatch(empty.body, /shop/);
    const client = new TcpClient(port);
    client.write("CONNECT shop.internal:80 HTTP/1.1\r\nhost: shop.internal:80\r\n\r\n");
    await client.until("HTTP/1.1 405");
    client.socket.destroy();
    assert.match(
      (await fetchAt(port, "/", { headers: { "content-type": "application/grpc", te: "trailers" } })).headers[
        "grpc-status"
      ] as string,
      /12|5/,
    );
  });

  it("redirects to the port and scheme of the listener when the filter says none", async () => {
    const redirect = { scheme: "", hostname: "", port: 0, path: undefined, status: 301 };
    const to = (parts: object): HttpRule["filters"] => [
      { filter: { $case: "redirect", value: { ...redirect, ...parts } } },
    ];
    edge.route({
      name: "shop/a",
      listeners: { web: [] },
      http: [
        httpRule("", { ...prefix("/same"), filters: to({ hostname: "b.com" }) }),
        httpRule("", { ...prefix("/secure"), filters: to({ scheme: "https" }) }),
      ],
    });
    await edge.listen([listener("web", port)]);
    assert.equal((await get("a.com:1", "/same?x")).headers.location, `http://b.com:${port}/same?x`);
    assert.equal((await get("a.com:1", "/secure")).headers.location, "https://a.com/secure");
  });

  it("changes routes and listeners while connections stay open", async () => {
    const [a, b] = [await outside("a"), await outside("b")];
    edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule(a)] });
    await edge.listen([listener("web", port)]);
    const client = new TcpClient(port);
    client.write("GET /1 HTTP/1.1\r\nhost: a.com\r\n\r\n");
    await client.until('"service":"a"');
    edge.route({ name: "shop/b", listeners: { web: ["a.com"] }, http: [httpRule(b)] });
    client.write("GET /2 HTTP/1.1\r\nhost: a.com\r\n\r\n");
    await client.until('"service":"b"');
    const second = await freePort();
    await edge.listen([listener("web", port), listener("other", second)]);
    await edge.listen([listener("web", port)]);
    edge.remove("shop/b");
    client.write("GET /3 HTTP/1.1\r\nhost: a.com\r\n\r\n");
    await client.until('"path":"/3"');
    assert.match(client.received, /"service":"a","host":"a.com","path":"\/3"/);
    await assert.rejects(fetchAt(second, "/"));
    client.socket.destroy();
    await client.untilClosed();
  });

  it("puts a route in force only when it is known where it leads", async () => {
    const a = await outside("a");
    edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule(a)] });
    await edge.listen([listener("web", port)]);
    mesh.config.answersUnknown = false;
    edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule("shop/late")] });
    assert.equal(seen(await get("a.com")).service, "a");
    mesh.config.answersUnknown = true;
    await outside("late");
    assert.equal(seen(await get("a.com")).service, "late");
  });

  it("carries WebSockets", async () => {
    const app = await httpApp(
      () => undefined,
      (server) => {
        server.on("upgrade", (_request, socket) => {
          socket.write(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
          );
          socket.on("data", (chunk: Buffer) => socket.write(`echo ${chunk.toString("latin1")}`));
          socket.on("error", () => undefined);
          socket.on("end", () => socket.end());
        });
      },
    );
    apps.push(app);
    mesh.service("shop/chat", {
      ports: [{ port: 8080, protocol: Protocol.HTTP1 }],
      endpoints: [plainEndpoint(app.port, { 8080: app.port })],
    });
    edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule("shop/chat")] });
    await edge.listen([listener("web", port)]);
    const client = new TcpClient(port);
    client.write(
      "GET /chat HTTP/1.1\r\nhost: a.com\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    await client.until("101 ");
    client.write("ping");
    await client.until("echo ping");
    client.socket.end();
    await client.untilEnd();
    client.socket.destroy();
    await eventually(() => edge.started.proxy.live.exchanges === 0);
  });

  it("speaks h2c to backends that are declared so", async () => {
    const app = await http2App((server) => {
      server.on("stream", (stream, headers) => {
        stream.respond({ ":status": 200 });
        stream.end(
          JSON.stringify({ service: "h2c", host: headers[":authority"], path: headers[":path"], headers: {} }),
        );
      });
    });
    apps.push(app);
    mesh.service("shop/h2c", {
      ports: [{ port: 8080, protocol: Protocol.HTTP2 }],
      endpoints: [plainEndpoint(app.port, { 8080: app.port })],
    });
    edge.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule("shop/h2c")] });
    await edge.listen([listener("web", port)]);
    assert.equal(seen(await get("a.com", "/p")).service, "h2c");
  });

  it("judges by the policies that select it, and ends what they do not let through any more", async () => {
    const policy = (spec: object): Policy => {
      const kind = policyKinds.find(({ name }) => name === "authorization");
      assert.ok(kind);
      const metadata = { name: "p", namespace: "infra", labels: {}, annotations: {}, uid: "", generation: 1 };
      const resource = {
        apiVersion: "",
        kind: "",
        metadata: { ...metadata, resourceVersion: "", creationTimestamp: "" },
      };
      const config = Buffer.from(kind.compile({ ...resource, spec }, { trustDomain: TRUST_DOMAIN }));
      return { name: "AuthorizationPolicy/infra/p", kind: kind.name, config };
    };
    const allow = (...paths: readonly string[]): Policy => policy({ action: "ALLOW", rules: [{ to: [{ paths }] }] });
    mesh.config.set(policyType, "AuthorizationPolicy/infra/p", allow("/open", "/live"));
    const guarded = await TestGateway.start(mesh, "infra/guarded", {
      policies: [{ name: "AuthorizationPolicy/infra/p" }],
      factories: filterFactories,
    });
    const app = await httpApp((request, response) => {
      response.write("begun");
      if (request.url !== "/live") response.end();
    });
    apps.push(app);
    mesh.service("shop/a", { ports: [{ port: 8080 }], endpoints: [plainEndpoint(app.port, { 8080: app.port })] });
    guarded.route({ name: "shop/a", listeners: { web: [] }, http: [httpRule("shop/a")] });
    await guarded.listen([listener("web", port)]);
    assert.equal((await get("a.com", "/open")).status, 200);
    const refused = await get("a.com", "/shut");
    assert.equal(refused.status, 403);
    assert.doesNotMatch(refused.body, /infra/);
    const client = new TcpClient(port);
    client.write("GET /live HTTP/1.1\r\nhost: a.com\r\n\r\n");
    await client.until("begun");
    mesh.config.set(policyType, "AuthorizationPolicy/infra/p", allow("/open"));
    await client.untilEnd();
    client.socket.destroy();
    await eventually(() => guarded.started.proxy.live.exchanges === 0);
  });

  it("says which ports it cannot open, and goes on trying", async () => {
    const taken = await tcpApp((socket) => socket.end());
    apps.push(taken);
    const clock = new StoppedClock();
    const late = await TestGateway.start(mesh, "infra/late", { clock });
    mesh.config.set(gatewayType, "infra/late", {
      name: "infra/late",
      listeners: [listener("http", taken.port)],
      addresses: [],
      policies: [],
    });
    mesh.config.set(gatewayRoutesType, "infra/late", { gateway: "infra/late", routes: [] });
    const { proxy } = late.started;
    await eventually(() => proxy.closedPorts.length > 0);
    const [closed] = proxy.closedPorts;
    assert.deepEqual({ ...closed, cause: "" }, { gateway: "late", address: "127.0.0.1", port: taken.port, cause: "" });
    assert.match(closed?.cause ?? "", /taken by another process/);
    await taken.close();
    clock.advance(2_000);
    await eventually(() => proxy.closedPorts.length === 0 && late.hosted.addresses.length === 1);
  });

  it("waits for nothing and serves nothing while its Gateway does not exist", async () => {
    await edge.started.becameReady;
    assert.deepEqual(edge.hosted.addresses, []);
    const server = await tcpApp(() => undefined);
    await server.close();
  });

  describe("over TLS", () => {
    let ca: OutsideAuthority;
    let secure: (parts?: Partial<GatewayListener>) => GatewayListener;

    beforeEach(async () => {
      ca = await OutsideAuthority.create();
      const certificate = await ca.certificate("a.com", "*.b.com");
      secure = (parts = {}) => listener("tls", port, { kind: HTTPS, certificates: [certificate], ...parts });
    });

    const ask = (serverName: string, parts: object = {}): Promise<Answer> =>
      fetchSecure(port, { serverName, roots: ca.rootsPem, ...parts });

    it("ends it, in HTTP/1.1 and HTTP/2 as the client wants", async () => {
      edge.route({ name: "shop/a", listeners: { tls: [] }, http: [httpRule(await inMesh("catalog"))] });
      await edge.listen([secure()]);
      const got = seen(await ask("a.com"));
      assert.equal(got.headers["x-forwarded-proto"], "https");
      assert.equal(got.host, "a.com");
      const session = http2Connect(`https://a.com`, {
        ca: ca.rootsPem,
        servername: "a.com",
        host: "127.0.0.1",
        port,
      });
      try {
        assert.equal(seen(await askHttp2(session, {})).service, "catalog");
      } finally {
        session.destroy();
      }
    });

    it("carries gRPC with its trailers, and answers unknown methods with a gRPC status", async () => {
      const app = await http2App((server) => {
        server.on("stream", (stream) => {
          stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
          stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "7", "grpc-message": "no" }));
          stream.on("data", (chunk: Buffer) => stream.write(chunk));
          stream.on("end", () => stream.end());
        });
      });
      apps.push(app);
      mesh.service("shop/grpc", {
        ports: [{ port: 8080, protocol: Protocol.GRPC }],
        endpoints: [plainEndpoint(app.port, { 8080: app.port })],
      });
      edge.route({
        name: "shop/a",
        kind: "GRPCRoute",
        listeners: { tls: [] },
        http: [httpRule("shop/grpc", prefix("/shop.Catalog"))],
      });
      await edge.listen([secure()]);
      const session = http2Connect(`https://a.com`, { ca: ca.rootsPem, servername: "a.com", host: "127.0.0.1", port });
      const call = (path: string): Promise<{ readonly status: string; readonly body: string }> =>
        new Promise((resolve, reject) => {
          const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers" };
          const stream = session.request(headers);
          let status = "";
          let body = "";
          const read = (fields: Record<string, unknown>): void => {
            const found = fields["grpc-status"];
            if (typeof found === "string" || typeof found === "number") status = `${found}`;
          };
          stream.on("response", read);
          stream.on("trailers", read);
          stream.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
          stream.on("end", () => resolve({ status, body }));
          stream.on("error", reject);
          stream.end("\0\0\0\0\x02hi");
        });
      try {
        assert.deepEqual(await call("/shop.Catalog/Get"), { status: "7", body: "\0\0\0\0\x02hi" });
        assert.equal((await call("/shop.Other/Get")).status, "12");
      } finally {
        session.destroy();
      }
    });

    it("shows the certificate that fits the server name, and the first when none does", async () => {
      const [first, second] = [await ca.certificate("default.com"), await ca.certificate("*.b.com")];
      edge.route({ name: "shop/a", listeners: { tls: [] }, http: [httpRule(await outside("catalog"))] });
      await edge.listen([secure({ certificates: [first, second] })]);
      assert.equal((await ask("x.b.com")).status, 200);
      assert.equal((await ask("default.com")).status, 200);
      await assert.rejects(ask("other.com"), /altnames/);
    });

    it("answers 421 to a request for the host of another listener, 404 for one of none", async () => {
      const [a, b] = [await outside("a"), await outside("b")];
      edge.route({ name: "shop/a", listeners: { a: [] }, http: [httpRule(a)] });
      edge.route({ name: "shop/b", listeners: { b: [] }, http: [httpRule(b)] });
      const certificates = [await ca.certificate("a.com", "*.b.com", "x.com")];
      const listeners = [
        listener("a", port, { kind: HTTPS, hostname: "a.com", certificates }),
        listener("b", port, { kind: HTTPS, hostname: "*.b.com", certificates }),
      ];
      await edge.listen(listeners);
      assert.equal(seen(await ask("a.com")).service, "a");
      assert.equal(seen(await ask("x.b.com", { host: "y.b.com" })).service, "b");
      assert.equal((await ask("a.com", { host: "x.b.com" })).status, 421);
      assert.equal((await ask("x.b.com", { host: "a.com" })).status, 421);
      assert.equal((await ask("a.com", { host: "x.com" })).status, 404);
      await assert.rejects(ask("x.com"), "no listener is for it");
      await edge.listen([...listeners, listener("all", port, { kind: HTTPS, certificates })]);
      assert.equal((await ask("a.com", { host: "x.com" })).status, 421);
      assert.equal((await ask("x.com", { host: "a.com" })).status, 421);
      assert.equal((await ask("x.com")).status, 404);
    });

    it("exchanges certificates without closing a connection", async () => {
      edge.route({ name: "shop/a", listeners: { tls: [] }, http: [httpRule(await outside("catalog"))] });
      await edge.listen([secure()]);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      try {
        assert.equal((await ask("a.com", { agent })).status, 200);
        const [before] = Object.values(agent.freeSockets).flat();
        const other = await OutsideAuthority.create();
        await edge.listen([secure({ certificates: [await other.certificate("a.com")] })]);
        assert.equal((await ask("a.com", { agent })).status, 200);
        assert.equal(Object.values(agent.freeSockets).flat()[0], before);
        assert.equal((await ask("a.com", { roots: other.rootsPem })).status, 200);
        await assert.rejects(ask("a.com"), "the old root does not fit the new certificate");
      } finally {
        agent.destroy();
      }
    });

    it("lets in only clients with a certificate of the roots, or all of them when told to", async () => {
      edge.route({ name: "shop/a", listeners: { tls: [] }, http: [httpRule(await outside("catalog"))] });
      const clients = await OutsideAuthority.create();
      await edge.listen([secure({ clientValidation: { rootsPem: clients.rootsPem, mode: 0 } })]);
      const good = await clients.certificate("client");
      const bad = await ca.certificate("client");
      assert.equal((await ask("a.com", { certificate: good })).status, 200);
      await assert.rejects(ask("a.com"));
      await assert.rejects(ask("a.com", { certificate: bad }));
      await edge.listen([secure({ clientValidation: { rootsPem: clients.rootsPem, mode: 1 } })]);
      for (const certificate of [good, bad, undefined])
        assert.equal((await ask("a.com", certificate === undefined ? {} : { certificate })).status, 200);
    });

    it("refuses clients of a listener whose key cannot be used, and serves the others", async () => {
      edge.route({ name: "shop/a", listeners: { tls: [], web: [] }, http: [httpRule(await outside("catalog"))] });
      const web = await freePort();
      const error = console.error;
      const said: unknown[] = [];
      console.error = (...words) => void said.push(words);
      try {
        await edge.listen([secure({ certificates: [{ chainPem: "x", keyPem: "y" }] }), listener("web", web)]);
      } finally {
        console.error = error;
      }
      assert.match(JSON.stringify(said), /RS1054/);
      assert.doesNotMatch(JSON.stringify(said), /keyPem/);
      await assert.rejects(ask("a.com"));
      assert.equal((await fetchAt(web, "/", { headers: { host: "a.com" } })).status, 200);
    });
  });
});
