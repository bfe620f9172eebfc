// The filters and retries of routes in real proxies with real connections.

import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import type { HttpRouteFilter, HttpRule, RetryPolicy } from "@ripstop/model";
import { metricNames } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";
import { meshEndpoint, plainEndpoint, rule, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import {
  eventually,
  fetchVia,
  http2Client,
  httpApp,
  TcpClient,
  tcpApp,
  type Ask,
  type Answer,
  type Started,
} from "./testing/test-peers.suite.ts";

type Filter = NonNullable<HttpRouteFilter["filter"]>;

/** A mesh with callers, and services on port 8080 of the mesh. */
class Shop {
  readonly mesh: TestMesh;
  web: TestProxy | undefined = undefined;
  readonly #apps: Started[] = [];
  readonly #outside: Started[] = [];

  private constructor(mesh: TestMesh) {
    this.mesh = mesh;
  }

  static async with(run: (shop: Shop) => Promise<void>): Promise<void> {
    const shop = new Shop(await TestMesh.create());
    try {
      await run(shop);
      assert.deepEqual(shop.mesh.config.refused, []);
    } finally {
      await shop.mesh.close();
      for (const app of [...shop.#apps, ...shop.#outside]) await app.close();
    }
  }

  keep<S extends Started>(app: S): S {
    this.#outside.push(app);
    return app;
  }

  /** A service in the mesh with one instance. */
  async service(name: string, handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<void> {
    const app = await httpApp(handle);
    this.#apps.push(app);
    const id = `shop/${name}-1`;
    const ports = [{ port: 8080, applicationPort: app.port }];
    const started = await this.mesh.start({ id, service: `shop/${name}`, ports });
    const endpoints = [meshEndpoint(id, started, { 8080: 8080 })];
    this.mesh.service(`shop/${name}`, { ports: [{ port: 8080 }], endpoints });
  }

  async caller(parts: Partial<Parameters<TestMesh["start"]>[0]> = {}): Promise<void> {
    this.web = await this.mesh.start({ id: "shop/web-1", service: "shop/web", ...parts });
  }

  get proxyPort(): number {
    assert.ok(this.web);
    return this.web.ports.httpProxy;
  }

  get(path: string, ask: Ask = {}): Promise<Answer> {
    return fetchVia(this.proxyPort, `http://catalog:8080${path}`, ask);
  }

  /** Value of the counter of copies, by destination and result. */
  mirrored(destination: string, result: string): number {
    const { name, help } = metricNames.MIRRORED;
    return this.web?.proxy.engine.metrics.counter(name, help, { destination, result }).value ?? 0;
  }
}

const echo = (request: IncomingMessage, response: ServerResponse): void => {
  response.setHeader("x-host", request.headers.host ?? "");
  response.end(`${request.method} ${request.url} ${String(request.headers["x-edit"] ?? "")}`);
};

const filters = (...list: readonly Filter[]): HttpRouteFilter[] => list.map((filter) => ({ filter }));
const toCatalog = (list: readonly Filter[], parts: Partial<HttpRule> = {}): HttpRule =>
  rule([["shop/catalog", 8080, 1]], { filters: filters(...list), ...parts });
const prefixed = (value: string): Partial<HttpRule> => ({ path: { type: 0, value } });
const redirect = (parts: Partial<Extract<Filter, { $case: "redirect" }>["value"]>): Filter => ({
  $case: "redirect",
  value: { scheme: "", hostname: "", port: 0, path: undefined, status: 302, ...parts },
});
const rewrite = (hostname: string, prefix: string): Filter => ({
  $case: "rewrite",
  value: { hostname, path: { modifier: { $case: "prefix", value: prefix } } },
});
const edit = (kind: "requestHeaders" | "responseHeaders", value: string): Filter => ({
  $case: kind,
  value: { set: [], add: [{ name: "x-edit", value }], remove: [] },
});
const mirror = (service: string, numerator = 100): Filter => ({
  $case: "mirror",
  value: { service, port: 8080, numerator, denominator: 100 },
});
const cors: Filter = {
  $case: "cors",
  value: {
    allowOrigins: ["https://page.example"],
    allowCredentials: true,
    allowMethods: ["PUT"],
    allowHeaders: ["x-token"],
    exposeHeaders: [],
    maxAge: 60,
  },
};

describe("a redirect", () => {
  it("answers in place of the service, with the port of the service and not that of the Host field", () =>
    Shop.with(async (shop) => {
      let asked = 0;
      await shop.service("catalog", (_request, response) => response.end(String(asked++)));
      await shop.caller();
      const path = { modifier: { $case: "prefix", value: "/new" } } as const;
      shop.mesh.routes("shop/catalog", [
        rule([], { filters: filters(redirect({ path, status: 308 })), ...prefixed("/old") }),
        rule([], {
          filters: filters(redirect({ scheme: "https", hostname: "a.example" }), edit("responseHeaders", "r")),
        }),
      ]);
      const moved = await shop.get("/old/x?y=z", { method: "POST", body: "body" });
      assert.equal(moved.status, 308);
      assert.equal(moved.headers.location, "http://catalog:8080/new/x?y=z");
      assert.equal(moved.body, "");
      assert.ok(moved.headers.date);
      const secure = await shop.get("/any");
      assert.equal(secure.status, 302);
      assert.equal(secure.headers.location, "https://a.example/any");
      assert.equal(secure.headers["x-edit"], "r");
      assert.equal(asked, 0);
    }));

  it("leaves the connection in order for the next request", () =>
    Shop.with(async (shop) => {
      await shop.service("catalog", echo);
      await shop.caller();
      shop.mesh.routes("shop/catalog", [
        rule([], { filters: filters(redirect({})), ...prefixed("/old") }),
        toCatalog([]),
      ]);
      const client = new TcpClient(shop.proxyPort);
      client.write("POST http://catalog:8080/old HTTP/1.1\r\nhost: catalog:8080\r\ncontent-length: 4\r\n\r\nbody");
      await client.until("\r\n\r\n");
      client.write("GET http://catalog:8080/next HTTP/1.1\r\nhost: catalog:8080\r\n\r\n");
      await client.until("GET /next");
      assert.match(client.received, /^HTTP\/1\.1 302 /);
      client.socket.destroy();
    }));
});

describe("a rewrite", () => {
  it("changes host and path of what the service is asked for, and the backend's own replaces the rule's", () =>
    Shop.with(async (shop) => {
      await shop.service("catalog", echo);
      await shop.caller();
      const own = rule([["shop/catalog", 8080, 1]], {
        filters: filters(rewrite("rule.example", "/rule")),
        ...prefixed("/own"),
      });
      const backends = own.backends.map((backend) => ({ ...backend, filters: filters(rewrite("", "/backend")) }));
      shop.mesh.routes("shop/catalog", [
        { ...own, backends },
        toCatalog([rewrite("internal.example", "/v2")], prefixed("/v1")),
      ]);
      const one = await shop.get("/v1/books?q=1");
      assert.equal(one.body, "GET /v2/books?q=1 ");
      assert.equal(one.headers["x-host"], "internal.example");
      const both = await shop.get("/own/books");
      assert.equal(both.body, "GET /backend/books ");
      assert.equal(both.headers["x-host"], "rule.example");
    }));
});

describe("filters of one backend", () => {
  it("apply to its share alone, after those of the rule", () =>
    Shop.with(async (shop) => {
      await shop.service("catalog", echo);
      let point = 0;
      await shop.caller({ random: () => point });
      const split = rule(
        [
          ["shop/catalog", 8080, 1],
          ["shop/catalog", 8080, 1],
        ],
        {
          filters: filters(edit("requestHeaders", "rule"), edit("responseHeaders", "rule")),
        },
      );
      const [first, second] = split.backends;
      assert.ok(first && second);
      const own = filters(edit("requestHeaders", "own"), edit("responseHeaders", "own"));
      shop.mesh.routes("shop/catalog", [{ ...split, backends: [{ ...first, filters: own }, second] }]);
      const with1 = await shop.get("/");
      assert.deepEqual([with1.body, with1.headers["x-edit"]], ["GET / rule,own", "rule,own"]);
      point = 0.9;
      const with2 = await shop.get("/");
      assert.deepEqual([with2.body, with2.headers["x-edit"]], ["GET / rule", "rule"]);
    }));
});

describe("a CORS filter", () => {
  it("answers preflights itself, and marks the responses that follow", () =>
    Shop.with(async (shop) => {
      let asked = 0;
      await shop.service("catalog", (_request, response) => {
        asked++;
        response.setHeader("access-control-allow-origin", "*");
        response.end("ok");
      });
      await shop.caller();
      shop.mesh.routes("shop/catalog", [toCatalog([cors])]);
      const origin = "https://page.example";
      const asks = { "access-control-request-method": "PUT" };
      const preflight = await shop.get("/", { method: "OPTIONS", headers: { origin, ...asks } });
      assert.equal(preflight.status, 204);
      assert.equal(preflight.headers["access-control-allow-origin"], origin);
      assert.equal(preflight.headers["access-control-allow-methods"], "PUT");
      assert.equal(preflight.headers["access-control-max-age"], "60");
      const evil = await shop.get("/", { method: "OPTIONS", headers: { origin: "https://evil.example", ...asks } });
      assert.equal(evil.status, 403);
      assert.equal(evil.headers["x-ripstop-error"], "RS1040");
      assert.equal(evil.headers["access-control-allow-origin"], undefined);
      assert.equal(asked, 0);
      const proper = await shop.get("/", { method: "PUT", headers: { origin } });
      assert.equal(proper.headers["access-control-allow-origin"], origin);
      assert.equal(proper.headers["access-control-allow-credentials"], "true");
      for (const headers of [{}, { origin: "https://evil.example" }]) {
        const other = await shop.get("/", { headers });
        assert.deepEqual([other.status, other.headers["access-control-allow-origin"]], [200, undefined]);
      }
      assert.equal((await shop.get("/", { method: "OPTIONS" })).body, "ok");
    }));
});

/** An application that remembers what it was asked, body included. */
function recorder(seen: string[]): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += String(chunk)));
    request.on("end", () => {
      seen.push(`${request.method} ${request.url} ${body} ${String(request.headers["x-edit"] ?? "")}`.trim());
      response.statusCode = 500;
      response.end("from the mirror");
    });
  };
}

describe("mirrors", () => {
  it("each get the request with its body as the rule's filters made it, and their answers go nowhere", () =>
    Shop.with(async (shop) => {
      const a: string[] = [];
      const b: string[] = [];
      await shop.service("catalog", echo);
      await shop.service("a", recorder(a));
      await shop.service("b", recorder(b));
      await shop.caller();
      shop.mesh.routes("shop/catalog", [
        toCatalog(
          [edit("requestHeaders", "e"), rewrite("", "/v2"), mirror("shop/a"), mirror("shop/b")],
          prefixed("/v1"),
        ),
      ]);
      const body = "x".repeat(200_000);
      const answer = await shop.get("/v1/books", { method: "POST", body: "small" });
      assert.deepEqual([answer.status, answer.body], [200, "POST /v2/books e"]);
      await eventually(() => a.length === 1 && b.length === 1);
      assert.deepEqual([a, b], [["POST /v2/books small e"], ["POST /v2/books small e"]]);
      await shop.get("/v1/again", { method: "POST", body: "again" });
      await eventually(() => a.length === 2);
      assert.equal(a[1], "POST /v2/again again e");
      await shop.get("/v1/large", { method: "POST", body });
      await eventually(() => shop.web?.proxy.engine.live.mirrors === 0);
      assert.equal(shop.mirrored("shop/a", "5xx") + shop.mirrored("shop/a", "dropped"), 3);
      for (const copy of a.slice(2)) assert.equal(copy, `POST /v2/large ${body} e`);
    }));

  it("get their share of requests", () =>
    Shop.with(async (shop) => {
      const seen: string[] = [];
      let at = 0;
      await shop.service("catalog", echo);
      await shop.service("a", recorder(seen));
      await shop.caller({ random: () => (at++ % 100) / 100 });
      shop.mesh.routes("shop/catalog", [
        toCatalog([mirror("shop/a", 0)], prefixed("/none")),
        toCatalog([mirror("shop/a", 30)]),
      ]);
      for (let count = 0; count < 10; count++) await shop.get("/none");
      for (let count = 0; count < 40; count++) await shop.get("/some");
      await eventually(() => shop.web?.proxy.engine.live.mirrors === 0);
      assert.ok(seen.length > 0 && seen.length < 40, String(seen.length));
      assert.ok(seen.every((text) => text.startsWith("GET /some")));
    }));

  it("never hold the request back: not when they do not answer, cannot be reached, or take no bytes", () =>
    Shop.with(async (shop) => {
      await shop.service("catalog", (request, response) => {
        let length = 0;
        request.on("data", (chunk: Buffer) => (length += chunk.length));
        request.on("end", () => response.end(String(length)));
      });
      const deaf = shop.keep(await tcpApp((socket) => socket.pause()));
      shop.mesh.service("shop/deaf", {
        ports: [{ port: 8080 }],
        endpoints: [plainEndpoint(deaf.port, { 8080: deaf.port })],
      });
      shop.mesh.service("shop/gone", { ports: [{ port: 8080 }], endpoints: [plainEndpoint(1, { 8080: 1 })] });
      shop.mesh.service("shop/empty", { ports: [{ port: 8080 }] });
      await shop.caller();
      shop.mesh.routes("shop/catalog", [
        toCatalog([mirror("shop/gone"), mirror("shop/empty")], prefixed("/small")),
        toCatalog([mirror("shop/deaf")]),
      ]);
      assert.equal((await shop.get("/small", { method: "POST", body: "four" })).body, "4");
      await eventually(() => shop.web?.proxy.engine.live.mirrors === 0);
      const size = 20 * 1024 * 1024;
      const answer = await shop.get("/", { method: "POST", body: Buffer.alloc(size, "x") });
      assert.deepEqual([answer.status, answer.body], [200, String(size)]);
      // At once: the copy was given up when it fell behind, not when its time was over.
      assert.equal(shop.web?.proxy.engine.live.mirrors, 0);
      assert.equal(shop.mirrored("shop/deaf", "dropped"), 1);
      assert.equal(shop.mirrored("shop/gone", "failed"), 1);
      assert.equal(shop.mirrored("shop/empty", "failed"), 1);
    }));

  it("are given up when the client goes away in the middle", () =>
    Shop.with(async (shop) => {
      let broken = 0;
      await shop.service("catalog", (request) => request.resume());
      await shop.service("a", (request) => {
        request.on("aborted", () => broken++);
        request.resume();
      });
      await shop.caller();
      shop.mesh.routes("shop/catalog", [toCatalog([mirror("shop/a")])]);
      const client = new TcpClient(shop.proxyPort);
      client.write("POST http://catalog:8080/ HTTP/1.1\r\nhost: catalog:8080\r\ncontent-length: 100\r\n\r\nsome");
      await eventually(() => shop.web?.proxy.engine.live.mirrors === 1);
      client.socket.destroy();
      await eventually(() => shop.web?.proxy.engine.live.exchanges === 0);
      // At once, not when its time is over.
      assert.equal(shop.web?.proxy.engine.live.mirrors, 0);
      assert.ok(broken <= 1);
    }));

  it("work from HTTP/2 clients as well", () =>
    Shop.with(async (shop) => {
      const seen: string[] = [];
      await shop.service("catalog", echo);
      await shop.service("a", recorder(seen));
      await shop.caller();
      shop.mesh.routes("shop/catalog", [toCatalog([mirror("shop/a")])]);
      const session = http2Client(shop.proxyPort);
      const stream = session.request({ ":method": "POST", ":path": "/h2", ":authority": "catalog:8080" });
      stream.end("two");
      stream.resume();
      await new Promise((resolve) => stream.on("close", resolve));
      await eventually(() => seen.length === 1);
      assert.deepEqual(seen, ["POST /h2 two"]);
      session.destroy();
    }));
});

describe("retry of a route", () => {
  const retry = (parts: Partial<RetryPolicy>): Partial<HttpRule> => ({
    retry: { codes: [], attempts: 0, backoffMs: 0, ...parts },
  });
  /** Fails the first `failures` requests of each path with the status that the path begins with. */
  const failing =
    (failures: number, tries: Map<string, number>) => (request: IncomingMessage, response: ServerResponse) => {
      const url = request.url ?? "";
      const count = (tries.get(url) ?? 0) + 1;
      tries.set(url, count);
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => {
        if (count <= failures) response.statusCode = Number(url.slice(1, 4));
        response.end(`try ${count} ${body}`);
      });
    };

  it("tries the listed statuses again, whatever the method, and no others", () =>
    Shop.with(async (shop) => {
      const tries = new Map<string, number>();
      await shop.service("catalog", failing(1, tries));
      await shop.caller();
      shop.mesh.routes("shop/catalog", [toCatalog([], retry({ codes: [500, 429] }))]);
      const posted = await shop.get("/500", { method: "POST", body: "once more" });
      assert.deepEqual([posted.status, posted.body], [200, "try 2 once more"]);
      assert.equal((await shop.get("/429")).status, 200);
      assert.equal((await shop.get("/503")).status, 503);
      assert.equal(tries.get("/503"), 1);
    }));

  it("counts retries, not tries, and passes the last answer on", () =>
    Shop.with(async (shop) => {
      const tries = new Map<string, number>();
      await shop.service("catalog", failing(3, tries));
      await shop.caller();
      shop.mesh.routes("shop/catalog", [
        toCatalog([], { ...retry({ codes: [500], attempts: 1 }), ...prefixed("/500/one") }),
        toCatalog([], retry({ codes: [500], attempts: 3 })),
      ]);
      const four = await shop.get("/500");
      assert.deepEqual([four.status, four.body], [200, "try 4 "]);
    }));

  it("ends with the service's own status when the attempts are used up", () =>
    Shop.with(async (shop) => {
      const tries = new Map<string, number>();
      await shop.service("catalog", failing(9, tries));
      await shop.caller();
      shop.mesh.routes("shop/catalog", [toCatalog([], retry({ codes: [500], attempts: 2 }))]);
      assert.equal((await shop.get("/500")).status, 500);
      assert.equal(tries.get("/500"), 3);
    }));

  it("stays within the budget of the service", () =>
    Shop.with(async (shop) => {
      const tries = new Map<string, number>();
      const clock = new StoppedClock();
      await shop.service("catalog", failing(1_000, tries));
      await shop.caller({ clock });
      shop.mesh.routes("shop/catalog", [toCatalog([], retry({ codes: [500], attempts: 100 }))]);
      for (let count = 0; count < 20; count++) assert.equal((await shop.get("/500")).status, 500);
      const extra = (tries.get("/500") ?? 0) - 20;
      assert.ok(extra > 0 && extra <= 7, `${extra} retries of 20 requests`);
    }));

  it("waits at least the backoff, twice as long the second time, and the request's time-out counts all of it", () =>
    Shop.with(async (shop) => {
      const clock = new StoppedClock();
      const times: number[] = [];
      await shop.service("catalog", (request, response) => {
        if (request.url !== "/warm") times.push(clock.monotonicMs());
        response.statusCode = request.url === "/warm" ? 200 : 500;
        response.end();
      });
      await shop.caller({ clock });
      shop.mesh.routes("shop/catalog", [
        toCatalog([], {
          ...retry({ codes: [500], attempts: 3, backoffMs: 60_000 }),
          requestTimeoutMs: 1_000,
          ...prefixed("/soon"),
        }),
        toCatalog([], retry({ codes: [500], attempts: 2, backoffMs: 1_000 })),
      ]);
      await shop.get("/warm");
      /** The clock goes on, a little each turn of the event loop, until the answer is there. */
      const whileClockGoes = async (path: string): Promise<number> => {
        let status = 0;
        void shop.get(path).then((answer) => (status = answer.status));
        await eventually(() => {
          clock.advance(2);
          return status !== 0;
        });
        return status;
      };
      assert.equal(await whileClockGoes("/twice"), 500);
      const [first = 0, second = 0, third = 0] = times;
      assert.equal(times.length, 3);
      assert.ok(second - first >= 1_000 && third - second >= 2_000, times.join());
      assert.equal(await whileClockGoes("/soon"), 504);
      assert.equal(times.length, 4);
    }));

  it("tries connections again that could not be made, without any listed status", () =>
    Shop.with(async (shop) => {
      const app = shop.keep(await httpApp((_request, response) => response.end("alive")));
      shop.mesh.service("shop/catalog", {
        ports: [{ port: 8080 }],
        endpoints: [plainEndpoint(app.port, { 8080: app.port }), plainEndpoint(1, { 8080: 1 })],
        rules: [toCatalog([], retry({ attempts: 1 }))],
      });
      await shop.caller();
      for (let count = 0; count < 10; count++) {
        assert.equal((await shop.get("/", { method: "POST", body: "x" })).body, "alive");
      }
    }));
});
