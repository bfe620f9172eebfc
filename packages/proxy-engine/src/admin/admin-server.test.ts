// The admin socket of a proxy.

import assert from "node:assert/strict";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createMetricRegistry } from "@ripstop/telemetry";
import { TestMesh } from "../testing/test-mesh.suite.ts";
import { startAdmin, startMetrics } from "./admin-server.ts";

function get(socketPath: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    httpRequest({ socketPath, path, agent: false }, (response) => {
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

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
