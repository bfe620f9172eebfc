// The kind EndpointSource.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { KindRegistry } from "../../kind-registry.ts";
import type { Resource } from "../../resource.ts";
import { validateAll } from "../../validate-all.ts";
import { serviceKind } from "../service/index.ts";
import { endpointSourceKind, parseNameServer, type EndpointSourceSpec } from "./index.ts";

const kinds = new KindRegistry([endpointSourceKind, serviceKind]);
const SERVICE = { namespace: "shop", name: "orders" };
const SRV = { name: "_http._tcp.orders.example.com" };
const CONSUL = { url: "https://consul.example:8501", service: "orders" };

function violations(spec: object, service?: object): readonly string[] {
  const resource = { apiVersion: "ripstop.mesh/v1alpha1", kind: "EndpointSource", metadata: { name: "orders" }, spec };
  const target = { apiVersion: "v1", kind: "Service", metadata: { name: "orders", namespace: "shop" }, spec: service };
  const files = [resource, ...(service === undefined ? [] : [target])];
  const found = validateAll(
    files.map((one) => ({ file: "a.json", text: JSON.stringify(one) })),
    { kinds, current: { get: () => undefined, list: () => [] } },
  );
  return found.violations.map(({ path, message }) => `${path}: ${message}`);
}

function only(spec: object, expected: RegExp, service?: object): void {
  const found = violations(spec, service);
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", expected);
}

describe("EndpointSource", () => {
  it("takes SRV records with or without name servers", () => {
    assert.deepEqual(violations({ service: SERVICE, dnsSrv: SRV }), []);
    const nameServers = ["10.0.0.53", "10.0.0.53:8600", "2001:db8::53", "[2001:db8::53]:8600"];
    assert.deepEqual(violations({ service: SERVICE, port: 80, dnsSrv: { ...SRV, nameServers } }), []);
  });

  it("takes a service of Consul, and fills in the key of the token", () => {
    const tokenSecret = { namespace: "ops", name: "consul" };
    const spec = {
      service: SERVICE,
      consul: { ...CONSUL, datacenter: "dc1", filter: '"v2" in Service.Tags', tokenSecret },
    };
    const text = JSON.stringify({
      ...{ apiVersion: "ripstop.mesh/v1alpha1", kind: "EndpointSource", metadata: { name: "orders" } },
      spec,
    });
    const read = validateAll([{ file: "a.json", text }], { kinds, current: { get: () => undefined, list: () => [] } });
    assert.deepEqual(read.violations, []);
    const { consul } = (read.resources[0]!.resource as Resource<EndpointSourceSpec>).spec;
    assert.deepEqual([consul?.stale, consul?.tokenSecret?.key], [false, "token"]);
  });

  it("is one of the two", () => {
    only({ service: SERVICE }, /^spec: there is neither/);
    only({ service: SERVICE, dnsSrv: SRV, consul: CONSUL }, /^spec: there are both/);
  });

  it("refuses name servers that are no addresses", () => {
    for (const server of [
      "ns.example.com",
      "10.0.0.53:",
      "10.0.0.53:0",
      "10.0.0.53:65536",
      "[10.0.0.1]:53",
      "300.1.1.1",
    ])
      only({ service: SERVICE, dnsSrv: { ...SRV, nameServers: [server] } }, /nameServers\[0\]: .* is no address/);
    assert.deepEqual(parseNameServer("[::1]:8600"), { host: "::1", port: 8600 });
  });

  it("refuses URLs that hold more than where Consul is, and tokens over plain text", () => {
    const consul = (url: string, more = {}): object => ({ service: SERVICE, consul: { ...CONSUL, url, ...more } });
    only(consul("ftp://consul"), /is no URL of Consul/);
    only(consul("consul:8500"), /is no URL of Consul/);
    only(consul("https://me:secret@consul"), /user or password/);
    only(consul("https://consul/v1/kv"), /more than host and port/);
    const tokenSecret = { namespace: "ops", name: "consul" };
    only(consul("http://consul:8500", { tokenSecret }), /plain text/);
    for (const url of ["http://127.0.0.1:8500", "http://[::1]:8500", "http://localhost:8500", "https://consul"])
      assert.deepEqual(violations(consul(url, { tokenSecret })), []);
    only(consul("https://consul", { caCertificates: "none" }), /caCertificates: there is no certificate/);
  });

  it("is for a Service without a selector, and for a port that it has", () => {
    const ports = [{ port: 80 }];
    assert.deepEqual(violations({ service: SERVICE, port: 80, dnsSrv: SRV }, { ports }), []);
    only({ service: SERVICE, dnsSrv: SRV }, /^spec\.service: .* has a selector/, {
      ports,
      selector: { app: "orders" },
    });
    only({ service: SERVICE, port: 81, dnsSrv: SRV }, /^spec\.port: .* has no port 81/, { ports });
  });
});
