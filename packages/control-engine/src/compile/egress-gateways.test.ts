// ExternalServices that are reached through a Gateway: which one, who sees what, and what a status says.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  egressBindingName,
  EgressMode,
  Endpoint_Reach,
  endpointsType,
  gatewayType,
  GatewayListener_Kind,
  hostBindingType,
  routesType,
  serviceType,
  workloadType,
  type RegisterRequest,
} from "@ripstop/model";
import { CompileBench } from "./compile-bench.suite.ts";
import { compileStatus } from "./compile-status.ts";

const HOST = "api.example.com";
const DIRECT = `shop/api.external.${HOST}`;
const THROUGH = `${DIRECT}|infra/egress`;

class Bench extends CompileBench {
  constructor() {
    super();
    this.addresses.set(HOST, ["192.0.2.1"]);
  }

  /** Registers a workload; with `gateway` as a ready placement of Gateway infra/egress. */
  async start(namespace: string, instance: string, gateway?: RegisterRequest["gateway"]): Promise<string> {
    const id = await this.register({
      service: gateway === undefined ? "web" : "egress-gateway",
      serviceAccount: gateway === undefined ? "web" : "gateway",
      ...{ namespace, instance },
      ...(gateway === undefined ? {} : { gateway }),
    });
    await this.registry.heartbeat(id, { inboundAddress: "", ready: true });
    return id;
  }

  bound(namespace = "shop", host = HOST): string | undefined {
    return this.get(hostBindingType, `${namespace}~${host}`)?.service;
  }

  led(proxyId: string, namespace = "shop", gateway = "infra/egress"): string | undefined {
    return this.get(hostBindingType, egressBindingName(namespace, HOST, gateway), proxyId)?.service;
  }

  reached(service = THROUGH): readonly string[] {
    return this.get(endpointsType, service)?.endpoints.map(({ address }) => address) ?? [];
  }

  conditions(): readonly string[] {
    const view = this.compiler.world.view(() => undefined);
    const status = compileStatus(view, "ExternalService/shop/api") as {
      readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
    };
    return status.conditions.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`);
  }
}

const external = (extra = "", namespace = "shop"): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: ExternalService, metadata: {name: api, namespace: ${namespace}}, spec: {hosts: [${HOST}], ports: [{port: 80, targetPort: 443, protocol: HTTP, tls: {}}, {port: 7000, protocol: TCP}]${extra}}}`;
const NAMED = ", gateway: {name: egress, namespace: infra}";
const gateway = (listener = "", spec = ""): string =>
  `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: egress, namespace: infra}, spec: {gatewayClassName: ripstop${spec}, listeners: [{name: out, port: 15008, protocol: ripstop.mesh/Egress, allowedRoutes: {namespaces: {from: All}}${listener}}]}}`;
const labelled = (namespace: string, labels: string): string =>
  `{apiVersion: v1, kind: Namespace, metadata: {name: ${namespace}, labels: {${labels}}}}`;
const PLACED = { names: ["egress"], address: "10.0.0.9", portOffset: 0 };

describe("an ExternalService that names a Gateway", () => {
  it("gives callers the Gateway's proxies in place of the host, and no TLS of their own", async () => {
    const bench = new Bench();
    await bench.apply(gateway(), external(NAMED));
    const first = await bench.start("infra", "egress-1", PLACED);
    const second = await bench.start("infra", "egress-2", { ...PLACED, address: "fd00::9", portOffset: 1_000 });
    assert.equal(bench.bound(), THROUGH);
    const service = bench.get(serviceType, THROUGH);
    assert.deepEqual(service?.external, { host: HOST, gateway: "infra/egress", noGateway: "" });
    assert.deepEqual(
      service.ports.map(({ backendTls }) => backendTls),
      [undefined, undefined],
    );
    const endpoints = bench.get(endpointsType, THROUGH)?.endpoints ?? [];
    assert.deepEqual(
      endpoints.map(({ id, reach, address, spiffeId, targetPorts }) => [id, reach, address, spiffeId, targetPorts]),
      [
        [
          first,
          Endpoint_Reach.MESH,
          "10.0.0.9:15008",
          "spiffe://mesh.local/ns/infra/sa/gateway",
          { 80: 80, 7000: 7000 },
        ],
        [
          second,
          Endpoint_Reach.MESH,
          "[fd00::9]:16008",
          "spiffe://mesh.local/ns/infra/sa/gateway",
          { 80: 80, 7000: 7000 },
        ],
      ],
    );
    assert.deepEqual(bench.get(routesType, `${THROUGH}@shop`)?.ports, []);
    assert.deepEqual(bench.conditions(), ["Accepted True Accepted", "Programmed True Programmed"]);
  });

  it("leads each name of a wildcard out by itself", async () => {
    const bench = new Bench();
    await bench.apply(gateway(", hostname: '*.example.com'"), external(NAMED).replace(HOST, '"*.example.com"'));
    const proxy = await bench.start("infra", "egress-1", PLACED);
    assert.equal(bench.bound("shop", "a.b.example.com"), "shop/api.external.a.b.example.com|infra/egress");
    assert.equal(bench.led(proxy), DIRECT);
    assert.deepEqual(bench.reached(), ["10.0.0.9:15008"]);
    assert.deepEqual(bench.conditions(), ["Accepted True Accepted", "Programmed True Programmed"]);
  });

  it("gives the Gateway's proxy the host itself, and shows that to no other proxy", async () => {
    const bench = new Bench();
    await bench.apply(gateway(), external(NAMED));
    const proxy = await bench.start("infra", "egress-1", PLACED);
    assert.equal(bench.led(proxy), DIRECT);
    assert.equal(bench.led("shop/web-1"), undefined);
    assert.equal(bench.get(serviceType, DIRECT, proxy)?.ports[0]?.backendTls?.hostname, HOST);
    assert.deepEqual(bench.reached(DIRECT), ["192.0.2.1:443"]);
    const [listener] = bench.get(gatewayType, "infra/egress", proxy)?.listeners ?? [];
    assert.equal(listener?.kind, GatewayListener_Kind.EGRESS);
    // Not for callers who do not see the ExternalService, nor through another Gateway.
    assert.equal(bench.led(proxy, "bank"), undefined);
    await bench.apply(external(", gateway: {name: other, namespace: infra}"));
    assert.equal(bench.led(proxy), undefined);
    await bench.apply(external());
    assert.equal(bench.led(proxy), undefined);
    assert.equal(bench.bound(), DIRECT);
  });

  it("has no endpoint, and never that of the host, while no proxy is ready; the change is told", async () => {
    const bench = new Bench();
    await bench.apply(gateway(), external(NAMED));
    assert.deepEqual(bench.reached(), []);
    assert.match(
      bench.get(serviceType, THROUGH)?.external?.noGateway ?? "",
      /no proxy .* is ready.*ripstop gateway egress/,
    );
    assert.deepEqual(bench.conditions(), ["Accepted True Accepted", "Programmed False NoInstance"]);
    const changed = new Set<string>();
    bench.compiler.watch((_typeUrl, names) => names.forEach((name) => changed.add(name)));
    const proxy = await bench.start("infra", "egress-1", PLACED);
    assert.deepEqual([...changed], [THROUGH]);
    assert.deepEqual(bench.reached(), ["10.0.0.9:15008"]);
    await bench.registry.heartbeat(proxy, { inboundAddress: "", ready: false });
    assert.deepEqual(bench.reached(), []);
  });

  it("passes by proxies that cannot be called: all addresses, or a port that is closed", async () => {
    const bench = new Bench();
    await bench.apply(gateway(), external(NAMED));
    const proxy = await bench.start("infra", "egress-1", { ...PLACED, address: "0.0.0.0" });
    assert.match(bench.get(serviceType, THROUGH)?.external?.noGateway ?? "", /--address/);
    await bench.apply(gateway("", ", addresses: [{value: 192.0.2.7}, {value: 192.0.2.8}]"));
    assert.deepEqual(bench.reached(), ["192.0.2.7:15008"]);
    const closedPorts = [{ gateway: "egress", address: "192.0.2.7", port: 15_008, cause: "taken" }];
    await bench.registry.heartbeat(proxy, { inboundAddress: "", ready: true, closedPorts });
    assert.deepEqual(bench.reached(), ["192.0.2.8:15008"]);
  });

  it("says why when the Gateway is missing, has no such listener, or does not take it", async () => {
    const bench = new Bench();
    await bench.apply(external(NAMED));
    const proxy = await bench.start("infra", "egress-1", PLACED);
    const check = (reason: string): void => {
      assert.deepEqual(bench.conditions(), [`Accepted False ${reason}`, "Programmed False Invalid"]);
      assert.equal(bench.bound(), THROUGH);
      assert.equal(bench.led(proxy), undefined);
    };
    check("NoMatchingParent");
    await bench.apply(
      "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: egress, namespace: infra}, spec: {gatewayClassName: ripstop, listeners: [{name: in, port: 80, protocol: HTTP}]}}",
    );
    check("NoMatchingParent");
    await bench.apply(gateway(", hostname: '*.other.example'"));
    check("NoMatchingListenerHostname");
    await bench.apply(gateway().replace("from: All", "from: Same"));
    check("NotAllowedByListeners");
    await bench.apply(gateway(", hostname: '*.example.com'"));
    assert.deepEqual(bench.conditions(), ["Accepted True Accepted", "Programmed True Programmed"]);
    assert.equal(bench.led(proxy), DIRECT);
  });
});

describe("the egress gateway of a namespace", () => {
  const LABEL = "ripstop.mesh/egress-gateway";

  it("is that of the callers' namespace, else of the mesh, unless the ExternalService names one", async () => {
    const bench = new Bench();
    await bench.apply(gateway(), external(", visibility: Mesh"), labelled("ripstop-system", `${LABEL}: egress.infra`));
    const proxy = await bench.start("infra", "egress-1", PLACED);
    assert.equal(bench.bound(), THROUGH);
    assert.equal(bench.bound("bank"), THROUGH);
    assert.equal(bench.led(proxy, "bank"), DIRECT);
    await bench.apply(labelled("bank", `${LABEL}: none`), labelled("shop", `${LABEL}: my.own.edge`));
    assert.equal(bench.bound("bank"), DIRECT);
    assert.equal(bench.led(proxy, "bank"), undefined);
    assert.equal(bench.bound(), `${DIRECT}|edge/my.own`);
    await bench.apply(external(NAMED));
    assert.equal(bench.bound(), THROUGH);
    assert.equal(bench.bound("bank"), undefined);
  });

  it("is none that there could be when the label cannot be read: nothing goes out", async () => {
    const bench = new Bench();
    await bench.apply(external(), labelled("shop", `${LABEL}: egress`));
    assert.equal(bench.bound(), `${DIRECT}|egress/`);
    assert.deepEqual(bench.reached(`${DIRECT}|egress/`), []);
  });

  it("closes the way past it, unless that is said to be open", async () => {
    const bench = new Bench();
    const id = await bench.start("shop", "web-1");
    const mode = (): EgressMode => bench.get(workloadType, id, id)?.egress ?? EgressMode.ALLOW;
    await bench.apply(labelled("shop", `${LABEL}: egress.infra`));
    assert.equal(mode(), EgressMode.DENY);
    await bench.apply(labelled("shop", `${LABEL}: egress.infra, ripstop.mesh/egress: allow`));
    assert.equal(mode(), EgressMode.ALLOW);
    await bench.apply(labelled("shop", `${LABEL}: none`));
    assert.equal(mode(), EgressMode.ALLOW);
  });
});
