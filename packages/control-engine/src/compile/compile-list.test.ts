// What a wildcard gives to whom, and what it costs.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import {
  endpointsType,
  gatewayType,
  hostBindingType,
  policyType,
  routesType,
  serviceType,
  telemetryType,
  trustBundleType,
  workloadType,
  type RegisterRequest,
  type ResourceType,
} from "@ripstop/model";
import { CompileBench } from "./compile-bench.suite.ts";
import type { Compiler } from "./compiler.ts";

describe("the wildcard of a type", () => {
  let bench: CompileBench;
  let compiler: Compiler;
  let told: string[];

  beforeEach(async () => {
    bench = new CompileBench();
    ({ compiler } = bench);
    told = [];
    compiler.watch((typeUrl, names) => told.push(...names.map((name) => `${typeUrl.split(".").at(-1)} ${name}`)));
    for (const service of ["web", "orders"]) await register("shop", service);
    await register("bank", "ledger");
  });

  async function register(namespace: string, service: string, more: Partial<RegisterRequest> = {}): Promise<void> {
    await bench.register({
      ...{ service, namespace, instance: `${service}-1` },
      ports: [{ port: 80, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:80" }],
      ...more,
    });
  }

  const list = (type: ResourceType<unknown>, proxyId: string): readonly string[] | undefined => {
    const names = compiler.list(type.typeUrl, { proxyId, identity: "" })?.names;
    return names === undefined ? undefined : [...names];
  };

  const service = (namespace: string, name: string): object => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ port: 80 }] },
  });

  it("gives a proxy its own workload, the services of its namespace and of no other", () => {
    assert.deepEqual(list(workloadType, "shop/web-1"), ["shop/web-1"]);
    for (const type of [serviceType, endpointsType]) {
      assert.deepEqual(list(type, "shop/web-1"), ["shop/orders", "shop/web"]);
      assert.deepEqual(list(type, "bank/ledger-1"), ["bank/ledger"]);
    }
    assert.deepEqual(list(routesType, "shop/web-1"), ["shop/orders@shop", "shop/web@shop"]);
    assert.deepEqual(list(trustBundleType, "shop/web-1"), ["mesh.local"]);
    assert.deepEqual(list(telemetryType, "shop/web-1"), ["default"]);
  });

  it("gives a worker what it gives its proxy, and nothing to an id that is not registered", () => {
    assert.deepEqual(list(workloadType, "shop/web-1#1"), ["shop/web-1"]);
    assert.equal(list(serviceType, "shop/thief-1"), undefined);
  });

  it("does not exist for names of hosts, and is no resource itself", () => {
    assert.equal(list(hostBindingType, "shop/web-1"), undefined);
    list(serviceType, "shop/web-1");
    for (const name of ["*", "*shop"])
      assert.equal(compiler.get(serviceType.typeUrl, name, { proxyId: "shop/web-1", identity: "" }), undefined);
  });

  it("gives the policies that guard the workload", async () => {
    await bench.apply({
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "AuthorizationPolicy",
      metadata: { name: "x", namespace: "shop" },
      spec: { targetRefs: [{ group: "", kind: "Service", name: "web" }], rules: [] },
    });
    assert.deepEqual(list(policyType, "shop/web-1"), ["AuthorizationPolicy/shop/x"]);
    assert.deepEqual(list(policyType, "shop/orders-1"), []);
  });

  it("gives a gateway the Gateways that it hosts, and others none", async () => {
    await register("shop", "gateway", { gateway: { names: ["front"], address: "127.0.0.1", portOffset: 0 } });
    assert.deepEqual(list(gatewayType, "shop/gateway-1"), ["shop/front"]);
    assert.deepEqual(list(gatewayType, "shop/web-1"), []);
  });

  it("changes when a service comes or goes, and not with endpoints, other namespaces or changes of a Service", async () => {
    list(serviceType, "shop/web-1");
    const isTold = (): boolean => told.splice(0).includes("Service *shop");
    await bench.apply(service("shop", "new"));
    assert.ok(isTold());
    assert.deepEqual(list(serviceType, "shop/web-1"), ["shop/new", "shop/orders", "shop/web"]);
    await register("shop", "jobs");
    assert.ok(isTold());
    const { computed } = compiler.statistics;
    await bench.registry.heartbeat("shop/web-1", { inboundAddress: "10.0.0.2:2", ready: true });
    await register("shop", "web", { instance: "web-2" });
    await bench.apply(service("shop", "web"), service("bank", "other"));
    assert.equal(isTold(), false);
    assert.equal(compiler.statistics.computed, computed, "the list was not computed again");
    await bench.registry.leave("shop/jobs-1");
    assert.ok(isTold());
    // Declared meanwhile: it stays without its workloads.
    await bench.registry.leave("shop/web-1");
    await bench.registry.leave("shop/web-2");
    assert.equal(isTold(), false);
    assert.deepEqual(list(serviceType, "shop/orders-1"), ["shop/new", "shop/orders", "shop/web"]);
  });

  it("is computed once for all proxies of a namespace", async () => {
    list(serviceType, "shop/web-1");
    const { computed } = compiler.statistics;
    list(serviceType, "shop/orders-1");
    assert.equal(compiler.statistics.computed, computed);
  });
});
