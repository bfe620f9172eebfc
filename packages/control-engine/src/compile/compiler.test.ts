// The compiler: what it makes of resources and workloads, and that recomputing by dependency equals starting anew.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import {
  endpointsType,
  hostBindingType,
  policyType,
  Protocol,
  resourceTypes,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  type TrustBundle,
  workloadType,
  type RegisterRequest,
  type ResourceType,
} from "@ripstop/model";
import { policyKinds, policyResourceKinds, servicePolicyKinds } from "@ripstop/policies/control";
import type { ServicePolicyKind } from "@ripstop/policy-api/control";
import { coreKinds, KindRegistry, resourceKey, validateAll, type Kind, type Resource } from "@ripstop/resources";
import { SeededRandom, StoppedClock } from "@ripstop/testkit";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { Registry } from "../registry/registry.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { Compiler } from "./compiler.ts";

/** `RIPSTOP_EDITS=5000 RIPSTOP_SEED=7` makes the long run of the random edits (`npm run edits`). */
const EDITS = Number(process.env["RIPSTOP_EDITS"] ?? "400");
const SEED = Number(process.env["RIPSTOP_SEED"] ?? "2026");

const kinds = new KindRegistry([...coreKinds, ...policyResourceKinds]);

/** Resources as an apply makes them. */
function read(...documents: object[]): Resource[] {
  const files = documents.map((document) => ({ file: "test", text: JSON.stringify(document) }));
  const { resources, violations } = validateAll(files, { kinds, current: { get: () => undefined, list: () => [] } });
  assert.deepEqual(violations, []);
  return resources.map(({ resource }) => resource);
}

function service(name: string, spec: object, namespace = "shop"): object {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec };
}

function route(name: string, spec: { parent: object; backends: object[] }, namespace = "shop"): object {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace },
    spec: { parentRefs: [{ group: "", kind: "Service", ...spec.parent }], rules: [{ backendRefs: spec.backends }] },
  };
}

function policy(name: string, spec: object, namespace = "shop"): object {
  return { apiVersion: "ripstop.mesh/v1alpha1", kind: "AuthorizationPolicy", metadata: { name, namespace }, spec };
}

function authorizationKind(): Kind {
  const found = kinds.get("AuthorizationPolicy");
  assert.ok(found);
  return found.kind;
}

const bundle = { der: [new Uint8Array([1, 2, 3])], sequence: 1 };

class Bench {
  readonly clock: StoppedClock = new StoppedClock();
  readonly store: MemoryStore = new MemoryStore({ clock: this.clock });
  readonly registry: Registry;
  readonly compiler: Compiler;

  constructor() {
    const table = this.store.table<RegisteredWorkload>("workloads");
    this.registry = new Registry({ clock: this.clock, table, trustDomain: "mesh.local", isProcessAlive: () => true });
    this.compiler = this.fresh();
  }

  fresh(): Compiler {
    const { store, registry } = this;
    return new Compiler({ store, registry, policyKinds, trustDomain: "mesh.local", bundle: () => bundle });
  }

  async apply(...documents: object[]): Promise<void> {
    const committed = await this.store.commit({ author: "", reason: "", puts: read(...documents), deletes: [] });
    assert.ok(committed.ok);
  }

  async delete(...deletes: string[]): Promise<void> {
    assert.ok((await this.store.commit({ author: "", reason: "", puts: [], deletes })).ok);
  }

  async register(instance: string, change: Partial<RegisterRequest> = {}): Promise<RegisteredWorkload> {
    const request: RegisterRequest = {
      service: "catalog",
      namespace: "shop",
      instance,
      labels: {},
      ports: [{ port: 8080, servicePort: 80, protocol: "auto", applicationAddress: "127.0.0.1:8080" }],
      csrPem: "",
      pid: 1,
      ...change,
    };
    const named = this.registry.name(request);
    assert.ok(named.ok);
    const { id } = await this.registry.register(request, { ...named.value, svidNotAfterMs: 0 });
    await this.registry.heartbeat(id, { inboundAddress: `10.0.0.1:${id.length}`, ready: true });
    return this.registry.get(id) as RegisteredWorkload;
  }

  get<T>(type: ResourceType<T>, name: string, proxyId = "nobody"): T | undefined {
    const found = this.compiler.get(type.typeUrl, name, { proxyId, identity: "" });
    return found === undefined ? undefined : type.decode(found.bytes);
  }
}

describe("Compiler", () => {
  let bench: Bench;

  beforeEach(() => {
    bench = new Bench();
  });

  it("implies a service for workloads that registered for a name without one", async () => {
    await bench.register("a", {
      ports: [{ port: 9000, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:9000" }],
    });
    assert.deepEqual(bench.get(serviceType, "shop/catalog"), {
      namespace: "shop",
      name: "catalog",
      hostnames: ["catalog", "catalog.shop", "catalog.shop.svc", "catalog.shop.svc.cluster.local"],
      addresses: [],
      ports: [{ port: 80, name: "", protocol: Protocol.HTTP1, proxyProtocol: undefined, backendTls: undefined }],
      resilience: undefined,
      external: undefined,
      loadBalancing: undefined,
    });
    const [endpoint] = bench.get(endpointsType, "shop/catalog")?.endpoints ?? [];
    assert.deepEqual(endpoint?.targetPorts, { 80: 9000 });
    await bench.registry.leave("shop/a");
    assert.equal(bench.get(serviceType, "shop/catalog"), undefined);
    assert.equal(bench.get(routesType, "shop/catalog@shop"), undefined);
  });

  it("implies no service for workloads that offer no port", async () => {
    await bench.register("job", { service: "job", ports: [] });
    assert.equal(bench.get(serviceType, "shop/job"), undefined);
    assert.equal(bench.get(hostBindingType, "shop~job"), undefined);
  });

  it("lets a declared service replace the implied one", async () => {
    await bench.register("a");
    await bench.apply(
      service("catalog", {
        selector: { app: "other" },
        clusterIP: "10.1.2.3",
        ports: [{ port: 7000, appProtocol: "grpc" }],
      }),
    );
    const found = bench.get(serviceType, "shop/catalog");
    assert.deepEqual(found?.ports, [
      { port: 7000, name: "", protocol: Protocol.GRPC, proxyProtocol: undefined, backendTls: undefined },
    ]);
    assert.deepEqual(found?.addresses, ["10.1.2.3"]);
    assert.deepEqual(bench.get(endpointsType, "shop/catalog")?.endpoints, []);
  });

  it("selects by all labels, within the namespace", async () => {
    await bench.apply(service("v1", { selector: { app: "catalog", version: "v1" }, ports: [{ port: 80 }] }));
    await bench.register("a", { labels: { version: "v1" } });
    await bench.register("b", { labels: { version: "v2" } });
    await bench.register("c", { labels: { version: "v1" }, namespace: "other" });
    await bench.register("d", { labels: { version: "v1" }, service: "web" });
    assert.deepEqual(
      bench.get(endpointsType, "shop/v1")?.endpoints.map(({ id, version }) => [id, version]),
      [["shop/a", "v1"]],
    );
  });

  for (const [name, port, ports, target] of [
    [
      "the number that targetPort names",
      { port: 80, targetPort: 9090 },
      [
        [8080, 80],
        [9090, 81],
      ],
      9090,
    ],
    [
      "the port registered for that service port",
      { port: 81 },
      [
        [8080, 80],
        [9090, 81],
      ],
      9090,
    ],
    [
      "the port registered for the targetPort",
      { port: 5, targetPort: 81 },
      [
        [8080, 80],
        [9090, 81],
      ],
      9090,
    ],
    ["the only port when the service does not say", { port: 5 }, [[8080, 80]], 8080],
    ["no port when none fits", { port: 5, targetPort: 6 }, [[8080, 80]], undefined],
  ] as const) {
    it(`sends a service port to ${name}`, async () => {
      await bench.apply(service("s", { selector: { app: "catalog" }, ports: [port] }));
      const registered = ports.map(([number, servicePort]) => ({
        port: number,
        servicePort,
        protocol: "auto" as const,
        applicationAddress: `127.0.0.1:${number}`,
      }));
      await bench.register("a", { ports: registered });
      assert.equal(bench.get(endpointsType, "shop/s")?.endpoints[0]?.targetPorts[port.port], target);
    });
  }

  it("takes a port's protocol from its appProtocol, its name, or the workloads when all agree", async () => {
    const protocolOf = (): Protocol | undefined => bench.get(serviceType, "shop/s")?.ports[0]?.protocol;
    const ports = (protocol: RegisterRequest["ports"][number]["protocol"]): RegisterRequest["ports"] => [
      { port: 80, protocol, applicationAddress: "127.0.0.1:80" },
    ];
    await bench.apply(service("s", { selector: { app: "catalog" }, ports: [{ port: 80 }] }));
    assert.equal(protocolOf(), Protocol.UNSPECIFIED);
    await bench.register("a", { ports: ports("tcp") });
    assert.equal(protocolOf(), Protocol.TCP);
    await bench.register("b", { ports: ports("http") });
    assert.equal(protocolOf(), Protocol.UNSPECIFIED);
    await bench.apply(service("s", { selector: { app: "catalog" }, ports: [{ port: 80, name: "http2-web" }] }));
    assert.equal(protocolOf(), Protocol.HTTP2);
    await bench.apply(
      service("s", {
        selector: { app: "catalog" },
        ports: [{ port: 80, name: "http2-web", appProtocol: "kubernetes.io/ws" }],
      }),
    );
    assert.equal(protocolOf(), Protocol.HTTP1);
  });

  it("keeps endpoints that are not ready, marked, and leaves out those that do not listen yet", async () => {
    await bench.register("a");
    await bench.register("b");
    await bench.registry.heartbeat("shop/a", { inboundAddress: "10.0.0.1:1", ready: false });
    await bench.registry.heartbeat("shop/b", { inboundAddress: "", ready: false });
    assert.deepEqual(
      bench.get(endpointsType, "shop/catalog")?.endpoints.map(({ id, healthy }) => [id, healthy]),
      [["shop/a", false]],
    );
  });

  it("binds host names to services as Kubernetes' DNS does", async () => {
    await bench.register("a");
    const bind = (name: string): string | undefined => bench.get(hostBindingType, name)?.service;
    for (const host of ["catalog", "catalog.shop", "catalog.shop.svc", "catalog.shop.svc.cluster.local"]) {
      assert.equal(bind(`shop~${host}`), "shop/catalog", host);
    }
    assert.equal(bind("web~catalog.shop"), "shop/catalog");
    for (const name of [
      "web~catalog",
      "shop~catalog.svc",
      "shop~catalog.web",
      "shop~a.catalog.shop",
      "shop~",
      "~catalog",
      "shop~catalog~x",
      "shop~CATALOG",
    ]) {
      assert.equal(bind(name), undefined, name);
    }
  });

  it("binds a virtual address to the Service that has it, of several the oldest", async () => {
    const bind = (): string | undefined => bench.get(hostBindingType, "web~10.96.0.1")?.service;
    assert.equal(bind(), undefined);
    const spec = { ports: [{ port: 80 }], clusterIP: "10.96.0.1" };
    await bench.apply(service("a", spec));
    assert.equal(bind(), "shop/a");
    bench.clock.advance(5_000);
    await bench.apply(service("a", spec, "another"));
    assert.equal(bind(), "shop/a", "a later one takes nothing over");
    await bench.apply(service("a", { ...spec, clusterIP: "10.96.0.2" }));
    assert.equal(bind(), "another/a");
    await bench.delete("Service/another/a");
    assert.equal(bind(), undefined);
  });

  it("gives clients of a namespace its own routes in place of the producer's", async () => {
    await bench.apply(
      service("catalog", { ports: [{ port: 80 }] }),
      service("mine", { ports: [{ port: 80 }] }, "web"),
      route("producer", { parent: { name: "catalog" }, backends: [{ name: "catalog", port: 80 }] }),
      route(
        "consumer",
        { parent: { name: "catalog", namespace: "shop" }, backends: [{ name: "mine", port: 80 }] },
        "web",
      ),
    );
    const backend = (client: string): string | undefined =>
      bench.get(routesType, `shop/catalog@${client}`)?.ports[0]?.http[0]?.backends[0]?.service;
    assert.equal(backend("shop"), "shop/catalog");
    assert.equal(backend("web"), "web/mine");
    assert.equal(backend("other"), "shop/catalog");
  });

  it("marks a backend that is not there, and mends it when it comes", async () => {
    await bench.apply(
      service("catalog", { ports: [{ port: 80 }] }),
      route("r", { parent: { name: "catalog" }, backends: [{ name: "late", port: 80 }] }),
    );
    const backend = (): unknown => bench.get(routesType, "shop/catalog@shop")?.ports[0]?.http[0]?.backends[0];
    assert.deepEqual(backend(), {
      service: "",
      port: 80,
      weight: 1,
      invalid: "there is no Service shop/late",
      filters: [],
    });
    await bench.register("l", { service: "late" });
    assert.deepEqual(backend(), { service: "shop/late", port: 80, weight: 1, invalid: "", filters: [] });
  });

  it("names the policies that guard a workload, and compiles each", async () => {
    const { id } = await bench.register("a");
    assert.deepEqual(bench.get(workloadType, id, id)?.policies, []);
    const rules = [{ from: [{ serviceAccounts: ["web"] }] }];
    await bench.apply(
      policy("all", { action: "ALLOW", rules }),
      policy("one", { action: "DENY", rules, targetRefs: [{ group: "", kind: "Service", name: "catalog" }] }),
      policy("other", { action: "DENY", rules, selector: { matchLabels: { app: "web" } } }),
      policy("far", { action: "DENY", rules }, "web"),
    );
    assert.deepEqual(
      bench.get(workloadType, id, id)?.policies.map(({ name }) => name),
      ["AuthorizationPolicy/shop/all", "AuthorizationPolicy/shop/one"],
    );
    const compiled = bench.get(policyType, "AuthorizationPolicy/shop/one");
    assert.equal(compiled?.kind, "authorization");
    assert.ok((compiled?.config.length ?? 0) > 0);
    await bench.delete("AuthorizationPolicy/shop/one");
    assert.equal(bench.get(policyType, "AuthorizationPolicy/shop/one"), undefined);
    assert.equal(bench.get(workloadType, id, id)?.policies.length, 1);
  });

  it("shows a workload to its own proxy alone", async () => {
    const { id } = await bench.register("a");
    assert.equal(bench.get(workloadType, id, id)?.service, "shop/catalog");
    assert.equal(bench.get(workloadType, id, "shop/other"), undefined);
  });

  it("has the trust bundle and the telemetry settings under their one name", () => {
    assert.equal(bench.get(trustBundleType, "mesh.local")?.sequence, 1);
    assert.equal(bench.get(trustBundleType, "other.mesh"), undefined);
    assert.deepEqual(bench.get(trustBundleType, "mesh.local")?.federatesWith, []);
    assert.equal(bench.get(telemetryType, "default")?.reportIntervalMs, 1_000);
    assert.equal(bench.compiler.get("type.googleapis.com/unknown", "x", { proxyId: "", identity: "" }), undefined);
  });

  it("names the federated trust domains in the own bundle, and has a bundle for each that has roots", () => {
    const federated = new Map([
      ["b.example", { x509Authorities: [new Uint8Array([4])], sequence: 9 }],
      ["a.example", { x509Authorities: [new Uint8Array([5])], sequence: undefined }],
      ["empty.example", { x509Authorities: [], sequence: 1 }],
    ]);
    const { store, registry } = bench;
    const compiler = new Compiler({
      store,
      registry,
      policyKinds,
      trustDomain: "mesh.local",
      bundle: () => bundle,
      federated: () => federated,
    });
    const get = (name: string): TrustBundle | undefined => {
      const found = compiler.get(trustBundleType.typeUrl, name, { proxyId: "nobody", identity: "" });
      return found === undefined ? undefined : trustBundleType.decode(found.bytes);
    };
    const changed: string[] = [];
    compiler.watch((_type, names) => changed.push(...names));
    assert.deepEqual(get("mesh.local")?.federatesWith, ["a.example", "b.example"]);
    assert.deepEqual(get("b.example"), {
      trustDomain: "b.example",
      sequence: 9,
      x509Authorities: [Buffer.from([4])],
      federatesWith: [],
      revocations: [],
    });
    assert.equal(get("a.example")?.sequence, 0);
    assert.equal(get("empty.example"), undefined);
    federated.delete("b.example");
    compiler.bundleChanged();
    assert.deepEqual(changed.sort(), ["b.example", "mesh.local"]);
    compiler.close();
  });

  it("tells places, weights and subsets of instances by their labels", async () => {
    const { store, registry } = bench;
    const options = { store, registry, policyKinds: [], trustDomain: "mesh.local", bundle: () => bundle };
    const compiler = new Compiler({ ...options, servicePolicyKinds });
    const place = { "topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "eu-a" };
    await bench.register("a", { labels: { ...place, track: "canary", "ripstop.mesh/weight": "7" } });
    await bench.register("b", { labels: { track: "stable", "ripstop.mesh/weight": "many" } });
    const endpoints = (): unknown => {
      const found = compiler.get(endpointsType.typeUrl, "shop/catalog", { proxyId: "nobody", identity: "" });
      assert.ok(found);
      return endpointsType
        .decode(found.bytes)
        .endpoints.map(({ id, weight, locality, subset }) => ({ id, weight, locality, subset }));
    };
    const locality = { region: "eu", zone: "eu-a" };
    assert.deepEqual(endpoints(), [
      { id: "shop/a", weight: 7, locality, subset: undefined },
      { id: "shop/b", weight: 1, locality: undefined, subset: undefined },
    ]);
    await bench.apply({
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "LoadBalancingPolicy",
      metadata: { name: "p", namespace: "shop" },
      spec: { targetRefs: [{ kind: "Service", name: "catalog" }], subsets: { label: "track", header: "x-track" } },
    });
    assert.deepEqual(endpoints(), [
      { id: "shop/a", weight: 7, locality, subset: "canary" },
      { id: "shop/b", weight: 1, locality: undefined, subset: "stable" },
    ]);
    assert.deepEqual(bench.get(workloadType, "shop/a", "shop/a")?.locality, locality);
    compiler.close();
  });

  it("fills in what the oldest policy of each kind that is attached to a service says", async () => {
    const servicePolicy: ServicePolicyKind = {
      name: "attempts",
      kind: { ...authorizationKind(), kind: "AuthorizationPolicy" },
      targets: ({ metadata: { namespace, labels } }) => [`${namespace}/${labels["on"]}`],
      apply: ({ metadata }, compiled) => ({ ...compiled, addresses: [...compiled.addresses, metadata.name] }),
    };
    const { store, registry, clock } = bench;
    const compiler = new Compiler({
      store,
      registry,
      policyKinds: [],
      servicePolicyKinds: [servicePolicy],
      trustDomain: "mesh.local",
      bundle: () => bundle,
    });
    const addresses = (name: string): readonly string[] | undefined => {
      const found = compiler.get(serviceType.typeUrl, name, { proxyId: "nobody", identity: "" });
      return found === undefined ? undefined : serviceType.decode(found.bytes).addresses;
    };
    const attach = (name: string, on: string): Promise<void> =>
      bench.apply({ ...policy(name, {}), metadata: { name, namespace: "shop", labels: { on } } });
    const changed: string[] = [];
    compiler.watch((_type, names) => changed.push(...names));
    await bench.apply(service("a", { ports: [{ port: 80 }] }), service("b", { ports: [{ port: 80 }] }));
    assert.deepEqual([addresses("shop/a"), addresses("shop/b")], [[], []]);
    await attach("young", "a");
    assert.deepEqual(addresses("shop/a"), ["young"]);
    assert.deepEqual(changed.splice(0), ["shop/a"]);
    // Of one age the first by name; after that the oldest.
    await attach("also", "a");
    assert.deepEqual(addresses("shop/a"), ["also"]);
    clock.advance(5_000);
    await attach("a-late-one", "a");
    assert.deepEqual(addresses("shop/a"), ["also"]);
    // One that moves is taken from the one and given to the other.
    await attach("also", "b");
    assert.deepEqual([addresses("shop/a"), addresses("shop/b")], [["young"], ["also"]]);
    await bench.delete("AuthorizationPolicy/shop/young", "AuthorizationPolicy/shop/a-late-one");
    assert.deepEqual(addresses("shop/a"), []);
    const again = new Compiler({
      store,
      registry,
      policyKinds: [],
      servicePolicyKinds: [servicePolicy],
      trustDomain: "mesh.local",
      bundle: () => bundle,
    });
    const found = again.get(serviceType.typeUrl, "shop/b", { proxyId: "nobody", identity: "" });
    assert.deepEqual(found && serviceType.decode(found.bytes).addresses, ["also"]);
    again.close();
    compiler.close();
  });

  it("recomputes the dependents of a change and nothing else", async () => {
    for (let index = 0; index < 50; index++) {
      await bench.register(`w${index}`, { service: `s${index}` });
      for (const type of [serviceType, endpointsType]) bench.get<unknown>(type, `shop/s${index}`);
      bench.get(routesType, `shop/s${index}@shop`);
      bench.get(workloadType, `shop/w${index}`, `shop/w${index}`);
    }
    const counted = async (change: () => Promise<unknown>): Promise<number> => {
      const before = bench.compiler.statistics.computed;
      await change();
      return bench.compiler.statistics.computed - before;
    };
    assert.equal(
      await counted(() => bench.registry.heartbeat("shop/w7", { inboundAddress: "10.0.0.1:6", ready: false })),
      1,
    );
    assert.equal(
      await counted(() =>
        bench.registry.renewed("shop/w7", { svidNotAfterMs: 5, rootSha256: "ab", svidSerialNumber: "cd" }),
      ),
      0,
    );
    await bench.apply(route("r", { parent: { name: "s3" }, backends: [{ name: "s4", port: 80 }] }));
    assert.equal(
      await counted(() => bench.apply(route("r", { parent: { name: "s3" }, backends: [{ name: "s5", port: 80 }] }))),
      1,
    );
    const selector = { matchLabels: { app: "s9" } };
    assert.equal(await counted(() => bench.apply(policy("p", { action: "ALLOW", rules: [{}], selector }))), 1);
  });

  it("reports only names whose bytes changed, after the revision is in force", async () => {
    await bench.register("a");
    bench.get(endpointsType, "shop/catalog");
    bench.get(serviceType, "shop/catalog");
    const reported: unknown[] = [];
    bench.compiler.watch((typeUrl, names, revision) =>
      reported.push([typeUrl.split(".").at(-1), names, revision, bench.compiler.revision]),
    );
    await bench.registry.heartbeat("shop/a", { inboundAddress: "10.0.0.1:6", ready: true });
    assert.deepEqual(reported, []);
    await bench.registry.heartbeat("shop/a", { inboundAddress: "10.0.0.1:6", ready: false });
    assert.deepEqual(reported, [["Endpoints", ["shop/catalog"], 0, 0]]);
    await bench.apply(service("catalog", { selector: { app: "catalog" }, ports: [{ port: 81 }] }));
    assert.deepEqual(reported.slice(1), [
      ["Service", ["shop/catalog"], 1, 1],
      ["Endpoints", ["shop/catalog"], 1, 1],
    ]);
  });

  it("forgets what nobody subscribes to, and computes it again when asked", async () => {
    await bench.register("a");
    bench.get(serviceType, "shop/catalog");
    const { remembered } = bench.compiler.statistics;
    bench.compiler.release(serviceType.typeUrl, "shop/catalog");
    assert.equal(bench.compiler.statistics.remembered, remembered - 1);
    assert.ok(bench.get(serviceType, "shop/catalog"));
  });

  it(`equals a compile from scratch after each of ${EDITS} random edits, and reports exactly what changed`, async () => {
    const random = new SeededRandom(SEED);
    const pick = <T>(values: readonly T[]): T => random.pick(values);
    const namespaces = ["shop", "web"];
    const services = ["a", "b", "c"];
    const versions = ["v1", "v2"];
    const rules = [{ from: [{ serviceAccounts: ["a"] }] }];
    const instances = ["i1", "i2", "i3", "i4"];
    const addresses = ["10.96.0.1", "10.96.0.2"];
    const attachedTo = (name: string, namespace: string): object => ({
      name,
      namespace,
      labels: { on: pick(services) },
    });
    const attached: ServicePolicyKind = {
      name: "attached",
      kind: { ...authorizationKind(), kind: "Attached" },
      targets: ({ metadata: { namespace, labels } }) => [`${namespace}/${labels["on"]}`],
      apply: ({ metadata }, compiled) => ({
        ...compiled,
        addresses: [...compiled.addresses, `${metadata.name} ${metadata.generation}`],
      }),
    };
    let bundleNow = bundle;
    let federated = new Map<string, { x509Authorities: readonly Uint8Array[]; sequence: number }>();
    const compilerOf = (clock?: StoppedClock): Compiler =>
      new Compiler({
        store: bench.store,
        registry: bench.registry,
        policyKinds,
        servicePolicyKinds: [...servicePolicyKinds, attached],
        trustDomain: "mesh.local",
        bundle: () => bundleNow,
        federated: () => federated,
        ...(clock === undefined ? {} : { clock }),
      });
    // As a control plane runs it, with its queue.
    const incremental = compilerOf(bench.clock);
    const edits: (() => Promise<unknown>)[] = [
      () =>
        bench.apply(
          service(
            pick(services),
            {
              selector: pick([{}, { app: pick(services) }, { app: pick(services), version: pick(versions) }]),
              ports: [{ port: pick([80, 81]), targetPort: pick([80, 8080]) }],
              ...pick([{}, { clusterIP: pick(addresses) }]),
            },
            pick(namespaces),
          ),
        ),
      () => bench.delete(`Service/${pick(namespaces)}/${pick(services)}`),
      () =>
        bench.apply(
          route(
            pick(["r1", "r2"]),
            {
              parent: { name: pick(services), namespace: pick(namespaces) },
              backends: [{ name: pick(services), port: 80, weight: pick([1, 2]) }],
            },
            pick(namespaces),
          ),
        ),
      () => bench.delete(`HTTPRoute/${pick(namespaces)}/${pick(["r1", "r2"])}`),
      () =>
        bench.apply(
          policy(
            pick(["p1", "p2"]),
            pick([
              { action: pick(["ALLOW", "DENY"]), rules },
              { action: "ALLOW", rules, targetRefs: [{ group: "", kind: "Service", name: pick(services) }] },
              { action: "ALLOW", rules, selector: { matchLabels: { version: pick(versions) } } },
            ]),
            pick(namespaces),
          ),
        ),
      () => bench.delete(`AuthorizationPolicy/${pick(namespaces)}/${pick(["p1", "p2"])}`),
      () =>
        bench.register(pick(instances), {
          namespace: pick(namespaces),
          service: pick(services),
          serviceAccount: "x",
          labels: { version: pick(versions) },
        }),
      () => bench.registry.leave(`${pick(namespaces)}/${pick(instances)}`),
      () =>
        bench.registry.heartbeat(`${pick(namespaces)}/${pick(instances)}`, {
          inboundAddress: pick(["", "10.0.0.1:1"]),
          ready: pick([true, false]),
        }),
      // Of a kind that is attached to Services, known to the compilers of this test alone.
      () => {
        const name = pick(["t1", "t2"]);
        const put = { ...policy(name, { action: "ALLOW", rules }), metadata: attachedTo(name, pick(namespaces)) };
        const puts = read(put).map((resource) => ({ ...resource, kind: "Attached" }));
        return bench.store.commit({ author: "", reason: "", puts, deletes: [] });
      },
      () => bench.delete(`Attached/${pick(namespaces)}/${pick(["t1", "t2"])}`),
      () =>
        bench.apply({
          ...policy(
            pick(["f1", "f2"]),
            {
              expires: "2026-01-01T12:00:00Z",
              ...pick([{}, { targetRefs: [{ group: "", kind: "Service", name: pick(services) }] }]),
              rules: [{ abort: { httpStatus: pick([500, 503]) } }],
            },
            pick(namespaces),
          ),
          kind: "FaultInjection",
        }),
      () => bench.delete(`FaultInjection/${pick(namespaces)}/${pick(["f1", "f2"])}`),
      () => {
        const labels = { "ripstop.mesh/faults": pick(["deny", "allow"]) };
        return bench.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: pick(namespaces), labels } });
      },
      () => bench.delete(`Namespace/${pick(namespaces)}`),
      // Several in one revision.
      () =>
        bench.store.commit({
          author: "",
          reason: "",
          puts: read(
            service(pick(services), { selector: { app: pick(services) }, ports: [{ port: 80 }] }, pick(namespaces)),
            policy(pick(["p1", "p2"]), { action: "DENY", rules }, pick(namespaces)),
          ),
          deletes: [
            `HTTPRoute/${pick(namespaces)}/${pick(["r1", "r2"])}`,
            `Service/${pick(namespaces)}/${pick(services)}`,
          ],
        }),
      async () => {
        bundleNow = { der: [new Uint8Array([pick([1, 2, 3])])], sequence: pick([1, 2]) };
        incremental.bundleChanged();
      },
      async () => {
        const roots = { x509Authorities: [new Uint8Array([1])], sequence: pick([1, 2]) };
        federated = new Map(pick([true, false]) ? [["b.example", roots]] : []);
        incremental.bundleChanged();
      },
    ];
    const universe: { typeUrl: string; name: string; proxyId: string }[] = [];
    const add = (type: ResourceType<unknown>, name: string, proxyId = ""): void =>
      void universe.push({ typeUrl: type.typeUrl, name, proxyId });
    for (const namespace of namespaces) {
      for (const name of services) {
        add(serviceType, `${namespace}/${name}`);
        add(endpointsType, `${namespace}/${name}`);
        for (const client of namespaces) {
          add(routesType, `${namespace}/${name}@${client}`);
          add(hostBindingType, `${client}~${name}.${namespace}`);
        }
      }
      for (const instance of instances) add(workloadType, `${namespace}/${instance}`, `${namespace}/${instance}`);
      for (const name of ["p1", "p2"]) add(policyType, `AuthorizationPolicy/${namespace}/${name}`);
      for (const name of ["f1", "f2"]) add(policyType, `FaultInjection/${namespace}/${name}`);
    }
    for (const address of addresses) add(hostBindingType, `web~${address}`);
    for (const trustDomain of ["mesh.local", "b.example"]) add(trustBundleType, trustDomain);
    const versionsNow = (compiler: Compiler): Map<string, string> =>
      new Map(
        universe.map(({ typeUrl, name, proxyId }) => [
          `${typeUrl} ${name}`,
          compiler.get(typeUrl, name, { proxyId, identity: "" })?.version ?? "",
        ]),
      );
    const reported = new Set<string>();
    incremental.watch((typeUrl, names) => names.forEach((name) => reported.add(`${typeUrl} ${name}`)));
    let before = versionsNow(incremental);
    for (let edit = 0; edit < EDITS; edit++) {
      // A registration is two changes (it comes, then listens): what changes forth and back is reported too.
      reported.clear();
      await pick(edits)();
      const now = versionsNow(incremental);
      const scratch = compilerOf();
      assert.deepEqual(now, versionsNow(scratch), `edit ${edit}`);
      scratch.close();
      for (const [key, version] of now)
        if (version !== before.get(key)) assert.ok(reported.has(key), `edit ${edit}: ${key} not reported`);
      before = now;
    }
  });
});

describe("a namespace with a bad resource", () => {
  it("waits and keeps its last good config, and the others go on", async () => {
    const bench = new Bench();
    const [real] = policyKinds.filter(({ name }) => name === "authorization");
    assert.ok(real);
    const costly = {
      ...real,
      // A compile that takes long, as one of a huge resource would.
      compile: (...[resource, facts]: Parameters<typeof real.compile>) => {
        if (resource.metadata.namespace === "bad") bench.clock.advance(400);
        if (resource.metadata.name === "broken") throw new Error("broken");
        return real.compile(resource, facts);
      },
    };
    const trouble: string[] = [];
    const { store, registry, clock } = bench;
    const compiler = new Compiler({
      store,
      registry,
      clock,
      policyKinds: [costly],
      trustDomain: "mesh.local",
      bundle: () => bundle,
      onTrouble: ({ kind, namespace }) => void trouble.push(`${kind} ${namespace}`),
    });
    const rules = (account: string): object => ({
      action: "ALLOW",
      rules: [{ from: [{ serviceAccounts: [account] }] }],
    });
    const version = (namespace: string, name = "p"): string =>
      compiler.get(policyType.typeUrl, `AuthorizationPolicy/${namespace}/${name}`, { proxyId: "x", identity: "" })
        ?.version ?? "";
    await bench.apply(policy("p", rules("a"), "bad"), policy("p", rules("a"), "good"));
    version("bad");
    version("good");
    const changed: string[] = [];
    compiler.watch((_typeUrl, names) => void changed.push(...names));
    for (const account of ["b", "c", "d"]) {
      await bench.apply(policy("p", rules(account), "bad"));
      changed.length = 0;
      await bench.apply(policy("p", rules(account), "good"));
      assert.ok(changed.includes("AuthorizationPolicy/good/p"), account);
    }
    assert.deepEqual(trouble, ["over-budget bad"]);
    assert.equal(compiler.statistics.waiting, 1);
    assert.equal(compiler.revision, store.revision, "nobody else waits for it");
    changed.length = 0;
    clock.advance(10_000);
    assert.deepEqual(changed, ["AuthorizationPolicy/bad/p"]);
    await bench.apply(policy("broken", rules("a"), "good"));
    assert.equal(version("good", "broken"), "");
    assert.deepEqual(trouble.slice(1), ["failed good"]);
    compiler.close();
  });
});

describe("resource types", () => {
  it("are all compiled", async () => {
    const bench = new Bench();
    const { id } = await bench.register("a");
    await bench.apply(policy("p", { action: "ALLOW", rules: [{}] }));
    const names: Readonly<Record<string, string>> = {
      Workload: id,
      Policy: resourceKey(read(policy("p", { action: "ALLOW", rules: [{}] }))[0] as Resource),
      HostBinding: "shop~catalog",
      Service: "shop/catalog",
      Endpoints: "shop/catalog",
      Routes: "shop/catalog@shop",
      TrustBundle: "mesh.local",
      Telemetry: "default",
    };
    for (const { name, typeUrl } of resourceTypes) {
      if (name.startsWith("Gateway")) continue; // for the proxies that host them: gateways.test.ts
      assert.ok(bench.compiler.get(typeUrl, names[name] ?? "", { proxyId: id, identity: "" }), name);
    }
  });
});
