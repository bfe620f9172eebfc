// EndpointSlices in the model: which Service has them as instances, at which ports, and what a change affects.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { Endpoint_Reach, endpointsType, Protocol, serviceType, type Endpoint } from "@ripstop/model";

import { GatewayBench } from "./gateway-bench.suite.ts";

let bench: GatewayBench;

beforeEach(() => {
  bench = new GatewayBench();
});
afterEach(() => bench.close());

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: legacy, namespace: infra}
spec: {ports: [{name: http, port: 80}, {name: admin, port: 81}]}`;

function slice(name: string, endpoints: string, ports: string, more = "addressType: IPv4"): string {
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: infra, labels: {kubernetes.io/service-name: legacy}}
${more}
endpoints: ${endpoints}
ports: ${ports}`;
}

const HTTP = "[{name: http, port: 8080}]";

function endpoints(): readonly Endpoint[] {
  return bench.get(endpointsType, "infra/legacy")?.endpoints ?? [];
}

describe("EndpointSlices", () => {
  it("are the instances of the Service that they name, in plain bytes, by the names of ports", async () => {
    await bench.apply(SERVICE, slice("a", "[{addresses: [10.0.0.1], zone: z1}]", `[${HTTP.slice(1, -1)}, {port: 9}]`));
    assert.deepEqual(endpoints(), [
      {
        id: "10.0.0.1:8080",
        reach: Endpoint_Reach.PLAIN,
        address: "10.0.0.1:8080",
        spiffeId: "",
        weight: 1,
        healthy: true,
        locality: { region: "", zone: "z1" },
        targetPorts: { 80: 8080 },
        version: "",
        subset: undefined,
        priority: undefined,
      },
    ]);
  });

  it("say who is ready, and several may speak of one instance or of several at one address", async () => {
    await bench.apply(
      SERVICE,
      slice("a", "[{addresses: [10.0.0.1], conditions: {ready: false}}, {addresses: [10.0.0.2]}]", HTTP),
      slice("b", "[{addresses: [10.0.0.1, 10.0.0.2]}]", "[{name: http, port: 8080}, {name: admin, port: 8081}]"),
      slice("c", "[{addresses: [10.0.0.1], conditions: {ready: false}}]", "[{name: http, port: 9090}]"),
      slice("d", "[{addresses: ['2001:db8::1']}]", HTTP, "addressType: IPv6"),
      slice("e", "[{addresses: [old.example]}]", HTTP, "addressType: FQDN"),
    );
    assert.deepEqual(
      endpoints().map(({ id, healthy, targetPorts }) => [id, healthy, targetPorts]),
      [
        ["10.0.0.1:8080", true, { 80: 8080, 81: 8081 }],
        ["10.0.0.2:8080", true, { 80: 8080, 81: 8081 }],
        ["10.0.0.1:9090", false, { 80: 9090 }],
        ["[2001:db8::1]:8080", true, { 80: 8080 }],
        ["old.example:8080", true, { 80: 8080 }],
      ],
    );
  });

  it("mean nothing for a Service that selects workloads", async () => {
    await bench.apply(
      SERVICE.replace("spec: {", "spec: {selector: {app: legacy}, "),
      slice("a", "[{addresses: [10.0.0.1]}]", HTTP),
    );
    assert.deepEqual(endpoints(), []);
  });

  it("declare the protocol where the Service does not", async () => {
    await bench.apply(
      SERVICE.replace("name: http, port: 80", "name: calls, port: 80"),
      slice("a", "[]", "[{name: calls, port: 1, appProtocol: kubernetes.io/h2c}, {name: admin, port: 2}]"),
    );
    assert.deepEqual(
      bench.get(serviceType, "infra/legacy")?.ports.map(({ protocol }) => protocol),
      [Protocol.HTTP2, Protocol.UNSPECIFIED],
    );
  });

  it("come, change and go alone", async () => {
    await bench.apply(SERVICE);
    assert.deepEqual(endpoints(), []);
    const affected: string[] = [];
    const stop = bench.compiler.onAffected((names) => affected.push(...names));
    await bench.apply(slice("a", "[{addresses: [10.0.0.1]}]", HTTP));
    assert.deepEqual(
      endpoints().map(({ id }) => id),
      ["10.0.0.1:8080"],
    );
    assert.deepEqual(affected, ["resource:EndpointSlice/infra/a", "slices:infra/legacy"]);
    await bench.delete("EndpointSlice/infra/a");
    assert.deepEqual(endpoints(), []);
    stop();
  });
});
