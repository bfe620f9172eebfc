import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import type { RegisterRequest } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";

import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { AbsentWorkloads } from "./absent-workloads.ts";

const request: RegisterRequest = { service: "web", namespace: "shop", labels: {}, ports: [], csrPem: "", pid: 7 };

describe("workloads that fell silent", () => {
  let clock: StoppedClock;
  let store: MemoryStore;
  let registry: Registry;
  let dead: Set<number>;
  let absent: AbsentWorkloads;
  const isProcessAlive = (pid: number): boolean => !dead.has(pid);

  beforeEach(() => {
    clock = new StoppedClock();
    store = new MemoryStore({ clock });
    dead = new Set();
    registry = new Registry({ clock, table: store.table("workloads"), trustDomain: "mesh.local", isProcessAlive });
    absent = open();
  });

  function open(): AbsentWorkloads {
    return new AbsentWorkloads({ registry, table: store.table("absent"), clock, isProcessAlive });
  }

  async function join(instance: string, svidMs: number): Promise<void> {
    const asked = { ...request, instance };
    const named = registry.name(asked);
    assert.ok(named.ok);
    await registry.register(asked, { ...named.value, svidNotAfterMs: clock.nowMs() + svidMs });
  }

  const ids = (): string[] => absent.list().map(({ id }) => id);

  it("are remembered while their SVID is valid, after a restart too", async () => {
    await join("a", 60_000);
    clock.advance(31_000);
    assert.equal(registry.size, 0);
    assert.deepEqual(ids(), ["shop/a"]);
    absent.close();
    absent = open();
    assert.deepEqual(ids(), ["shop/a"]);
    clock.advance(60_000);
    assert.deepEqual(ids(), []);
  });

  it("are forgotten when they come back, when their process is dead, and when they had left", async () => {
    await join("a", 60_000);
    clock.advance(31_000);
    await join("a", 60_000);
    assert.deepEqual(ids(), []);
    clock.advance(31_000);
    dead.add(7);
    assert.deepEqual(ids(), []);
    dead.clear();
    await join("b", 60_000);
    await registry.leave("shop/b");
    assert.deepEqual(ids(), []);
  });
});
