// The registry: leases, mass expiry, restarts.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import type { Clock } from "@ripstop/core";
import type { RegisterRequest } from "@ripstop/model";
import type { Logger } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";

import { MemoryStore } from "../store/memory-store.ts";
import type { Table } from "../store/store.ts";
import type { RegisteredWorkload } from "./registered-workload.ts";
import { Registry, type WorkloadChange } from "./registry.ts";

const request: RegisterRequest = {
  service: "catalog",
  namespace: "shop",
  labels: { version: "v1" },
  ports: [{ port: 8080, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:8080" }],
  csrPem: "",
  pid: 42,
};

function clockOf(clock: StoppedClock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    after: (delayMs, run) => clock.after(delayMs, run),
    every: (periodMs, run) => clock.every(periodMs, run),
  };
}

describe("Registry", () => {
  let clock: StoppedClock;
  let table: Table<RegisteredWorkload>;
  let registry: Registry;
  let dead: Set<number>;
  let changes: WorkloadChange[];

  function start(): Registry {
    const fresh = new Registry({ clock, table, trustDomain: "mesh.local", isProcessAlive: (pid) => !dead.has(pid) });
    fresh.onChange((some) => changes.push(...some));
    return fresh;
  }

  async function register(change: Partial<RegisterRequest> = {}): Promise<RegisteredWorkload> {
    const asked = { ...request, ...change };
    const named = registry.name(asked);
    assert.ok(named.ok, JSON.stringify(named));
    return registry.register(asked, { ...named.value, svidNotAfterMs: 1 });
  }

  beforeEach(() => {
    clock = new StoppedClock();
    table = new MemoryStore({ clock }).table("workloads");
    dead = new Set();
    changes = [];
    registry = start();
  });

  it("names workloads after their service and gives them its label and identity", async () => {
    const workload = await register();
    assert.match(workload.id, /^shop\/catalog-[0-9a-z]{5}$/);
    assert.equal(workload.spiffeId, "spiffe://mesh.local/ns/shop/sa/catalog");
    assert.deepEqual(workload.labels, { version: "v1", app: "catalog" });
    assert.deepEqual(changes, [{ before: undefined, after: workload }]);
    assert.notEqual((await register()).id, workload.id);
  });

  it("keeps a workload that sends heartbeats, and drops one that does not after 10 s", async () => {
    const [kept, lost] = [await register(), await register({ pid: 0 })];
    for (let second = 0; second < 30; second += 3) {
      clock.advance(3_000);
      assert.ok((await registry.heartbeat(kept.id, { inboundAddress: "127.0.0.1:1", ready: true })).ok);
      if (second < 9) assert.ok(registry.get(lost.id), `gone after ${second + 3} s`);
      else if (second > 9) assert.equal(registry.get(lost.id), undefined);
    }
    assert.deepEqual(
      registry.list().map(({ id }) => id),
      [kept.id],
    );
    assert.deepEqual(changes.at(-1), { before: lost, after: undefined, expired: true });
  });

  it("reports a change of state once", async () => {
    const { id } = await register();
    changes.length = 0;
    for (let round = 0; round < 3; round++)
      await registry.heartbeat(id, { inboundAddress: "127.0.0.1:9", ready: true });
    assert.equal(changes.length, 1);
    assert.equal(changes[0]?.after?.ready, true);
  });

  it("answers a heartbeat of a workload it does not know with RS3015", async () => {
    const answer = await registry.heartbeat("shop/ghost", { inboundAddress: "", ready: false });
    assert.ok(!answer.ok);
    assert.equal(answer.error.kind.code, "RS3015");
  });

  it("holds the last set when most fall silent at once, and lets go one by one", async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => register()));
    clock.advance(60_000);
    assert.equal(registry.size, 6);
    assert.equal(registry.held, 6);
    // Four are heard again: the two others are no mass any more.
    for (const { id } of all.slice(0, 4)) await registry.heartbeat(id, { inboundAddress: "", ready: true });
    clock.advance(1_000);
    assert.deepEqual(
      registry.list().map(({ id }) => id),
      all
        .slice(0, 4)
        .map(({ id }) => id)
        .sort(),
    );
    assert.equal(registry.held, 0);
  });

  it("does not hold workloads whose process is dead", async () => {
    for (let pid = 1; pid <= 6; pid++) await register({ pid });
    dead = new Set([1, 2, 3, 4, 5]);
    clock.advance(11_000);
    assert.deepEqual(
      registry.list().map(({ pid }) => pid),
      [6],
    );
  });

  it("gives a silent workload of this machine whose process lives three times as long", async () => {
    const [slow, dies] = [await register({ pid: 1 }), await register({ pid: 2 })];
    clock.advance(29_000);
    assert.deepEqual([registry.size, registry.held], [2, 0]);
    await registry.heartbeat(slow.id, { inboundAddress: "", ready: true });
    dead.add(2);
    clock.advance(1_000);
    assert.equal(registry.get(dies.id), undefined);
    clock.advance(28_000);
    assert.ok(registry.get(slow.id));
    clock.advance(2_000);
    assert.equal(registry.size, 0);
  });

  it("lets a held set go in the end", async () => {
    for (let pid = 1; pid <= 6; pid++) await register({ pid });
    clock.advance(599_000);
    assert.equal(registry.size, 6);
    clock.advance(12_000);
    assert.equal(registry.size, 0);
  });

  it("does not take its own standstill for the silence of others", async () => {
    const { id } = await register({ pid: 0 });
    registry.close();
    let skippedMs = 0;
    const late = { ...clockOf(clock), monotonicMs: () => clock.monotonicMs() + skippedMs };
    registry = new Registry({ clock: late, table, trustDomain: "mesh.local", isProcessAlive: () => true });
    clock.advance(5_000);
    skippedMs = 60_000;
    clock.advance(4_000);
    assert.ok(registry.get(id));
    clock.advance(2_000);
    assert.equal(registry.get(id), undefined);
  });

  it("comes back after a restart with the same workloads, and gives each a whole lease", async () => {
    const workload = await register({ pid: 0 });
    await registry.heartbeat(workload.id, { inboundAddress: "127.0.0.1:9", ready: true });
    clock.advance(9_000);
    registry.close();
    registry = start();
    assert.deepEqual(registry.get(workload.id), { ...workload, inboundAddress: "127.0.0.1:9", ready: true });
    clock.advance(9_000);
    assert.ok(registry.get(workload.id));
    clock.advance(2_000);
    assert.equal(registry.get(workload.id), undefined);
    assert.deepEqual([...table.entries()], []);
  });

  it("forgets a workload that leaves", async () => {
    const { id } = await register();
    assert.ok((await registry.leave(id)).ok);
    assert.equal(registry.get(id), undefined);
    assert.equal((await registry.leave(id)).ok, false);
  });

  it("gives an instance name again to its own process, to a dead one's heir, and to nobody else", async () => {
    const first = await register({ instance: "catalog-1" });
    assert.equal(first.id, "shop/catalog-1");
    assert.equal((await register({ instance: "catalog-1" })).id, first.id);
    assert.equal(registry.name({ ...request, instance: "catalog-1", serviceAccount: "root" }).ok, false);
    const other = { ...request, instance: "catalog-1", pid: 43 };
    const refused = registry.name(other);
    assert.ok(!refused.ok);
    assert.equal(refused.error.kind.code, "RS3016");
    dead.add(42);
    assert.ok(registry.name(other).ok);
    assert.equal(registry.name({ ...other, serviceAccount: "root" }).ok, false);
  });

  it("goes on when the store cannot be written", async () => {
    const errors: string[] = [];
    registry.close();
    const logger = { error: (message: string) => void errors.push(message) } as unknown as Logger;
    const failing = { ...table, remove: () => Promise.reject(new Error("disk full")) };
    registry = new Registry({ clock, table: failing, trustDomain: "mesh.local", isProcessAlive: () => true, logger });
    const { id } = await register({ pid: 0 });
    clock.advance(11_000);
    assert.equal(registry.get(id), undefined);
    await Promise.resolve();
    await new Promise((resolve) => process.nextTick(resolve));
    assert.deepEqual(errors, ["expired workloads could not be removed from the store"]);
  });

  it("takes no more workloads than its limit", async () => {
    registry.close();
    registry = new Registry({ clock, table, trustDomain: "mesh.local", maxWorkloads: 1, isProcessAlive: () => true });
    await register();
    assert.equal(registry.name(request).ok, false);
  });
});
