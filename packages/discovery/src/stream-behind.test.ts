// A proxy comes from one control plane to another that is behind: it is never sent what is older than what it has.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { endpointsType, policyType, type Endpoints, type Policy } from "@ripstop/model";

import type { DiscoveryClient } from "./client/index.ts";
import type { DiscoveryServer, SharedTables } from "./server/index.ts";
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

/** How far a control plane has come with the tables of the store that it shares. */
class FakeTables implements SharedTables {
  newest: number;
  complete: number;
  reach: () => Promise<boolean> = () => Promise.resolve(false);

  constructor(revision: number) {
    this.newest = revision;
    this.complete = revision;
  }

  comeTo(revision: number): void {
    this.newest = revision;
    this.complete = revision;
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

describe("a control plane that is behind with the tables", { timeout: 120_000 }, () => {
  let mesh: TestMesh;
  let old: FakeSource;
  let aheadTables: FakeTables;
  let behindTables: FakeTables;
  let ahead: DiscoveryServer;
  let behind: DiscoveryServer;
  let view: View<Endpoints>;
  let client: DiscoveryClient;

  const endpoints = (service: string): Endpoints => ({ service, endpoints: [] });
  const shared = (
    tables: SharedTables,
  ): { revision: number; readBarrier: () => Promise<boolean>; tables: SharedTables } => ({
    revision: 0,
    readBarrier: () => Promise.resolve(true),
    tables,
  });

  beforeEach(async () => {
    mesh = await TestMesh.open();
    old = new FakeSource();
    aheadTables = new FakeTables(107);
    behindTables = new FakeTables(105);
    mesh.source.change(endpointsType, "e", endpoints("at 107"), 0);
    old.change(endpointsType, "e", endpoints("at 105"), 0);
    ahead = await mesh.server({ shared: shared(aheadTables) });
    behind = await mesh.server({ source: old, shared: shared(behindTables) });
    view = new View<Endpoints>(mesh.changes);
    client = await mesh.client("web", ahead.address);
    client.watch(endpointsType, "e", view);
    await mesh.changes.until(() => view.current !== undefined);
  });
  afterEach(() => mesh.close());

  const refused = (): number => mesh.serverMetrics.total("ripstop_config_streams_behind_total");
  const heard = (): readonly (string | undefined)[] => view.history.map((one) => one?.service);

  async function move(): Promise<void> {
    client.setControlAddresses([behind.address]);
    await ahead.close();
  }

  function catchUp(): void {
    old.change(endpointsType, "e", endpoints("at 108"), 0);
    behindTables.comeTo(108);
  }

  it("refuses a proxy that has heard of a newer endpoint, until it has heard of it too", async () => {
    await move();
    await mesh.changes.until(() => refused() >= 2);
    assert.match(
      mesh.logger.problems.join("\n"),
      /RS5306 .*the proxy has registrations of 107, this control plane of 105/,
    );
    assert.deepEqual(heard(), ["at 107"]);
    assert.equal(behind.isConnected("web"), false);
    catchUp();
    await mesh.changes.until(() => view.current?.service === "at 108");
    assert.deepEqual(heard(), ["at 107", "at 108"]);
  });

  it("lets the proxy wait while what it has heard comes", async () => {
    let came: ((isHere: boolean) => void) | undefined;
    behindTables.reach = () =>
      new Promise((resolve) => {
        came = resolve;
        mesh.changes.notify();
      });
    await move();
    await mesh.changes.until(() => came !== undefined);
    assert.deepEqual(heard(), ["at 107"]);
    catchUp();
    came?.(true);
    await mesh.changes.until(() => view.current?.service === "at 108");
    assert.deepEqual(heard(), ["at 107", "at 108"]);
    assert.equal(refused(), 0);
  });

  it("goes by what is all there, not by the newest of its own changes", async () => {
    // It made change 110 itself, and has not heard of 106 and 107.
    behindTables.newest = 110;
    await move();
    await mesh.changes.until(() => refused() >= 1);
    assert.deepEqual(heard(), ["at 107"]);
  });

  it("refuses a proxy that was restarted too, by what lies on its disk", async () => {
    await client.close();
    const again = await mesh.client("web", behind.address);
    const restarted = new View<Endpoints>(mesh.changes);
    again.watch(endpointsType, "e", restarted);
    await mesh.changes.until(() => refused() >= 1);
    assert.deepEqual(
      restarted.history.map((one) => one?.service),
      ["at 107"],
    );
  });
});
