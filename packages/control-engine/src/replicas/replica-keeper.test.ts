// What a control plane says to the others, and when it asks proxies to move.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { EventLog } from "../events/event-log.ts";
import type { ReplicaRecord, Replication } from "../store/store.ts";
import { ReplicaKeeper } from "./replica-keeper.ts";

describe("ReplicaKeeper", () => {
  let clock: StoppedClock;
  let events: EventLog;
  let changed: () => void;
  let announced: Omit<ReplicaRecord, "id">[];
  let moved: string[];
  let own: string[];
  let others: ReplicaRecord[];
  let replication: Replication & { cutOffMs: number; isLeader: boolean };
  let keeper: ReplicaKeeper;

  const record = (id: string, proxies: number): ReplicaRecord => ({
    id,
    version: "1",
    streamAddress: `${id}:1`,
    joinAddress: `${id}:2`,
    startedMs: 0,
    proxies,
    rootSha256: "",
  });

  beforeEach(() => {
    clock = new StoppedClock();
    events = new EventLog(clock);
    announced = [];
    moved = [];
    own = ["a", "b", "c", "d", "e", "f"];
    others = [record("two", 0)];
    replication = {
      id: "one",
      isLeader: false,
      leader: "two",
      get replicas() {
        return [record("one", own.length), ...others];
      },
      cutOffMs: 0,
      announce: (one) => void announced.push(one),
      readBarrier: () => Promise.resolve(true),
      onChange(listener) {
        changed = listener;
        return () => undefined;
      },
    };
    keeper = new ReplicaKeeper({
      replication,
      clock,
      events,
      record: () => record("one", own.length),
      proxies: () => own,
      move(proxyId) {
        moved.push(proxyId);
        own = own.filter((id) => id !== proxyId);
      },
      random: () => 0.5,
    });
  });

  it("says what it has, and where all are, itself first", () => {
    assert.equal(announced.at(-1)?.proxies, 6);
    assert.deepEqual(keeper.addresses, { streams: ["one:1", "two:1"], joins: ["one:2", "two:2"] });
    assert.deepEqual(
      keeper.views.map(({ id, leader, self }) => [id, leader, self]),
      [
        ["one", false, true],
        ["two", true, false],
      ],
    );
  });

  it("lets proxies settle, and then asks its surplus to move, each at a moment of its own", () => {
    clock.advance(8_000);
    assert.deepEqual(moved, []);
    clock.advance(3_000);
    assert.equal(moved.length, 2);
    others = [record("two", 2)];
    clock.advance(2_000);
    assert.equal(own.length, 3);
    others = [record("two", 3)];
    clock.advance(60_000);
    assert.equal(own.length, 3);
  });

  it("asks nobody to move while it is cut off, or alone", () => {
    replication.cutOffMs = 5_000;
    clock.advance(60_000);
    replication.cutOffMs = 0;
    others = [];
    changed();
    clock.advance(60_000);
    assert.deepEqual(moved, []);
  });

  it("tells of being cut off, of being back, and of leading, once each", () => {
    for (const cutOffMs of [3_000, 4_000, 0, 0]) {
      replication.cutOffMs = cutOffMs;
      changed();
    }
    replication.isLeader = true;
    changed();
    changed();
    assert.deepEqual(
      events.list().map(({ type }) => type),
      ["ReplicaCutOff", "ReplicaBack", "ReplicaLeads"],
    );
  });
});
