// Several control planes on a real etcd: one killed, the leader killed, etcd away, the network of one cut. The long run is
// `npm run replicas`.

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";

import { runReplicas, type RunReport } from "./replicas/run.ts";
import { needsNetwork } from "./replicas/network.ts";
import { needsProgram } from "./requirements.ts";

describe("three control planes", { skip: needsProgram("etcd", "apt-get install etcd-server") }, () => {
  let report: RunReport;

  before(async () => {
    report = await runReplicas({
      faults: ["follower", "network", "leader", "etcd"],
      clients: 1,
      // Short outages; those of the network last until the proxies have noticed.
      lastsMs: { follower: 0, leader: 0, etcd: 3_000, network: 0 },
      say: () => undefined,
    });
  });

  it("fail no request of the applications, whichever of them is gone", () => {
    assert.ok(report.requests > 100);
    assert.deepEqual(report.failures, []);
  });

  it("take over the proxies of one that is gone, and bring changes to them", () => {
    const moved = report.faults.filter(({ movedMs }) => movedMs !== undefined).map(({ fault }) => fault);
    assert.deepEqual(moved, report.skipped === false ? ["follower", "network", "leader"] : ["follower", "leader"]);
  });

  it("go on when the network of one was cut", { skip: needsNetwork() }, () => {
    assert.equal(report.skipped, false);
    assert.ok(report.faults.some(({ fault, failedRequests }) => fault === "network" && failedRequests === 0));
  });

  it("lose no acknowledged write, and serve no stale read as a new one", () => {
    const { operations, acknowledged } = report.recorded;
    assert.ok(acknowledged.size > 10, `only ${acknowledged.size} writes`);
    assert.ok(operations.filter(({ kind }) => kind === "read").length > 10);
    assert.deepEqual(report.lost, []);
    assert.deepEqual(report.anomalies, []);
  });
});
