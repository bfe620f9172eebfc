// Imported instances from the source to the endpoints of a Service: kept over failures, shared by control planes, damped.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { err, ok, type Result } from "@ripstop/core";
import { Endpoint_Reach, endpointsType, type Endpoint, type RegisterRequest } from "@ripstop/model";
import { policyKinds, policyResourceKinds, servicePolicyKinds } from "@ripstop/policies/control";
import {
  coreKinds,
  isRecord,
  KindRegistry,
  meshKinds,
  validateAll,
  type EndpointSourceSpec,
  type Resource,
} from "@ripstop/resources";
import { StoppedClock } from "@ripstop/testkit";

import { Compiler } from "../compile/compiler.ts";
import { workloadKey } from "../damping/damping-key.ts";
import { EventLog } from "../events/event-log.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Replication } from "../store/store.ts";
import type { ImportRecord } from "./import-follower.ts";
import type { ImportAnswer, ImportedInstance, ImportSource } from "./import-source.ts";
import { Imports } from "./imports.ts";
import { startImports, type StartedImports } from "./start-imports.ts";

const kinds = new KindRegistry([...coreKinds, ...meshKinds, ...policyResourceKinds]);

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: legacy, namespace: infra}
spec: {ports: [{name: http, port: 80}, {name: admin, port: 81}]}`;

const source = (name: string, more = ""): string => `apiVersion: ripstop.mesh/v1alpha1
kind: EndpointSource
metadata: {name: ${name}}
spec: {service: {namespace: infra, name: legacy}, dnsSrv: {name: _x._tcp.${name}.test} ${more}}`;

const instance = (at: number, more: Partial<ImportedInstance> = {}): ImportedInstance => ({
  host: `10.0.0.${at}`,
  port: 8080,
  priority: 0,
  weight: 1,
  labels: {},
  ...more,
});

/** Lets promises that are kept already take effect. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A registry outside, by the name of its SRV records. */
class Outside {
  readonly answers = new Map<string, Result<ImportAnswer, string>>();
  asked = 0;
  /** No question is answered. */
  isSilent = false;

  set(name: string, ...instances: ImportedInstance[]): void {
    this.answers.set(`_x._tcp.${name}.test`, ok({ instances, note: "", againMs: 5_000 }));
  }

  fail(name: string): void {
    this.answers.set(`_x._tcp.${name}.test`, err("it answers SERVFAIL"));
  }

  readonly sourceOf = ({ dnsSrv }: EndpointSourceSpec): ImportSource => ({
    ask: () => {
      this.asked++;
      if (this.isSilent) return new Promise(() => undefined);
      return Promise.resolve(this.answers.get(dnsSrv?.name ?? "") ?? err("it is not there"));
    },
  });
}

async function commit(store: MemoryStore, ...texts: string[]): Promise<void> {
  const files = texts.map((text) => ({ file: "t.yaml", text }));
  const { resources, violations } = validateAll(files, { kinds, current: { get: () => undefined, list: () => [] } });
  assert.deepEqual(violations, []);
  const puts = resources.map(({ resource }) => resource);
  assert.ok((await store.commit({ author: "", reason: "", puts, deletes: [] })).ok);
}

describe("imported instances", () => {
  let clock: StoppedClock;
  let store: MemoryStore;
  let registry: Registry;
  let outside: Outside;
  let events: EventLog;
  let started: StartedImports;
  let compiler: Compiler;

  function start(): void {
    started = startImports({ store, registry, clock, events, sourceOf: outside.sourceOf });
    compiler = new Compiler({
      store,
      registry,
      policyKinds,
      servicePolicyKinds,
      trustDomain: "mesh.local",
      bundle: () => ({ der: [], sequence: 1 }),
      imports: started.imports,
      damper: started.damper,
    });
    started.connect(compiler);
  }
  function stop(): void {
    compiler.close();
    started.close();
  }
  const apply = (...texts: string[]): Promise<void> => commit(store, ...texts);
  const endpoints = (service = "infra/legacy"): readonly Endpoint[] => {
    const found = compiler.get(endpointsType.typeUrl, service, { proxyId: "shop/web-1", identity: "" });
    return found === undefined ? [] : endpointsType.decode(found.bytes).endpoints;
  };
  const ids = (): string[] => endpoints().map(({ id }) => id);
  const pass = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 1_000) {
      clock.advance(1_000);
      await settle();
    }
  };
  const status = (name: string): Readonly<Record<string, unknown>> => {
    const found = store.get(`EndpointSource/${name}`);
    assert.ok(found);
    const shown = started.imports.withStatus(found).status;
    assert.ok(isRecord(shown));
    return shown;
  };
  const conditions = (name: string): string[] =>
    (status(name)["conditions"] as { type: string; status: string; reason: string; message: string }[]).map((one) =>
      `${one.type}=${one.status} ${one.reason} ${one.message}`.trim(),
    );

  beforeEach(() => {
    clock = new StoppedClock();
    store = new MemoryStore({ clock });
    const table = store.table<RegisteredWorkload>("workloads");
    registry = new Registry({ clock, table, trustDomain: "mesh.local", isProcessAlive: () => true });
    events = new EventLog(clock);
    outside = new Outside();
    start();
  });
  afterEach(() => {
    stop();
    registry.close();
    assert.equal(clock.pending, 0, "a timer is left");
  });

  it("are the endpoints of the Service, with weight, tier, place and version", async () => {
    const labels = { version: "v2", "topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "a" };
    outside.set("a", instance(1, { weight: 7, labels }), instance(2, { priority: 20 }), instance(3, { priority: 10 }));
    await apply(SERVICE, source("a"));
    await settle();
    const [first, second, third] = endpoints();
    assert.deepEqual(first, {
      id: "10.0.0.1:8080",
      reach: Endpoint_Reach.PLAIN,
      address: "10.0.0.1:8080",
      spiffeId: "",
      weight: 7,
      healthy: true,
      locality: { region: "eu", zone: "a" },
      targetPorts: { 80: 8080, 81: 8080 },
      version: "v2",
      subset: undefined,
      priority: undefined,
    });
    assert.deepEqual([second?.priority, third?.priority], [2, 1], "tiers in the order of the priorities");
  });

  it("may come from several sources, each for a port, beside those that somebody wrote down", async () => {
    outside.set("a", instance(1));
    outside.set("b", instance(1, { port: 9090 }), instance(9));
    const slice = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s, namespace: infra, labels: {kubernetes.io/service-name: legacy}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.9], zone: written}]
ports: [{name: http, port: 8080}]`;
    await apply(SERVICE, slice, source("a", ", port: 80"), source("b", ", port: 81"));
    await settle();
    assert.deepEqual(
      endpoints().map(({ id, targetPorts, locality }) => [id, targetPorts, locality?.zone]),
      [
        ["10.0.0.9:8080", { 80: 8080 }, "written"],
        ["10.0.0.1:8080", { 80: 8080 }, undefined],
        ["10.0.0.1:9090", { 81: 9090 }, undefined],
      ],
    );
  });

  it("change with the source, and only what is compiled from them", async () => {
    outside.set("a", instance(1));
    await apply(SERVICE, source("a"));
    await settle();
    assert.deepEqual(ids(), ["10.0.0.1:8080"]);
    const computed = compiler.statistics.computed;
    await pass(10_000);
    assert.equal(compiler.statistics.computed, computed, "the same answer changes nothing");
    outside.set("a", instance(1), instance(2));
    await pass(5_000);
    assert.deepEqual(ids(), ["10.0.0.1:8080", "10.0.0.2:8080"]);
    assert.equal(compiler.statistics.computed, computed + 1);
  });

  it("stay while the source does not answer, and the status says why", async () => {
    outside.set("a", instance(1));
    await apply(SERVICE, source("a"));
    await settle();
    assert.deepEqual(conditions("a"), ["Accepted=True Accepted", "Imported=True Imported"]);
    outside.fail("a");
    await pass(300_000);
    assert.deepEqual(ids(), ["10.0.0.1:8080"]);
    assert.equal(conditions("a")[1], "Imported=False NotAnswered it answers SERVFAIL; the last 1 instances stay");
    assert.ok(started.imports.failures >= 5 && started.imports.failures < 30, String(started.imports.failures));
    outside.set("a", instance(2));
    await pass(60_000);
    assert.deepEqual(ids(), ["10.0.0.2:8080"]);
    assert.deepEqual(
      events.list().map(({ type }) => type),
      ["ImportFailed", "ImportBack"],
    );
  });

  it("stay for ten minutes when most disappear at once, and go one by one", async () => {
    const five = [1, 2, 3, 4, 5].map((at) => instance(at));
    outside.set("a", ...five);
    await apply(SERVICE, source("a"));
    await settle();
    outside.set("a", ...five.slice(1));
    await pass(5_000);
    assert.equal(ids().length, 4);
    outside.set("a");
    await pass(590_000);
    assert.equal(ids().length, 4);
    assert.equal(status("a")["heldInstances"], 4);
    assert.match(conditions("a")[1] ?? "", /^Imported=True LastSetKept 4 instances that disappeared at once are kept/);
    await pass(20_000);
    assert.deepEqual(ids(), []);
  });

  it("give way to as many others at once", async () => {
    outside.set("a", instance(1), instance(2), instance(3));
    await apply(SERVICE, source("a"));
    await settle();
    outside.set("a", instance(4), instance(5), instance(6));
    await pass(5_000);
    assert.deepEqual(ids(), ["10.0.0.4:8080", "10.0.0.5:8080", "10.0.0.6:8080"]);
  });

  it("go with their resource, and move with its Service", async () => {
    outside.set("a", instance(1));
    await apply(SERVICE, SERVICE.replace("name: legacy", "name: other"), source("a"));
    await settle();
    outside.isSilent = true;
    await apply(source("a").replace("name: legacy", "name: other"));
    assert.equal(conditions("a")[1], "Imported=Unknown Pending not answered yet");
    assert.deepEqual([ids(), endpoints("infra/other").map(({ id }) => id)], [[], ["10.0.0.1:8080"]]);
    const deletes = ["EndpointSource/a"];
    assert.ok((await store.commit({ author: "", reason: "", puts: [], deletes })).ok);
    await settle();
    assert.deepEqual(endpoints("infra/other"), []);
    assert.deepEqual([...store.table("imports").entries()], []);
  });

  it("are there again at once after a restart, before anybody was asked", async () => {
    outside.set("a", instance(1));
    await apply(SERVICE, source("a"));
    await settle();
    stop();
    outside.fail("a");
    start();
    assert.deepEqual(ids(), ["10.0.0.1:8080"]);
    await pass(30_000);
    assert.deepEqual(ids(), ["10.0.0.1:8080"]);
  });

  it("do not belong to a Service that selects workloads, or that is not there", async () => {
    outside.set("a", instance(1));
    outside.isSilent = true;
    await apply(source("b"));
    assert.equal(conditions("b")[1], "Imported=Unknown Pending not answered yet");
    outside.isSilent = false;
    await apply(source("a"));
    await settle();
    assert.match(conditions("a")[0] ?? "", /^Accepted=False NoService/);
    await apply(SERVICE);
    assert.deepEqual(ids(), ["10.0.0.1:8080"]);
    await apply(SERVICE.replace("spec: {", "spec: {selector: {app: x}, "));
    assert.deepEqual(ids(), []);
    assert.match(conditions("a")[0] ?? "", /^Accepted=False HasSelector/);
  });

  it("are held down when they come and go, while enough others stay", async () => {
    const stable = [1, 2, 3].map((at) => instance(at));
    const healthy = (): string[] =>
      endpoints()
        .filter((one) => one.healthy)
        .map(({ id }) => id);
    await apply(SERVICE);
    outside.set("a", ...stable, instance(4));
    await apply(source("a"));
    await settle();
    for (let time = 0; time < 4; time++) {
      outside.set("a", ...stable);
      await pass(5_000);
      outside.set("a", ...stable, instance(4));
      await pass(5_000);
    }
    assert.equal(ids().length, 4);
    assert.deepEqual(healthy(), ["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.3:8080"]);
    await pass(180_000);
    assert.equal(healthy().length, 4);
    assert.deepEqual(
      events.list().map(({ type, subject }) => [type, subject]),
      [
        ["InstanceHeldDown", "imported a 10.0.0.4:8080"],
        ["InstanceLetGo", "imported a 10.0.0.4:8080"],
      ],
    );
  });

  it("and workloads are damped alike, by what they are and not by their id", async () => {
    const request: RegisterRequest = {
      service: "web",
      namespace: "shop",
      labels: {},
      ports: [{ port: 8080, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:8080" }],
      csrPem: "",
      pid: 1,
    };
    const join = async (host: string): Promise<string> => {
      const named = registry.name(request);
      assert.ok(named.ok);
      const { id } = await registry.register(request, { ...named.value, svidNotAfterMs: 1 });
      await registry.heartbeat(id, { inboundAddress: `${host}:15008`, ready: true });
      return id;
    };
    const healthy = (): (string | undefined)[] =>
      endpoints("shop/web")
        .filter((one) => one.healthy)
        .map(({ address }) => address)
        .sort();
    for (const host of ["10.0.0.1", "10.0.0.2"]) await join(host);
    let last = await join("10.0.0.3");
    assert.equal(healthy().length, 3);
    for (let time = 0; time < 2; time++) {
      // Not ready, and ready again: its id stays. Then it leaves, and comes with another one.
      await registry.heartbeat(last, { inboundAddress: "10.0.0.3:15008", ready: false });
      await registry.heartbeat(last, { inboundAddress: "10.0.0.3:15008", ready: true });
      await registry.leave(last);
      last = await join("10.0.0.3");
    }
    assert.deepEqual(healthy(), ["10.0.0.1:15008", "10.0.0.2:15008"]);
    assert.equal(registry.get(last)?.ready, true);
    const { untilMs = 0 } = started.damper.holding(workloadKey(registry.get(last) as RegisteredWorkload)) ?? {};
    const heartbeats = async (): Promise<void> => {
      for (const { id, inboundAddress } of registry.list())
        await registry.heartbeat(id, { inboundAddress, ready: true });
    };
    while (clock.nowMs() < untilMs) {
      assert.equal(healthy().length, 2);
      await heartbeats();
      await pass(1_000);
    }
    assert.equal(healthy().length, 3, "it is let go without any change of its own");
    for (let time = 0; time < 4; time++) {
      await registry.heartbeat(last, { inboundAddress: "10.0.0.3:15008", ready: false });
      await registry.heartbeat(last, { inboundAddress: "10.0.0.3:15008", ready: true });
    }
    assert.equal(healthy().length, 2);
    // With one of the others gone too few are left: the one that was held down is used again.
    const other = registry.list().find(({ inboundAddress }) => inboundAddress === "10.0.0.1:15008");
    assert.ok(other);
    await registry.leave(other.id);
    assert.deepEqual(healthy(), ["10.0.0.2:15008", "10.0.0.3:15008"]);
  });
});

describe("importing with several control planes", () => {
  class Replica {
    isLeader = false;
    readonly imports: Imports;
    #change: () => void = () => undefined;

    constructor(store: MemoryStore, clock: StoppedClock, outside: Outside) {
      const { role } = this;
      this.imports = new Imports({
        store,
        table: store.table<ImportRecord>("imports"),
        clock,
        events: new EventLog(clock),
        replication: role as Replication,
        sourceOf: outside.sourceOf,
      });
    }

    private get role(): Partial<Replication> {
      const isLeader = (): boolean => this.isLeader;
      return {
        get isLeader() {
          return isLeader();
        },
        onChange: (listener) => {
          this.#change = listener;
          return () => undefined;
        },
      };
    }

    lead(does: boolean): void {
      this.isLeader = does;
      this.#change();
    }

    ids(): string[] {
      return this.imports.of("infra", "legacy").flatMap(({ instances }) => instances.map(({ host }) => host));
    }
  }

  it("asks by the leader alone, shows all the same, and a take-over keeps the set", async () => {
    const clock = new StoppedClock();
    const store = new MemoryStore({ clock });
    const [first, second] = [new Outside(), new Outside()];
    const [left, right] = [new Replica(store, clock, first), new Replica(store, clock, second)];
    left.lead(true);
    first.set("a", instance(1), instance(2));
    second.fail("a");
    await commit(store, SERVICE, source("a"));
    await settle();
    assert.deepEqual(
      [left.ids(), right.ids()],
      [
        ["10.0.0.1", "10.0.0.2"],
        ["10.0.0.1", "10.0.0.2"],
      ],
    );
    assert.deepEqual([first.asked, second.asked], [1, 0]);

    left.lead(false);
    right.lead(true);
    await settle();
    assert.equal(second.asked, 1);
    assert.deepEqual(right.ids(), ["10.0.0.1", "10.0.0.2"], "the new leader gets no answer");
    clock.advance(120_000);
    await settle();
    assert.equal(first.asked, 1, "who led asks no more");
    second.set("a", instance(1));
    clock.advance(120_000);
    await settle();
    assert.deepEqual([left.ids(), right.ids()], [["10.0.0.1"], ["10.0.0.1"]]);
    const shown = left.imports.withStatus(store.get("EndpointSource/a") as Resource).status;
    assert.match(JSON.stringify(shown), /"reason":"Imported"/);
    left.imports.close();
    right.imports.close();
    assert.equal(clock.pending, 0);
  });

  it("removes what belongs to nobody when somebody leads again", async () => {
    const clock = new StoppedClock();
    const store = new MemoryStore({ clock });
    const outside = new Outside();
    const replica = new Replica(store, clock, outside);
    replica.lead(true);
    outside.set("a", instance(1));
    await commit(store, SERVICE, source("a"));
    await settle();
    replica.lead(false);
    assert.ok((await store.commit({ author: "", reason: "", puts: [], deletes: ["EndpointSource/a"] })).ok);
    await settle();
    assert.equal([...store.table("imports").entries()].length, 1);
    replica.lead(true);
    await settle();
    assert.equal([...store.table("imports").entries()].length, 0);
    replica.imports.close();
  });
});
