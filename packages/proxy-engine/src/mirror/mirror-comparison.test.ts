// Comparing a mirror with the service, in whichever order they answer.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { createMetricRegistry } from "@ripstop/telemetry";

import { BODY_SHARE, MirrorComparison } from "./mirror-comparison.ts";
import { MirrorTable } from "./mirror-table.ts";

const pair = { source: "shop/web", primary: "shop/stock", mirror: "shop/stock-next" };

function bench(random = 0): {
  readonly table: MirrorTable;
  readonly comparison: MirrorComparison;
  readonly render: () => string;
} {
  const metrics = createMetricRegistry();
  const table = new MirrorTable(metrics);
  return { table, comparison: new MirrorComparison(table, random), render: () => metrics.render() };
}

const bytes = (text: string): readonly [Buffer, number, number] => [Buffer.from(text), 0, text.length];

describe("the comparison of a mirror", () => {
  it("counts status, body and latency of both, whoever answers first", () => {
    for (const mirrorFirst of [true, false]) {
      const { table, comparison } = bench();
      const mirror = comparison.watch(pair);
      const answers = [
        () => {
          comparison.primary.body(...bytes("same "));
          comparison.primary.body(...bytes("text"));
          comparison.primary.end(200, 3, true);
        },
        () => {
          mirror.body(...bytes("same text"));
          mirror.end(200, 30, true);
        },
      ];
      for (const answer of mirrorFirst ? answers.toReversed() : answers) answer();
      const [stats] = table.take();
      assert.ok(stats);
      assert.deepEqual([stats.compared, stats.statusDiffers, stats.bodiesCompared, stats.bodiesDiffer], [1, 0, 1, 0]);
      assert.deepEqual([stats.primaryLatencyCounts[2], stats.mirrorLatencyCounts[5]], [1, 1]);
      assert.deepEqual(table.take(), []);
    }
  });

  it("sees another status, another body, and a mirror that fails", () => {
    const { table, comparison, render } = bench();
    const [status, body, failed] = [comparison.watch(pair), comparison.watch(pair), comparison.watch(pair)];
    comparison.primary.body(...bytes("a"));
    comparison.primary.end(200, 1, true);
    status.end(404, 1, true);
    body.body(...bytes("b"));
    body.end(200, 1, true);
    failed.end(0, 1, false);
    const [stats] = table.take();
    assert.ok(stats);
    assert.deepEqual([stats.compared, stats.statusDiffers, stats.bodiesDiffer, stats.mirrorFailures], [3, 2, 2, 1]);
    // None at all, 1xx, 2xx, 3xx, 4xx, 5xx.
    assert.deepEqual(stats.primaryStatusCounts, [0, 0, 3, 0, 0, 0]);
    assert.deepEqual(stats.mirrorStatusCounts, [1, 0, 1, 0, 1, 0]);
    assert.match(render(), /ripstop_mirror_compared_total\{[^}]*result="body"[^}]*\} 1/);
    assert.match(render(), /ripstop_mirror_compared_total\{[^}]*result="status"[^}]*\} 2/);
  });

  it("looks at the bodies of a share of the requests alone", () => {
    const { table, comparison } = bench(BODY_SHARE);
    const mirror = comparison.watch(pair);
    comparison.primary.body(...bytes("a"));
    mirror.body(...bytes("b"));
    comparison.primary.end(200, 1, true);
    mirror.end(200, 1, true);
    assert.equal(table.take()[0]?.bodiesCompared, 0);
  });

  it("compares nothing that client or proxy gave up", () => {
    const { table, comparison } = bench();
    comparison.watch(pair).giveUp();
    const other = comparison.watch(pair);
    comparison.primary.giveUp();
    other.end(200, 1, true);
    assert.deepEqual(table.take(), []);
  });
});
