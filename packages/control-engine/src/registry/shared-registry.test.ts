// Registries of several control planes over one table: who ends whose lease.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import type { RegisterRequest } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import { MemoryStore } from "../store/memory-store.ts";
import type { ReplicaRecord, Replication, Table } from "../store/store.ts";
import type { RegisteredWorkload } from "./registered-workload.ts";
import { Registry } from "./registry.ts";

const request: RegisterRequest = {
  service: "web",
  namespace: "shop",
  labels: {},
  ports: [],
  csrPem: "",
  pid: 42,
};
const STATUS = { inboundAddress: "127.0.0.1:9", ready: true, bundleSequence: 1, svidSerialNumber: "ab" };

class FakeReplication implements Replication {
  readonly id: string;
  isLeader = false;
  leader = "";
  cutOffMs = 0;
  readonly #present: Set<string>;

  constructor(id: string, present: Set<string>) {
    this.id = id;
    this.#present = present;
  }

  get replicas(): readonly ReplicaRecord[] {
    const record = { version: "", streamAddress: "", joinAddress: "", startedMs: 0, proxies: 0, rootSha256: "" };
    return [...this.#present].map((id) => ({ ...record, id }));
  }

  announce(): void {}

  readBarrier(): Promise<boolean> {
    return Promise.resolve(true);
  }

  onChange(): () => void {
    return () => undefined;
  }
}

describe("registries of several control planes", () => {
  let clock: StoppedClock;
  let table: Table<RegisteredWorkload>;
  let puts: number;
  let present: Set<string>;
  let left: Registry;
  let right: Registry;
  let leftReplication: FakeReplication;
  let rightReplication: FakeReplication;

  const start = (replication: Replication): Registry =>
    new Registry({ clock, table, trustDomain: "mesh.local", isProcessAlive: () => false, replication });

  beforeEach(() => {
    clock = new StoppedClock();
    puts = 0;
    const inner = new MemoryStore({ clock }).table<RegisteredWorkload>("workloads");
    table = {
      ...inner,
      put: (key, value) => {
        puts++;
        return inner.put(key, value);
      },
    };
    present = new Set(["left", "right"]);
    leftReplication = new FakeReplication("left", present);
    rightReplication = new FakeReplication("right", present);
    rightReplication.isLeader = true;
    left = start(leftReplication);
    right = start(rightReplication);
  });

  async function register(at: Registry): Promise<string> {
    const named = at.name({ ...request, pid: 0 });
    assert.ok(named.ok);
    const workload = await at.register({ ...request, pid: 0 }, { ...named.value, svidNotAfterMs: 1 });
    return workload.id;
  }

  it("see each other's workloads, changes and departures", async () => {
    const id = await register(left);
    await left.heartbeat(id, STATUS);
    assert.equal(right.get(id)?.ready, true);
    assert.deepEqual(right.inForce(id), { bundleSequence: 1, svidSerialNumber: "ab" });
    assert.ok((await right.leave(id)).ok);
    assert.equal(left.get(id), undefined);
  });

  it("write nothing for a heartbeat that says nothing new", async () => {
    const id = await register(left);
    await left.heartbeat(id, STATUS);
    const before = puts;
    for (let round = 0; round < 10; round++) await left.heartbeat(id, STATUS);
    assert.equal(puts, before);
  });

  it("write the labels of a Gateway once: where its workload sends its heartbeats, and after a take-over there", async () => {
    let team = "web";
    const withLabels = (replication: Replication): Registry =>
      new Registry({
        ...{ clock, table, trustDomain: "mesh.local", isProcessAlive: () => false, replication },
        infrastructureOf: () => ({ labels: { team }, annotations: {} }),
      });
    const [own, other] = [withLabels(leftReplication), withLabels(rightReplication)];
    const asked = { ...request, service: "gateway", pid: 0, gateway: { names: ["edge"], address: "", portOffset: 0 } };
    const named = own.name(asked);
    assert.ok(named.ok);
    const { id } = await own.register(asked, { ...named.value, svidNotAfterMs: 1 });
    assert.equal(other.get(id)?.labels["team"], "web");
    team = "shop";
    const before = puts;
    other.refreshGateways();
    assert.equal(puts, before);
    own.refreshGateways();
    assert.equal(puts, before + 1);
    assert.equal(table.get(id)?.labels["team"], "shop");
    team = "books";
    assert.ok((await other.heartbeat(id, STATUS)).ok);
    assert.equal(table.get(id)?.labels["team"], "books");
    own.close();
    other.close();
  });

  it("keep a workload that sends its heartbeats to one of them only", async () => {
    const id = await register(left);
    for (let second = 0; second < 30; second += 3) {
      clock.advance(3_000);
      assert.ok((await left.heartbeat(id, STATUS)).ok);
    }
    assert.ok(left.get(id) && right.get(id));
  });

  it("let the one that hears it end its lease", async () => {
    const id = await register(left);
    clock.advance(12_000);
    assert.equal(left.get(id), undefined);
    assert.equal(right.get(id), undefined);
  });

  it("take a workload over with its first heartbeat, however long its control plane has been gone", async () => {
    const id = await register(left);
    left.close();
    present.delete("left");
    clock.advance(6_000);
    assert.ok((await right.heartbeat(id, STATUS)).ok);
    assert.equal(table.get(id)?.replica, "right");
    clock.advance(8_000);
    assert.ok(right.get(id));
    clock.advance(4_000);
    assert.equal(right.get(id), undefined);
  });

  it("give a whole lease to those whose control plane is gone, and then the leader ends it", async () => {
    const id = await register(left);
    left.close();
    clock.advance(60_000);
    assert.ok(right.get(id), "its control plane is still there, as far as anybody knows");
    present.delete("left");
    clock.advance(8_000);
    assert.ok(right.get(id));
    clock.advance(4_000);
    assert.equal(right.get(id), undefined);
  });

  it("leave it to the leader", async () => {
    rightReplication.isLeader = false;
    const id = await register(left);
    left.close();
    present.delete("left");
    clock.advance(60_000);
    assert.ok(right.get(id));
  });

  it("end nobody's lease while the shared store does not answer", async () => {
    const id = await register(left);
    leftReplication.cutOffMs = 3_000;
    clock.advance(60_000);
    assert.ok(left.get(id));
    leftReplication.cutOffMs = 0;
    clock.advance(8_000);
    assert.ok(left.get(id));
    clock.advance(4_000);
    assert.equal(left.get(id), undefined);
  });
});
