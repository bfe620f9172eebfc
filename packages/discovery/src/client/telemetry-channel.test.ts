// Telemetry never waits: without a control plane the oldest reports give way.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { policyType, type Policy } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import { TestMesh, View } from "../stream-fixture.suite.ts";

describe("the telemetry channel", () => {
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

  it("opens its stream again when that alone ends, and leaves the config stream be", async () => {
    const mesh = await TestMesh.open();
    try {
      const clock = new StoppedClock();
      let opened = 0;
      const server = await mesh.server({
        onTelemetryOpen: () => {
          opened++;
          mesh.changes.notify();
        },
      });
      const client = await mesh.client("web", server.address, { clock });
      const view = new View<Policy>(mesh.changes);
      client.watch(policyType, "a", view);
      await mesh.changes.until(() => opened === 1 && view.history.length === 1);
      // A command that the proxy cannot bear stands for anything that ends the stream.
      client.telemetry.onCommand = () => {
        throw new Error("not this");
      };
      server.send("web", { taps: [] });
      await mesh.changes.until(() => mesh.logger.problems.some((problem) => problem.includes("not this")));
      client.telemetry.onCommand = undefined;
      clock.advance(1_000);
      await mesh.changes.until(() => opened === 2);
      assert.equal(client.connected, true);
      assert.equal(mesh.serverMetrics.total("ripstop_config_removals_sent_total"), 1);
    } finally {
      await mesh.close();
    }
  });
});
