// Instances that come and go: penalties, who is held down, and that enough others stay.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { Endpoint_Reach, type Endpoint } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";

import { EventLog } from "../events/event-log.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Replication, Table } from "../store/store.ts";
import { dampEndpoints, type DampedEndpoint } from "./damp-endpoints.ts";
import { FlapDamper, type HeldRecord } from "./flap-damper.ts";
import { MAX_PENALTY, penaltyAt, punished, releaseMs, type Penalty } from "./penalty.ts";

describe("a penalty", () => {
  const after = (times: number, everyMs: number): Penalty => {
    let penalty: Penalty | undefined;
    for (let time = 0; time < times; time++) penalty = punished(penalty, time * everyMs);
    assert.ok(penalty);
    return penalty;
  };

  it("is halved every minute, and grows with every time", () => {
    assert.equal(penaltyAt(after(1, 0), 60_000), 0.5);
    assert.equal(penaltyAt(after(2, 60_000), 60_000), 1.5);
    assert.equal(penaltyAt(after(1, 0), -5_000), 1, "a clock that went back");
  });

  it("holds the longer the more often an instance goes, and never more than four minutes", () => {
    const held = [4, 5, 8, 16, 100].map((times) => {
      const penalty = after(times, 1_000);
      return releaseMs(penalty) - penalty.atMs;
    });
    assert.deepEqual(
      held,
      held.toSorted((a, b) => a - b),
    );
    assert.ok(held.every((ms) => ms <= Math.log2(MAX_PENALTY) * 60_000));
    assert.equal(new Set(held.slice(0, 4)).size, 4);
  });
});

describe("the damper", () => {
  const KEY = "workload shop/web 10.0.0.1 8080";
  let clock: StoppedClock;
  let table: Table<HeldRecord>;
  let events: EventLog;
  let changes: string[];

  const start = (replication?: Replication): FlapDamper => {
    const damper = new FlapDamper({ clock, table, events, replication });
    damper.onChange((keys) => changes.push(...keys));
    return damper;
  };
  const go = (damper: FlapDamper, times: number, everyMs: number): void => {
    for (let time = 0; time < times; time++) {
      damper.wentAway([KEY]);
      clock.advance(everyMs);
    }
  };
  const told = (): string[] => events.list().map(({ type }) => type);

  beforeEach(() => {
    clock = new StoppedClock();
    table = new MemoryStore({ clock }).table("damping");
    events = new EventLog(clock);
    changes = [];
  });

  it("lets an instance go three times in a row, and holds it the fourth time", () => {
    const damper = start();
    go(damper, 3, 1_000);
    assert.equal(damper.penaltyOf(KEY), 0);
    go(damper, 1, 1_000);
    assert.ok(damper.penaltyOf(KEY) > 3);
    assert.equal(damper.holding(KEY)?.times, 4);
    assert.deepEqual([changes, told()], [[KEY], ["InstanceHeldDown"]]);
    assert.match(
      events.list()[0]?.message ?? "",
      /went away 4 times within minutes: it gets no requests for 11[0-9] s/,
    );
    damper.close();
  });

  it("does not mind one that goes once a minute, for as long as it likes", () => {
    const damper = start();
    go(damper, 100, 60_000);
    assert.deepEqual([damper.size, changes], [0, []]);
    damper.close();
  });

  it("lets it go when the penalty has decayed, and says so", () => {
    const damper = start();
    go(damper, 4, 0);
    const { untilMs = 0 } = damper.holding(KEY) ?? {};
    clock.advance(untilMs - clock.nowMs() - 10);
    assert.equal(damper.size, 1);
    clock.advance(20);
    assert.equal(damper.size, 0);
    assert.deepEqual(
      [told(), changes],
      [
        ["InstanceHeldDown", "InstanceLetGo"],
        [KEY, KEY],
      ],
    );
    assert.equal(clock.pending, 1, "the sweep alone");
    damper.close();
    assert.equal(clock.pending, 0);
  });

  it("holds it longer when it goes again meanwhile", () => {
    const damper = start();
    go(damper, 4, 0);
    const first = damper.holding(KEY)?.untilMs ?? 0;
    clock.advance(10_000);
    go(damper, 1, 0);
    assert.ok((damper.holding(KEY)?.untilMs ?? 0) > first);
    assert.deepEqual(told(), ["InstanceHeldDown"], "told once");
    damper.close();
  });

  it("goes on after a restart", () => {
    const before = start();
    go(before, 4, 0);
    const until = before.holding(KEY);
    before.close();
    const after = start();
    assert.deepEqual(after.holding(KEY), until);
    clock.advance(5 * 60_000);
    assert.equal(after.size, 0);
    after.close();
  });

  it("is decided by the leader, seen by all, and goes on with the next leader", async () => {
    const roles = [
      { isLeader: true, change: (): void => undefined },
      { isLeader: false, change: (): void => undefined },
    ];
    const [left, right] = roles.map((role) =>
      start({
        get isLeader() {
          return role.isLeader;
        },
        onChange(listener: () => void) {
          role.change = listener;
          return () => undefined;
        },
      } as Replication),
    );
    assert.ok(left && right);
    for (let time = 0; time < 4; time++) for (const damper of [left, right]) damper.wentAway([KEY]);
    await Promise.resolve();
    assert.deepEqual([left.size, right.size], [1, 1]);
    assert.deepEqual(told(), ["InstanceHeldDown"]);
    left.close();
    for (const role of roles) role.isLeader = !role.isLeader;
    for (const role of roles) role.change();
    clock.advance(5 * 60_000);
    assert.equal(right.size, 0);
    right.close();
  });

  it("remembers so many instances and no more, and forgets those that stay", () => {
    const damper = start();
    const many = Array.from({ length: 25_000 }, (_, at) => `workload shop/web 10.0.0.1 ${at}`);
    damper.wentAway(many);
    assert.equal(damper.tracked, 20_000);
    for (let time = 0; time < 4; time++) damper.wentAway(many.slice(0, 2_000));
    assert.equal(damper.size, 1_000);
    clock.advance(10 * 60_000);
    assert.equal(damper.tracked, 0);
    damper.close();
  });
});

describe("a set of endpoints", () => {
  const endpoint = (id: string, healthy: boolean): Endpoint => ({
    id,
    reach: Endpoint_Reach.MESH,
    address: "",
    spiffeId: "",
    weight: 1,
    healthy,
    locality: undefined,
    targetPorts: {},
    version: "",
  });
  const set = (...penalties: number[]): DampedEndpoint[] =>
    penalties.map((penalty, at) => ({ endpoint: endpoint(`e${at}`, true), penalty }));
  const down = (all: readonly DampedEndpoint[], panicShare = 0): string[] =>
    dampEndpoints(all, panicShare)
      .filter(({ healthy }) => !healthy)
      .map(({ id }) => id);

  it("holds down the worst of them", () => {
    assert.deepEqual(down(set(0, 4, 0, 0)), ["e1"]);
    assert.deepEqual(down(set(0, 4, 5, 6)), ["e2", "e3"]);
  });

  it("spares a set of one or two", () => {
    assert.deepEqual(down(set(9)), []);
    assert.deepEqual(down(set(9, 0)), []);
    assert.deepEqual(down(set(9, 0, 0)), ["e0"]);
  });

  it("keeps to a greater panic threshold of the service", () => {
    assert.deepEqual(down(set(4, 5, 0, 0), 0.75), ["e1"]);
    assert.deepEqual(down(set(4, 5, 0, 0), 1), []);
  });

  it("never leaves less than the panic share, changes nobody else, and holds the worst", () => {
    const one = fc.record({
      healthy: fc.boolean(),
      penalty: fc.oneof(fc.constant(0), fc.double({ min: 0.1, max: 16, noNaN: true })),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 40 }), fc.integer({ min: 0, max: 100 }), (facts, panic) => {
        const all = facts.map(({ healthy, penalty }, at) => ({ endpoint: endpoint(`e${at}`, healthy), penalty }));
        const result = dampEndpoints(all, panic / 100);
        const held = all.filter(({ endpoint: before }, at) => before.healthy && result[at]?.healthy === false);
        const up = result.filter(({ healthy }) => healthy).length;
        assert.equal(result.length, all.length);
        assert.ok(result.every((after, at) => !after.healthy || all[at]?.endpoint.healthy));
        if (held.length > 0) {
          assert.ok(up >= 2 && up >= all.length * Math.max(0.5, panic / 100));
          const spared = all.filter(({ penalty }, at) => penalty > 0 && result[at]?.healthy === true);
          const least = Math.min(...held.map(({ penalty }) => penalty));
          assert.ok(spared.every(({ penalty }) => penalty <= least));
        }
        assert.ok(held.every(({ penalty }) => penalty > 0));
      }),
    );
  });
});
