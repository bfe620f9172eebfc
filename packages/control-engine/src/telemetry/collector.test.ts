// The collector: the live graph out of what both ends report.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { telemetry } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { mergeTraffic, type WorkloadTraffic } from "./traffic-parts.ts";
import { Collector } from "./collector.ts";
import { quantileMs } from "./edge-window.ts";

const { SOURCE, DESTINATION } = telemetry.EdgeStats_Reporter;

function workload(service: string, version = ""): RegisteredWorkload {
  return {
    id: `shop/${service}-1`,
    namespace: "shop",
    service,
    serviceAccount: service,
    spiffeId: `spiffe://mesh.local/ns/shop/sa/${service}`,
    labels: { app: service, version },
    ports: [],
    pid: 1,
    registeredMs: 0,
    inboundAddress: "",
    ready: true,
    svidNotAfterMs: 0,
  };
}

function edge(change: Partial<telemetry.EdgeStats>): telemetry.EdgeStats {
  return {
    reporter: SOURCE,
    sourceService: "shop/web",
    destinationService: "shop/catalog",
    sourceIdentity: "",
    destinationIdentity: "",
    destinationVersion: "",
    protocol: "http",
    mutualTls: true,
    requests: 0,
    failures: 0,
    denied: 0,
    bytesSent: 0,
    bytesReceived: 0,
    latencySumUs: 0,
    latencyCounts: [],
    retries: 0,
    connections: 0,
    ...change,
  };
}

function report(...edges: telemetry.EdgeStats[]): telemetry.ProxyReport {
  return {
    edges,
    taps: [],
    tapsDropped: 0,
    proxy: { residentBytes: 5, openConnections: 0, uptimeMs: 0, version: "", pid: 77 },
  };
}

describe("Collector", () => {
  let clock: StoppedClock;
  let collector: Collector;
  const workloads = [workload("web"), workload("catalog", "v1"), workload("stock")];

  function make(maxEdges = 10_000): Collector {
    return new Collector({
      clock,
      workload: (id) => workloads.find((one) => one.id === id),
      workloads: () => workloads,
      canonicalService: (name) => (name === "shop/catalog-v1" ? "shop/catalog" : name),
      maxEdges,
    });
  }

  beforeEach(() => {
    clock = new StoppedClock();
    collector = make();
  });

  const traffic = (): WorkloadTraffic => mergeTraffic([collector.workload("shop/catalog-1", true)]);

  it("shows every registered service, and an edge for traffic", () => {
    collector.onReport(
      "shop/web-1",
      report(edge({ requests: 100, failures: 10, bytesSent: 1_000, latencyCounts: [0, 0, 100] })),
    );
    const graph = collector.graph();
    assert.deepEqual(graph.nodes, [
      { service: "shop/catalog", versions: ["v1"], workloads: 1, ready: 1 },
      { service: "shop/stock", versions: [], workloads: 1, ready: 1 },
      { service: "shop/web", versions: [], workloads: 1, ready: 1 },
    ]);
    assert.deepEqual(graph.edges, [
      {
        source: "shop/web",
        destination: "shop/catalog",
        protocol: "http",
        mutualTls: true,
        requestsPerSecond: 10,
        successRate: 0.9,
        deniedPerSecond: 0,
        p50Ms: 3.5,
        p99Ms: 4.97,
        requestsTotal: 100,
        bytesPerSecond: 100,
        byVersion: {},
      },
    ]);
  });

  it("counts a request that both ends report once, with the refusals of its destination", () => {
    collector.onReport(
      "shop/web-1",
      report(edge({ requests: 50, destinationService: "shop/catalog-v1", destinationVersion: "v1" })),
    );
    collector.onReport("shop/catalog-1", report(edge({ reporter: DESTINATION, requests: 50, denied: 20 })));
    const { edges } = collector.graph();
    assert.equal(edges.length, 1);
    assert.equal(edges[0]?.requestsTotal, 50);
    assert.equal(edges[0]?.deniedPerSecond, 2);
    assert.deepEqual(edges[0]?.byVersion, { v1: 50 });
  });

  it("has rates of the last ten seconds and totals of all time", () => {
    for (let second = 0; second < 20; second++) {
      collector.onReport("shop/web-1", report(edge({ requests: 5 })));
      clock.advance(1_000);
    }
    assert.equal(collector.graph().edges[0]?.requestsPerSecond, 4.5);
    assert.equal(collector.graph().edges[0]?.requestsTotal, 100);
    clock.advance(10_000);
    assert.equal(collector.graph().edges[0]?.requestsPerSecond, 0);
    assert.equal(collector.graph().edges[0]?.successRate, 1);
    assert.equal(collector.graph().edges[0]?.requestsTotal, 100);
  });

  it("marks an edge that was not mutual TLS at either end", () => {
    collector.onReport("shop/web-1", report(edge({ requests: 1 })));
    collector.onReport("shop/catalog-1", report(edge({ reporter: DESTINATION, requests: 1, mutualTls: false })));
    assert.equal(collector.graph().edges[0]?.mutualTls, false);
  });

  it("shows callers that it does not know as outside, and counts TCP connections", () => {
    collector.onReport(
      "shop/stock-1",
      report(edge({ reporter: DESTINATION, sourceService: "", connections: 3, protocol: "tcp" })),
    );
    const [only] = collector.graph().edges;
    assert.equal(only?.source, "outside");
    assert.equal(only?.destination, "shop/stock");
    assert.equal(only?.requestsTotal, 3);
  });

  it("does not let a proxy speak for another service, nor an unknown proxy at all", () => {
    collector.onReport("shop/web-1", report(edge({ sourceService: "shop/bank", requests: 1 })));
    collector.onReport("shop/ghost", report(edge({ requests: 1 })));
    assert.deepEqual(
      collector.graph().edges.map(({ source }) => source),
      ["shop/web"],
    );
  });

  it("tells a workload's inbound requests, and whether the last minute was all mutual TLS", () => {
    const inbound = (mutualTls: boolean): void =>
      collector.onReport("shop/catalog-1", report(edge({ reporter: DESTINATION, requests: 2, mutualTls })));
    assert.equal(traffic().mutualTls, undefined);
    inbound(true);
    assert.deepEqual(traffic(), { requests: 2, mutualTls: true, residentBytes: 5, pid: 77 });
    inbound(false);
    assert.equal(traffic().mutualTls, false);
    clock.advance(30_000);
    inbound(true);
    assert.equal(traffic().mutualTls, false);
    clock.advance(31_000);
    assert.equal(traffic().mutualTls, true);
    clock.advance(60_000);
    assert.equal(traffic().mutualTls, undefined);
    assert.equal(traffic().requests, 6);
    collector.forget("shop/catalog-1");
    assert.equal(traffic().requests, 0);
  });

  it("drops the edge that was silent longest when there are too many", () => {
    collector = make(3);
    for (let index = 0; index < 5; index++) {
      collector.onReport("shop/web-1", report(edge({ destinationService: `shop/d${index}`, requests: 1 })));
      clock.advance(1_000);
    }
    assert.deepEqual(
      collector.graph().edges.map(({ destination }) => destination),
      ["shop/d2", "shop/d3", "shop/d4"],
    );
    assert.equal(collector.edgesDropped, 2);
  });

  it("takes numbers that are none as nothing", () => {
    collector.onReport(
      "shop/web-1",
      report(edge({ requests: 1, latencyCounts: [Number.NaN, -5, 1], bytesSent: Number.POSITIVE_INFINITY })),
    );
    const [only] = collector.graph().edges;
    assert.equal(only?.bytesPerSecond, 0);
    assert.equal(only?.p50Ms, 3.5);
  });
});

describe("quantileMs", () => {
  it("interpolates in the bucket, and is 0 without requests", () => {
    assert.equal(quantileMs([], 0.5), 0);
    assert.equal(quantileMs([10, 0, 10], 0.5), 1);
    assert.equal(quantileMs([0, 0, 10], 0.5), 3.5);
    assert.equal(quantileMs([...Array.from({ length: 12 }, () => 0), 4], 0.5), 7_500);
  });
});
