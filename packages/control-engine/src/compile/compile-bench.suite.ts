// A store, a registry and a compiler in memory, for the tests of what is compiled.

import assert from "node:assert/strict";

import type { RegisterRequest, ResourceType, TrustBundle } from "@ripstop/model";
import { policyKinds, policyResourceKinds, servicePolicyKinds } from "@ripstop/policies/control";
import { coreKinds, KindRegistry, validateAll, type Resource } from "@ripstop/resources";
import { StoppedClock } from "@ripstop/testkit";

import { followGateways, infrastructureOf } from "../registry/gateway-infrastructure.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { Compiler } from "./compiler.ts";

/** Every kind that the tests apply. */
export const kinds: KindRegistry = new KindRegistry([...coreKinds, ...policyResourceKinds]);

/** What the tests' proxies trust. */
export const bundle: Pick<TrustBundle, "sequence"> & { der: Uint8Array[] } = {
  der: [new Uint8Array([1, 2, 3])],
  sequence: 1,
};

/** Resources as an apply makes them, of YAML texts or of objects. */
export function read(...documents: readonly (string | object)[]): Resource[] {
  const files = documents.map((one) => ({
    file: "test.yaml",
    text: typeof one === "string" ? one : JSON.stringify(one),
  }));
  const { resources, violations } = validateAll(files, { kinds, current: { get: () => undefined, list: () => [] } });
  assert.deepEqual(violations, []);
  return resources.map(({ resource }) => resource);
}

/** The model side of a control plane in memory. */
export class CompileBench {
  readonly clock: StoppedClock = new StoppedClock();
  readonly store: MemoryStore = new MemoryStore({ clock: this.clock });
  readonly registry: Registry;
  readonly compiler: Compiler;
  /** What DNS says of hosts outside. */
  readonly addresses: Map<string, readonly string[]> = new Map();
  readonly #unfollow: () => void;

  constructor() {
    const { store, clock } = this;
    const table = store.table<RegisteredWorkload>("workloads");
    this.registry = new Registry({
      ...{ clock, table, trustDomain: "mesh.local", isProcessAlive: () => true },
      infrastructureOf: (namespace, gateways) => infrastructureOf(store, namespace, gateways),
    });
    this.#unfollow = followGateways(store, this.registry);
    this.compiler = this.fresh();
  }

  /** One more compiler of the same resources and workloads. */
  fresh(): Compiler {
    const { store, registry } = this;
    return new Compiler({
      ...{ store, registry, policyKinds, servicePolicyKinds, trustDomain: "mesh.local" },
      bundle: () => bundle,
      addressesOf: (host) => this.addresses.get(host) ?? [],
    });
  }

  /** Applies documents as `ripstop apply` would, a second after those before: age decides between resources. */
  async apply(...documents: readonly (string | object)[]): Promise<void> {
    this.clock.advance(1_000);
    await this.put(...documents);
  }

  /** Applies documents, and no time passes. */
  async put(...documents: readonly (string | object)[]): Promise<void> {
    assert.ok((await this.store.commit({ author: "", reason: "", puts: read(...documents), deletes: [] })).ok);
  }

  async delete(...deletes: readonly string[]): Promise<void> {
    assert.ok((await this.store.commit({ author: "", reason: "", puts: [], deletes })).ok);
  }

  /** Registers the workload "NAMESPACE/INSTANCE", without ports unless told; its id. */
  async register(
    change: Pick<RegisterRequest, "service" | "namespace" | "instance"> & Partial<RegisterRequest>,
  ): Promise<string> {
    const request: RegisterRequest = { labels: {}, ports: [], csrPem: "", pid: 1, ...change };
    const named = this.registry.name(request);
    assert.ok(named.ok, JSON.stringify(named));
    const { id } = await this.registry.register(request, { ...named.value, svidNotAfterMs: 0 });
    return id;
  }

  /** What a proxy gets. */
  get<T>(type: ResourceType<T>, name: string, proxyId: string = "shop/web-1"): T | undefined {
    const found = this.compiler.get(type.typeUrl, name, { proxyId, identity: "" });
    return found === undefined ? undefined : type.decode(found.bytes);
  }

  close(): void {
    this.compiler.close();
    this.#unfollow();
    this.registry.close();
  }
}
