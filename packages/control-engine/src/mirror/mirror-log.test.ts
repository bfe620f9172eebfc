// The comparison of mirrors, summed up: whose it is, and its bounds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { telemetry } from "@ripstop/model";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { MirrorLog } from "./mirror-log.ts";

const web = { id: "shop/web-1", namespace: "shop", service: "web" } as RegisteredWorkload;

function report(...stats: readonly Partial<telemetry.MirrorStats>[]): telemetry.ProxyReport {
  const none = telemetry.MirrorStats.decode(new Uint8Array());
  return {
    ...telemetry.ProxyReport.decode(new Uint8Array()),
    mirrors: { stats: stats.map((one) => ({ ...none, primary: "shop/a", mirror: "shop/b", ...one })) },
  };
}

describe("the comparison of mirrors", () => {
  const log = (maxPairs?: number): MirrorLog =>
    new MirrorLog({
      workload: (id) => (id === web.id ? web : undefined),
      ...(maxPairs === undefined ? {} : { maxPairs }),
    });

  it("adds up what proxies report, and says quantiles of both sides", () => {
    const made = log();
    const latencies = { primaryLatencyCounts: [0, 9, 1], mirrorLatencyCounts: [0, 0, 0, 0, 0, 10] };
    made.onReport("shop/web-1", report({ compared: 10, statusDiffers: 1, ...latencies }));
    made.onReport("shop/web-1", report({ compared: 10, bodiesCompared: 2, bodiesDiffer: 1, ...latencies }));
    const [view] = made.list();
    assert.ok(view);
    assert.deepEqual([view.source, view.compared, view.statusDiffers, view.bodiesDiffer], ["shop/web", 20, 1, 1]);
    assert.ok(view.primaryP50Ms <= 2 && view.primaryP99Ms > 2 && view.primaryP99Ms <= 5);
    assert.ok(view.mirrorP50Ms > 20 && view.mirrorP50Ms <= 50);
  });

  it("hears registered workloads alone, and no endless names", () => {
    const made = log();
    made.onReport("bank/x", report({ compared: 1 }));
    made.onReport("shop/web-1", report({ mirror: "x".repeat(131) }, { primary: "" }));
    assert.deepEqual(made.list(), []);
  });

  it("drops the pair that was silent longest when there are too many", () => {
    const made = log(2);
    for (const mirror of ["shop/1", "shop/2", "shop/1", "shop/3"]) made.onReport("shop/web-1", report({ mirror }));
    assert.deepEqual(
      made.list().map(({ mirror }) => mirror),
      ["shop/1", "shop/3"],
    );
  });
});
