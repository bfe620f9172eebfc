// ExternalServices in the model: which host means which, what becomes of it, and what a change affects.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  EgressMode,
  endpointsType,
  hostBindingType,
  Protocol,
  routesType,
  serviceType,
  workloadType,
} from "@ripstop/model";
import { CompileBench } from "./compile-bench.suite.ts";

class Bench extends CompileBench {
  bound(host: string, namespace = "shop"): string | undefined {
    return this.get(hostBindingType, `${namespace}~${host}`)?.service;
  }
}

const external = (name: string, spec: string, namespace = "shop"): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: ExternalService, metadata: {name: ${name}, namespace: ${namespace}}, spec: ${spec}}`;
const WEB = "ports: [{port: 80, targetPort: 443, protocol: HTTP, tls: {}}, {port: 443, protocol: TLS}]";

describe("an ExternalService in the model", () => {
  it("makes each host that is asked for a service of its own, under a wildcard too", async () => {
    const bench = new Bench();
    await bench.apply(external("api", `{hosts: [api.example.com, "*.cdn.example.com"], ${WEB}}`));
    assert.equal(bench.bound("api.example.com"), "shop/api.external.api.example.com");
    assert.equal(bench.bound("a.b.cdn.example.com"), "shop/api.external.a.b.cdn.example.com");
    for (const other of ["cdn.example.com", "example.com", "xapi.example.com"])
      assert.equal(bench.bound(other), undefined, other);
    const service = bench.get(serviceType, "shop/api.external.x.cdn.example.com");
    assert.equal(service?.external?.host, "x.cdn.example.com");
    assert.equal(service.external.gateway, undefined);
    const [http, tls] = service?.ports ?? [];
    assert.equal(http?.protocol, Protocol.HTTP1);
    assert.equal(http?.backendTls?.hostname, "x.cdn.example.com");
    assert.equal(http?.backendTls?.source, "ExternalService shop/api");
    assert.equal(tls?.protocol, Protocol.TLS);
    assert.equal(tls?.backendTls, undefined);
    assert.deepEqual(bench.get(routesType, "shop/api.external.x.cdn.example.com@shop")?.ports, []);
    assert.equal(bench.get(serviceType, "shop/api.external.other.com"), undefined);
  });

  it("is reached by the addresses of DNS as they come, and by its name before", async () => {
    const bench = new Bench();
    await bench.apply(external("api", `{hosts: [api.example.com], ${WEB}}`));
    const name = "shop/api.external.api.example.com";
    const changed: string[] = [];
    bench.compiler.watch((typeUrl, names) => changed.push(...names.map((changedName) => `${typeUrl} ${changedName}`)));
    const addresses = (): unknown => bench.get(endpointsType, name)?.endpoints.map(({ address }) => address);
    assert.deepEqual(addresses(), ["api.example.com:443"]);
    assert.equal(bench.compiler.usesAddresses("api.example.com"), true);
    bench.addresses.set("api.example.com", ["10.0.0.1", "2001:db8::1"]);
    bench.compiler.addressesChanged("api.example.com");
    assert.deepEqual(changed, [`${endpointsType.typeUrl} ${name}`]);
    assert.deepEqual(addresses(), ["10.0.0.1:443", "[2001:db8::1]:443"]);
    assert.deepEqual(bench.get(endpointsType, name)?.endpoints[0]?.targetPorts, { 80: 443, 443: 443 });
    bench.compiler.release(endpointsType.typeUrl, name);
    assert.equal(bench.compiler.usesAddresses("api.example.com"), false);
  });

  it("is reached by the addresses that it gives", async () => {
    const bench = new Bench();
    await bench.apply(external("api", `{hosts: [api.example.com], resolution: Static, addresses: [10.1.1.1], ${WEB}}`));
    const endpoints = bench.get(endpointsType, "shop/api.external.api.example.com")?.endpoints;
    assert.deepEqual(
      endpoints?.map(({ address }) => address),
      ["10.1.1.1:443"],
    );
  });

  it("is for its own namespace, unless it is for the mesh; and the own one comes first", async () => {
    const bench = new Bench();
    await bench.apply(external("a", `{hosts: [x.example.com, y.example.com], visibility: Mesh, ${WEB}}`, "infra"));
    await bench.apply(external("b", `{hosts: [y.example.com], ${WEB}}`, "bank"));
    assert.equal(bench.bound("x.example.com"), "infra/a.external.x.example.com");
    assert.equal(bench.bound("y.example.com"), "infra/a.external.y.example.com");
    assert.equal(bench.bound("y.example.com", "bank"), "bank/b.external.y.example.com");
  });

  it("of several the most exact name decides, then the older resource", async () => {
    const bench = new Bench();
    await bench.apply(external("wide", `{hosts: ["*.example.com"], ${WEB}}`));
    await bench.apply(external("second", `{hosts: ["*.a.example.com"], ${WEB}}`));
    await bench.apply(external("first", `{hosts: ["*.a.example.com", z.a.example.com], ${WEB}}`));
    assert.equal(bench.bound("b.example.com"), "shop/wide.external.b.example.com");
    assert.equal(bench.bound("b.a.example.com"), "shop/second.external.b.a.example.com");
    assert.equal(bench.bound("z.a.example.com"), "shop/first.external.z.a.example.com");
  });

  it("never takes the name of a service", async () => {
    const bench = new Bench();
    await bench.apply(
      "{apiVersion: v1, kind: Service, metadata: {name: stock, namespace: shop}, spec: {selector: {app: stock}, ports: [{port: 80}]}}",
    );
    await bench.apply(external("thief", `{hosts: [stock.shop], visibility: Mesh, ${WEB}}`, "bank"));
    assert.equal(bench.bound("stock.shop"), "shop/stock");
  });

  it("comes and goes for those who asked already", async () => {
    const bench = new Bench();
    assert.equal(bench.bound("api.example.com"), undefined);
    const changed: string[] = [];
    bench.compiler.watch((_typeUrl, names) => changed.push(...names));
    await bench.apply(external("api", `{hosts: ["*.example.com"], ${WEB}}`));
    assert.deepEqual(changed, ["shop~api.example.com"]);
    await bench.delete("ExternalService/shop/api");
    assert.equal(bench.bound("api.example.com"), undefined);
  });
});

describe("the mode of calls outside", () => {
  const label = (namespace: string, mode: string): string =>
    `{apiVersion: v1, kind: Namespace, metadata: {name: ${namespace}, labels: {ripstop.mesh/egress: ${mode}}}}`;

  it("is that of the namespace, else that of the mesh, else allow; and an unknown word denies", async () => {
    const bench = new Bench();
    const id = await bench.register({ service: "web", namespace: "shop", instance: "web-1" });
    const mode = (): EgressMode => bench.get(workloadType, id, id)?.egress ?? EgressMode.ALLOW;
    assert.equal(mode(), EgressMode.ALLOW);
    await bench.apply(label("ripstop-system", "deny"));
    assert.equal(mode(), EgressMode.DENY);
    await bench.apply(label("shop", "allow"));
    assert.equal(mode(), EgressMode.ALLOW);
    await bench.apply(label("shop", "denied"));
    assert.equal(mode(), EgressMode.DENY);
  });
});
