// What an ExternalService may say.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { readResource, violationsOf } from "../fixtures.suite.ts";
import { kind } from "./index.ts";

const text = (spec: string): string =>
  `{apiVersion: ripstop.mesh/v1alpha1, kind: ExternalService, metadata: {name: e, namespace: shop}, spec: ${spec}}`;
const PORTS = "ports: [{port: 443, protocol: TLS}]";
const paths = (spec: string): string[] =>
  violationsOf(kind, text(spec)).map((violation) => violation.split(" ")[0] ?? "");

describe("an ExternalService", () => {
  it("is by DNS and for its own namespace, unless it says otherwise", () => {
    const { spec } = readResource(kind, text(`{hosts: [api.example.com, "*.cdn.example.com"], ${PORTS}}`));
    assert.equal(spec.resolution, "DNS");
    assert.equal(spec.visibility, "Namespace");
  });

  it("names hosts, not addresses, services or whole top-level domains", () => {
    assert.deepEqual(paths(`{hosts: [a.example, 10.0.0.1, stock, "*.com", a.example], ${PORTS}}`), [
      "spec.hosts[1]",
      "spec.hosts[2]",
      "spec.hosts[3]",
      "spec.hosts[4]",
    ]);
    assert.deepEqual(paths(`{hosts: ["a.*.example"], ${PORTS}}`), ["spec.hosts[0]"]);
  });

  it("begins TLS for callers of HTTP alone, by one name, and believes certificates only", () => {
    assert.deepEqual(
      paths(
        '{hosts: [a.example], ports: [{port: 1, protocol: TCP, tls: {}}, {port: 1, protocol: HTTP, tls: {sni: "*.a.example", caCertificates: none}}]}',
      ),
      ["spec.ports[0].tls", "spec.ports[1].port", "spec.ports[1].tls.sni", "spec.ports[1].tls.caCertificates"],
    );
  });

  it("names a Gateway, of its own namespace unless it says otherwise", () => {
    const named = (gateway: string): string => `{hosts: [a.example], gateway: ${gateway}, ${PORTS}}`;
    assert.deepEqual(paths(named("{name: egress}")), []);
    assert.deepEqual(paths(named("{name: out.egress, namespace: infra}")), []);
    assert.deepEqual(paths(named("{namespace: infra}")), ["spec.gateway.name"]);
    assert.deepEqual(paths(named("{name: Egress, namespace: a.b, port: 1}")), [
      "spec.gateway.port",
      "spec.gateway.name",
      "spec.gateway.namespace",
    ]);
  });

  it("has addresses with resolution Static, and only then", () => {
    assert.deepEqual(paths(`{hosts: [a.example], resolution: Static, ${PORTS}}`), ["spec.addresses"]);
    assert.deepEqual(paths(`{hosts: [a.example], addresses: [10.0.0.1], ${PORTS}}`), ["spec.addresses"]);
    assert.deepEqual(paths(`{hosts: [a.example], resolution: Static, addresses: ["10.0.0.1:80"], ${PORTS}}`), [
      "spec.addresses[0]",
    ]);
  });
});
