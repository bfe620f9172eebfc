// The comparison of mirrors, summed up: whose it is, and its bounds.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { telemetry } from "@ripstop/model";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { MirrorLog } from "./mirror-log.ts";
import { mergeMirrors } from "./mirror-sums.ts";

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
    const [view] = mergeMirrors(made.pairs(), false);
    assert.ok(view);
    assert.deepEqual([view.source, view.compared, view.statusDiffers, view.bodiesDiffer], ["shop/web", 20, 1, 1]);
    assert.ok(view.primaryP50Ms <= 2 && view.primaryP99Ms > 2 && view.primaryP99Ms <= 5);
    assert.ok(view.mirrorP50Ms > 20 && view.mirrorP50Ms <= 50);
    assert.ok(view.primaryP95Ms > view.primaryP50Ms && view.primaryP95Ms <= view.primaryP99Ms);
  });

  it("counts answers by class of status, and puts callers and control planes together", () => {
    const [here, there] = [log(), log()];
    for (const made of [here, there])
      made.onReport(
        "shop/web-1",
        report({ compared: 4, primaryStatusCounts: [0, 0, 4, 0, 0, 0], mirrorStatusCounts: [1, 0, 2, 0, 0, 1] }),
      );
    const other = there.pairs().map((pair) => ({ ...pair, source: "shop/app" }));
    const [view, ...none] = mergeMirrors([...here.pairs(), ...there.pairs(), ...other], true);
    assert.ok(view);
    assert.deepEqual([none, view.source, view.compared], [[], "", 12]);
    assert.deepEqual(view.primaryStatuses, [{ class: "2xx", count: 12 }]);
    assert.deepEqual(view.mirrorStatuses, [
      { class: "2xx", count: 6 },
      { class: "5xx", count: 3 },
      { class: "none", count: 3 },
    ]);
    assert.deepEqual(
      mergeMirrors([...here.pairs(), ...other], false).map(({ source }) => source),
      ["shop/app", "shop/web"],
    );
  });

  it("knows no classes of a proxy that does not say them", () => {
    const made = log();
    made.onReport("shop/web-1", report({ compared: 1 }));
    assert.deepEqual(mergeMirrors(made.pairs(), false)[0]?.primaryStatuses, []);
  });

  it("hears registered workloads alone, and no endless names", () => {
    const made = log();
    made.onReport("bank/x", report({ compared: 1 }));
    made.onReport("shop/web-1", report({ mirror: "x".repeat(131) }, { primary: "" }));
    assert.deepEqual(mergeMirrors(made.pairs(), false), []);
  });

  it("drops the pair that was silent longest when there are too many", () => {
    const made = log(2);
    for (const mirror of ["shop/1", "shop/2", "shop/1", "shop/3"]) made.onReport("shop/web-1", report({ mirror }));
    assert.deepEqual(
      mergeMirrors(made.pairs(), false).map(({ mirror }) => mirror),
      ["shop/1", "shop/3"],
    );
  });
});
