// Telemetry never waits: without a control plane the oldest reports give way.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { TestMesh } from "../stream-fixture.suite.ts";

describe("the telemetry channel", { timeout: 30_000 }, () => {
  it("keeps the newest 32 reports while the control plane is away, counts the rest, and sends what it kept", async () => {
    const mesh = await TestMesh.open();
    try {
      const first = await mesh.server();
      await first.close();
      const client = await mesh.client("web", first.address);
      for (let index = 0; index < 40; index++) {
        client.telemetry.send({ edges: [], taps: [], tapsDropped: index, proxy: undefined });
      }
      assert.equal(client.telemetry.dropped, 8);
      assert.equal(mesh.clientMetrics.total("ripstop_telemetry_reports_dropped_total"), 8);
      const seen: number[] = [];
      await mesh.server({
        port: first.port,
        onReport: (_proxyId, report) => {
          seen.push(report.tapsDropped);
          mesh.changes.notify();
        },
      });
      await mesh.changes.until(() => seen.length === 32);
      assert.deepEqual(
        seen,
        Array.from({ length: 32 }, (_, index) => index + 8),
      );
    } finally {
      await mesh.close();
    }
  });
});
