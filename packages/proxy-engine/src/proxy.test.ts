// Proxies in one process, joined by real TLS on loopback: what passes, and how.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { Duplex } from "node:stream";
import { describe, it } from "node:test";
import { Protocol, type HeaderModifier } from "@ripstop/model";
import { meshEndpoint, rule, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import {
  eventually,
  fetchAt,
  fetchVia,
  http2App,
  http2Client,
  httpApp,
  TcpClient,
  tcpApp,
  type Started,
} from "./testing/test-peers.suite.ts";

/** Runs a test with a mesh and ends everything that it started. */
async function withMesh(run: (mesh: TestMesh, keep: <S extends Started>(app: S) => S) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const apps: Started[] = [];
  try {
    await run(mesh, (app) => {
      apps.push(app);
      return app;
    });
    assert.deepEqual(mesh.config.refused, []);
  } finally {
    await mesh.close();
    for (const app of apps) await app.close();
  }
}

/** One application "shop/NAME-1" behind service "shop/NAME" on service port 80. */
async function serve(
  mesh: TestMesh,
  name: string,
  app: Started,
  protocol: Protocol = Protocol.UNSPECIFIED,
): Promise<TestProxy> {
  const started = await mesh.start({
    id: `shop/${name}-1`,
    service: `shop/${name}`,
    ports: [{ port: 8080, applicationPort: app.port, protocol }],
  });
  mesh.service(`shop/${name}`, {
    ports: [{ port: 80, protocol }],
    endpoints: [meshEndpoint(`shop/${name}-1`, started, { 80: 8080 })],
  });
  return started;
}

describe("HTTP/1.1 through two proxies", () => {
  it("carries a request over mutual TLS with all duties done", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await httpApp((request, response) => {
          let body = "";
          request.on("data", (chunk) => (body += String(chunk)));
          request.on("end", () => {
            response.setHeader("x-seen", JSON.stringify(request.headers));
            response.end(`${request.method} ${request.url} ${body}`);
          });
        }),
      );
      await serve(mesh, "catalog", app);
      const web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
      const headers = {
        "x-ripstop-source-identity": "spiffe://forged",
        "x-request-id": "given",
        connection: "x-hop",
        "x-hop": "1",
      };
      const answer = await fetchVia(web.ports.httpProxy, "http://catalog/books?x=1", {
        method: "POST",
        body: "hello",
        headers,
      });
      assert.equal(answer.status, 200);
      assert.equal(answer.body, "POST /books?x=1 hello");
      const seen = JSON.parse(String(answer.headers["x-seen"])) as Record<string, string>;
      assert.equal(seen["x-ripstop-source-identity"], web.spiffeId);
      assert.equal(seen["x-ripstop-source-service"], undefined);
      assert.equal(seen["x-request-id"], "given");
      assert.equal(seen["x-hop"], undefined);
      assert.equal(seen["x-forwarded-for"], "127.0.0.1");
      assert.equal(seen["x-forwarded-proto"], "http");
      assert.match(seen["traceparent"] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
      assert.equal(seen["host"], "catalog");
    }));

  it("keeps a client's trace and gives each hop a span of its own", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((request, response) => response.end(request.headers["traceparent"])));
      await serve(mesh, "catalog", app);
      const web = await mesh.start({ id: "shop/web-1" });
      const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
      const { body } = await fetchVia(web.ports.httpProxy, "http://catalog/", { headers: { traceparent: given } });
      assert.match(body, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
      assert.notEqual(body, given);
    }));

  it("serves a declared upstream on its own port, under the service's name", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((request, response) => response.end(request.headers.host)));
      await serve(mesh, "catalog", app);
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog.shop", port: 80 }] });
      await web.becameReady;
      assert.equal((await fetchAt(web.ports.upstreams[0] ?? 0, "/")).body, "catalog.shop:80");
    }));

  it("speaks to an application of no declared protocol as the port of the service is declared", () =>
    withMesh(async (mesh, keep) => {
      const http1 = createHttpServer((request, response) => response.end(`${request.httpVersion} ${fields(request)}`));
      const http2 = createHttp2Server((request, response) => response.end(`${request.httpVersion} ${fields(request)}`));
      const fields = ({ headers }: { readonly headers: object }): string =>
        Object.keys(headers)
          .filter((name) => name.includes("http2"))
          .join();
      const app = keep(
        await tcpApp((socket) =>
          socket.once("readable", () => {
            const first: unknown = socket.read();
            if (!(first instanceof Buffer)) return;
            socket.unshift(first);
            (first.toString("latin1", 0, 3) === "PRI" ? http2 : http1).emit("connection", socket);
          }),
        ),
      );
      const started = await mesh.start({
        id: "shop/catalog-1",
        service: "shop/catalog",
        ports: [{ port: 8080, applicationPort: app.port, protocol: Protocol.UNSPECIFIED }],
      });
      mesh.service("shop/catalog", {
        ports: [
          { port: 80, protocol: Protocol.HTTP1 },
          { port: 81, protocol: Protocol.HTTP2 },
        ],
        endpoints: [meshEndpoint("shop/catalog-1", started, { 80: 8080, 81: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
      const ask = async (port: number): Promise<string> =>
        (await fetchVia(web.ports.httpProxy, `http://catalog:${port}/`, { headers: { "x-ripstop-http2": "1" } })).body;
      assert.equal(await ask(81), "2.0 ");
      assert.equal(await ask(80), "1.1 ");
    }));

  it("multiplexes requests of many clients over one connection between the proxies", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end("ok")));
      const catalog = await serve(mesh, "catalog", app);
      const web = await mesh.start({ id: "shop/web-1" });
      await fetchVia(web.ports.httpProxy, "http://catalog/");
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => fetchVia(web.ports.httpProxy, "http://catalog/")),
      );
      assert.ok(answers.every((answer) => answer.body === "ok"));
      assert.equal(catalog.proxy.workloads.get("shop/catalog-1")?.inboundSessions.size, 1);
    }));

  it("reaches hosts outside of the mesh, and explains when they cannot be reached", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end("outside")));
      const web = await mesh.start({ id: "shop/web-1" });
      assert.equal((await fetchVia(web.ports.httpProxy, `http://127.0.0.1:${app.port}/`)).body, "outside");
      const lost = await fetchVia(web.ports.httpProxy, "http://no-such-host.invalid/");
      assert.equal(lost.status, 502);
      assert.equal(lost.headers["x-ripstop-error"], "RS1008");
      const loop = await fetchVia(web.ports.httpProxy, `http://127.0.0.1:${web.ports.httpProxy}/`);
      assert.equal(loop.headers["x-ripstop-error"], "RS1014");
    }));

  it("streams large bodies both ways unchanged, and a slow reader costs its window only", () =>
    withMesh(async (mesh, keep) => {
      const size = 20 * 1024 * 1024;
      const big = Buffer.alloc(size, "0123456789abcdef");
      let received = 0;
      const app = keep(
        await httpApp((request, response) => {
          request.on("data", (chunk: Buffer) => (received += chunk.length));
          request.on("end", () => response.end(big));
        }),
      );
      await serve(mesh, "catalog", app);
      const web = await mesh.start({ id: "shop/web-1" });
      const answer = await fetchVia(web.ports.httpProxy, "http://catalog/", { method: "POST", body: big });
      assert.equal(received, size);
      assert.ok(Buffer.from(answer.body, "latin1").equals(big));
      // A client that reads nothing: the application is held back.
      const slow = new TcpClient(web.ports.httpProxy);
      slow.socket.pause();
      slow.write("GET http://catalog/ HTTP/1.1\r\nhost: catalog\r\n\r\n");
      await eventually(() => web.proxy.live.exchanges === 1);
      for (let turn = 0; turn < 2000; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
      assert.ok(process.memoryUsage().arrayBuffers < 200 * 1024 * 1024);
      slow.socket.destroy();
      await eventually(() => web.proxy.live.exchanges === 0);
    }));
});

describe("HTTP/2 and gRPC through two proxies", () => {
  it("carries HTTP/2 clients to HTTP/2 applications with trailers", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await http2App((server) => {
          server.on("stream", (stream, headers) => {
            let body = "";
            stream.on("data", (chunk) => (body += String(chunk)));
            stream.on("end", () => {
              stream.respond(
                { ":status": 200, "content-type": "application/grpc", path: String(headers[":path"]) },
                { waitForTrailers: true },
              );
              stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "grpc-message": body }));
              stream.end("reply");
            });
          });
        }),
      );
      await serve(mesh, "orders", app);
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 80 }] });
      await web.becameReady;
      const session = http2Client(web.ports.upstreams[0] ?? 0);
      const stream = session.request({
        ":method": "POST",
        ":path": "/Orders/Get",
        "content-type": "application/grpc",
        te: "trailers",
      });
      let body = "";
      let status: unknown;
      stream.on("response", (headers) => (status = headers[":status"]));
      stream.on("data", (chunk) => (body += String(chunk)));
      const trailers = new Promise<Record<string, unknown>>((resolve) => stream.on("trailers", resolve));
      stream.end("question");
      assert.equal((await trailers)["grpc-message"], "question");
      assert.equal(status, 200);
      assert.equal(body, "reply");
      session.close();
    }));

  it("answers gRPC with a gRPC status when it answers itself", () =>
    withMesh(async (mesh) => {
      mesh.service("shop/orders", { ports: [{ port: 80, protocol: Protocol.GRPC }] });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 80 }] });
      const session = http2Client(web.ports.upstreams[0] ?? 0);
      const stream = session.request({ ":method": "POST", ":path": "/Orders/Get", "content-type": "application/grpc" });
      const headers = await new Promise<Record<string, unknown>>((resolve) => {
        stream.on("response", resolve);
        stream.resume();
        stream.end();
      });
      assert.equal(headers[":status"], 200);
      assert.equal(headers["grpc-status"], "14");
      assert.equal(headers["x-ripstop-error"], "RS1003");
      session.close();
    }));

  it("carries a CONNECT tunnel of a gRPC client as HTTP/2, request by request", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await http2App((server) => {
          server.on("stream", (stream) => {
            stream.respond({ ":status": 200 });
            stream.end("deep");
          });
        }),
      );
      await serve(mesh, "orders", app, Protocol.GRPC);
      const web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
      const tunnel = new TcpClient(web.ports.httpProxy);
      tunnel.write("CONNECT orders:80 HTTP/1.1\r\nhost: orders:80\r\n\r\n");
      await tunnel.until("\r\n\r\n");
      assert.match(tunnel.received, /^HTTP\/1\.1 200 /);
      tunnel.socket.removeAllListeners("data");
      const { connect } = await import("node:http2");
      const session = connect("http://orders", { createConnection: () => tunnel.socket });
      session.on("error", () => undefined);
      const stream = session.request({ ":path": "/" });
      let body = "";
      stream.on("data", (chunk) => (body += String(chunk)));
      await new Promise((resolve) => stream.on("end", resolve));
      assert.equal(body, "deep");
      session.destroy();
    }));
});

const UPGRADE =
  "GET /room HTTP/1.1\r\nhost: chat\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

function acceptUpgrade(request: IncomingMessage, socket: Duplex): void {
  const key = String(request.headers["sec-websocket-key"]);
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  );
}

describe("WebSocket through two proxies", () => {
  it("upgrades, carries bytes both ways, and ends", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await httpApp(
          (_request, response) => response.end(),
          (server) =>
            server.on("upgrade", (request, socket) => {
              socket.on("error", () => undefined);
              acceptUpgrade(request, socket);
              socket.on("data", (data: Buffer) => socket.write(`echo:${String(data)}`));
              socket.on("end", () => socket.end());
            }),
        ),
      );
      await serve(mesh, "chat", app);
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "chat", port: 80 }] });
      await web.becameReady;
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      client.write(UPGRADE);
      await client.until("\r\n\r\n");
      assert.match(client.received, /^HTTP\/1\.1 101 /);
      assert.match(client.received, /s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
      client.write("one");
      await client.until("echo:one");
      client.write("two");
      await client.until("echo:two");
      client.socket.end();
      await client.untilEnd();
      client.socket.destroy();
      await eventually(() => web.proxy.live.exchanges === 0);
    }));

  it("is over for both proxies and the application when the client resets after the application's end", () =>
    withMesh(async (mesh, keep) => {
      let closed = false;
      const app = keep(
        await httpApp(
          (_request, response) => response.end(),
          (server) =>
            server.on("upgrade", (request, socket) => {
              socket.on("error", () => undefined);
              socket.on("close", () => (closed = true));
              acceptUpgrade(request, socket);
              socket.end("bye");
            }),
        ),
      );
      const chat = await serve(mesh, "chat", app);
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "chat", port: 80 }] });
      await web.becameReady;
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      client.write(UPGRADE);
      await client.untilEnd();
      assert.match(client.received, /bye$/);
      client.socket.resetAndDestroy();
      await eventually(() => web.proxy.live.exchanges === 0 && chat.proxy.live.exchanges === 0 && closed);
    }));
});

describe("TCP through two proxies", () => {
  for (const [name, protocol] of [
    ["declared", Protocol.TCP],
    ["undeclared", Protocol.UNSPECIFIED],
  ] as const) {
    it(`joins a server that speaks first (${name})`, () =>
      withMesh(async (mesh, keep) => {
        const app = keep(
          await tcpApp((socket) => {
            socket.write("220 ready\n");
            socket.on("data", (data) => socket.write(`echo ${String(data)}`));
          }),
        );
        await serve(mesh, "stock", app, protocol);
        const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "stock", port: 80 }] });
        await web.becameReady;
        const client = new TcpClient(web.ports.upstreams[0] ?? 0);
        await client.until("220 ready\n");
        client.write("apples\n");
        await client.until("echo apples\n");
        client.socket.end();
        await client.untilEnd();
        client.socket.destroy();
        await eventually(() => web.proxy.live.tunnels === 0);
      }));
  }

  it("joins a client that speaks first, byte by byte, and passes half-close on", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await tcpApp(
          (socket) => {
            let all = "";
            socket.on("data", (data) => (all += String(data)));
            socket.on("end", () => socket.end(`got ${all}`));
          },
          { allowHalfOpen: true },
        ),
      );
      await serve(mesh, "stock", app);
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "stock", port: 80 }] });
      await web.becameReady;
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      client.write("\x00binary");
      client.write(" and more");
      client.socket.end();
      await client.until("got \x00binary and more");
      await client.untilEnd();
    }));

  it("joins a declared upstream outside of the mesh as it is", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await tcpApp((socket) => socket.write("outside")));
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "127.0.0.1", port: app.port }] });
      await web.becameReady;
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      await client.until("outside");
      client.socket.destroy();
      await eventually(() => web.proxy.live.tunnels === 0);
    }));

  it("carries a CONNECT tunnel to a raw service and to the outside", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await tcpApp((socket) => socket.on("data", (data) => socket.write(`echo ${String(data)}`))));
      await serve(mesh, "stock", app, Protocol.TCP);
      const web = await mesh.start({ id: "shop/web-1" });
      for (const authority of ["stock:80", `127.0.0.1:${app.port}`]) {
        const client = new TcpClient(web.ports.httpProxy);
        client.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`);
        await client.until("\r\n\r\n");
        client.write("x");
        await client.until("echo x");
        client.socket.destroy();
      }
      const refused = new TcpClient(web.ports.httpProxy);
      refused.write("CONNECT stock:81 HTTP/1.1\r\nhost: stock:81\r\n\r\n");
      await refused.until("RS1009");
      refused.socket.destroy();
      await eventually(() => web.proxy.live.tunnels === 0 && web.proxy.live.exchanges === 0);
    }));

  it("still serves HTTP to a client that was silent at first", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((request, response) => response.end(`late ${request.url}`)));
      const catalog = await serve(mesh, "catalog", app);
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
      await web.becameReady;
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      // The proxy has dialled the server because nobody spoke.
      await eventually(() => catalog.proxy.live.tunnels === 1);
      client.write("GET /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
      await client.until("late /x");
      client.socket.destroy();
    }));
});

describe("routes", () => {
  const edit = (parts: Partial<HeaderModifier>): HeaderModifier => ({ set: [], add: [], remove: [], ...parts });

  it("split by weight, and a change takes effect without a failed request", () =>
    withMesh(async (mesh, keep) => {
      for (const version of ["v1", "v2"]) {
        const app = keep(await httpApp((_request, response) => response.end(version)));
        await serve(mesh, `catalog-${version}`, app);
      }
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        rules: [
          rule([
            ["shop/catalog-v1", 80, 90],
            ["shop/catalog-v2", 80, 10],
          ]),
        ],
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
      await web.becameReady;
      const session = http2Client(web.ports.upstreams[0] ?? 0);
      const ask = (): Promise<string> =>
        new Promise((resolve, reject) => {
          const stream = session.request({ ":path": "/" });
          let body = "";
          stream.on("data", (chunk) => (body += String(chunk)));
          stream.on("end", () => resolve(body));
          stream.on("error", reject);
        });
      const share = async (): Promise<number> => {
        const answers: string[] = [];
        for (let round = 0; round < 20; round++) answers.push(...(await Promise.all(Array.from({ length: 100 }, ask))));
        assert.ok(answers.every((answer) => answer === "v1" || answer === "v2"));
        return answers.filter((answer) => answer === "v2").length / answers.length;
      };
      // Random: beyond these bounds once in 10^9 runs (6 standard deviations).
      assert.ok(Math.abs((await share()) - 0.1) < 0.045);
      mesh.routes("shop/catalog", [
        rule([
          ["shop/catalog-v1", 80, 1],
          ["shop/catalog-v2", 80, 1],
        ]),
      ]);
      assert.ok(Math.abs((await share()) - 0.5) < 0.07);
      session.close();
    }));

  it("edit headers, explain what does not match, and answer an invalid backend with 500", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await httpApp((request, response) => {
          response.setHeader("x-secret", "1");
          response.end(`${String(request.headers["x-add"])} ${String(request.headers["x-gone"])}`);
        }),
      );
      await serve(mesh, "backend", app);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        rules: [
          rule([["", 80, 1]], { path: { type: 0, value: "/broken" } }),
          rule([["shop/backend", 80, 1]], {
            path: { type: 0, value: "/ok" },
            filters: [
              {
                filter: {
                  $case: "requestHeaders",
                  value: edit({ add: [{ name: "x-add", value: "b" }], remove: ["x-gone"] }),
                },
              },
              {
                filter: {
                  $case: "responseHeaders",
                  value: edit({ set: [{ name: "x-new", value: "2" }], remove: ["x-secret"] }),
                },
              },
            ],
          }),
        ],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      const good = await fetchVia(web.ports.httpProxy, "http://catalog/ok", {
        headers: { "x-add": "a", "x-gone": "1" },
      });
      assert.equal(good.body, "a,b undefined");
      assert.equal(good.headers["x-new"], "2");
      assert.equal(good.headers["x-secret"], undefined);
      const broken = await fetchVia(web.ports.httpProxy, "http://catalog/broken/x");
      assert.equal(broken.status, 500);
      assert.match(broken.body, /RS1004/);
      const none = await fetchVia(web.ports.httpProxy, "http://catalog/brokenx");
      assert.equal(none.status, 404);
      assert.match(none.body, /no route of shop\/catalog matches GET \/brokenx/);
      const text = await fetchVia(web.ports.httpProxy, "http://catalog/brokenx", { headers: { accept: "text/plain" } });
      assert.match(text.body, /^RS1002 /);
    }));

  it("see one canonical path: what is matched is what is forwarded", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((request, response) => response.end(request.url)));
      await serve(mesh, "backend", app);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        rules: [rule([["shop/backend", 80, 1]], { path: { type: 0, value: "/ok" } })],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      const raw = async (path: string): Promise<string> => {
        const client = new TcpClient(web.ports.httpProxy);
        client.write(`GET http://catalog${path} HTTP/1.1\r\nhost: catalog\r\nconnection: close\r\n\r\n`);
        await client.untilEnd();
        client.socket.destroy();
        return client.received;
      };
      assert.match(await raw("/x/..//%6fk/./a?q=%2F"), /\r\n\/ok\/a\?q=%2F/);
      assert.match(await raw("/ok%2Fadmin"), /^HTTP\/1\.1 400 /);
      assert.match(await raw("/ok/../../etc"), /^HTTP\/1\.1 400 /);
    }));
});
