// Several stores on one real etcd as replicas: presence, leadership, what they know of being current.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";

import { holdProcess, type Timer } from "@ripstop/core";
import { PatientClock } from "@ripstop/testkit";

import { pet } from "../pet.fixture.ts";
import type { Replication, Store } from "../store.ts";
import { EtcdProcess, needsEtcd } from "./etcd-process.suite.ts";
import { openEtcdStore } from "./etcd-store.ts";

/** Resolves when the replica says so. */
function when(replica: Replication, condition: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (!condition()) return;
      stop();
      resolve();
    };
    const stop = replica.onChange(check);
    queueMicrotask(check);
  });
}

describe("replicas on etcd", { skip: needsEtcd() }, () => {
  let etcd: EtcdProcess;
  // Timers of the clock keep no process alive.
  let hold: Timer;
  before(async () => {
    hold = holdProcess();
    etcd = await EtcdProcess.start();
  });
  after(async () => {
    hold.clear();
    await etcd.close();
  });

  async function open(prefix: string, id: string): Promise<{ readonly store: Store; readonly replica: Replication }> {
    const settings = { endpoints: [etcd.endpoint], prefix, clock: new PatientClock() };
    const store = await openEtcdStore({ ...settings, homeId: "mesh", replicaId: id });
    const { replication } = store;
    assert.ok(replication);
    const address = `10.0.0.1:${id.length}`;
    replication.announce({
      version: "1",
      streamAddress: address,
      joinAddress: address,
      startedMs: 1,
      proxies: 0,
      rootSha256: "",
    });
    return { store, replica: replication };
  }

  it("see each other, agree on one leader, and follow another when it leaves", async () => {
    const prefix = `/${randomUUID()}/`;
    const all = await Promise.all(["a", "bb", "ccc"].map((id) => open(prefix, id)));
    await Promise.all(
      all.map(({ replica }) => when(replica, () => replica.replicas.length === 3 && replica.leader !== "")),
    );
    for (const { replica } of all) {
      assert.deepEqual(
        replica.replicas.map(({ id, streamAddress }) => [id, streamAddress]),
        [
          ["a", "10.0.0.1:1"],
          ["bb", "10.0.0.1:2"],
          ["ccc", "10.0.0.1:3"],
        ],
      );
    }
    const leaders = all.filter(({ replica }) => replica.isLeader);
    assert.equal(leaders.length, 1);
    const [first] = leaders;
    assert.ok(first);
    await first.store.close();
    const rest = all.filter((one) => one !== first);
    await Promise.all(
      rest.map(({ replica }) => when(replica, () => replica.replicas.length === 2 && replica.leader !== "")),
    );
    await when(rest[0]!.replica, () => rest.some(({ replica }) => replica.isLeader));
    assert.equal(rest.filter(({ replica }) => replica.isLeader).length, 1);
    await Promise.all(rest.map(({ store }) => store.close()));
  });

  it("follow each other's tables, and let one of two win", async () => {
    const prefix = `/${randomUUID()}/`;
    const [left, right] = await Promise.all([open(prefix, "l"), open(prefix, "r")]);
    const seen = new Promise((resolve) => right.store.table("nodes").watch((key, value) => resolve([key, value])));
    await left.store.table("nodes").put("x", { n: 1 });
    assert.deepEqual(await seen, ["x", { n: 1 }]);
    const won = await Promise.all(
      [left, right].map(({ store }, n) => store.table("nodes").replace("x", { n: 1 }, { n: n + 2 })),
    );
    assert.equal(won.filter(Boolean).length, 1);
    await Promise.all([left.store.close(), right.store.close()]);
  });

  it("read what another has acknowledged after a barrier, and know when they cannot", async () => {
    const prefix = `/${randomUUID()}/`;
    const [left, right] = await Promise.all([open(prefix, "l"), open(prefix, "r")]);
    for (let legs = 1; legs <= 20; legs++) {
      const done = await left.store.commit({ author: "", reason: "", puts: [pet("tom", legs)], deletes: [] });
      assert.ok(done.ok);
      assert.equal(await right.replica.readBarrier(), true);
      assert.equal(right.store.revision, legs);
    }
    await etcd.kill();
    assert.equal(await right.replica.readBarrier(), false);
    await when(right.replica, () => right.replica.cutOffMs > 0);
    assert.equal(right.replica.isLeader && left.replica.isLeader, false);
    await etcd.start();
    await when(right.replica, () => right.replica.cutOffMs === 0);
    await when(right.replica, () => right.replica.replicas.length === 2 && right.replica.leader !== "");
    assert.equal(await right.replica.readBarrier(), true);
    await Promise.all([left.store.close(), right.store.close()]);
  });

  it("know in one order how far they have come with the tables, and come to what another has", async () => {
    const prefix = `/${randomUUID()}/`;
    const [left, right] = await Promise.all([open(prefix, "l"), open(prefix, "r")]);
    const [ofLeft, ofRight] = [left.store.tableProgress, right.store.tableProgress];
    assert.ok(ofLeft && ofRight);
    for (let n = 1; n <= 20; n++) {
      const before = ofLeft.newest;
      await (n % 5 === 0 ? left.store.table("nodes").remove("x") : left.store.table("nodes").put("x", { n }));
      const newest: number = ofLeft.newest;
      assert.ok(newest > before, "each change has a number of its own");
      assert.equal(await ofRight.reach(newest), true);
      assert.ok(ofRight.complete >= newest);
      assert.deepEqual(right.store.table("nodes").get("x"), n % 5 === 0 ? undefined : { n });
    }
    // One that opens later has all of it at once.
    const late = await open(prefix, "late");
    assert.ok((late.store.tableProgress?.complete ?? 0) >= ofLeft.newest);
    // What etcd never had, because it was restored, is not waited for.
    assert.equal(await ofRight.reach(ofLeft.newest + 1_000_000), true);
    await etcd.kill();
    await when(right.replica, () => right.replica.cutOffMs > 0);
    assert.equal(await ofRight.reach(ofRight.complete + 1), false);
    assert.equal(await ofRight.reach(ofRight.complete), true);
    await etcd.start();
    await Promise.all([left, right, late].map(({ replica }) => when(replica, () => replica.cutOffMs === 0)));
    await Promise.all([left, right, late].map(({ store }) => store.close()));
  });
});
