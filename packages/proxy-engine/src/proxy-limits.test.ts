// Rate limits and faults in real proxies: what callers get, what the application sees, what is left alone.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { describe, it } from "node:test";

import { policyType, workloadType, type Policy } from "@ripstop/model";
import { filterFactories } from "@ripstop/policies/proxy";

import { meshEndpoint, TestMesh, type TestProxy } from "./testing/test-mesh.suite.ts";
import { policyOf } from "./testing/test-policies.suite.ts";
import { fetchVia, httpApp, type Answer } from "./testing/test-peers.suite.ts";

const limit = (rule: object): Policy =>
  policyOf("RateLimitPolicy", "limit", { rules: [{ name: "r", limit: { requests: 2, period: "1h" }, ...rule }] });
const fault = (rule: object): Policy =>
  policyOf("FaultInjection", "fault", { expires: "2999-01-01T00:00:00Z", rules: [rule] });

interface Shop {
  readonly mesh: TestMesh;
  readonly stock: TestProxy;
  /** GET through web's proxy. */
  ask(path: string, headers?: Record<string, string>): Promise<Answer>;
  /** The same, without waiting for the answer. */
  begin(path: string): ReturnType<typeof httpRequest>;
  /** Paths that the application was asked for. */
  readonly seen: readonly string[];
}

const BODY = "0123456789".repeat(10);

async function withShop(policies: readonly Policy[], run: (shop: Shop) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const seen: string[] = [];
  const app = await httpApp((request, response) => {
    seen.push(request.url ?? "");
    response.end(BODY);
  });
  try {
    for (const policy of policies) mesh.config.set(policyType, policy.name, policy);
    const stock = await mesh.start({
      id: "shop/stock-1",
      service: "shop/stock",
      ports: [{ port: 8080, applicationPort: app.port }],
      policies: policies.map(({ name }) => ({ name })),
      factories: filterFactories,
    });
    mesh.service("shop/stock", {
      ports: [{ port: 80 }],
      endpoints: [meshEndpoint("shop/stock-1", stock, { 80: 8080 })],
    });
    const web = await mesh.start({ id: "shop/web-1", service: "shop/web", upstreams: [{ host: "stock", port: 80 }] });
    await run({
      mesh,
      stock,
      seen,
      ask: (path, headers = {}) => fetchVia(web.ports.httpProxy, `http://stock${path}`, { headers }),
      begin(path) {
        const asking = httpRequest({
          host: "127.0.0.1",
          port: web.ports.httpProxy,
          path: `http://stock${path}`,
          headers: { host: "stock" },
          agent: false,
        });
        asking.end();
        return asking;
      },
    });
  } finally {
    await mesh.close();
    await app.close();
  }
}

describe("a RateLimitPolicy in force", () => {
  it("answers 429 with Retry-After, the RateLimit fields and the rule's name, and the application sees nothing of it", () =>
    withShop([limit({})], async ({ ask, seen }) => {
      assert.deepEqual([(await ask("/1")).status, (await ask("/2")).status], [200, 200]);
      const answer = await ask("/3");
      assert.equal(answer.status, 429);
      assert.equal(answer.headers["x-ripstop-error"], "RS1260");
      assert.match(String(answer.headers["retry-after"]), /^[1-9]\d*$/);
      assert.equal(answer.headers["ratelimit-policy"], '"r";q=2;w=3600');
      assert.match(String(answer.headers["ratelimit"]), /^"r";r=0;t=[1-9]\d*$/);
      assert.match(answer.body, /"r\\" of RateLimitPolicy shop\/limit is used up/);
      assert.deepEqual(seen, ["/1", "/2"]);
    }));

  it("answers gRPC with RESOURCE_EXHAUSTED", () =>
    withShop([limit({ limit: { requests: 1, period: "1h" } })], async ({ ask }) => {
      await ask("/1");
      const answer = await ask("/svc/Method", { "content-type": "application/grpc" });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers["grpc-status"], "8");
      assert.match(String(answer.headers["retry-after"]), /^\d+$/);
    }));

  it("goes on counting when another policy of the workload changes, and cuts nothing that is under way", () =>
    withShop([limit({})], async ({ mesh, stock, ask }) => {
      assert.deepEqual([(await ask("/1")).status, (await ask("/2")).status, (await ask("/3")).status], [200, 200, 429]);
      const other = policyOf("FaultInjection", "other", {
        expires: "2999-01-01T00:00:00Z",
        rules: [{ percentage: 0, reset: true }],
      });
      mesh.config.set(policyType, other.name, other);
      const { workload } = stock.proxy.workloads.get("shop/stock-1")?.view ?? {};
      assert.ok(workload);
      mesh.config.set(workloadType, "shop/stock-1", {
        ...workload,
        policies: [...workload.policies, { name: other.name }],
      });
      assert.equal((await ask("/4")).status, 429);
    }));

  it("reports the demand for a global limit, and lets through what its share allows", () =>
    withShop([limit({ scope: "Global", limit: { requests: 40, period: "1h" } })], async ({ stock, ask }) => {
      const passed = async (count: number): Promise<number> => {
        let sum = 0;
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        for (let at = 0; at < count; at++) if ((await ask("/")).status === 200) sum++;
        return sum;
      };
      // A quarter, until the control plane has handed out shares.
      assert.equal(await passed(12), 10);
      const demand = new Promise<number>((resolve) => {
        const look = (): void => {
          const found = stock.reports.flatMap((report) => report.limits?.demands ?? [])[0];
          if (found === undefined) setImmediate(look);
          else resolve(found.rate);
        };
        look();
      });
      assert.ok((await demand) > 0);
      const share = { workload: "shop/stock-1", limit: "shop/limit/r", key: "", share: 0 };
      stock.proxy.onCommand({ taps: [], limits: { shares: [share] } });
      assert.equal(await passed(3), 0);
    }));
});

describe("a FaultInjection in force", () => {
  it("answers in place of the application, with the status it names, and says that it is on purpose", () =>
    withShop(
      [fault({ to: [{ paths: ["/a/*"] }], abort: { httpStatus: 418, grpcStatus: 9 } })],
      async ({ ask, seen }) => {
        const answer = await ask("/a/1");
        assert.equal(answer.status, 418);
        assert.equal(answer.headers["x-ripstop-error"], "RS1270");
        assert.match(answer.body, /FaultInjection shop\/fault \(spec\.rules\[0\]\)/);
        const grpc = await ask("/a/1", { "content-type": "application/grpc" });
        assert.equal(grpc.headers["grpc-status"], "9");
        assert.equal((await ask("/b")).status, 200);
        assert.deepEqual(seen, ["/b"]);
      },
    ));

  it("holds requests up, and no others", () =>
    withShop([fault({ to: [{ paths: ["/slow"] }], delay: "10m" })], async ({ ask, begin, seen, stock }) => {
      const slow = begin("/slow");
      slow.on("error", () => undefined);
      while (stock.proxy.live.exchanges === 0) await new Promise((resolve) => setImmediate(resolve));
      assert.equal((await ask("/fast")).status, 200);
      assert.deepEqual(seen, ["/fast"]);
      slow.destroy();
      while (stock.proxy.live.exchanges > 0) await new Promise((resolve) => setImmediate(resolve));
    }));

  it("lets a request go on when its delay is over", () =>
    withShop([fault({ delay: "50ms" })], async ({ ask, seen }) => {
      assert.equal((await ask("/1")).body, BODY);
      assert.deepEqual(seen, ["/1"]);
    }));

  it("breaks the connection off before any answer", () =>
    withShop([fault({ reset: true })], async ({ ask, seen, stock }) => {
      const answer = await ask("/1");
      assert.equal(answer.status, 502);
      assert.equal(answer.headers["x-ripstop-error"], "RS1006");
      assert.deepEqual(seen, []);
      assert.equal(stock.proxy.live.exchanges, 0);
    }));

  it("cuts a response in the middle of its body", () =>
    withShop([fault({ response: { cutAfterBytes: 42 } })], async ({ begin }) => {
      const asking = begin("/1");
      const [response] = (await once(asking, "response")) as [IncomingMessage];
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      await assert.rejects(once(response, "end"), /aborted/);
      assert.equal(body, BODY.slice(0, 42));
    }));

  it("brings a slow response whole", () =>
    withShop([fault({ response: { bytesPerSecond: 1_000 } })], async ({ ask, stock }) => {
      const answer = await ask("/1");
      assert.equal(answer.status, 200);
      assert.equal(answer.body, BODY);
      assert.equal(stock.proxy.live.exchanges, 0);
    }));

  it("ends at once when its policy goes, for what it holds up too", () =>
    withShop([fault({ abort: { httpStatus: 500 } })], async ({ mesh, stock, ask }) => {
      assert.equal((await ask("/1")).status, 500);
      const { workload } = stock.proxy.workloads.get("shop/stock-1")?.view ?? {};
      assert.ok(workload);
      mesh.config.set(workloadType, "shop/stock-1", { ...workload, policies: [] });
      assert.equal((await ask("/2")).status, 200);
    }));
});
