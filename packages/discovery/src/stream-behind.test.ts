// A proxy comes from one control plane to another that is behind: it is never sent what is older than what it has.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { policyType, type Policy } from "@ripstop/model";

import type { DiscoveryClient } from "./client/index.ts";
import type { DiscoveryServer } from "./server/index.ts";
import { FakeSource, TestMesh, View, type Changes } from "./stream-fixture.suite.ts";

const policy = (revision: number): Policy => ({ name: `r${revision}`, kind: "authorization", config: Buffer.alloc(0) });

/** The store that a control plane shares, as it sees it. */
class FakeShared {
  revision = 0;
  /** How often it was asked whether all is here. */
  asked = 0;
  answer: () => Promise<boolean> = () => Promise.resolve(false);
  readonly #changes: Changes;

  constructor(changes: Changes) {
    this.#changes = changes;
  }

  readBarrier(): Promise<boolean> {
    this.asked++;
    queueMicrotask(() => this.#changes.notify());
    return this.answer();
  }
}

describe("a control plane that is behind", { timeout: 120_000 }, () => {
  let mesh: TestMesh;
  /** What the control plane behind has compiled. */
  let old: FakeSource;
  let shared: FakeShared;
  let ahead: DiscoveryServer;
  let behind: DiscoveryServer;
  let view: View<Policy>;
  let client: DiscoveryClient;

  beforeEach(async () => {
    mesh = await TestMesh.open();
    old = new FakeSource();
    shared = new FakeShared(mesh.changes);
    for (let revision = 1; revision <= 5; revision++) mesh.source.put(policyType, "p", policy(revision));
    for (let revision = 1; revision <= 3; revision++) old.put(policyType, "p", policy(revision));
    shared.revision = 3;
    ahead = await mesh.server();
    behind = await mesh.server({ source: old, shared });
    view = new View<Policy>(mesh.changes);
    client = await mesh.client("web", ahead.address);
    client.watch(policyType, "p", view);
    await mesh.changes.until(() => view.current !== undefined);
  });
  afterEach(() => mesh.close());

  const refused = (): number => mesh.serverMetrics.total("ripstop_config_streams_behind_total");
  const names = (): readonly (string | undefined)[] => view.history.map((one) => one?.name);

  /** The proxy loses its control plane and goes to the one that is behind. */
  async function move(): Promise<void> {
    client.setControlAddresses([behind.address]);
    await ahead.close();
  }

  function catchUp(): void {
    for (let revision = 4; revision <= 6; revision++) old.put(policyType, "p", policy(revision));
    shared.revision = 6;
    mesh.changes.notify();
  }

  it("refuses the proxy, which keeps what it has, until it has caught up", async () => {
    await move();
    await mesh.changes.until(() => refused() >= 2);
    assert.match(mesh.logger.problems.join("\n"), /RS5306 .*the proxy has revision 5, this control plane 3/);
    assert.deepEqual(names(), ["r5"]);
    assert.equal(behind.isConnected("web"), false);
    catchUp();
    await mesh.changes.until(() => view.current?.name === "r6");
    assert.deepEqual(names(), ["r5", "r6"]);
  });

  it("lets the proxy wait while it catches up, and serves it on the same stream", async () => {
    let caughtUp: ((isHere: boolean) => void) | undefined;
    shared.answer = () => new Promise((resolve) => (caughtUp = resolve));
    await move();
    await mesh.changes.until(() => caughtUp !== undefined);
    catchUp();
    caughtUp?.(true);
    await mesh.changes.until(() => view.current?.name === "r6");
    assert.deepEqual(names(), ["r5", "r6"]);
    assert.equal(refused(), 0);
  });

  it("refuses a proxy that was restarted too: the revision lies beside its config on the disk", async () => {
    await client.close();
    const again = await mesh.client("web", behind.address);
    const restarted = new View<Policy>(mesh.changes);
    again.watch(policyType, "p", restarted);
    await mesh.changes.until(() => refused() >= 1);
    assert.deepEqual(
      restarted.history.map((one) => one?.name),
      ["r5"],
    );
  });

  it("serves it when the store itself has no more, because it was restored", async () => {
    shared.answer = () => Promise.resolve(true);
    await move();
    await mesh.changes.until(() => view.current?.name === "r3");
    assert.equal(refused(), 0);
  });

  it("serves a proxy that has no config yet", async () => {
    const fresh = await mesh.client("shop", behind.address);
    const first = new View<Policy>(mesh.changes);
    fresh.watch(policyType, "p", first);
    await mesh.changes.until(() => first.current?.name === "r3");
    assert.equal(shared.asked, 0);
  });
});
