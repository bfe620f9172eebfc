// Proxies in one process: what happens when things fail, and who is let in.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineError } from "@ripstop/core";
import { Endpoint_Reach, type Policy, policyType, Protocol, hostBindingType, hostBindingName } from "@ripstop/model";
import type { FilterFactory } from "@ripstop/policy-api/proxy";
import {
  meshEndpoint,
  plainEndpoint,
  rule,
  TestMesh,
  type TestProxy,
  type TestWorkload,
} from "./testing/test-mesh.suite.ts";
import {
  eventually,
  fetchVia,
  http2App,
  http2Client,
  httpApp,
  TcpClient,
  tcpApp,
  type Started,
} from "./testing/test-peers.suite.ts";

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

async function instance(
  mesh: TestMesh,
  id: string,
  app: Started,
  parts: Partial<TestWorkload> = {},
): Promise<TestProxy> {
  return mesh.start({
    id,
    service: id.replace(/-[0-9]+$/, ""),
    ports: [{ port: 8080, applicationPort: app.port }],
    ...parts,
  });
}

const denied = defineError({
  code: "RS1101",
  name: "test_denied",
  status: 403,
  grpcStatus: 7,
  title: "denied",
  cause: "a test",
  remedy: "none",
});

/** A policy whose config is the list of denied paths or "tcp". */
const denyFactory: FilterFactory = {
  kind: "deny",
  order: 100,
  create(configs) {
    const paths = configs.flatMap((config) =>
      Buffer.from(config.config)
        .toString()
        .split(",")
        .filter((path) => path !== ""),
    );
    if (paths.includes("unreadable")) throw new Error("unreadable");
    return {
      onRequest(request) {
        const wanted = request.http ? request.path : "tcp";
        if (!paths.includes(wanted)) return undefined;
        return {
          kind: denied,
          policy: configs[0]?.name ?? "",
          clause: "spec.rules[0]",
          message: `${request.source.identity} may not have ${wanted}`,
        };
      },
    };
  },
};

function denyPolicy(config: string): Policy {
  return { name: "deny/shop/no", kind: "deny", config: Buffer.from(config) };
}

describe("failing instances", () => {
  it("are passed over: a request that was not sent is tried at another", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end("alive")));
      const alive = await instance(mesh, "shop/catalog-1", app);
      const dead = { ...meshEndpoint("shop/catalog-2", alive, { 80: 8080 }), address: "127.0.0.1:1" };
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", alive, { 80: 8080 }), dead],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      for (let count = 0; count < 30; count++) {
        const answer = await fetchVia(web.ports.httpProxy, "http://catalog/", { method: "POST", body: "x" });
        assert.equal(answer.body, "alive");
      }
    }));

  it("that answer 503 are retried elsewhere for idempotent methods only, within the budget, and ejected", () =>
    withMesh(async (mesh, keep) => {
      let failures = 0;
      const bad = keep(
        await httpApp((_request, response) => {
          failures++;
          response.statusCode = 503;
          response.end("sorry");
        }),
      );
      const good = keep(await httpApp((_request, response) => response.end("fine")));
      const first = await instance(mesh, "shop/catalog-1", bad);
      const second = await instance(mesh, "shop/catalog-2", good);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [
          meshEndpoint("shop/catalog-1", first, { 80: 8080 }),
          meshEndpoint("shop/catalog-2", second, { 80: 8080 }),
        ],
        resilience: { ejectAfterFailures: 3, retryBudgetPercent: 100 },
      });
      const web = await mesh.start({ id: "shop/web-1" });
      const statuses: number[] = [];
      for (let count = 0; count < 60; count++)
        statuses.push((await fetchVia(web.ports.httpProxy, "http://catalog/")).status);
      assert.ok(
        statuses.every((status) => status === 200),
        String(statuses),
      );
      // Three failures eject it; from then on it gets nothing.
      assert.equal(failures, 3);
    }));

  it("that answer 503 to a POST are not asked twice", () =>
    withMesh(async (mesh, keep) => {
      let asked = 0;
      const bad = keep(
        await httpApp((_request, response) => {
          asked++;
          response.statusCode = 503;
          response.end("sorry");
        }),
      );
      const only = await instance(mesh, "shop/catalog-1", bad);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", only, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      const answer = await fetchVia(web.ports.httpProxy, "http://catalog/", { method: "POST", body: "x" });
      assert.equal(answer.status, 503);
      assert.equal(answer.body, "sorry");
      assert.equal(asked, 1);
    }));

  it("that close a kept-alive connection just as it is used again are asked once more", () =>
    withMesh(async (mesh, keep) => {
      let connections = 0;
      // Answers one request per connection, then breaks the connection when the next one comes.
      const app = keep(
        await tcpApp((socket) => {
          connections++;
          let asked = 0;
          socket.on("data", () => {
            if (asked++ === 0) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            else socket.resetAndDestroy();
          });
        }),
      );
      const only = await instance(mesh, "shop/catalog-1", app, {
        ports: [{ port: 8080, applicationPort: app.port, protocol: Protocol.HTTP1 }],
      });
      mesh.service("shop/catalog", {
        ports: [{ port: 80, protocol: Protocol.HTTP1 }],
        endpoints: [meshEndpoint("shop/catalog-1", only, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      for (let count = 0; count < 10; count++)
        assert.equal((await fetchVia(web.ports.httpProxy, "http://catalog/")).body, "ok");
      assert.equal(connections, 10);
    }));

  it("are named in the answer when there is none left", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end()));
      const alive = await instance(mesh, "shop/catalog-1", app);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [{ ...meshEndpoint("shop/catalog-1", alive, { 80: 8080 }), address: "127.0.0.1:1" }],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      const answer = await fetchVia(web.ports.httpProxy, "http://catalog/");
      assert.equal(answer.status, 503);
      assert.match(answer.body, /RS1001.*shop\/catalog-1 at 127\.0\.0\.1:1 is not reachable/);
      mesh.endpoints("shop/catalog", []);
      assert.match((await fetchVia(web.ports.httpProxy, "http://catalog/")).body, /RS1003.*no instance is registered/);
      await app.close();
      mesh.endpoints("shop/catalog", [meshEndpoint("shop/catalog-1", alive, { 80: 8080 })]);
      assert.match(
        (await fetchVia(web.ports.httpProxy, "http://catalog/")).body,
        /RS1013.*the application of shop\/catalog-1/,
      );
    }));

  it("do not get an HTTP request of a peer with the wrong identity", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end()));
      const other = await instance(mesh, "shop/catalog-1", app);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [
          {
            ...meshEndpoint("shop/catalog-1", other, { 80: 8080 }),
            spiffeId: "spiffe://test.local/ns/shop/sa/somebody-else",
          },
        ],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      assert.match((await fetchVia(web.ports.httpProxy, "http://catalog/")).body, /RS1001/);
    }));

  it("outside the mesh get plain HTTP", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((request, response) => response.end(`plain ${request.url}`)));
      mesh.service("shop/legacy", { ports: [{ port: 80 }], endpoints: [plainEndpoint(app.port, { 80: app.port })] });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "legacy", port: 80 }] });
      await web.becameReady;
      assert.equal((await fetchVia(web.ports.httpProxy, "http://legacy/x")).body, "plain /x");
      const raw = keep(await tcpApp((socket) => socket.write("hello")));
      mesh.endpoints("shop/legacy", [{ ...plainEndpoint(raw.port, { 80: raw.port }), reach: Endpoint_Reach.PLAIN }]);
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      await client.until("hello");
      client.socket.destroy();
    }));
});

describe("time-outs", () => {
  it("of a route answer 504 and cancel the request at the service", () =>
    withMesh(async (mesh, keep) => {
      let received = 0;
      let cancelled = 0;
      const app = keep(
        await httpApp((_request, response) => {
          received++;
          response.on("close", () => cancelled++);
        }),
      );
      const only = await instance(mesh, "shop/backend-1", app);
      mesh.service("shop/backend", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/backend-1", only, { 80: 8080 })],
      });
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        rules: [rule([["shop/backend", 80, 1]], { requestTimeoutMs: 60 })],
      });
      const web = await mesh.start({ id: "shop/web-1" });
      // The first may run out of time while connections are still being made: the service never hears of it then.
      while (received === 0) {
        const answer = await fetchVia(web.ports.httpProxy, "http://catalog/", { method: "POST", body: "x" });
        assert.equal(answer.status, 504);
        // Whichever proxy notices first says so; the second has what the first left of the time.
        assert.match(answer.body, /RS10(05|78)/);
      }
      await eventually(() => cancelled === received);
    }));
});

describe("the deadline of a gRPC client", () => {
  it("is answered DEADLINE_EXCEEDED, cancels the call at the service and does not count against it", () =>
    withMesh(async (mesh, keep) => {
      let received = 0;
      let cancelled = 0;
      const app = keep(
        await http2App((server) =>
          server.on("stream", (stream) => {
            received++;
            stream.on("close", () => cancelled++);
          }),
        ),
      );
      const only = await instance(mesh, "shop/orders-1", app);
      mesh.service("shop/orders", {
        ports: [{ port: 80, protocol: Protocol.GRPC }],
        endpoints: [meshEndpoint("shop/orders-1", only, { 80: 8080 })],
        resilience: { ejectAfterFailures: 1 },
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "orders", port: 80 }] });
      const session = http2Client(web.ports.upstreams[0] ?? 0);
      // A call may run out of time while connections are still being made: the service never hears of it then.
      while (received < 2) {
        const stream = session.request({
          ":method": "POST",
          ":path": "/Orders/Get",
          "content-type": "application/grpc",
          "grpc-timeout": "60m",
        });
        const headers = await new Promise<Record<string, unknown>>((resolve) => {
          stream.on("response", resolve);
          stream.resume();
          stream.end();
        });
        assert.equal(headers["grpc-status"], "4");
        assert.match(String(headers["x-ripstop-error"]), /^RS10(05|78)$/);
      }
      await eventually(() => cancelled === received);
      session.close();
    }));
});

describe("config on demand", () => {
  it("is subscribed at the first request, which waits for it", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end("found")));
      const catalog = await instance(mesh, "shop/catalog-1", app);
      mesh.config.answersUnknown = false;
      const web = await mesh.start({ id: "shop/web-1" });
      const name = hostBindingName("shop", "catalog");
      assert.equal(mesh.config.watchers(hostBindingType, name), 0);
      const asked = fetchVia(web.ports.httpProxy, "http://catalog/");
      await eventually(() => mesh.config.watchers(hostBindingType, name) === 1);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })],
      });
      assert.equal((await asked).body, "found");
    }));

  it("makes a proxy ready when workload, policies and declared upstreams are known", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(await httpApp((_request, response) => response.end()));
      mesh.config.answersUnknown = false;
      const workload: TestWorkload = {
        id: "shop/web-1",
        ports: [{ port: 8080, applicationPort: app.port }],
        upstreams: [{ host: "catalog", port: 80 }],
        policies: [{ name: "deny/shop/no" }],
        factories: [denyFactory],
        unconfigured: true,
      };
      const web = await mesh.start(workload);
      assert.match(web.proxy.missing, /config of workload shop\/web-1/);
      mesh.configure(workload);
      assert.match(web.proxy.missing, /waiting for deny\/shop\/no/);
      mesh.config.set(policyType, "deny/shop/no", denyPolicy(""));
      assert.match(web.proxy.missing, /upstream catalog/);
      mesh.service("shop/catalog", { ports: [{ port: 80 }] });
      assert.equal(web.proxy.missing, "");
      await web.becameReady;
    }));
});

describe("policies", () => {
  it("refuse before the application is dialled, naming policy and clause, and let nothing pass before they are known", () =>
    withMesh(async (mesh, keep) => {
      let asked = 0;
      const app = keep(
        await httpApp((_request, response) => {
          asked++;
          response.end("secret");
        }),
      );
      mesh.config.answersUnknown = false;
      const catalog = await instance(mesh, "shop/catalog-1", app, {
        policies: [{ name: "deny/shop/no" }],
        factories: [denyFactory],
      });
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })],
        resilience: { maxRetries: -1 },
      });
      const web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
      const early = await fetchVia(web.ports.httpProxy, "http://catalog/open");
      assert.equal(early.status, 503);
      assert.equal(early.headers["x-ripstop-error"], "RS1011");
      mesh.config.set(policyType, "deny/shop/no", denyPolicy("/secret"));
      assert.equal((await fetchVia(web.ports.httpProxy, "http://catalog/open")).body, "secret");
      const refused = await fetchVia(web.ports.httpProxy, "http://catalog//x/../%73ecret?q");
      assert.equal(refused.status, 403);
      const { error } = JSON.parse(refused.body) as { error: Record<string, string> };
      assert.equal(error["code"], "RS1101");
      assert.equal(error["policy"], "shop/no");
      assert.equal(error["clause"], "spec.rules[0]");
      assert.match(error["message"] ?? "", /spiffe:\/\/test\.local\/ns\/shop\/sa\/web may not have \/secret/);
      assert.equal(asked, 1);
      // What cannot be read is refused, and the last good policy stays.
      mesh.config.set(policyType, "deny/shop/no", denyPolicy("unreadable"));
      assert.equal(mesh.config.refused.length, 1);
      assert.equal((await fetchVia(web.ports.httpProxy, "http://catalog/secret")).status, 403);
    }));

  it("close live tunnels and long responses that a change forbids, and leave the others alone", () =>
    withMesh(async (mesh, keep) => {
      const tcp = keep(await tcpApp((socket) => socket.on("data", (data) => socket.write(data))));
      const http = keep(await httpApp((_request, response) => void response.write("begun")));
      const catalog = await instance(mesh, "shop/catalog-1", http, {
        ports: [
          { port: 8080, applicationPort: http.port },
          { port: 9000, applicationPort: tcp.port },
        ],
        policies: [{ name: "deny/shop/no" }],
        factories: [denyFactory],
      });
      mesh.config.set(policyType, "deny/shop/no", denyPolicy(""));
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }, { port: 9000, protocol: Protocol.TCP }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080, 9000: 9000 })],
      });
      const web = await mesh.start({
        id: "shop/web-1",
        upstreams: [
          { host: "catalog", port: 9000 },
          { host: "catalog", port: 80 },
        ],
      });
      await web.becameReady;
      const tunnel = new TcpClient(web.ports.upstreams[0] ?? 0);
      tunnel.write("ping");
      await tunnel.until("ping");
      const watch = (path: string): TcpClient => {
        const client = new TcpClient(web.ports.upstreams[1] ?? 0);
        client.write(`GET ${path} HTTP/1.1\r\nhost: catalog\r\n\r\n`);
        return client;
      };
      const forbidden = watch("/secret");
      const allowed = watch("/open");
      await forbidden.until("begun");
      await allowed.until("begun");
      mesh.config.set(policyType, "deny/shop/no", denyPolicy("tcp,/secret"));
      await tunnel.untilEnd();
      await forbidden.untilEnd();
      assert.equal(allowed.closed, false);
      const again = new TcpClient(web.ports.upstreams[0] ?? 0);
      await again.untilEnd();
      for (const client of [tunnel, forbidden, allowed, again]) client.socket.destroy();
    }));

  it("refuse raw bytes to a port that is declared as HTTP", () =>
    withMesh(async (mesh, keep) => {
      let connected = 0;
      const app = keep(await tcpApp(() => connected++));
      const catalog = await instance(mesh, "shop/catalog-1", app, {
        ports: [{ port: 8080, applicationPort: app.port, protocol: Protocol.HTTP1 }],
      });
      // The client's side believes that the port is raw.
      mesh.service("shop/catalog", {
        ports: [{ port: 80, protocol: Protocol.TCP }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
      await web.becameReady;
      const client = new TcpClient(web.ports.upstreams[0] ?? 0);
      client.write("raw");
      await client.untilEnd();
      client.socket.destroy();
      assert.equal(connected, 0);
    }));
});

describe("the end of a proxy", () => {
  it("drains: exchanges under way finish, peers go elsewhere, outbound goes on", () =>
    withMesh(async (mesh, keep) => {
      let release = (): void => undefined;
      const app = keep(
        await httpApp((_request, response) => {
          response.write("slow ");
          release = () => void response.end("done");
        }),
      );
      const other = keep(await httpApp((_request, response) => response.end("other")));
      const first = await instance(mesh, "shop/catalog-1", app);
      const second = await instance(mesh, "shop/catalog-2", other);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", first, { 80: 8080 })],
      });
      mesh.service("shop/second", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-2", second, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
      await web.becameReady;
      const slow = new TcpClient(web.ports.upstreams[0] ?? 0);
      slow.write("GET / HTTP/1.1\r\nhost: catalog\r\nconnection: close\r\n\r\n");
      await slow.until("slow ");
      let drained = false;
      const draining = first.proxy.drain(10_000).then(() => (drained = true));
      mesh.endpoints("shop/catalog", [meshEndpoint("shop/catalog-2", second, { 80: 8080 })]);
      assert.equal((await fetchVia(web.ports.httpProxy, "http://catalog/")).body, "other");
      assert.equal((await fetchVia(first.ports.httpProxy, "http://second/")).body, "other");
      assert.equal(drained, false);
      release();
      await slow.until("done");
      await draining;
      slow.socket.destroy();
    }));

  it("leaves nothing behind after clients and servers broke off at random points", () =>
    withMesh(async (mesh, keep) => {
      let seed = 7;
      const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
      const app = keep(
        await httpApp((request, response) => {
          request.on("error", () => undefined);
          const roll = random();
          if (roll < 0.2) request.socket.destroy();
          else if (roll < 0.4) {
            response.write(Buffer.alloc(Math.floor(random() * 200_000)));
            request.socket.destroy();
          } else {
            request.resume();
            response.end(Buffer.alloc(Math.floor(random() * 300_000)));
          }
        }),
      );
      const catalog = await instance(mesh, "shop/catalog-1", app);
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
      await web.becameReady;
      const clients: Promise<void>[] = [];
      for (let count = 0; count < 150; count++) {
        const client = new TcpClient(web.ports.upstreams[0] ?? 0);
        const body = Buffer.alloc(Math.floor(random() * 100_000), "x");
        const cut = random() < 0.5 ? Math.floor(random() * body.length) : body.length;
        client.socket.write(
          `POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`,
        );
        client.socket.write(body.subarray(0, cut));
        if (cut < body.length) setImmediate(() => client.socket.destroy());
        clients.push(client.untilEnd().then(() => void client.socket.destroy()));
      }
      await Promise.all(clients);
      await eventually(() => web.proxy.live.exchanges === 0 && catalog.proxy.live.exchanges === 0);
      const outbound = web.proxy.workloads.get("shop/web-1");
      const cluster = outbound?.hosts.clusters.get("shop/catalog");
      assert.ok(cluster?.endpoints.all.every((endpoint) => endpoint.inflight === 0));
      await eventually(() =>
        [...(outbound?.connector.pools ?? [])].every((pool) => pool.active === 0 && pool.waiting === 0),
      );
      await eventually(() => outbound?.sessions.size === 0);
    }));
});

describe("telemetry", () => {
  it("reports each edge from both ends, and shows requests to taps that ask for them", () =>
    withMesh(async (mesh, keep) => {
      const app = keep(
        await http2App((server) =>
          server.on("stream", (stream) => {
            stream.respond({ ":status": 200 });
            stream.end("x");
          }),
        ),
      );
      const catalog = await instance(mesh, "shop/catalog-1", app, {
        ports: [{ port: 8080, applicationPort: app.port, protocol: Protocol.HTTP2 }],
      });
      mesh.service("shop/catalog", {
        ports: [{ port: 80 }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })],
      });
      const web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
      for (const proxy of [web.proxy, catalog.proxy]) {
        proxy.onCommand({
          taps: [
            {
              id: "1",
              sourceService: "",
              destinationService: "shop/catalog",
              pathPrefix: "/seen",
              minStatus: 0,
              maxPerSecond: 0,
            },
          ],
        });
      }
      await fetchVia(web.ports.httpProxy, "http://catalog/seen?x");
      await fetchVia(web.ports.httpProxy, "http://catalog/other");
      await web.proxy.close();
      await catalog.proxy.close();
      for (const [reports, reporter] of [
        [web.reports, 0],
        [catalog.reports, 1],
      ] as const) {
        const edges = reports.flatMap((report) => report.edges);
        assert.equal(
          edges.reduce((sum, edge) => sum + edge.requests, 0),
          2,
        );
        const [edge] = edges;
        assert.equal(edge?.reporter, reporter);
        assert.equal(edge?.sourceService, "shop/web");
        assert.equal(edge?.destinationService, "shop/catalog");
        assert.equal(edge?.sourceIdentity, web.spiffeId);
        assert.equal(edge?.destinationIdentity, catalog.spiffeId);
        assert.equal(edge?.mutualTls, true);
        const taps = reports.flatMap((report) => report.taps);
        assert.equal(taps.length, 1);
        assert.equal(taps[0]?.path, "/seen?x");
        assert.equal(taps[0]?.status, 200);
        assert.equal(taps[0]?.tlsVersion, "TLSv1.3");
      }
    }));
});
