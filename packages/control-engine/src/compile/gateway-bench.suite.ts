// A store, a registry, a compiler and conditions, for the tests of Gateways.

import assert from "node:assert/strict";

import type { ClosedGatewayPort, RegisterRequest, ResourceType } from "@ripstop/model";
import { policyKinds, policyResourceKinds, servicePolicyKinds } from "@ripstop/policies/control";
import { coreKinds, isRecord, KindRegistry, validateAll, type Resource } from "@ripstop/resources";
import { StoppedClock } from "@ripstop/testkit";

import { followGateways, infrastructureOf } from "../registry/gateway-infrastructure.ts";
import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { Compiler } from "./compiler.ts";
import { Conditions, type ConditionTimes } from "./conditions.ts";

/** Every kind that the tests apply. */
export const kinds: KindRegistry = new KindRegistry([...coreKinds, ...policyResourceKinds]);

const PROXY = "infra/proxy";

/** The control side of Gateways in memory. */
export class GatewayBench {
  readonly clock: StoppedClock = new StoppedClock();
  readonly store: MemoryStore = new MemoryStore({ clock: this.clock });
  readonly registry: Registry;
  readonly compiler: Compiler;
  readonly conditions: Conditions;
  readonly #unfollow: () => void;

  constructor() {
    const { store, clock } = this;
    const table = store.table<RegisteredWorkload>("workloads");
    this.registry = new Registry({
      ...{ clock, table, trustDomain: "mesh.local", isProcessAlive: () => true },
      infrastructureOf: (namespace, gateways) => infrastructureOf(store, namespace, gateways),
    });
    this.#unfollow = followGateways(store, this.registry);
    this.compiler = new Compiler({
      store,
      registry: this.registry,
      policyKinds,
      servicePolicyKinds,
      trustDomain: "mesh.local",
      bundle: () => ({ der: [], sequence: 1 }),
    });
    const times = store.table<ConditionTimes>("conditions");
    this.conditions = new Conditions({ store, compiler: this.compiler, table: times, clock });
  }

  /** Applies YAML documents as `ripstop apply` would, a second after those before. */
  async apply(...texts: readonly string[]): Promise<void> {
    this.clock.advance(1_000);
    const files = texts.map((text) => ({ file: "test.yaml", text }));
    const { resources, violations } = validateAll(files, { kinds, current: { get: () => undefined, list: () => [] } });
    assert.deepEqual(violations, []);
    const puts = resources.map(({ resource }) => resource);
    assert.ok((await this.store.commit({ author: "", reason: "", puts, deletes: [] })).ok);
  }

  async delete(...deletes: readonly string[]): Promise<void> {
    assert.ok((await this.store.commit({ author: "", reason: "", puts: [], deletes })).ok);
  }

  /** A ready proxy that hosts Gateways of namespace infra. */
  async host(...names: readonly string[]): Promise<void> {
    const request: RegisterRequest = {
      service: "gateway",
      namespace: "infra",
      instance: "proxy",
      labels: {},
      ports: [],
      csrPem: "",
      pid: 1,
      gateway: { names, address: "127.0.0.7", portOffset: 0 },
    };
    const named = this.registry.name(request);
    assert.ok(named.ok);
    await this.registry.register(request, { ...named.value, svidNotAfterMs: 0 });
    await this.registry.heartbeat(PROXY, { inboundAddress: "10.0.0.1:15008", ready: true });
  }

  /** The proxy of `host` says which ports it cannot open. */
  async report(closedPorts: readonly ClosedGatewayPort[]): Promise<void> {
    const status = { inboundAddress: "10.0.0.1:15008", ready: true, closedPorts };
    assert.ok((await this.registry.heartbeat(PROXY, status)).ok);
  }

  /** What the proxy of `host` gets. */
  get<T>(type: ResourceType<T>, name: string): T | undefined {
    const found = this.compiler.get(type.typeUrl, name, { proxyId: PROXY, identity: "" });
    return found === undefined ? undefined : type.decode(found.bytes);
  }

  resource(key: string): Resource {
    const found = this.store.get(key);
    assert.ok(found, key);
    return this.conditions.withStatus(found);
  }

  status(key: string): Readonly<Record<string, unknown>> {
    const { status } = this.resource(key);
    assert.ok(isRecord(status), key);
    return status;
  }

  /** "Accepted=True Accepted" of every condition of the whole, or of the listener, parent or ancestor at `place`. */
  conditionsOf(key: string, ...place: readonly (string | number)[]): readonly string[] {
    let at: unknown = this.status(key);
    for (const step of place) {
      if (Array.isArray(at))
        at = at.find((one: unknown, index) => index === step || (isRecord(one) && one["name"] === step));
      else at = isRecord(at) ? at[step] : undefined;
    }
    const list = isRecord(at) ? at["conditions"] : undefined;
    assert.ok(Array.isArray(list), `${key} ${place.join(".")}`);
    return list.map((one: unknown) => {
      assert.ok(isRecord(one));
      return `${String(one["type"])}=${String(one["status"])} ${String(one["reason"])}`;
    });
  }

  close(): void {
    this.conditions.close();
    this.compiler.close();
    this.#unfollow();
    this.registry.close();
  }
}

/** A Secret with a certificate and its key. */
export function tlsSecret(name: string, { chainPem, keyPem }: { chainPem: string; keyPem: string }): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "infra" },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": chainPem, "tls.key": keyPem },
  });
}
