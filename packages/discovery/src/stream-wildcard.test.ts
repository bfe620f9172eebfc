// Everything of a type, over real streams: the product's own client and server.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { policyType, type Policy } from "@ripstop/model";

import type { DiscoveryClient } from "./client/index.ts";
import type { DiscoveryServer } from "./server/index.ts";
import { TestMesh, View } from "./stream-fixture.suite.ts";

const policy = (text: string): Policy => ({ name: "p", kind: "authorization", config: Buffer.from(text) });

describe("a proxy that watches everything of a type", { timeout: 120_000 }, () => {
  let mesh: TestMesh;
  let server: DiscoveryServer;
  let client: DiscoveryClient;
  /** Name → text, as the watcher was told. */
  let has: Map<string, string>;
  let refuse: (text: string) => boolean;
  let stop: () => void;

  beforeEach(async () => {
    mesh = await TestMesh.open();
    for (const name of ["a", "b"]) mesh.source.put(policyType, name, policy(`${name}1`));
    mesh.source.setList(policyType, ["a", "b"]);
    server = await mesh.server();
    client = await mesh.client("web", server.address);
    refuse = () => false;
    watch();
  });
  afterEach(() => mesh.close());

  function watch(): void {
    const own = new Map<string, string>();
    has = own;
    const subscription = client.watchAll<Policy>(policyType, {
      onResource(name, { config }) {
        if (refuse(config.toString())) throw new Error("no");
        own.set(name, config.toString());
        mesh.changes.notify();
      },
      onRemoved(name) {
        own.delete(name);
        mesh.changes.notify();
      },
    });
    stop = () => subscription.cancel();
  }

  const state = (): string => JSON.stringify(Object.fromEntries([...has].toSorted(([a], [b]) => (a < b ? -1 : 1))));
  const until = (expected: Record<string, string>): Promise<void> =>
    mesh.changes.until(() => state() === JSON.stringify(expected));
  const live = (revision: number): Promise<unknown> => server.waitLive(revision, 60_000);
  const sent = (): number => mesh.serverMetrics.total("ripstop_config_resources_sent_total");

  it("hears of what is there, what comes, changes and goes", async () => {
    await until({ a: "a1", b: "b1" });
    mesh.source.put(policyType, "c", policy("c1"));
    mesh.source.setList(policyType, ["a", "c"]);
    mesh.source.put(policyType, "a", policy("a2"));
    await until({ a: "a2", c: "c1" });
    mesh.source.put(policyType, "c", undefined);
    await until({ a: "a2" });
  });

  it("shares what it has with who watches one of them by name, also when either stops", async () => {
    await until({ a: "a1", b: "b1" });
    const view = new View<Policy>(mesh.changes);
    const one = client.watch(policyType, "a", view);
    assert.equal(view.current?.config.toString(), "a1");
    // What is acknowledged after it was asked for: by then it has been served.
    await live(mesh.source.put(policyType, "b", policy("b2")));
    assert.equal(sent(), 3, "nothing was sent for it");
    one.cancel();
    await live(mesh.source.put(policyType, "a", policy("a2")));
    assert.equal(has.get("a"), "a2");
    const again = new View<Policy>(mesh.changes);
    client.watch(policyType, "b", again);
    stop();
    await live(mesh.source.put(policyType, "b", policy("b3")));
    await live(mesh.source.put(policyType, "a", policy("a3")));
    assert.equal(again.current?.config.toString(), "b3");
    assert.equal(state(), JSON.stringify({ a: "a2", b: "b2" }), "it hears of nothing after it stopped");
    assert.equal(server.proxies()[0]?.subscriptions, 1);
  });

  it("is sent only the difference when it comes back, and told what went meanwhile", async () => {
    await until({ a: "a1", b: "b1" });
    await server.close();
    mesh.source.put(policyType, "c", policy("c1"));
    mesh.source.setList(policyType, ["a", "c"]);
    const before = sent();
    server = await mesh.server();
    client.setControlAddresses([server.address]);
    await until({ a: "a1", c: "c1" });
    assert.equal(sent() - before, 1);
  });

  it("has everything from the disk after a restart while the control plane is away", async () => {
    await until({ a: "a1", b: "b1" });
    await client.close();
    await server.close();
    client = await mesh.client("web", server.address);
    watch();
    assert.equal(state(), JSON.stringify({ a: "a1", b: "b1" }));
    mesh.source.setList(policyType, ["b"]);
    server = await mesh.server();
    client.setControlAddresses([server.address]);
    await until({ b: "b1" });
  });

  it("keeps the last good version of one that it refuses, and takes the others", async () => {
    await until({ a: "a1", b: "b1" });
    refuse = (text) => text === "a2";
    mesh.source.put(policyType, "a", policy("a2"));
    await mesh.changes.until(() => mesh.serverMetrics.total("ripstop_config_rejected_total") === 1);
    mesh.source.put(policyType, "b", policy("b2"));
    await until({ a: "a1", b: "b2" });
  });
});
