// Recomputing by dependency equals starting anew, after each of many random edits of resources of every kind, of
// workloads, roots and addresses: as a control plane does it, and cut into the smallest slices.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { Clock } from "@ripstop/core";
import {
  endpointsType,
  gatewayRoutesType,
  gatewayRouteType,
  gatewayType,
  hostBindingType,
  policyType,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
  resourceTypes,
  type ResourceType,
} from "@ripstop/model";
import { policyKinds, servicePolicyKinds } from "@ripstop/policies/control";
import type { ServicePolicyKind } from "@ripstop/policy-api/control";
import { isRecord, KindRegistry, resourceKey, validateAll, type Resource } from "@ripstop/resources";
import { SeededRandom, StoppedClock, TestAuthority } from "@ripstop/testkit";

import { allKinds } from "../all-kinds.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { compileStatus, statusKinds } from "./compile-status.ts";
import { Compiler } from "./compiler.ts";
import { Conditions, type ConditionTimes } from "./conditions.ts";
import {
  addresses,
  hosts,
  names,
  namespaces,
  randomKinds,
  services,
  type RandomCertificate,
  type RandomKinds,
} from "./random-resources.suite.ts";

/** `RIPSTOP_EDITS=5000 RIPSTOP_SEED=7` makes the long run of the random edits (`npm run edits`). */
const EDITS = Number(process.env["RIPSTOP_EDITS"] ?? "400");
const SEED = Number(process.env["RIPSTOP_SEED"] ?? "2026");
/** With so many edits every kind and every type of the model must have been among them, whatever the seed. */
const ENOUGH = 2_000;

const kinds = new KindRegistry(allKinds);
/** Kinds that come to something only together with others. */
const OFTEN = ["Service", "HTTPRoute", "HTTPRoute", "TCPRoute", "GatewayClass", "Gateway", "Gateway"];
/** The last hosts Gateways. */
const instances = ["i1", "i2", "g"];
const gatewayTypes = new Set([gatewayType, gatewayRoutesType, gatewayRouteType].map(({ typeUrl }) => typeUrl));
const routeKinds = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];

/** A policy that is attached to Services, known to the compilers of this test alone: its versions show in the model. */
const attached: ServicePolicyKind = {
  name: "attached",
  kind: { ...kindNamed("ResiliencePolicy"), kind: "Attached" },
  targets: ({ metadata: { namespace, labels } }) => [`${namespace}/${labels["on"]}`],
  apply: ({ metadata }, compiled) => ({
    ...compiled,
    addresses: [...compiled.addresses, `${metadata.name} ${metadata.generation}`],
  }),
};

function kindNamed(name: string): (typeof allKinds)[number] {
  const found = kinds.get(name);
  assert.ok(found);
  return found.kind;
}

/** Of it every millisecond of work is one too many: whatever can be cut is cut. */
class RestlessClock extends StoppedClock {
  #readings = 0;

  override monotonicMs(): number {
    return super.monotonicMs() + ++this.#readings * 1_000;
  }
}

/** A document as an apply to an empty mesh reads it. */
function readOne(document: unknown): { readonly resource: Resource | undefined; readonly problems: readonly string[] } {
  const current = { get: () => undefined, list: () => [] };
  const { resources, violations } = validateAll([{ file: "x", text: JSON.stringify(document) }], { kinds, current });
  return { resource: resources[0]?.resource, problems: violations.map(({ path, message }) => `${path}: ${message}`) };
}

class Edits {
  readonly random: SeededRandom = new SeededRandom(SEED);
  readonly clock: StoppedClock = new StoppedClock();
  readonly restless: RestlessClock = new RestlessClock();
  readonly store: MemoryStore = new MemoryStore({ clock: this.clock });
  readonly registry: Registry;
  readonly known: RandomKinds;
  /** As a control plane runs it. */
  readonly compiler: Compiler;
  readonly conditions: Conditions;
  /** Cut into the smallest slices. */
  readonly sliced: Compiler;
  /** Kinds of which something was committed. */
  readonly seen = new Set<string>();
  #bundle = { der: [new Uint8Array([1])], sequence: 1 };
  #federated = new Map<string, { x509Authorities: readonly Uint8Array[]; sequence: number }>();
  #addresses: readonly string[] = [];

  constructor(known: (random: SeededRandom) => RandomKinds) {
    this.known = known(this.random);
    const table = this.store.table<RegisteredWorkload>("workloads");
    this.registry = new Registry({ clock: this.clock, table, trustDomain: "mesh.local", isProcessAlive: () => true });
    this.compiler = this.compilerOf(this.clock);
    this.sliced = this.compilerOf(this.restless);
    const times = this.store.table<ConditionTimes>("conditions");
    this.conditions = new Conditions({ store: this.store, compiler: this.compiler, table: times, clock: this.clock });
  }

  compilerOf(clock?: Clock): Compiler {
    return new Compiler({
      store: this.store,
      registry: this.registry,
      policyKinds,
      servicePolicyKinds: [...servicePolicyKinds, attached],
      trustDomain: "mesh.local",
      bundle: () => this.#bundle,
      federated: () => this.#federated,
      addressesOf: () => this.#addresses,
      budgetMs: Infinity,
      ...(clock === undefined ? {} : { clock }),
    });
  }

  /** One edit; everything that it sets off is done. */
  async make(): Promise<void> {
    await this.#pick([
      ...Array.from({ length: 6 }, () => () => this.#commit(1)),
      () => this.#commit(6),
      () => this.#attach(),
      () => this.#register(),
      () => this.#register(),
      () => this.registry.leave(this.#workload()),
      () =>
        this.registry.heartbeat(this.#workload(), {
          inboundAddress: this.#pick(["", "10.0.0.1:1"]),
          ready: this.#pick([true, false]),
        }),
      () => this.#world(),
    ])();
    while (this.restless.pending > 0) this.restless.advance(0);
  }

  close(): void {
    for (const one of [this.conditions, this.compiler, this.sliced, this.registry]) one.close();
  }

  /** Puts and deletes of random kinds in one revision. */
  async #commit(count: number): Promise<void> {
    const puts: Resource[] = [];
    const deletes: string[] = [];
    for (let at = 0; at < count; at++) {
      const kind = this.#pick([...allKinds.map((one) => one.kind), ...OFTEN]);
      const read = readOne(this.known[kind]?.());
      // What it refers to may be gone, as after a delete.
      assert.ok(read.resource);
      if (this.random.integer(4) === 0) {
        deletes.push(resourceKey(read.resource));
        continue;
      }
      puts.push(read.resource);
      this.seen.add(kind);
    }
    await this.#write(puts, deletes);
  }

  async #write(puts: readonly Resource[], deletes: readonly string[]): Promise<void> {
    // Ages decide between policies: revisions are not all of one moment.
    if (this.random.integer(2) === 0) this.clock.advance(1_000);
    assert.ok((await this.store.commit({ author: "", reason: "", puts, deletes })).ok);
  }

  #attach(): Promise<void> {
    const metadata = {
      name: this.#pick(names),
      namespace: this.#pick(namespaces),
      labels: { on: this.#pick(services) },
    };
    const key = `Attached/${metadata.namespace}/${metadata.name}`;
    if (this.random.integer(3) === 0) return this.#write([], [key]);
    const template = { annotations: {}, uid: "", generation: 0, resourceVersion: "", creationTimestamp: "" };
    const spec = { note: this.random.integer(100) };
    const put = { apiVersion: "test/v1", kind: "Attached", metadata: { ...template, ...metadata }, spec };
    return this.#write([put], []);
  }

  async #register(): Promise<void> {
    const instance = this.#pick(instances);
    const gateway = { names: this.#pick([names, names.slice(1)]), address: "127.0.0.7", portOffset: 0 };
    const request = {
      service: this.#pick(services),
      namespace: this.#pick(namespaces),
      instance,
      serviceAccount: instance === "g" ? "gateway" : "x",
      labels: { version: this.#pick(["v1", "v2"]) },
      ports: [{ port: 8080, servicePort: 80, protocol: "auto" as const, applicationAddress: "127.0.0.1:8080" }],
      csrPem: "",
      pid: 1,
      ...(instance === "g" ? { gateway } : {}),
    };
    const named = this.registry.name(request);
    assert.ok(named.ok);
    const { id } = await this.registry.register(request, { ...named.value, svidNotAfterMs: 0 });
    await this.registry.heartbeat(id, { inboundAddress: `10.0.0.1:${id.length}`, ready: true });
  }

  /** Roots of trust, and addresses of hosts outside. */
  async #world(): Promise<void> {
    const roots = { x509Authorities: [new Uint8Array([1])], sequence: this.random.integer(2) };
    this.#bundle = { der: [new Uint8Array([this.random.integer(3)])], sequence: this.random.integer(3) };
    this.#federated = new Map(this.random.integer(2) === 0 ? [] : [["b.example", roots]]);
    this.#addresses = this.#pick([[], ["192.0.2.1"], ["192.0.2.1", "192.0.2.2"]]);
    for (const compiler of [this.compiler, this.sliced]) {
      compiler.bundleChanged();
      for (const host of hosts) compiler.addressesChanged(host);
    }
  }

  #workload(): string {
    return `${this.#pick(namespaces)}/${this.#pick(instances)}`;
  }

  #pick<T>(values: readonly T[]): T {
    return this.random.pick(values);
  }
}

interface Asked {
  readonly typeUrl: string;
  readonly name: string;
  readonly proxyId: string;
}

/** Everything that any proxy could ask for. */
function universe(): readonly Asked[] {
  const all: Asked[] = [];
  const add = (type: ResourceType<unknown>, name: string, proxyId = ""): void =>
    void all.push({ typeUrl: type.typeUrl, name, proxyId });
  for (const namespace of namespaces) {
    const external = names.flatMap((name) => hosts.map((host) => `${name}.external.${host}`));
    for (const name of [...services, ...external]) {
      add(serviceType, `${namespace}/${name}`);
      add(endpointsType, `${namespace}/${name}`);
      for (const client of namespaces) add(routesType, `${namespace}/${name}@${client}`);
    }
    for (const host of [...hosts, ...addresses]) add(hostBindingType, `${namespace}~${host}`);
    for (const name of services)
      for (const client of namespaces) add(hostBindingType, `${client}~${name}.${namespace}`);
    for (const instance of instances) add(workloadType, `${namespace}/${instance}`, `${namespace}/${instance}`);
    for (const gateway of names) {
      const id = `${namespace}/g`;
      add(gatewayType, `${namespace}/${gateway}`, id);
      add(gatewayRoutesType, `${namespace}/${gateway}`, id);
      for (const kind of routeKinds)
        for (const from of namespaces)
          for (const route of names) add(gatewayRouteType, `${namespace}/${gateway}/${kind}/${from}/${route}`, id);
    }
    for (const { kind } of policyKinds) for (const name of names) add(policyType, `${kind.kind}/${namespace}/${name}`);
  }
  for (const trustDomain of ["mesh.local", "b.example"]) add(trustBundleType, trustDomain);
  add(telemetryType, "default");
  return all;
}

function versionsOf(compiler: Compiler, asked: readonly Asked[]): Map<string, string> {
  const subscriber = (proxyId: string): { proxyId: string; identity: string } => ({ proxyId, identity: "" });
  return new Map(
    asked.map(({ typeUrl, name, proxyId }) => [
      `${typeUrl} ${name} ${proxyId}`,
      compiler.get(typeUrl, name, subscriber(proxyId))?.version ?? "",
    ]),
  );
}

/** A status without the times of its conditions. */
function timeless(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(timeless);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (key === "lastTransitionTime" ? [] : [[key, timeless(one)]])),
  );
}

async function certificate(): Promise<RandomCertificate> {
  const authority = await TestAuthority.create();
  const { chainPem, keyPem } = await authority.issue("spiffe://test.mesh/ns/a/sa/b", { dnsNames: ["one.example"] });
  return { chainPem, keyPem, rootsPem: authority.bundlePem };
}

describe("random edits", () => {
  it("are of every kind that there is, and ask for every type of the model", async () => {
    const known = randomKinds(new SeededRandom(1), await certificate());
    for (const { kind, validateReferences } of allKinds) {
      assert.ok(known[kind], `add ${kind} to random-resources.suite.ts`);
      for (let at = 0; at < 20; at++) {
        const { problems } = readOne(known[kind]?.());
        if (validateReferences === undefined) assert.deepEqual(problems, [], kind);
      }
    }
    assert.deepEqual(
      [...new Set(universe().map(({ typeUrl }) => typeUrl))].sort(),
      resourceTypes.map(({ typeUrl }) => typeUrl).sort(),
    );
  });

  it(`leave what a compile from scratch gives after each of ${EDITS}, and report exactly what changed`, async () => {
    const pem = await certificate();
    const edits = new Edits((random) => randomKinds(random, pem));
    const asked = universe();
    const told = [edits.compiler, edits.sliced].map((compiler) => {
      const reported = new Set<string>();
      compiler.watch((typeUrl, changed) => changed.forEach((name) => reported.add(`${typeUrl} ${name}`)));
      return { compiler, reported, before: versionsOf(compiler, asked) };
    });
    const there = new Set<string>();
    for (let edit = 0; edit < EDITS; edit++) {
      for (const { reported } of told) reported.clear();
      await edits.make();
      const scratch = edits.compilerOf();
      const expected = versionsOf(scratch, asked);
      for (const one of told) {
        const now = versionsOf(one.compiler, asked);
        assert.deepEqual(now, expected, `edit ${edit}`);
        for (const [key, version] of now) {
          if (version !== "") there.add(key.slice(0, key.indexOf(" ")));
          const before = one.before.get(key);
          if (version === before) continue;
          // A proxy that begins or ceases to host a Gateway asks anew: who may see it is not the compiler's to report.
          if (gatewayTypes.has(key.slice(0, key.indexOf(" "))) && (version === "" || before === "")) continue;
          assert.ok(one.reported.has(key.slice(0, key.lastIndexOf(" "))), `edit ${edit}: ${key} not reported`);
        }
        one.before = now;
      }
      for (const kind of statusKinds) {
        for (const resource of edits.store.list(kind)) {
          const status = compileStatus(
            scratch.world.view(() => undefined),
            resourceKey(resource),
          );
          assert.deepEqual(
            timeless(edits.conditions.withStatus(resource).status),
            timeless(status ?? resource.status),
            `edit ${edit}: ${resourceKey(resource)}`,
          );
        }
      }
      scratch.close();
    }
    edits.close();
    if (EDITS < ENOUGH) return;
    assert.deepEqual([...edits.seen].sort(), allKinds.map(({ kind }) => kind).sort());
    assert.deepEqual([...there].sort(), resourceTypes.map(({ typeUrl }) => typeUrl).sort());
  });
});
