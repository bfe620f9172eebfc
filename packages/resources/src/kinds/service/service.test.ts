// The kind Service.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KindRegistry } from "../../kind-registry.ts";
import { validateAll, type Validated } from "../../validate-all.ts";
import { serviceKind } from "./index.ts";

const kinds = new KindRegistry([serviceKind]);

function validate(spec: unknown): Validated {
  const text = JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "catalog", namespace: "shop" },
    spec,
  });
  return validateAll([{ file: "a.json", text }], { kinds, current: { get: () => undefined, list: () => [] } });
}

describe("Service", () => {
  it("fills in Kubernetes' defaults", () => {
    const { resources, violations } = validate({ ports: [{ port: 80 }] });
    assert.deepEqual(violations, []);
    assert.deepEqual(resources[0]?.resource.spec, {
      ports: [{ port: 80, protocol: "TCP" }],
      selector: {},
      type: "ClusterIP",
    });
  });

  it("takes what kubectl gives of a plain Service", () => {
    const spec = {
      clusterIP: "10.96.0.7",
      clusterIPs: ["10.96.0.7"],
      internalTrafficPolicy: "Cluster",
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      ports: [{ name: "http", port: 80, protocol: "TCP", targetPort: "web", appProtocol: "http" }],
      selector: { app: "catalog" },
      sessionAffinity: "None",
      type: "ClusterIP",
    };
    assert.deepEqual(validate(spec).violations, []);
  });

  for (const [name, spec, path] of [
    ["no ports", {}, "spec.ports"],
    ["a port out of range", { ports: [{ port: 65536 }] }, "spec.ports[0].port"],
    [
      "two ports of one number",
      {
        ports: [
          { name: "a", port: 1 },
          { name: "b", port: 1 },
        ],
      },
      "spec.ports[1].port",
    ],
    [
      "two ports of one name",
      {
        ports: [
          { name: "a", port: 1 },
          { name: "a", port: 2 },
        ],
      },
      "spec.ports[1].name",
    ],
    ["nameless ports beside others", { ports: [{ name: "a", port: 1 }, { port: 2 }] }, "spec.ports[1]"],
    ["UDP", { ports: [{ port: 53, protocol: "UDP" }] }, "spec.ports[0].protocol"],
    ["a number in quotes as targetPort", { ports: [{ port: 80, targetPort: "8080" }] }, "spec.ports[0].targetPort"],
    ["a bad selector", { ports: [{ port: 80 }], selector: { app: "a b" } }, "spec.selector.app"],
    ["an address that is none", { ports: [{ port: 80 }], clusterIP: "10.0.0" }, "spec.clusterIP"],
  ] as const) {
    it(`refuses ${name}`, () => {
      assert.deepEqual(
        validate(spec).violations.map((violation) => violation.path),
        [path],
      );
    });
  }
});
