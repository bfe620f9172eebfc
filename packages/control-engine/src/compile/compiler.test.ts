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
} from "@ripstop/model";
import { policyKinds, servicePolicyKinds } from "@ripstop/policies/control";
import type { ServicePolicyKind } from "@ripstop/policy-api/control";
import { resourceKey, type Kind, type Resource } from "@ripstop/resources";

import type { RegisteredWorkload } from "../registry/registered-workload.ts";
import { bundle, CompileBench, kinds, read } from "./compile-bench.suite.ts";
import { Compiler } from "./compiler.ts";

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

class Bench extends CompileBench {
  /** A ready instance of service catalog. */
  async start(instance: string, change: Partial<RegisterRequest> = {}): Promise<RegisteredWorkload> {
    const id = await this.register({
      ...{ service: "catalog", namespace: "shop", instance },
      ports: [{ port: 8080, servicePort: 80, protocol: "auto", applicationAddress: "127.0.0.1:8080" }],
      ...change,
    });
    await this.registry.heartbeat(id, { inboundAddress: `10.0.0.1:${id.length}`, ready: true });
    return this.registry.get(id) as RegisteredWorkload;
  }
}

describe("Compiler", () => {
  let bench: Bench;

  beforeEach(() => {
    bench = new Bench();
  });

  it("implies a service for workloads that registered for a name without one", async () => {
    await bench.start("a", {
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
    await bench.start("job", { service: "job", ports: [] });
    assert.equal(bench.get(serviceType, "shop/job"), undefined);
    assert.equal(bench.get(hostBindingType, "shop~job"), undefined);
  });

  it("lets a declared service replace the implied one", async () => {
    await bench.start("a");
    await bench.put(
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
    await bench.put(service("v1", { selector: { app: "catalog", version: "v1" }, ports: [{ port: 80 }] }));
    await bench.start("a", { labels: { version: "v1" } });
    await bench.start("b", { labels: { version: "v2" } });
    await bench.start("c", { labels: { version: "v1" }, namespace: "other" });
    await bench.start("d", { labels: { version: "v1" }, service: "web" });
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
      await bench.put(service("s", { selector: { app: "catalog" }, ports: [port] }));
      const registered = ports.map(([number, servicePort]) => ({
        port: number,
        servicePort,
        protocol: "auto" as const,
        applicationAddress: `127.0.0.1:${number}`,
      }));
      await bench.start("a", { ports: registered });
      assert.equal(bench.get(endpointsType, "shop/s")?.endpoints[0]?.targetPorts[port.port], target);
    });
  }

  it("takes a port's protocol from its appProtocol, its name, or the workloads when all agree", async () => {
    const protocolOf = (): Protocol | undefined => bench.get(serviceType, "shop/s")?.ports[0]?.protocol;
    const ports = (protocol: RegisterRequest["ports"][number]["protocol"]): RegisterRequest["ports"] => [
      { port: 80, protocol, applicationAddress: "127.0.0.1:80" },
    ];
    await bench.put(service("s", { selector: { app: "catalog" }, ports: [{ port: 80 }] }));
    assert.equal(protocolOf(), Protocol.UNSPECIFIED);
    await bench.start("a", { ports: ports("tcp") });
    assert.equal(protocolOf(), Protocol.TCP);
    await bench.start("b", { ports: ports("http") });
    assert.equal(protocolOf(), Protocol.UNSPECIFIED);
    await bench.put(service("s", { selector: { app: "catalog" }, ports: [{ port: 80, name: "http2-web" }] }));
    assert.equal(protocolOf(), Protocol.HTTP2);
    await bench.put(
      service("s", {
        selector: { app: "catalog" },
        ports: [{ port: 80, name: "http2-web", appProtocol: "kubernetes.io/ws" }],
      }),
    );
    assert.equal(protocolOf(), Protocol.HTTP1);
  });

  it("keeps endpoints that are not ready, marked, and leaves out those that do not listen yet", async () => {
    await bench.start("a");
    await bench.start("b");
    await bench.registry.heartbeat("shop/a", { inboundAddress: "10.0.0.1:1", ready: false });
    await bench.registry.heartbeat("shop/b", { inboundAddress: "", ready: false });
    assert.deepEqual(
      bench.get(endpointsType, "shop/catalog")?.endpoints.map(({ id, healthy }) => [id, healthy]),
      [["shop/a", false]],
    );
  });

  it("binds host names to services as Kubernetes' DNS does", async () => {
    await bench.start("a");
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
    await bench.put(service("a", spec));
    assert.equal(bind(), "shop/a");
    bench.clock.advance(5_000);
    await bench.put(service("a", spec, "another"));
    assert.equal(bind(), "shop/a", "a later one takes nothing over");
    await bench.put(service("a", { ...spec, clusterIP: "10.96.0.2" }));
    assert.equal(bind(), "another/a");
    await bench.delete("Service/another/a");
    assert.equal(bind(), undefined);
  });

  it("gives clients of a namespace its own routes in place of the producer's", async () => {
    await bench.put(
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
    await bench.put(
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
    await bench.start("l", { service: "late" });
    assert.deepEqual(backend(), { service: "shop/late", port: 80, weight: 1, invalid: "", filters: [] });
  });

  it("names the policies that guard a workload, and compiles each", async () => {
    const { id } = await bench.start("a");
    assert.deepEqual(bench.get(workloadType, id, id)?.policies, []);
    const rules = [{ from: [{ serviceAccounts: ["web"] }] }];
    await bench.put(
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
    const { id } = await bench.start("a");
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

  it("tells the workloads behind a service what its policy says of them, and no others", async () => {
    const { store, registry } = bench;
    const compiler = new Compiler({
      store,
      registry,
      policyKinds: [],
      servicePolicyKinds,
      trustDomain: "mesh.local",
      bundle: () => bundle,
    });
    const limit = (id: string): number | undefined => {
      const found = compiler.get(workloadType.typeUrl, id, { proxyId: id, identity: "" });
      return found === undefined ? undefined : workloadType.decode(found.bytes).shedding?.maxRequests;
    };
    const shedding = (name: string, on: string, maximum: number): object => ({
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "ResiliencePolicy",
      metadata: { name, namespace: "shop" },
      spec: { targetRefs: [{ kind: "Service", name: on }], loadShedding: { maximum } },
    });
    await bench.start("a");
    await bench.start("b", { service: "web" });
    const changed: string[] = [];
    compiler.watch((type, names) => changed.push(...names.map((name) => `${type} ${name}`)));
    assert.deepEqual([limit("shop/a"), limit("shop/b")], [undefined, undefined]);
    await bench.put(shedding("some", "catalog", 7));
    assert.deepEqual([limit("shop/a"), limit("shop/b")], [7, undefined]);
    assert.ok(changed.some((name) => name.endsWith("Workload shop/a")));
    assert.ok(!changed.some((name) => name.endsWith("Workload shop/b")), changed.join());
    // Of several services that select it the first by name counts.
    await bench.put(service("all", { selector: { app: "catalog" }, ports: [{ port: 80 }] }), shedding("all", "all", 3));
    assert.equal(limit("shop/a"), 3);
    await bench.delete("ResiliencePolicy/shop/all", "ResiliencePolicy/shop/some");
    assert.equal(limit("shop/a"), undefined);
    compiler.close();
  });

  it("tells places, weights and subsets of instances by their labels", async () => {
    const { store, registry } = bench;
    const options = { store, registry, policyKinds: [], trustDomain: "mesh.local", bundle: () => bundle };
    const compiler = new Compiler({ ...options, servicePolicyKinds });
    const place = { "topology.kubernetes.io/region": "eu", "topology.kubernetes.io/zone": "eu-a" };
    await bench.start("a", { labels: { ...place, track: "canary", "ripstop.mesh/weight": "7" } });
    await bench.start("b", { labels: { track: "stable", "ripstop.mesh/weight": "many" } });
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
    await bench.put({
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
      bench.put({ ...policy(name, {}), metadata: { name, namespace: "shop", labels: { on } } });
    const changed: string[] = [];
    compiler.watch((_type, names) => changed.push(...names));
    await bench.put(service("a", { ports: [{ port: 80 }] }), service("b", { ports: [{ port: 80 }] }));
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
      await bench.start(`w${index}`, { service: `s${index}` });
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
    await bench.put(route("r", { parent: { name: "s3" }, backends: [{ name: "s4", port: 80 }] }));
    assert.equal(
      await counted(() => bench.put(route("r", { parent: { name: "s3" }, backends: [{ name: "s5", port: 80 }] }))),
      1,
    );
    const selector = { matchLabels: { app: "s9" } };
    assert.equal(await counted(() => bench.put(policy("p", { action: "ALLOW", rules: [{}], selector }))), 1);
  });

  it("reports only names whose bytes changed, after the revision is in force", async () => {
    await bench.start("a");
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
    await bench.put(service("catalog", { selector: { app: "catalog" }, ports: [{ port: 81 }] }));
    assert.deepEqual(reported.slice(1), [
      ["Service", ["shop/catalog"], 1, 1],
      ["Endpoints", ["shop/catalog"], 1, 1],
    ]);
  });

  it("forgets what nobody subscribes to, and computes it again when asked", async () => {
    await bench.start("a");
    bench.get(serviceType, "shop/catalog");
    const { remembered } = bench.compiler.statistics;
    bench.compiler.release(serviceType.typeUrl, "shop/catalog");
    assert.equal(bench.compiler.statistics.remembered, remembered - 1);
    assert.ok(bench.get(serviceType, "shop/catalog"));
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
    await bench.put(policy("p", rules("a"), "bad"), policy("p", rules("a"), "good"));
    version("bad");
    version("good");
    const changed: string[] = [];
    compiler.watch((_typeUrl, names) => void changed.push(...names));
    for (const account of ["b", "c", "d"]) {
      await bench.put(policy("p", rules(account), "bad"));
      changed.length = 0;
      await bench.put(policy("p", rules(account), "good"));
      assert.ok(changed.includes("AuthorizationPolicy/good/p"), account);
    }
    assert.deepEqual(trouble, ["over-budget bad"]);
    assert.equal(compiler.statistics.waiting, 1);
    assert.equal(compiler.revision, store.revision, "nobody else waits for it");
    changed.length = 0;
    clock.advance(10_000);
    assert.deepEqual(changed, ["AuthorizationPolicy/bad/p"]);
    await bench.put(policy("broken", rules("a"), "good"));
    assert.equal(version("good", "broken"), "");
    assert.deepEqual(trouble.slice(1), ["failed good"]);
    compiler.close();
  });
});

describe("resource types", () => {
  it("are all compiled", async () => {
    const bench = new Bench();
    const { id } = await bench.start("a");
    await bench.put(policy("p", { action: "ALLOW", rules: [{}] }));
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
