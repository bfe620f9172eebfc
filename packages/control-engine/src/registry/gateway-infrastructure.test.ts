// Labels and annotations of Gateways on the workloads that serve them.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { serviceType, workloadType } from "@ripstop/model";

import { GatewayBench } from "../compile/gateway-bench.suite.ts";
import { followGateways, infrastructureOf, withInfrastructure } from "./gateway-infrastructure.ts";
import type { RegisteredWorkload } from "./registered-workload.ts";
import { Registry } from "./registry.ts";

const API = "apiVersion: gateway.networking.k8s.io/v1";
const NAME = "gateway.networking.k8s.io/gateway-name";
const CLASS = "gateway.networking.k8s.io/gateway-class-name";
const PROXY = "infra/proxy";

function gateway(name: string, infrastructure = "", className = "ripstop"): string {
  return `${API}\nkind: Gateway\nmetadata: {name: ${name}, namespace: infra}\nspec: {gatewayClassName: ${className}, listeners: [{name: http, port: 80, protocol: HTTP}]${infrastructure === "" ? "" : `, infrastructure: ${infrastructure}`}}`;
}

let bench: GatewayBench;

beforeEach(() => {
  bench = new GatewayBench();
});
afterEach(() => bench.close());

function workload(): RegisteredWorkload {
  const found = bench.registry.get(PROXY);
  assert.ok(found);
  return found;
}

describe("the infrastructure of a Gateway", () => {
  it("labels and annotates the workload that serves it, whichever comes first, and what its proxy is told", async () => {
    await bench.host("edge");
    assert.deepEqual(workload().labels, { app: "gateway" });
    await bench.apply(gateway("edge", "{labels: {team: web}, annotations: {owner: anna}}"));
    const labels = { team: "web", app: "gateway", [NAME]: "edge", [CLASS]: "ripstop" };
    assert.deepEqual(workload().labels, labels);
    assert.deepEqual(workload().infrastructure?.annotations, { owner: "anna" });
    assert.deepEqual(bench.get(workloadType, PROXY)?.labels, labels);
    assert.ok((await bench.registry.leave(PROXY)).ok);
    await bench.host("edge");
    assert.deepEqual(workload().labels, labels);
  });

  it("follows the Gateway's changes, and goes with it", async () => {
    await bench.apply(gateway("edge", "{labels: {team: web, tier: one}, annotations: {owner: anna}}"));
    await bench.host("edge");
    await bench.apply(gateway("edge", "{labels: {team: shop}}"));
    assert.deepEqual(workload().labels, { team: "shop", app: "gateway", [NAME]: "edge", [CLASS]: "ripstop" });
    assert.deepEqual(workload().infrastructure?.annotations, {});
    await bench.delete("Gateway/infra/edge");
    assert.deepEqual(workload().labels, { app: "gateway" });
    assert.equal(workload().infrastructure, undefined);
  });

  it("is what Services select by, at once", async () => {
    await bench.host("edge");
    await bench.apply(
      gateway("edge"),
      `apiVersion: v1\nkind: Service\nmetadata: {name: edges, namespace: infra}\nspec: {selector: {team: web}, ports: [{port: 80}]}`,
    );
    const selectors = (): readonly string[] => {
      const view = bench.compiler.world.view(() => undefined);
      return view.servicesOf(workload());
    };
    assert.ok(bench.get(serviceType, "infra/edges"));
    assert.ok(!selectors().includes("infra/edges"));
    await bench.apply(gateway("edge", "{labels: {team: web}}"));
    assert.ok(selectors().includes("infra/edges"));
    await bench.apply(gateway("edge"));
    assert.ok(!selectors().includes("infra/edges"));
  });

  it("takes nothing of the workload's own: its labels stay, and stay when the Gateway's go", () => {
    const own: RegisteredWorkload = { ...bare(), labels: { app: "gateway", zone: "a" } };
    const with1 = withInfrastructure(own, { labels: { app: "other", zone: "b", team: "web" }, annotations: {} });
    assert.deepEqual(with1.labels, { app: "gateway", zone: "a", team: "web" });
    assert.deepEqual(withInfrastructure(with1, { labels: {}, annotations: {} }), own);
    assert.equal(withInfrastructure(own, { labels: {}, annotations: {} }), own);
  });

  it("is, of several Gateways of one workload, decided by the one that was named first, without a name of one", async () => {
    await bench.apply(
      gateway("edge", "{labels: {team: web}, annotations: {a: edge}}"),
      gateway("inner", "{labels: {team: shop, tier: two}, annotations: {a: inner, b: inner}}"),
    );
    await bench.host("edge", "inner");
    assert.deepEqual(workload().labels, { team: "web", tier: "two", app: "gateway" });
    assert.deepEqual(workload().infrastructure?.annotations, { a: "edge", b: "inner" });
  });

  it("is nothing of a Gateway of another controller, until its class is ours", async () => {
    const ofClass = (controller: string): string =>
      `${API}\nkind: GatewayClass\nmetadata: {name: mine}\nspec: {controllerName: ${controller}}`;
    await bench.apply(ofClass("example.com/other"), gateway("edge", "{labels: {team: web}}", "mine"));
    await bench.host("edge");
    assert.deepEqual(workload().labels, { app: "gateway" });
    await bench.delete("GatewayClass/mine");
    await bench.apply(ofClass("ripstop.mesh/control"));
    assert.equal(workload().labels["team"], "web");
  });

  it("does not renew the lease of a workload that is silent", async () => {
    await bench.host("edge");
    bench.clock.advance(8_000);
    await bench.apply(gateway("edge", "{labels: {team: web}}"));
    assert.equal(bench.registry.get(PROXY)?.labels["team"], "web");
    bench.clock.advance(22_000);
    assert.equal(bench.registry.get(PROXY), undefined);
  });

  it("is as the Gateway says after a restart, whatever the record said", async () => {
    await bench.host("edge");
    await bench.apply(gateway("edge", "{labels: {team: web}}"));
    const { store, clock } = bench;
    bench.close();
    const records = store.table<RegisteredWorkload>("workloads");
    assert.equal(records.get(PROXY)?.labels["team"], "web");
    await bench.apply(gateway("edge", "{labels: {team: shop}}"));
    const again = new Registry({
      ...{ clock, table: records, trustDomain: "mesh.local", isProcessAlive: () => true },
      infrastructureOf: (namespace, names) => infrastructureOf(store, namespace, names),
    });
    const stop = followGateways(store, again);
    assert.equal(again.get(PROXY)?.labels["team"], "shop");
    stop();
    again.close();
  });
});

function bare(): RegisteredWorkload {
  return {
    id: PROXY,
    namespace: "infra",
    service: "gateway",
    serviceAccount: "gateway",
    spiffeId: "",
    labels: {},
    ports: [],
    pid: 1,
    registeredMs: 0,
    inboundAddress: "",
    ready: true,
    svidNotAfterMs: 0,
  };
}
