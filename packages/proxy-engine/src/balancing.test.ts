// Who answers: keys, sessions, subsets, places, rest, health checks, and one connection over many instances. Real proxies
// and applications.

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { describe, it } from "node:test";
import {
  LoadBalancing_Algorithm,
  SessionPersistence_Type,
  type Endpoint,
  type HealthCheck,
  type LoadBalancing,
  type Locality,
  type SessionPersistence,
} from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { meshEndpoint, plainEndpoint, rule, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import {
  fetchVia,
  http2App,
  http2Client,
  httpApp,
  passTime,
  tcpApp,
  type Answer,
  type Started,
} from "./testing/test-peers.suite.ts";

interface Lab {
  readonly mesh: TestMesh;
  readonly web: TestProxy;
  /** Endpoints of applications that answer with their number, "0", "1", .... */
  readonly endpoints: readonly Endpoint[];
  /** GET http://catalog/PATH. */
  ask(path?: string, headers?: Record<string, string>): Promise<Answer>;
  /** Declares the service "shop/catalog". */
  declare(balancing: Partial<LoadBalancing>, endpoints?: readonly Endpoint[]): void;
}

interface LabOptions {
  readonly instances: number;
  readonly clock?: StoppedClock;
  readonly locality?: Locality;
  /** In place of an answer with its number; called with it. */
  readonly answer?: (instance: number, ...parts: Parameters<RequestListener>) => void;
}

async function withLab(options: LabOptions, run: (lab: Lab) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const apps: Started[] = [];
  try {
    for (let at = 0; at < options.instances; at++) {
      const answer = options.answer ?? ((instance, _request, response) => response.end(String(instance)));
      apps.push(await httpApp((request, response) => answer(at, request, response)));
    }
    const endpoints = apps.map(({ port }) => plainEndpoint(port, { 80: port }));
    let seed = 1;
    const web = await mesh.start({
      id: "shop/web-1",
      random: () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647,
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.locality === undefined ? {} : { locality: options.locality }),
    });
    await run({
      mesh,
      web,
      endpoints,
      ask: (path = "/", headers = {}) => fetchVia(web.ports.httpProxy, `http://catalog${path}`, { headers }),
      declare: (loadBalancing, chosen = endpoints) =>
        mesh.service("shop/catalog", { ports: [{ port: 80 }], endpoints: chosen, loadBalancing }),
    });
  } finally {
    await mesh.close();
    for (const app of apps) await app.close();
  }
}

const ROUND_ROBIN = { algorithm: LoadBalancing_Algorithm.ROUND_ROBIN } as const;

async function bodies(count: number, ask: () => Promise<Answer>): Promise<string[]> {
  const found: string[] = [];
  for (let at = 0; at < count; at++) found.push((await ask()).body);
  return found;
}

function cookieOf({ headers }: Answer): string {
  return headers["set-cookie"]?.[0] ?? "";
}

describe("load balancing", () => {
  it("spreads the requests of one HTTP/2 connection evenly over the instances that come", async () => {
    const mesh = await TestMesh.create();
    const apps: Started[] = [];
    const counts = new Map<string, number>();
    try {
      const endpoints: Endpoint[] = [];
      for (let at = 0; at < 10; at++) {
        const id = `shop/catalog-${at}`;
        const app = await http2App((server) =>
          server.on("stream", (stream) => {
            counts.set(id, (counts.get(id) ?? 0) + 1);
            stream.respond({ ":status": 200 });
            stream.end();
          }),
        );
        apps.push(app);
        const ports = [{ port: 8080, applicationPort: app.port, protocol: 2 as const }];
        endpoints.push(meshEndpoint(id, await mesh.start({ id, service: "shop/catalog", ports }), { 80: 8080 }));
      }
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
      mesh.service("shop/catalog", {
        ports: [{ port: 80, protocol: 2 }],
        endpoints: endpoints.slice(0, 1),
        loadBalancing: ROUND_ROBIN,
      });
      await web.becameReady;
      const session = http2Client(web.ports.upstreams[0] ?? 0);
      const get = (): Promise<unknown> =>
        new Promise((resolve, reject) => {
          const stream = session.request({ ":authority": "catalog", ":path": "/" });
          stream.on("error", reject);
          stream.on("response", (head) => resolve(head[":status"]));
          stream.resume();
        });
      try {
        for (let at = 0; at < 20; at++) assert.equal(await get(), 200);
        assert.deepEqual([...counts], [["shop/catalog-0", 20]]);
        counts.clear();
        mesh.endpoints("shop/catalog", endpoints);
        for (let at = 0; at < 20; at++) await Promise.all(Array.from({ length: 10 }, get));
        assert.equal(counts.size, 10);
        for (const [id, count] of counts) assert.ok(Math.abs(count - 20) <= 2, `${id}: ${count} of 200`);
      } finally {
        session.destroy();
      }
    } finally {
      await mesh.close();
      for (const app of apps) await app.close();
    }
  });

  it("changes the algorithm of a service in use", () =>
    withLab({ instances: 3 }, async ({ ask, declare }) => {
      declare(ROUND_ROBIN);
      const round = await bodies(6, ask);
      assert.deepEqual(round.slice(0, 3).toSorted(), ["0", "1", "2"]);
      assert.deepEqual(round.slice(3), round.slice(0, 3));
      declare({
        algorithm: LoadBalancing_Algorithm.MAGLEV,
        hashKeys: [{ key: { $case: "path", value: true } }],
      });
      assert.equal(new Set(await bodies(6, ask)).size, 1);
    }));

  for (const algorithm of [LoadBalancing_Algorithm.RING_HASH, LoadBalancing_Algorithm.MAGLEV] as const) {
    it(`sends what has the same key to the same instance (${algorithm === 4 ? "ring hash" : "Maglev"})`, () =>
      withLab({ instances: 5 }, async ({ ask, declare }) => {
        declare({
          algorithm,
          hashKeys: [{ key: { $case: "header", value: "x-user" } }, { key: { $case: "query", value: "user" } }],
        });
        const seen = new Set<string>();
        for (let user = 0; user < 20; user++) {
          const byHeader = await bodies(3, () => ask("/", { "x-user": `user-${user}` }));
          const byQuery = await bodies(1, () => ask(`/other?user=user-${user}`));
          assert.equal(new Set([...byHeader, ...byQuery]).size, 1);
          seen.add(byHeader[0] ?? "");
        }
        assert.ok(seen.size >= 4, String(seen.size));
        // Without any key, anywhere.
        assert.ok(new Set(await bodies(20, ask)).size > 1);
      }));
  }

  it("gives a cookie to hash by to a client that has none", () =>
    withLab({ instances: 5 }, async ({ ask, declare }) => {
      declare({
        algorithm: LoadBalancing_Algorithm.RING_HASH,
        hashKeys: [{ key: { $case: "cookie", value: { name: "cart", ttlMs: 60_000, path: "" } } }],
      });
      const first = await ask();
      assert.match(cookieOf(first), /^cart=[0-9a-z]+; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/);
      const [cookie = ""] = cookieOf(first).split(";");
      for (let at = 0; at < 10; at++) {
        const answer = await ask("/", { cookie: `a=b; ${cookie}` });
        assert.equal(answer.body, first.body);
        assert.equal(cookieOf(answer), "");
      }
    }));

  it("sends requests that name a subset there, and refuses unknown ones if told so", () =>
    withLab({ instances: 3 }, async ({ ask, declare, endpoints }) => {
      const labelled = endpoints.map((endpoint, at) => ({ ...endpoint, subset: at === 2 ? "v2" : "v1" }));
      declare({ subset: { label: "version", header: "x-version", strict: true } }, labelled);
      assert.deepEqual(await bodies(5, () => ask("/", { "x-version": "v2" })), ["2", "2", "2", "2", "2"]);
      assert.equal((await ask()).status, 200);
      const refused = await ask("/", { "x-version": "v3" });
      assert.equal(refused.status, 503);
      assert.equal(refused.headers["x-ripstop-error"], "RS1065");
      declare({ subset: { label: "version", header: "x-version", strict: false } }, labelled);
      assert.equal((await ask("/", { "x-version": "v3" })).status, 200);
    }));

  it("stays in the zone of the caller, and leaves it when nobody there is ready", () =>
    withLab({ instances: 4, locality: { region: "eu", zone: "a" } }, async ({ ask, declare, endpoints }) => {
      const placed = endpoints.map((endpoint, at) => ({
        ...endpoint,
        locality: { region: at === 3 ? "us" : "eu", zone: at === 0 ? "a" : "b" },
      }));
      const balancing = { ...ROUND_ROBIN, locality: { maxRequestsPerEndpoint: 0, targetUtilizationPercent: 0 } };
      declare(balancing, placed);
      assert.deepEqual(new Set(await bodies(12, ask)), new Set(["0"]));
      declare(
        balancing,
        placed.map((endpoint, at) => ({ ...endpoint, healthy: at !== 0 })),
      );
      assert.deepEqual(new Set(await bodies(20, ask)), new Set(["1", "2"]));
    }));

  it("goes to the next tier when nobody of those before is ready", () =>
    withLab({ instances: 4 }, async ({ ask, declare, endpoints }) => {
      const tiers = endpoints.map((endpoint, at) => ({ ...endpoint, priority: at === 0 ? 0 : at === 3 ? 99 : 1 }));
      declare(ROUND_ROBIN, tiers);
      assert.deepEqual(new Set(await bodies(12, ask)), new Set(["0"]));
      declare(
        ROUND_ROBIN,
        tiers.map((endpoint, at) => ({ ...endpoint, healthy: at !== 0 })),
      );
      assert.deepEqual(new Set(await bodies(20, ask)), new Set(["1", "2"]));
      declare(
        ROUND_ROBIN,
        tiers.map((endpoint, at) => ({ ...endpoint, healthy: at === 3 })),
      );
      assert.deepEqual(new Set(await bodies(4, ask)), new Set(["3"]));
    }));

  it("leaves an instance alone for as long as its Retry-After says", () => {
    const clock = new StoppedClock();
    let isBusy = true;
    const answer: LabOptions["answer"] = (instance, _request, response) => {
      if (instance === 0 && isBusy) response.writeHead(429, { "retry-after": "10" });
      response.end(String(instance));
    };
    return withLab({ instances: 2, clock, answer }, async ({ ask, declare }) => {
      declare({ ...ROUND_ROBIN, maxRestMs: 5_000 });
      const first = [await ask(), await ask()].map(({ status }) => status);
      assert.deepEqual(new Set(first), new Set([200, 429]));
      isBusy = false;
      assert.deepEqual(await bodies(4, ask), ["1", "1", "1", "1"]);
      clock.advance(5_001);
      assert.deepEqual(new Set(await bodies(4, ask)), new Set(["0", "1"]));
    });
  });

  it("gives less to an instance that reports more load", () => {
    const clock = new StoppedClock();
    const answer: LabOptions["answer"] = (instance, _request, response) => {
      response.setHeader(
        "endpoint-load-metrics",
        `TEXT cpu_utilization=${instance === 0 ? 0.9 : 0.3}, rps_fractional=90`,
      );
      response.end(String(instance));
    };
    return withLab({ instances: 2, clock, answer }, async ({ ask, declare }) => {
      declare({ ...ROUND_ROBIN, adaptiveWeights: true });
      for (let at = 0; at < 20; at++) {
        await ask();
        clock.advance(501);
      }
      const answers = await bodies(40, ask);
      const share = answers.filter((body) => body === "0").length / 40;
      assert.ok(share > 0.2 && share < 0.3, String(share));
    });
  });
});

describe("session persistence", () => {
  const SESSION: SessionPersistence = {
    type: SessionPersistence_Type.COOKIE,
    name: "s",
    absoluteTimeoutMs: 0,
    idleTimeoutMs: 0,
    permanent: false,
    path: "/",
    scope: "a",
  };

  it("keeps a session at its instance by a cookie, until that is gone", () =>
    withLab({ instances: 4 }, async ({ mesh, ask, declare, endpoints }) => {
      declare({ ...ROUND_ROBIN, sessionPersistence: SESSION });
      const first = await ask();
      assert.match(cookieOf(first), /^s=[\w-]{16}\.[0-9]+\.[0-9]+; Path=\/; HttpOnly; SameSite=Lax$/);
      const [cookie = ""] = cookieOf(first).split(";");
      for (let at = 0; at < 5; at++) {
        const answer = await ask("/", { cookie });
        assert.deepEqual([answer.body, cookieOf(answer)], [first.body, ""]);
      }
      mesh.endpoints(
        "shop/catalog",
        endpoints.filter((_, at) => String(at) !== first.body),
      );
      const second = await ask("/", { cookie });
      assert.notEqual(second.body, first.body);
      const [next = ""] = cookieOf(second).split(";");
      assert.equal((await ask("/", { cookie: next })).body, second.body);
      // What is no session at all is as if it were not there.
      for (const value of ["s=", "s=../..", `s=${"a".repeat(5000)}`, "s"])
        assert.equal((await ask("/", { cookie: value })).status, 200);
    }));

  it("ends a session by its times", () => {
    const clock = new StoppedClock();
    return withLab({ instances: 4, clock }, async ({ ask, declare }) => {
      declare({
        ...ROUND_ROBIN,
        sessionPersistence: { ...SESSION, permanent: true, absoluteTimeoutMs: 60_000, idleTimeoutMs: 20_000 },
      });
      let answer = await ask();
      const { body } = answer;
      assert.match(cookieOf(answer), /Max-Age=60;/);
      for (let at = 0; at < 5; at++) {
        clock.advance(11_000);
        answer = await ask("/", { cookie: cookieOf(answer).split(";")[0] ?? "" });
        assert.equal(answer.body, body);
      }
      // 66 s after its begin it is over, however often it was used.
      clock.advance(11_000);
      const late = await ask("/", { cookie: cookieOf(answer).split(";")[0] ?? "" });
      assert.match(cookieOf(late), /Max-Age=60;/);
      clock.advance(21_000);
      assert.match(cookieOf(await ask("/", { cookie: cookieOf(late).split(";")[0] ?? "" })), /Max-Age=60;/);
    });
  });

  it("keeps a session by a header", () =>
    withLab({ instances: 4 }, async ({ ask, declare }) => {
      declare({
        ...ROUND_ROBIN,
        sessionPersistence: { ...SESSION, type: SessionPersistence_Type.HEADER, name: "x-session" },
      });
      const first = await ask();
      const session = first.headers["x-session"];
      assert.ok(typeof session === "string");
      for (let at = 0; at < 5; at++) assert.equal((await ask("/", { "x-session": session })).body, first.body);
    }));

  it("keeps a session at its backend, whatever the weights, and apart from other rules", () =>
    withLab({ instances: 2 }, async ({ mesh, ask, endpoints }) => {
      for (const [at, name] of ["catalog", "other"].entries())
        mesh.service(`shop/${name}`, { ports: [{ port: 80 }], endpoints: endpoints.slice(at, at + 1) });
      const shares = (catalog: number, other: number, scope = "a"): void =>
        mesh.routes("shop/catalog", [
          rule(
            [
              ["shop/catalog", 80, catalog],
              ["shop/other", 80, other],
            ],
            { sessionPersistence: { ...SESSION, scope } },
          ),
        ]);
      shares(1, 0);
      const first = await ask();
      assert.equal(first.body, "0");
      const [cookie = ""] = cookieOf(first).split(";");
      shares(0, 1);
      assert.equal((await ask("/", { cookie })).body, "0");
      assert.equal((await ask()).body, "1");
      shares(0, 1, "b");
      assert.equal((await ask("/", { cookie })).body, "1");
    }));
});

describe("active health checks", () => {
  const CHECK: Omit<HealthCheck, "check"> = {
    port: 0,
    intervalMs: 1000,
    // Of the stopped clock: however slow the machine, answers come first.
    timeoutMs: 60_000,
    unhealthyThreshold: 2,
    healthyThreshold: 2,
  };
  const http: HealthCheck = {
    ...CHECK,
    check: { $case: "http", value: { path: "/healthz", host: "", minStatus: 200, maxStatus: 299 } },
  };

  it("take an instance out that fails them, and back when it passes", () => {
    const clock = new StoppedClock();
    let status = 200;
    let checks = 0;
    const answer: LabOptions["answer"] = (instance, request, response) => {
      if (request.url === "/healthz") checks++;
      if (request.url === "/healthz" && instance === 0) response.statusCode = status;
      response.end(String(instance));
    };
    return withLab({ instances: 2, clock, answer }, async ({ web, ask, declare }) => {
      declare({ ...ROUND_ROBIN, healthCheck: http });
      await ask();
      const endpoints = (): readonly { readonly checkedHealthy: boolean }[] =>
        [...web.proxy.workloads.values()][0]?.hosts.clusters.get("shop/catalog")?.endpoints.all ?? [];
      await passTime(clock, () => checks >= 4);
      assert.deepEqual(new Set(await bodies(4, ask)), new Set(["0", "1"]));
      status = 500;
      await passTime(clock, () => endpoints()[0]?.checkedHealthy === false);
      assert.deepEqual(new Set(await bodies(4, ask)), new Set(["1"]));
      status = 200;
      await passTime(clock, () => endpoints()[0]?.checkedHealthy === true);
      assert.deepEqual(new Set(await bodies(4, ask)), new Set(["0", "1"]));
    });
  });

  it("ask gRPC servers as their protocol says", async () => {
    const clock = new StoppedClock();
    const mesh = await TestMesh.create();
    let serving = 2;
    const asked: string[] = [];
    const app = await http2App((server) =>
      server.on("stream", (stream, headers) => {
        const chunks: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => chunks.push(chunk));
        stream.on("end", () => {
          asked.push(`${headers[":path"]} ${Buffer.concat(chunks).toString("hex")}`);
          stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
          stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
          stream.end(Buffer.from([0, 0, 0, 0, 2, 8, serving]));
        });
      }),
    );
    try {
      const catalog = await mesh.start({
        id: "shop/catalog-1",
        service: "shop/catalog",
        ports: [{ port: 8080, applicationPort: app.port, protocol: 3 }],
      });
      const web = await mesh.start({ id: "shop/web-1", clock });
      mesh.service("shop/catalog", {
        ports: [{ port: 80, protocol: 3 }],
        endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })],
        loadBalancing: { healthCheck: { ...CHECK, check: { $case: "grpc", value: { service: "shop.Catalog" } } } },
      });
      await fetchVia(web.ports.httpProxy, "http://catalog/").catch(() => undefined);
      asked.length = 0;
      const endpoint = (): { readonly checkedHealthy: boolean } | undefined =>
        [...web.proxy.workloads.values()][0]?.hosts.clusters.get("shop/catalog")?.endpoints.all[0];
      await passTime(clock, () => endpoint()?.checkedHealthy === false);
      assert.equal(
        asked[0],
        `/grpc.health.v1.Health/Check 000000000e0a0c${Buffer.from("shop.Catalog").toString("hex")}`,
      );
      serving = 1;
      await passTime(clock, () => endpoint()?.checkedHealthy === true);
    } finally {
      await mesh.close();
      await app.close();
    }
  });

  it("reach through the peer's proxy to the application for TCP", async () => {
    const clock = new StoppedClock();
    const mesh = await TestMesh.create();
    let connections = 0;
    const app = await tcpApp(() => connections++);
    try {
      const target = await mesh.start({
        id: "shop/catalog-1",
        service: "shop/catalog",
        ports: [{ port: 8080, applicationPort: app.port, protocol: 4 }],
      });
      const web = await mesh.start({ id: "shop/web-1", clock, upstreams: [{ host: "catalog", port: 80 }] });
      mesh.service("shop/catalog", {
        ports: [{ port: 80, protocol: 4 }],
        endpoints: [meshEndpoint("shop/catalog-1", target, { 80: 8080 })],
        loadBalancing: { healthCheck: { ...CHECK, check: { $case: "tcp", value: {} } } },
      });
      await web.becameReady;
      await passTime(clock, () => connections >= 2);
      await app.close();
      const endpoint = (): { readonly checkedHealthy: boolean } | undefined =>
        [...web.proxy.workloads.values()][0]?.hosts.clusters.get("shop/catalog")?.endpoints.all[0];
      await passTime(clock, () => endpoint()?.checkedHealthy === false);
    } finally {
      await mesh.close();
      await app.close().catch(() => undefined);
    }
  });
});
