// The admin socket of a proxy.

import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { freePort } from "@ripstop/testkit";
import { createMetricRegistry, type MetricRegistry } from "@ripstop/telemetry";
import { TestMesh } from "../testing/test-mesh.suite.ts";
import type { WorkerQuestion } from "@ripstop/model";
import type { AskOthers } from "./worker-answers.ts";
import { startAdmin, startMetrics } from "./admin-server.ts";

function get(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return send(socketPath, "GET", path);
}

function send(socketPath: string, method: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath, method, path, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += String(chunk)));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on("error", reject)
      .end();
  });
}

describe("the admin socket", () => {
  it("shows config, connections, metrics, health and readiness, to its owner only", async () => {
    const mesh = await TestMesh.create();
    const folder = await mkdtemp(join(tmpdir(), "ripstop-admin-"));
    const path = join(folder, "admin.sock");
    try {
      mesh.config.answersUnknown = false;
      const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
      const started = await startAdmin({ proxy: web.proxy, metrics: createMetricRegistry(), path });
      assert.ok(started.ok);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      const early = await get(path, "/ready");
      assert.equal(early.status, 503);
      assert.match(early.body, /upstream catalog/);
      mesh.service("shop/catalog", { ports: [{ port: 80 }] });
      assert.equal((await get(path, "/ready")).status, 200);
      assert.equal((await get(path, "/health")).status, 200);
      assert.match((await get(path, "/config")).body, /"service": "shop\/catalog"/);
      assert.match((await get(path, "/connections")).body, /"tunnels": 0/);
      assert.equal((await get(path, "/metrics")).status, 200);
      assert.equal((await get(path, "/nothing")).status, 404);
      await started.value.close();
    } finally {
      await mesh.close();
      await rm(folder, { recursive: true });
    }
  });

  it("takes profiles, one at a time and within bounds, sets the log level, and drains", async () => {
    await withAdmin(async ({ path }) => {
      const both = await Promise.all([
        send(path, "POST", "/profile/cpu?seconds=1"),
        send(path, "POST", "/profile/heap?seconds=1"),
      ]);
      // Whichever comes first is taken.
      assert.deepEqual(
        both.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 409],
      );
      assert.match(both.find(({ status }) => status === 409)?.body ?? "", /already/);
      const cpu = await send(path, "POST", "/profile/cpu?seconds=1");
      assert.equal(cpu.status, 200);
      assert.ok(Array.isArray((JSON.parse(cpu.body) as { nodes: unknown }).nodes));
      const heap = await send(path, "POST", "/profile/heap?seconds=1");
      assert.equal(heap.status, 200);
      assert.match(heap.body, /"selfSize"/);
      assert.equal((await send(path, "POST", "/profile/cpu?seconds=61")).status, 409);
      assert.equal((await send(path, "POST", "/profile/cpu?seconds=x")).status, 409);
      assert.equal((await send(path, "GET", "/profile/cpu")).status, 405);
      assert.match((await send(path, "POST", "/log-level?level=debug")).body, /"debug"/);
      assert.match((await send(path, "GET", "/log-level")).body, /"debug"/);
      assert.equal((await send(path, "POST", "/log-level?level=loud")).status, 400);
      await send(path, "POST", "/log-level?level=error");
      assert.match((await send(path, "POST", "/drain?deadline-ms=0")).body, /drained/);
      assert.equal((await send(path, "GET", "/ready")).status, 503);
    });
  });

  it("shows the other workers of the proxy as one with this process, and passes orders on to them", async () => {
    const asked: WorkerQuestion[] = [];
    const answers: Partial<Record<WorkerQuestion["what"], unknown>> = {
      metrics: "# HELP ripstop_test_total Test.\n# TYPE ripstop_test_total counter\nripstop_test_total 40\n",
      connections: {
        live: { exchanges: 2, tunnels: 1, mirrors: 1 },
        queuedBodies: { bytes: 123, limitBytes: 1_000, isTight: true },
        workloads: [
          { id: "shop/web-1", inbound: [], outbound: [{ address: "a" }], pools: [{ address: "p" }], tunnels: 1 },
        ],
      },
    };
    const askOthers: AskOthers = (question) => {
      asked.push(question);
      return Promise.resolve([{ slot: 1, pid: 4711, answer: answers[question.what] }]);
    };
    await withAdmin(async ({ path, metrics }) => {
      metrics.counter("ripstop_test_total", "Test.").add(2);
      assert.match((await send(path, "GET", "/metrics")).body, /^ripstop_test_total 42$/m);
      const connections = JSON.parse((await send(path, "GET", "/connections")).body) as {
        live: object;
        queuedBodies: object;
        workloads: { outbound: object[]; tunnels: number }[];
      };
      assert.deepEqual(connections.live, { exchanges: 2, tunnels: 1, mirrors: 1 });
      assert.deepEqual(connections.queuedBodies, { bytes: 123, limitBytes: 1_000, isTight: true });
      assert.deepEqual(connections.workloads[0]?.outbound, [{ address: "a", pid: 4711 }]);
      assert.match((await send(path, "GET", "/pools")).body, /"address": "p"/);
      assert.deepEqual((JSON.parse((await send(path, "GET", "/config")).body) as { workers: number[] }).workers, [
        process.pid,
        4711,
      ]);
      await send(path, "POST", "/log-level?level=error");
      await send(path, "POST", "/drain?deadline-ms=5");
      assert.deepEqual(asked.slice(-2), [
        { what: "set-log-level", level: "error" },
        { what: "drain", deadlineMs: 5 },
      ]);
    }, askOthers);
  });

  it("serves metrics, and nothing else, on a loopback port", async () => {
    const mesh = await TestMesh.create();
    try {
      const web = await mesh.start({ id: "shop/web-1" });
      const port = await freePort();
      const metrics = createMetricRegistry();
      metrics.counter("ripstop_test_total", "For the test.").add(7);
      const started = await startMetrics({ proxy: web.proxy, metrics, port });
      assert.ok(started.ok);
      const scrape = await fetch(`http://127.0.0.1:${port}/metrics`);
      assert.equal(scrape.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
      assert.match(await scrape.text(), /^ripstop_test_total 7$/m);
      assert.equal((await fetch(`http://127.0.0.1:${port}/config`)).status, 404);
      assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`, { method: "POST" })).status, 405);
      await started.value.close();
    } finally {
      await mesh.close();
    }
  });
});

interface AdminTest {
  readonly path: string;
  readonly metrics: MetricRegistry;
}

async function withAdmin(test: (admin: AdminTest) => Promise<void>, askOthers?: AskOthers): Promise<void> {
  const mesh = await TestMesh.create();
  const folder = await mkdtemp(join(tmpdir(), "ripstop-admin-"));
  const path = join(folder, "admin.sock");
  const metrics = createMetricRegistry();
  try {
    const { proxy } = await mesh.start({ id: "shop/web-1" });
    const started = await startAdmin({ proxy, metrics, path, ...(askOthers === undefined ? {} : { askOthers }) });
    assert.ok(started.ok);
    await test({ path, metrics });
    await started.value.close();
  } finally {
    await mesh.close();
    await rm(folder, { recursive: true });
  }
}
