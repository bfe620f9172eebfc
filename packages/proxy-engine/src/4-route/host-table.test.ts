// Names on demand, on a stopped clock.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpointsType, hostBindingName, hostBindingType, routesName, routesType, serviceType } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { Connector } from "../7-connect/connector.ts";
import { FakeConfigClient } from "../testing/fake-config-client.suite.ts";
import { rule } from "../testing/test-mesh.suite.ts";
import { FlushScheduler, IdentityTable, TlsDialer } from "@ripstop/net";
import { HostTable } from "./host-table.ts";

function setUp(): { clock: StoppedClock; config: FakeConfigClient; table: HostTable; close(): void } {
  const clock = new StoppedClock();
  const config = new FakeConfigClient();
  config.answersUnknown = false;
  const identities = new IdentityTable();
  const observer = { accepted: () => undefined, refused: () => undefined };
  const tls = new TlsDialer({
    identities,
    verifyPeer: () => ({ ok: false, reason: "x", message: "x" }),
    observer,
    clock,
  });
  const connector = new Connector({
    clock,
    flush: new FlushScheduler(),
    tls,
    workloadId: "shop/web-1",
    trustDomain: "t",
    random: () => 0.5,
  });
  const table = new HostTable({
    namespace: "shop",
    clock,
    config,
    connector,
    random: () => 0,
    onChanged: () => undefined,
    onEjected: () => undefined,
  });
  return {
    clock,
    config,
    table,
    close() {
      table.close();
      connector.close();
      assert.equal(clock.pending, 0);
    },
  };
}

const catalogBinding = hostBindingName("shop", "catalog");

function declare(config: FakeConfigClient, service: string): void {
  const [namespace = "", name = ""] = service.split("/");
  config.set(serviceType, service, { namespace, name, hostnames: [], addresses: [], ports: [], resilience: undefined });
  config.set(endpointsType, service, { service, endpoints: [] });
}

function routes(config: FakeConfigClient, service: string, ...backends: readonly string[]): void {
  const http = backends.length === 0 ? [] : [rule(backends.map((backend) => [backend, 80, 1] as const))];
  config.set(routesType, routesName(service, "shop"), { service, ports: [{ port: 0, http }] });
}

describe("the host table", () => {
  it("subscribes to what a name needs, and to nothing else", () => {
    const { config, table, close } = setUp();
    const host = table.lookup("catalog");
    assert.ok(host);
    assert.equal(config.watchers(hostBindingType, catalogBinding), 1);
    config.set(hostBindingType, catalogBinding, { name: catalogBinding, service: "shop/catalog" });
    assert.equal(config.watchers(serviceType, "shop/catalog"), 1);
    declare(config, "shop/catalog");
    routes(config, "shop/catalog", "shop/v1");
    assert.equal(host.ready, false);
    declare(config, "shop/v1");
    assert.equal(host.ready, true);
    assert.deepEqual([...table.clusters.keys()].sort(), ["shop/catalog", "shop/v1"]);
    close();
    assert.equal(config.watchers(serviceType, "shop/v1"), 0);
    assert.equal(config.watchers(hostBindingType, catalogBinding), 0);
  });

  it("puts new routes in force only when all that they lead to is known", () => {
    const { config, table, close } = setUp();
    const host = table.lookup("catalog");
    config.set(hostBindingType, catalogBinding, { name: catalogBinding, service: "shop/catalog" });
    declare(config, "shop/catalog");
    declare(config, "shop/v1");
    routes(config, "shop/catalog", "shop/v1");
    const before = host?.frontend?.matcher;
    assert.ok(before);
    routes(config, "shop/catalog", "shop/v2");
    assert.equal(host?.frontend?.matcher, before);
    assert.ok(host?.frontend?.backend("shop/v1"));
    declare(config, "shop/v2");
    assert.notEqual(host?.frontend?.matcher, before);
    assert.deepEqual([...table.clusters.keys()].sort(), ["shop/catalog", "shop/v2"]);
    close();
  });

  it("changes the service of a name without a gap", () => {
    const { config, table, close } = setUp();
    const host = table.lookup("catalog");
    config.set(hostBindingType, catalogBinding, { name: catalogBinding, service: "shop/old" });
    declare(config, "shop/old");
    routes(config, "shop/old");
    assert.equal(host?.frontend?.service, "shop/old");
    config.set(hostBindingType, catalogBinding, { name: catalogBinding, service: "shop/new" });
    assert.equal(host?.frontend?.service, "shop/old");
    declare(config, "shop/new");
    routes(config, "shop/new");
    assert.equal(host?.frontend?.service, "shop/new");
    assert.deepEqual([...table.clusters.keys()], ["shop/new"]);
    config.remove(hostBindingType, catalogBinding);
    assert.equal(host?.outside, true);
    assert.equal(table.clusters.size, 0);
    close();
  });

  it("wakes those who wait, once, and bounds how many wait", () => {
    const { config, table, close } = setUp();
    const host = table.lookup("catalog");
    assert.ok(host);
    let woken = 0;
    const waiters = Array.from({ length: 1024 }, () => ({ onHostReady: () => void woken++ }));
    for (const waiter of waiters) assert.ok(table.wait(host, waiter));
    assert.equal(table.wait(host, { onHostReady: () => undefined }), false);
    const [first] = waiters;
    assert.ok(first);
    table.cancelWait(host, first);
    config.remove(hostBindingType, catalogBinding);
    assert.equal(woken, 1023);
    config.remove(hostBindingType, catalogBinding);
    assert.equal(woken, 1023);
    close();
  });

  it("looks, when a part of the config arrives, only at names that wait for one", () => {
    const { config, table, close } = setUp();
    const names = Array.from({ length: 50 }, (_, at) => `name-${at}`);
    for (const name of names) {
      const binding = hostBindingName("shop", name);
      table.lookup(name);
      config.set(hostBindingType, binding, { name: binding, service: "shop/catalog" });
    }
    assert.equal(table.unsettled, 50);
    declare(config, "shop/catalog");
    routes(config, "shop/catalog", "shop/v1");
    assert.equal(table.unsettled, 50);
    declare(config, "shop/v1");
    assert.equal(table.unsettled, 0);
    declare(config, "shop/catalog");
    assert.equal(table.unsettled, 0);
    routes(config, "shop/catalog", "shop/v2");
    assert.equal(table.unsettled, 50);
    assert.ok([...table.hosts.values()].every((entry) => entry.ready));
    declare(config, "shop/v2");
    assert.equal(table.unsettled, 0);
    assert.ok([...table.hosts.values()].every((entry) => entry.frontend?.backend("shop/v2") !== undefined));
    close();
  });

  it("forgets a name that nobody used for five minutes, unless it is declared", () => {
    const { clock, config, table, close } = setUp();
    table.lookup("catalog");
    const pinned = table.lookup("stock");
    assert.ok(pinned);
    pinned.pinned = true;
    clock.advance(200_000);
    table.lookup("catalog");
    clock.advance(200_000);
    assert.ok(table.hosts.has("catalog"));
    clock.advance(200_000);
    assert.equal(table.hosts.has("catalog"), false);
    assert.equal(config.watchers(hostBindingType, catalogBinding), 0);
    assert.ok(table.hosts.has("stock"));
    close();
  });
});
