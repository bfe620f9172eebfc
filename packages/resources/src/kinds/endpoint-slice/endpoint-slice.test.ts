// The kind EndpointSlice.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KindRegistry } from "../../kind-registry.ts";
import { validateAll, type Validated } from "../../validate-all.ts";
import { endpointSliceKind } from "./index.ts";

const kinds = new KindRegistry([endpointSliceKind]);
const LABELS = { "kubernetes.io/service-name": "legacy" };

function validate(body: object, labels: object = LABELS): Validated {
  const text = JSON.stringify({
    ...{ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice" },
    metadata: { name: "legacy-1", namespace: "shop", labels },
    ...body,
  });
  return validateAll([{ file: "a.json", text }], { kinds, current: { get: () => undefined, list: () => [] } });
}

describe("EndpointSlice", () => {
  it("takes what kubectl gives of one, and fills in the defaults", () => {
    const { resources, violations } = validate({
      addressType: "IPv4",
      endpoints: [
        {
          addresses: ["10.1.2.3"],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: "node-1",
          targetRef: { kind: "Pod", name: "p", namespace: "shop", uid: "u" },
          zone: "z1",
          hints: { forZones: [{ name: "z1" }] },
        },
      ],
      ports: [{ port: 3000 }],
    });
    assert.deepEqual(violations, []);
    const spec = resources[0]?.resource.spec as { ports: unknown };
    assert.deepEqual(spec.ports, [{ name: "", port: 3000, protocol: "TCP" }]);
  });

  const at = (addressType: string, address: string): object => ({ addressType, endpoints: [{ addresses: [address] }] });
  for (const [name, body, path] of [
    ["an address of another type", at("IPv4", "::1"), "endpoints[0].addresses[0]"],
    ["a link-local address", at("IPv4", "169.254.169.254"), "endpoints[0].addresses[0]"],
    ["a link-local address of IPv6", at("IPv6", "fe80::1"), "endpoints[0].addresses[0]"],
    ["a multicast address", at("IPv4", "224.0.0.1"), "endpoints[0].addresses[0]"],
    ["no address at all", at("IPv4", "0.0.0.0"), "endpoints[0].addresses[0]"],
    ["a host name that is none", at("FQDN", "a b"), "endpoints[0].addresses[0]"],
    ["ports of one name", { addressType: "IPv4", ports: [{ port: 1 }, { port: 2 }] }, "ports[1].name"],
    ["UDP", { addressType: "IPv4", ports: [{ port: 53, protocol: "UDP" }] }, "ports[0].protocol"],
    ["a port out of range", { addressType: "IPv4", ports: [{ port: 0 }] }, "ports[0].port"],
    ["no address type", {}, "addressType"],
  ] as const) {
    it(`refuses ${name}`, () => {
      assert.deepEqual(
        validate(body).violations.map((violation) => violation.path),
        [path],
      );
    });
  }

  it("takes loopback, where services of one host are", () => {
    assert.deepEqual(validate(at("IPv4", "127.0.0.1")).violations, []);
  });

  it("refuses one that names no Service", () => {
    const { violations } = validate({ addressType: "IPv4" }, {});
    assert.deepEqual(
      violations.map(({ path }) => path),
      ['metadata.labels["kubernetes.io/service-name"]'],
    );
  });
});
