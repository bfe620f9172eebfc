// What is seen of the mesh, put together from what each control plane sees.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import type { EgressSeenView, MeshEvent, UnknownReplica } from "@ripstop/model";

import type { EdgePart, SidePart, WorkloadPart } from "../telemetry/traffic-parts.ts";
import { MeshObservation, type TrafficParts } from "./mesh-observation.ts";
import type { Said } from "./mesh-streams.ts";
import { mergeEdges, mergeTraffic } from "../telemetry/traffic-parts.ts";

const side = (requests: number, change: Partial<SidePart> = {}): SidePart => ({
  requests,
  failures: 0,
  denied: 0,
  bytes: 0,
  latencyCounts: Array.from({ length: 13 }, () => 0),
  requestsTotal: requests,
  mutualTls: true,
  byVersion: {},
  ...change,
});

const edge = (atSource: SidePart, atDestination: SidePart): EdgePart => ({
  source: "shop/web",
  destination: "shop/stock",
  protocol: "http",
  atSource,
  atDestination,
});

const workload = (change: Partial<WorkloadPart>): WorkloadPart => ({
  id: "shop/web-1",
  connected: false,
  requests: 0,
  isPlain: false,
  isMutual: false,
  processes: [],
  ...change,
});

describe("edges of several control planes", () => {
  it("count a request once that both ends report, each elsewhere, and refusals by the destination", () => {
    const [merged, ...none] = mergeEdges([
      edge(side(10, { failures: 1 }), side(0)),
      edge(side(0), side(9, { denied: 2, byVersion: { v1: 9 } })),
    ]);
    assert.deepEqual(none, []);
    assert.equal(merged?.requestsTotal, 10);
    assert.equal(merged.requestsPerSecond, 1);
    assert.equal(merged.deniedPerSecond, 0.2);
    assert.equal(merged.successRate, 7 / 8);
    assert.deepEqual(merged.byVersion, { v1: 9 });
  });

  it("add up callers that are at several, and call the edge encrypted when all of it is", () => {
    const [merged] = mergeEdges([
      edge(side(10, { byVersion: { v1: 10 }, latencyCounts: [10] }), side(0)),
      edge(side(5, { byVersion: { v1: 2, v2: 3 }, mutualTls: false, latencyCounts: [0] }), side(0)),
    ]);
    assert.deepEqual([merged?.requestsTotal, merged?.mutualTls], [15, false]);
    assert.deepEqual(merged?.byVersion, { v1: 12, v2: 3 });
  });
});

describe("the traffic of a workload at several control planes", () => {
  const process = (slot: number, ageS: number, pid = slot): WorkloadPart["processes"][number] => ({
    slot,
    residentBytes: 100,
    pid,
    ageS,
  });

  it("adds requests, and is mutual TLS when all of it is", () => {
    const parts = [workload({ requests: 3, isMutual: true }), workload({ requests: 4 })];
    assert.deepEqual(mergeTraffic(parts), { requests: 7, mutualTls: true, residentBytes: 0, pid: 0 });
    assert.equal(mergeTraffic([...parts, workload({ isPlain: true })]).mutualTls, false);
  });

  it("takes of each process what it said last, and of those that fell silent nothing", () => {
    const moved = mergeTraffic([
      workload({ processes: [process(0, 90, 77), process(1, 1)] }),
      workload({ processes: [process(0, 0, 78), process(2, 60)] }),
    ]);
    assert.deepEqual([moved.pid, moved.residentBytes], [78, 200]);
  });
});

describe("MeshObservation", () => {
  const unknown: UnknownReplica[] = [
    { id: "three", streamAddress: "three:1", proxies: 2, reason: "it does not answer" },
  ];
  const happened = (number: number, timeMs: number): MeshEvent => ({
    number,
    timeMs,
    severity: "info",
    type: "X",
    subject: `${timeMs}`,
    message: "",
  });
  const called = (change: Partial<EgressSeenView>): EgressSeenView => ({
    service: "shop/web",
    host: "example.com",
    port: 443,
    protocol: "tcp",
    count: 1,
    denied: 0,
    firstSeenMs: 5,
    lastSeenMs: 5,
    ...change,
  });
  let own: TrafficParts;
  let answers: Map<string, unknown>;
  let asked: string[];
  let id: string | undefined;
  let observation: MeshObservation;

  beforeEach(() => {
    own = { edges: [edge(side(1), side(0))], workloads: [workload({ requests: 1 })], mirrors: [] };
    answers = new Map();
    asked = [];
    id = "one";
    observation = new MeshObservation(
      {
        traffic: () => own,
        events: (after) => [happened(1, 10), happened(2, 30)].filter(({ number }) => number > after),
        egress: () => [called({})],
        graph: (edges) => ({ timeMs: 0, nodes: [], edges: mergeEdges(edges) }),
      },
      {
        get id() {
          return id;
        },
        ask<Answer>(path: string): Promise<Said<Answer>> {
          asked.push(path);
          const answer = answers.get(path);
          // As the route would answer.
          const said = answer === undefined ? [] : [{ replica: "two", answer: answer as Answer }];
          return Promise.resolve({ answers: said, unknown });
        },
      },
    );
  });

  it("puts figures together and names who does not answer", async () => {
    answers.set("/v1/replica/traffic", {
      ...own,
      workloads: [workload({ requests: 2, connected: true })],
    } satisfies TrafficParts);
    const graph = await observation.graph(false);
    assert.deepEqual([graph.edges[0]?.requestsTotal, graph.unknown], [2, unknown]);
    const traffic = await observation.traffic(false);
    assert.deepEqual(traffic.unknown, unknown);
    const { requests, connected } = traffic.workload("shop/web-1");
    assert.deepEqual([requests, connected], [3, true]);
    assert.deepEqual(traffic.workload("shop/other-1").connected, false);
  });

  it("orders events by time, with where they happened, and filters each by its own numbers", async () => {
    answers.set("/v1/replica/events?after=0", { events: [happened(1, 20), happened(2, 40)] });
    const { events } = await observation.events(false, 0);
    assert.deepEqual(
      events.map(({ subject, replica }) => [subject, replica]),
      [
        ["10", "one"],
        ["20", "two"],
        ["30", "one"],
        ["40", "two"],
      ],
    );
    await observation.events(false, 1);
    assert.equal(asked.at(-1), "/v1/replica/events?after=1");
  });

  it("adds up calls of hosts outside", async () => {
    answers.set("/v1/replica/egress", {
      seen: [
        called({ count: 4, denied: 1, firstSeenMs: 1, lastSeenMs: 9 }),
        called({ host: "a.example" }),
        called({ gateway: "shop/out" }),
      ],
    });
    const { seen } = await observation.egress(false);
    assert.deepEqual(seen, [
      called({ host: "a.example" }),
      called({ count: 5, denied: 1, firstSeenMs: 1, lastSeenMs: 9 }),
      called({ gateway: "shop/out" }),
    ]);
  });

  it("asks each of the others once for all who look at the same time, and anew for who looks later", async () => {
    await Promise.all([observation.graph(false), observation.traffic(false), observation.mirrors(false, true)]);
    assert.deepEqual(asked, ["/v1/replica/traffic"]);
    await observation.graph(false);
    assert.equal(asked.length, 2);
  });

  it("asks nobody about itself, or when it is alone", async () => {
    const look = async (isHere: boolean): Promise<void> => {
      assert.equal((await observation.graph(isHere)).unknown, undefined);
      assert.equal((await observation.events(isHere, 0)).events[0]?.replica, undefined);
      assert.equal((await observation.egress(isHere)).seen.length, 1);
    };
    await look(true);
    id = undefined;
    await look(false);
    assert.deepEqual(asked, []);
  });
});
