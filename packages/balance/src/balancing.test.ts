// Localities, subsets, weights that breathe, outliers by comparison, rest, panic: what a set does beyond picking.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { EndpointSet, type BalanceSettings } from "./endpoint-set.ts";
import { EndpointState } from "./endpoint-state.ts";
import { levelShares } from "./locality-levels.ts";
import { OutlierDetector, type OutlierOptions } from "./outlier-detector.ts";
import { endpoints, seededRandom } from "./picker.suite.ts";
import { WeightedPicker } from "./weighted-picker.ts";

const OUTLIERS: OutlierOptions = { afterFailures: 5, baseMs: 1000, maxMs: 8000, maxShare: 0.5 };

function setOf(
  members: readonly EndpointState[],
  settings: BalanceSettings = {},
  outliers: OutlierOptions = OUTLIERS,
): EndpointSet<EndpointState> {
  const random = seededRandom(11);
  const set = new EndpointSet<EndpointState>({
    picker: () => new WeightedPicker(random),
    outliers: new OutlierDetector(outliers),
    random,
  });
  set.configure(settings, 1);
  set.replace(members, 1);
  return set;
}

function share(set: EndpointSet<EndpointState>, nowMs: number, of: (endpoint: EndpointState) => boolean): number {
  let hits = 0;
  for (let draw = 0; draw < 4000; draw++) {
    const chosen = set.pick(nowMs, []);
    if (chosen !== undefined && of(chosen)) hits++;
  }
  return hits / 4000;
}

const near = (got: number, wanted: number): void => assert.ok(Math.abs(got - wanted) < 0.05, `${got} for ${wanted}`);

describe("localities", () => {
  const LOCALITY = { region: "eu", zone: "a", maxInflight: 10, targetUtilization: 0.8 };
  function placed(region: string, zone: string): EndpointState {
    const endpoint = new EndpointState(`${zone}${Math.trunc(counter++)}`, 1, true);
    endpoint.region = region;
    endpoint.zone = zone;
    return endpoint;
  }
  let counter = 0;
  const threeZones = (): EndpointState[] =>
    ["a", "a", "a", "a", "b", "b", "b", "b", "x", "x", "x", "x"].map((zone) =>
      placed(zone === "x" ? "us" : "eu", zone),
    );

  it("keep requests in the zone while it is well", () => {
    const set = setOf(threeZones(), { locality: LOCALITY });
    assert.equal(
      share(set, 2, ({ zone }) => zone === "a"),
      1,
    );
  });

  it("overflow to the region, then everywhere, as health goes", () => {
    const members = threeZones();
    const set = setOf(members, { locality: LOCALITY });
    for (const endpoint of members.slice(0, 2)) endpoint.healthy = false;
    set.changed(3);
    near(
      share(set, 3, ({ zone }) => zone === "a"),
      0.7,
    );
    near(
      share(set, 3, ({ zone }) => zone === "b"),
      0.3,
    );
    for (const endpoint of members.slice(0, 8)) endpoint.healthy = false;
    set.changed(4);
    assert.equal(
      share(set, 4, ({ zone }) => zone === "x"),
      1,
    );
  });

  it("pass on what a full zone cannot take, and take it back", () => {
    const members = threeZones();
    const set = setOf(members, { locality: LOCALITY });
    for (const endpoint of members.slice(0, 4)) endpoint.inflight = 30;
    for (let now = 1000; now < 6000; now += 500) set.pick(now, []);
    assert.ok(share(set, 6000, ({ zone }) => zone === "a") < 0.5);
    for (const endpoint of members.slice(0, 4)) endpoint.inflight = 1;
    for (let now = 6500; now < 60_000; now += 500) set.pick(now, []);
    assert.ok(share(set, 60_000, ({ zone }) => zone === "a") > 0.99);
  });

  it("do not matter to a caller that does not know its own", () => {
    const set = setOf(threeZones(), { locality: { ...LOCALITY, zone: "" } });
    near(
      share(set, 2, ({ zone }) => zone === "a"),
      1 / 3,
    );
  });

  it("share out everything, whatever is left", () => {
    const level = (
      total: number,
      usable: number,
      capacity = 1,
    ): { total: number; usable: number; capacity: number } => ({
      total,
      usable,
      capacity,
    });
    for (const levels of [
      [level(4, 1), level(4, 1), level(4, 0)],
      [level(4, 4, 0.05), level(0, 0), level(0, 0)],
      [level(4, 4, 0.2), level(4, 4, 0.1), level(1, 1)],
    ])
      near(
        levelShares(levels).reduce((sum, value) => sum + value, 0),
        1,
      );
    assert.deepEqual(levelShares([level(0, 0)]), [0]);
  });
});

describe("tiers of priority", () => {
  const LOCALITY = { region: "eu", zone: "a", maxInflight: 10, targetUtilization: 0.8 };
  const tier = (priority: number, zone = ""): EndpointState => {
    const endpoint = new EndpointState(`${priority}${zone}${counter++}`, 1, true);
    endpoint.priority = priority;
    endpoint.region = "eu";
    endpoint.zone = zone;
    return endpoint;
  };
  let counter = 0;

  it("get nothing while those before them carry everything", () => {
    const set = setOf([tier(0), tier(0), tier(1), tier(7)]);
    assert.equal(
      share(set, 2, ({ priority }) => priority === 0),
      1,
    );
  });

  it("take over what those before them cannot carry, in their order", () => {
    const members = [tier(0), tier(0), tier(0), tier(0), tier(1), tier(2)];
    const set = setOf(members);
    for (const member of members.slice(0, 2)) member.healthy = false;
    set.changed(2);
    // 2 of 4 carry 1.4 times their part.
    near(
      share(set, 3, ({ priority }) => priority === 0),
      0.7,
    );
    near(
      share(set, 3, ({ priority }) => priority === 1),
      0.3,
    );
    for (const member of members.slice(0, 5)) member.healthy = false;
    set.changed(4);
    assert.equal(
      share(set, 5, ({ priority }) => priority === 2),
      1,
    );
  });

  it("come before places: a far endpoint of a better tier is used before a near one", () => {
    const set = setOf([tier(0, "b"), tier(1, "a")], { locality: LOCALITY });
    assert.equal(
      share(set, 2, ({ priority }) => priority === 0),
      1,
    );
    const near = setOf([tier(0, "b"), tier(0, "a"), tier(1, "a")], { locality: LOCALITY });
    assert.equal(
      share(near, 2, ({ priority, zone }) => priority === 0 && zone === "a"),
      1,
    );
  });
});

describe("subsets", () => {
  const labelled = (): EndpointState[] =>
    endpoints(1, 1, 1).map((endpoint, at) => Object.assign(endpoint, { subset: at === 0 ? "v2" : "v1" }));

  it("take the requests that ask for them", () => {
    const set = setOf(labelled());
    for (let draw = 0; draw < 100; draw++) assert.equal(set.pick(1, [], { hash: 0, subset: "v2" })?.id, "0");
    near(
      share(set, 1, ({ id }) => id === "0"),
      1 / 3,
    );
  });

  it("leave a request for an unknown one to all, or to nobody, as configured", () => {
    assert.ok(setOf(labelled()).pick(1, [], { hash: 0, subset: "v9" }));
    assert.equal(setOf(labelled(), { strictSubsets: true }).pick(1, [], { hash: 0, subset: "v9" }), undefined);
  });
});

describe("weights", () => {
  it("of a newcomer grow to the full share, and not of the first ones", () => {
    const [a, b, c] = endpoints(1, 1, 1);
    assert.ok(a && b && c);
    const set = setOf([a, b], { slowStart: { windowMs: 10_000, aggression: 1 } });
    near(
      share(set, 2, ({ id }) => id === "0"),
      0.5,
    );
    set.replace([a, b, c], 1000);
    near(
      share(set, 1000, ({ id }) => id === "2"),
      0.1 / 2.1,
    );
    near(
      share(set, 6000, ({ id }) => id === "2"),
      0.5 / 2.5,
    );
    near(
      share(set, 11_500, ({ id }) => id === "2"),
      1 / 3,
    );
  });

  it("shrink for an endpoint that fails more than others, long before it would be ejected, and recover", () => {
    const members = endpoints(1, 1, 1, 1);
    const [bad] = members;
    assert.ok(bad);
    const set = setOf(members, { adaptive: true });
    for (let step = 0; step < 40; step++) {
      const now = 1000 + step * 500;
      for (let request = 0; request < 20; request++) {
        for (const endpoint of members) {
          if (endpoint === bad && request % 3 === 0) set.recordFailure(endpoint, now);
          else set.recordSuccess(endpoint, now);
        }
      }
      set.pick(now, []);
    }
    assert.equal(bad.ejections, 0);
    assert.ok(share(set, 21_000, (endpoint) => endpoint === bad) < 0.18);
    for (let step = 0; step < 40; step++) {
      for (const endpoint of members) set.recordSuccess(endpoint, 21_000 + step * 500);
      set.pick(21_000 + step * 500, []);
    }
    near(
      share(set, 41_000, (endpoint) => endpoint === bad),
      0.25,
    );
  });

  it("follow the capacity that endpoints report", () => {
    const members = endpoints(1, 1);
    const [small, large] = members;
    assert.ok(small && large);
    const set = setOf(members, { adaptive: true });
    for (let step = 0; step < 40; step++) {
      const now = 1000 + step * 500;
      small.recordLoad({ utilization: 0.9, rps: 90 }, now);
      large.recordLoad({ utilization: 0.3, rps: 90 }, now);
      set.pick(now, []);
    }
    near(
      share(set, 21_000, (endpoint) => endpoint === small),
      0.25,
    );
  });
});

describe("outliers by comparison", () => {
  const statistics = { intervalMs: 1000, minRequests: 10 };
  function run(members: readonly EndpointState[], options: OutlierOptions, play: (at: number) => void): void {
    const set = setOf(members, {}, options);
    for (let request = 0; request < 50; request++) play(request);
    set.changed(2000);
  }

  it("are ejected by success rate though they never fail often in a row", () => {
    const members = endpoints(1, 1, 1, 1, 1);
    const detector = new OutlierDetector(OUTLIERS);
    run(members, { ...OUTLIERS, statistics: { ...statistics, successRateFactor: 1.9 } }, (at) => {
      for (const [index, endpoint] of members.entries()) {
        if (index === 0 && at % 2 === 0)
          detector.recordFailure(endpoint, { nowMs: 1, connecting: false, out: 0, total: 5 });
        else detector.recordSuccess(endpoint, 1);
      }
    });
    assert.deepEqual(
      members.map(({ ejectedUntilMs }) => ejectedUntilMs !== 0),
      [true, false, false, false, false],
    );
  });

  it("are ejected by latency, and one that is as slow as the rest is not", () => {
    const members = endpoints(1, 1, 1, 1, 1);
    const detector = new OutlierDetector(OUTLIERS);
    run(members, { ...OUTLIERS, statistics: { ...statistics, latencyFactor: 3 } }, () => {
      for (const [index, endpoint] of members.entries()) {
        endpoint.recordLatency(index === 0 ? 100 : 10 + index, 1);
        detector.recordSuccess(endpoint, 1);
      }
    });
    assert.deepEqual(
      members.map(({ ejectedUntilMs }) => ejectedUntilMs !== 0),
      [true, false, false, false, false],
    );
  });

  it("are ejected by connections that cannot be made, sooner than by other failures", () => {
    const members = endpoints(1, 1, 1);
    const [first, second] = members;
    assert.ok(first && second);
    const set = setOf(members, {}, { ...OUTLIERS, afterConnectFailures: 2 });
    assert.equal(set.recordFailure(first, 1, true), false);
    assert.equal(set.recordFailure(first, 1, true), true);
    assert.equal(set.recordFailure(second, 1), false);
    assert.equal(set.recordFailure(second, 1), false);
  });
});

describe("rest and panic", () => {
  it("leave an endpoint alone that asked for it, and come back without a slow start", () => {
    const [a, b] = endpoints(1, 1);
    assert.ok(a && b);
    const set = setOf([a, b], { slowStart: { windowMs: 10_000, aggression: 1 } });
    a.restUntilMs = 500;
    set.changed(2);
    assert.equal(
      share(set, 2, (endpoint) => endpoint === a),
      0,
    );
    near(
      share(set, 500, (endpoint) => endpoint === a),
      0.5,
    );
    a.restUntilMs = 2000;
    b.restUntilMs = 2000;
    set.changed(600);
    assert.ok(set.panicking && set.pick(600, []));
  });

  it("use everybody when too few are left", () => {
    const members = endpoints(1, 1, 1, 1);
    const set = setOf(members, { panicShare: 0.5 });
    for (const endpoint of members.slice(0, 2)) endpoint.checkedHealthy = false;
    set.changed(2);
    assert.equal(set.usable.length, 2);
    for (const endpoint of members.slice(0, 3)) endpoint.checkedHealthy = false;
    set.changed(3);
    assert.equal(set.usable.length, 4);
  });
});
