// Sharing out rate limits: sums, skew, processes that go, a control plane that starts anew.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";

import { CLOSED_MS, SETTLE_MS, ShareKeeper, SILENT_MS } from "./share-keeper.ts";
import { shareOut } from "./share-out.ts";

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe("sharing out a limit", () => {
  it("hands out exactly all of it, and never less than is asked for while there is enough", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 5, noNaN: true }), { minLength: 1, maxLength: 40 }), (demands) => {
        const shares = shareOut(demands);
        assert.ok(Math.abs(sum(shares) - 1) < 1e-9);
        assert.ok(shares.every((share) => share > 0));
        if (sum(demands) <= 0.98)
          for (const [at, share] of shares.entries()) assert.ok(share >= (demands[at] ?? 0) - 1e-9);
      }),
    );
  });

  it("gives those who ask for little all of it, and the others the same", () => {
    const [small, middle, large, huge] = shareOut([0.1, 0.3, 1, 2]);
    assert.ok(Math.abs((small ?? 0) - 0.1) < 1e-9);
    for (const share of [middle, large, huge]) assert.ok(Math.abs((share ?? 0) - 0.3) < 1e-9);
  });

  it("shares what nobody asks for evenly, so that whoever asks for more can have it at once", () => {
    const [a, b] = shareOut([0.2, 0.4]);
    assert.ok(Math.abs((a ?? 0) - 0.4) < 1e-9);
    assert.ok(Math.abs((b ?? 0) - 0.6) < 1e-9);
  });

  it("leaves the idle a little, so that their first request passes", () => {
    const [idle, busy] = shareOut([0, 5]);
    assert.ok((idle ?? 0) > 0.005 && (busy ?? 0) > 0.98);
  });
});

/** A keeper after its settling time, and the last share that it sent to each "PROXY#SLOT". */
function keeper(options: { readonly settled?: boolean } = {}): {
  readonly clock: StoppedClock;
  readonly keeper: ShareKeeper;
  readonly shares: Map<string, number>;
  report(proxyId: string, rate: number, more?: { slot?: number; limit?: string; key?: string }): void;
} {
  const clock = new StoppedClock();
  const shares = new Map<string, number>();
  const made = new ShareKeeper({
    clock,
    namespaceOf: (id) => id.split("/")[0],
    send(proxyId, slot, sent) {
      for (const { key, share } of sent) shares.set(`${proxyId}#${slot}${key}`, share);
    },
  });
  if (options.settled !== false) clock.advance(SETTLE_MS);
  return {
    clock,
    keeper: made,
    shares,
    report(proxyId, rate, { slot = 0, limit = "shop/limit/all", key = "" } = {}) {
      const demands = rate === 0 ? [] : [{ workload: proxyId, limit, key, rate }];
      made.onReport(proxyId, slot, {
        edges: [],
        taps: [],
        tapsDropped: 0,
        proxy: undefined,
        limits: { demands },
      });
    },
  };
}

describe("the keeper of shares", () => {
  it("gives the only process that asks the whole limit, at once", () => {
    const { shares, report } = keeper();
    report("shop/a", 3);
    assert.equal(shares.get("shop/a#0"), 1);
  });

  it("follows a skewed load within two seconds, and the shares always sum up to the limit", () => {
    const { clock, keeper: made, shares, report } = keeper();
    for (let second = 0; second < 3; second++) {
      for (const [name, rate] of [
        ["a", 0.1],
        ["b", 0.3],
        ["c", 0.6],
        ["d", 2],
      ] as const)
        report(`shop/${name}`, rate);
      clock.advance(1_000);
    }
    assert.ok(Math.abs(sum(made.shares().map(({ share }) => share)) - 1) < 1e-9);
    assert.ok(Math.abs((shares.get("shop/a#0") ?? 0) - 0.1) < 0.01);
    assert.ok(Math.abs((shares.get("shop/d#0") ?? 0) - 0.3) < 0.01);
  });

  it("hands the share of a killed process to the others", () => {
    const { clock, keeper: made, shares, report } = keeper();
    report("shop/a", 2);
    report("shop/b", 2);
    clock.advance(1_000);
    assert.ok(Math.abs((shares.get("shop/a#0") ?? 0) - 0.5) < 0.01);
    made.onClosed("shop/b", 0);
    for (let second = 0; second <= CLOSED_MS / 1_000 + 1; second++) {
      report("shop/a", 2);
      clock.advance(1_000);
    }
    assert.equal(shares.get("shop/a#0"), 1);
  });

  it("leaves a process its share whose stream comes back in a moment", () => {
    const { clock, keeper: made, shares, report } = keeper();
    report("shop/a", 2);
    report("shop/b", 2);
    made.onClosed("shop/b", 0);
    clock.advance(1_000);
    report("shop/b", 2);
    report("shop/a", 2);
    clock.advance(2_000);
    assert.ok(Math.abs((shares.get("shop/a#0") ?? 0) - 0.5) < 0.01);
  });

  it("takes silence for death", () => {
    const { clock, shares, report } = keeper();
    report("shop/a", 2);
    report("shop/b", 2);
    for (let second = 0; second <= SILENT_MS / 1_000 + 1; second++) {
      report("shop/a", 2);
      clock.advance(1_000);
    }
    assert.equal(shares.get("shop/a#0"), 1);
  });

  it("hands out nothing right after its start, so that shares of the keeper before it stay in force", () => {
    const { clock, shares, report } = keeper({ settled: false });
    report("shop/a", 2);
    clock.advance(SETTLE_MS - 1_000);
    assert.equal(shares.size, 0);
    report("shop/a", 2);
    report("shop/b", 2);
    clock.advance(1_000);
    assert.ok(Math.abs((shares.get("shop/a#0") ?? 0) - 0.5) < 0.01);
  });

  it("shares among the workers of one proxy as among proxies: together they are one", () => {
    const { clock, shares, report } = keeper();
    report("shop/a", 1, { slot: 0 });
    report("shop/a", 1, { slot: 1 });
    report("shop/b", 1);
    clock.advance(1_000);
    for (const share of shares.values()) assert.ok(Math.abs(share - 1 / 3) < 0.01);
  });

  it("keeps keys apart", () => {
    const { clock, shares, report } = keeper();
    report("shop/a", 2, { key: "~x" });
    report("shop/b", 2, { key: "~y" });
    clock.advance(1_000);
    assert.equal(shares.get("shop/a#0~x"), 1);
    assert.equal(shares.get("shop/b#0~y"), 1);
  });

  it("hears no process about limits of another namespace", () => {
    const { shares, report } = keeper();
    report("shop/a", 2, { limit: "bank/limit/all" });
    assert.equal(shares.size, 0);
  });

  it("shares out its own part alone, where other control planes have theirs", () => {
    const clock = new StoppedClock();
    const shares = new Map<string, number>();
    const made = new ShareKeeper({
      clock,
      namespaceOf: () => "shop",
      partOf: (namespace) => (namespace === "shop" ? 0.25 : 1),
      send: (proxyId, _slot, sent) => sent.forEach(({ share }) => shares.set(proxyId, share)),
    });
    clock.advance(SETTLE_MS);
    for (const [proxyId, rate] of [
      ["shop/a", 0.05],
      ["shop/b", 2],
    ] as const) {
      made.onReport(proxyId, 0, {
        edges: [],
        taps: [],
        tapsDropped: 0,
        proxy: undefined,
        limits: { demands: [{ workload: proxyId, limit: "shop/limit/all", key: "", rate }] },
      });
    }
    clock.advance(1_000);
    assert.ok(Math.abs((shares.get("shop/a") ?? 0) - 0.05) < 0.01);
    assert.ok(Math.abs((shares.get("shop/b") ?? 0) - 0.2) < 0.01);
  });

  it("forgets a limit that nobody is asked for", () => {
    const { clock, keeper: made, report } = keeper();
    report("shop/a", 2);
    for (let second = 0; second < 62; second++) {
      report("shop/a", 0);
      clock.advance(1_000);
    }
    assert.equal(made.shares().length, 0);
  });
});
