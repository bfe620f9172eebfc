// What a change costs does not depend on the size of the mesh: counted, not timed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { endpointsType, routesName, routesType, serviceType, workloadType, type ResourceType } from "@ripstop/model";
import { policyKinds, policyResourceKinds } from "@ripstop/policies/control";
import { coreKinds, KindRegistry, validateAll } from "@ripstop/resources";
import { StoppedClock } from "@ripstop/testkit";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { Compiler } from "./compiler.ts";

const kinds = new KindRegistry([...coreKinds, ...policyResourceKinds]);

/** A mesh of `services` services of two workloads, ten services a namespace. */
class SizedMesh {
  /** How often a policy was asked whether it guards a workload. */
  asked = 0;
  readonly clock: StoppedClock = new StoppedClock();
  readonly store: MemoryStore = new MemoryStore({ clock: this.clock });
  readonly registry: Registry;
  readonly compiler: Compiler;

  private constructor() {
    const table = this.store.table<RegisteredWorkload>("workloads");
    this.registry = new Registry({ clock: this.clock, table, trustDomain: "mesh.local", isProcessAlive: () => true });
    this.compiler = new Compiler({
      store: this.store,
      registry: this.registry,
      policyKinds: policyKinds.map((policyKind) => ({
        ...policyKind,
        appliesTo: (...facts: Parameters<typeof policyKind.appliesTo>) => {
          this.asked++;
          return policyKind.appliesTo(...facts);
        },
      })),
      trustDomain: "mesh.local",
      bundle: () => ({ der: [], sequence: 1 }),
      clock: this.clock,
    });
  }

  static async of(services: number): Promise<SizedMesh> {
    const mesh = new SizedMesh();
    for (let service = 0; service < services; service++) {
      const [namespace, name] = [`n${Math.floor(service / 10)}`, `s${service}`];
      for (const instance of ["a", "b"]) {
        const request = {
          service: name,
          namespace,
          instance: `${name}-${instance}`,
          labels: { version: "v1" },
          ports: [{ port: 80, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:80" }],
          csrPem: "",
          pid: 1,
        } as const;
        const named = mesh.registry.name(request);
        assert.ok(named.ok);
        const { id } = await mesh.registry.register(request, { ...named.value, svidNotAfterMs: 0 });
        await mesh.registry.heartbeat(id, { inboundAddress: "10.0.0.1:1", ready: true });
        mesh.get(workloadType, id);
      }
      mesh.get(serviceType, `${namespace}/${name}`);
      mesh.get(endpointsType, `${namespace}/${name}`);
      mesh.get(routesType, routesName(`${namespace}/${name}`, "n0"));
    }
    return mesh;
  }

  get(type: ResourceType<unknown>, name: string): void {
    assert.ok(this.compiler.get(type.typeUrl, name, { proxyId: name, identity: "" }), name);
  }

  /** Resources computed, and questions asked of policies, while `change` is made. */
  async cost(change: () => Promise<unknown>): Promise<{ readonly computed: number; readonly asked: number }> {
    const { computed } = this.compiler.statistics;
    this.asked = 0;
    await change();
    return { computed: this.compiler.statistics.computed - computed, asked: this.asked };
  }

  async apply(document: object): Promise<void> {
    const { resources } = validateAll([{ file: "test", text: JSON.stringify(document) }], {
      kinds,
      current: { get: () => undefined, list: () => [] },
    });
    const puts = resources.map(({ resource }) => resource);
    assert.ok((await this.store.commit({ author: "", reason: "", puts, deletes: [] })).ok);
  }
}

const metadata = { name: "x", namespace: "n0" };
const rules = [{ from: [{ serviceAccounts: ["a"] }] }];
const policy = { apiVersion: "ripstop.mesh/v1alpha1", kind: "AuthorizationPolicy", metadata };

const changes: readonly {
  readonly what: string;
  readonly computed: number;
  make(mesh: SizedMesh): Promise<unknown>;
}[] = [
  {
    what: "an endpoint that moves",
    computed: 1,
    make: ({ registry }) => registry.heartbeat("n0/s1-a", { inboundAddress: "10.0.0.2:2", ready: true }),
  },
  {
    what: "a route",
    computed: 1,
    make: (mesh) =>
      mesh.apply({
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata,
        spec: {
          parentRefs: [{ group: "", kind: "Service", name: "s1" }],
          rules: [{ backendRefs: [{ name: "s2", port: 80 }] }],
        },
      }),
  },
  {
    what: "a policy for a Service",
    computed: 2,
    make: (mesh) =>
      mesh.apply({
        ...policy,
        spec: { action: "ALLOW", rules, targetRefs: [{ group: "", kind: "Service", name: "s1" }] },
      }),
  },
  {
    what: "a policy for a label",
    computed: 20,
    make: (mesh) =>
      mesh.apply({ ...policy, spec: { action: "ALLOW", rules, selector: { matchLabels: { version: "v1" } } } }),
  },
  {
    what: "a policy for a namespace",
    computed: 20,
    make: (mesh) => mesh.apply({ ...policy, spec: { action: "ALLOW", rules } }),
  },
];

describe("the cost of a change", () => {
  for (const { what, computed, make } of changes) {
    it(`of ${what} is that of its dependents, at 10 services as at 200`, async () => {
      const small = await SizedMesh.of(10);
      const large = await SizedMesh.of(200);
      const cost = await small.cost(() => make(small));
      assert.equal(cost.computed, computed);
      assert.deepEqual(await large.cost(() => make(large)), cost);
      // Each workload of the namespace is asked once for the change, and once when it is compiled.
      assert.ok(cost.asked <= 2 * computed, `${cost.asked} questions`);
    });
  }
});
