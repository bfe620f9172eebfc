// Reports and taps on a stopped clock.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { telemetry } from "@ripstop/model";
import { createMetricRegistry } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";
import { EdgeTable, type EdgeKey } from "./edge.ts";
import { TelemetryReporter } from "./telemetry-reporter.ts";

const KEY: EdgeKey = {
  reporter: telemetry.EdgeStats_Reporter.SOURCE,
  sourceService: "shop/web",
  destinationService: "shop/catalog",
  sourceIdentity: "spiffe://t/ns/shop/sa/web",
  destinationIdentity: "spiffe://t/ns/shop/sa/catalog",
  destinationVersion: "v1",
  protocol: "http",
  mutualTls: true,
};

function outcome(status: number, latencyMs: number): Parameters<ReturnType<EdgeTable["get"]>["record"]>[0] {
  return {
    status,
    failed: status >= 500,
    denied: status === 403,
    latencyMs,
    bytesSent: 10,
    bytesReceived: 100,
    retries: 1,
  };
}

function event(parts: Partial<telemetry.TapEvent> = {}): telemetry.TapEvent {
  return telemetry.TapEvent.decode(
    telemetry.TapEvent.encode({
      ...telemetry.TapEvent.decode(new Uint8Array()),
      sourceService: "shop/web",
      destinationService: "shop/catalog",
      path: "/books",
      status: 200,
      ...parts,
    }).finish(),
  );
}

function setUp(): {
  clock: StoppedClock;
  edges: EdgeTable;
  reporter: TelemetryReporter;
  reports: telemetry.ProxyReport[];
  link: { up: boolean };
} {
  const clock = new StoppedClock();
  const edges = new EdgeTable(createMetricRegistry());
  const reports: telemetry.ProxyReport[] = [];
  const link = { up: true };
  const reporter = new TelemetryReporter({
    clock,
    edges,
    send: (report) => {
      if (link.up) reports.push(report);
      return link.up;
    },
    stats: () => ({ residentBytes: 1, openConnections: 2, uptimeMs: 3, version: "v", pid: 4 }),
  });
  return { clock, edges, reporter, reports, link };
}

const tap = (parts: Partial<telemetry.TapRequest> = {}): telemetry.TapRequest => ({
  id: "1",
  sourceService: "",
  destinationService: "",
  pathPrefix: "",
  minStatus: 0,
  maxPerSecond: 0,
  ...parts,
});

describe("the telemetry reporter", () => {
  it("sends what happened since the last report, every second", () => {
    const { clock, edges, reports } = setUp();
    const edge = edges.get(KEY);
    assert.equal(edges.get({ ...KEY }), edge);
    edge.record(outcome(200, 1.5));
    edge.record(outcome(503, 6000));
    edge.record(outcome(403, 1));
    clock.advance(1000);
    const [stats] = reports[0]?.edges ?? [];
    assert.equal(stats?.requests, 3);
    assert.equal(stats?.failures, 1);
    assert.equal(stats?.denied, 1);
    assert.equal(stats?.bytesReceived, 300);
    assert.equal(stats?.latencySumUs, 6_002_500);
    assert.deepEqual(stats?.latencyCounts, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    clock.advance(1000);
    assert.deepEqual(reports[1]?.edges, []);
    assert.equal(reports[1]?.proxy?.pid, 4);
  });

  it("shows requests to the taps that ask for them, soon, and to no others", () => {
    const { clock, reporter, reports } = setUp();
    assert.equal(reporter.tapping, false);
    reporter.onCommand({ taps: [tap({ destinationService: "shop/catalog", pathPrefix: "/b", minStatus: 400 })] });
    assert.equal(reporter.tapping, true);
    for (const parts of [
      { status: 404 },
      { status: 200 },
      { status: 500, path: "/x" },
      { status: 500, destinationService: "shop/other" },
    ]) {
      reporter.record(event(parts));
    }
    clock.advance(100);
    assert.deepEqual(
      reports.flatMap((report) => report.taps.map((shown) => shown.status)),
      [404],
    );
    reporter.onCommand({ taps: [] });
    assert.equal(reporter.tapping, false);
  });

  it("keeps each tap to its rate, and counts what it leaves out", () => {
    const { clock, reporter, reports } = setUp();
    reporter.onCommand({ taps: [tap({ maxPerSecond: 5 })] });
    for (let count = 0; count < 20; count++) reporter.record(event());
    clock.advance(100);
    assert.equal(reports[0]?.taps.length, 5);
    assert.equal(reports[0]?.tapsDropped, 15);
    clock.advance(900);
    reporter.record(event());
    clock.advance(100);
    assert.equal(reports.at(-1)?.taps.length, 1);
    assert.equal(reports.at(-1)?.tapsDropped, 0);
  });

  it("counts events that the stream did not take", () => {
    const { clock, reporter, reports, link } = setUp();
    reporter.onCommand({ taps: [tap()] });
    link.up = false;
    reporter.record(event());
    clock.advance(100);
    link.up = true;
    clock.advance(900);
    assert.equal(reports[0]?.tapsDropped, 1);
  });
});

describe("the edge table", () => {
  it("stops telling callers apart when there are too many of them", () => {
    const edges = new EdgeTable(createMetricRegistry());
    for (let count = 0; count < 6000; count++)
      edges.get({ ...KEY, sourceIdentity: `spiffe://t/ns/shop/sa/${count}` }).record(outcome(200, 1));
    const taken = edges.take();
    assert.ok(taken.length <= 5001);
    assert.equal(
      taken.reduce((sum, stats) => sum + stats.requests, 0),
      6000,
    );
  });
});
