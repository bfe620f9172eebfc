// The config stream end to end: both sides, over real gRPC and real mutual TLS.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import type { Clock } from "@ripstop/core";
import { endpointsType, policyType, serviceType, telemetry, telemetryType, type Policy } from "@ripstop/model";
import { PatientClock, StoppedClock, TestAuthority } from "@ripstop/testkit";

import { TestMesh, View, idOf } from "./stream-fixture.suite.ts";

const RESENT = "ripstop_config_resources_sent_total";
const RESUMED = "ripstop_config_resources_resumed_total";

function policy(text: string): Policy {
  return { name: "AuthorizationPolicy/shop/a", kind: "authorization", config: Buffer.from(text) };
}

function textOf(view: View<Policy>): string | undefined {
  return view.current?.config.toString();
}

describe("the config stream", () => {
  let mesh: TestMesh;
  beforeEach(async () => {
    mesh = await TestMesh.open();
  });
  afterEach(() => mesh.close());

  it("delivers a resource that is there, its change, and its removal", async () => {
    mesh.source.put(policyType, "a", policy("one"));
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    await mesh.changes.until(() => textOf(view) === "one");
    mesh.source.put(policyType, "a", policy("two"));
    await mesh.changes.until(() => textOf(view) === "two");
    mesh.source.put(policyType, "a", undefined);
    await mesh.changes.until(() => view.history.length === 3);
    assert.equal(view.current, undefined);
    assert.equal(mesh.serverMetrics.total(RESENT), 2);
  });

  it("mends an update that the control plane forgot to send, at the next look", async () => {
    mesh.source.put(policyType, "a", policy("one"));
    mesh.source.put(policyType, "bad", policy("bad"));
    const server = await mesh.server();
    const looks: (() => void)[] = [];
    const patient = new PatientClock();
    const clock: Clock = {
      nowMs: () => patient.nowMs(),
      monotonicMs: () => patient.monotonicMs(),
      after: (delayMs, run) => patient.after(delayMs, run),
      every(periodMs, run) {
        if (periodMs === 30_000) looks.push(run);
        return { clear: () => undefined };
      },
    };
    const client = await mesh.client("web", server.address, { clock });
    const look = (): void => looks.forEach((run) => run());
    const view = new View<Policy>(mesh.changes);
    const refusing = new View<Policy>(mesh.changes);
    refusing.refuse = () => "refused";
    client.watch(policyType, "a", view);
    client.watch(policyType, "bad", refusing);
    client.watch(policyType, "nobody", new View<Policy>(mesh.changes));
    await mesh.changes.until(() => textOf(view) === "one");
    await mesh.changes.until(() => server.proxies()[0]?.synced === true || poke(mesh));
    look();
    mesh.source.changeUntold(policyType, "a", policy("two"));
    look();
    await mesh.changes.until(() => textOf(view) === "two");
    assert.equal(mesh.serverMetrics.total("ripstop_config_mended_total"), 1, "what was refused is not sent again");
  });

  it("says at once that a name does not exist", async () => {
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "nobody", view);
    await mesh.changes.until(() => view.history.length === 1);
    assert.deepEqual(view.history, [undefined]);
  });

  it("tells a proxy nothing of resources that it does not subscribe to", async () => {
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const view = new View<Policy>(mesh.changes);
    const other = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    const subscription = client.watch(policyType, "b", other);
    await mesh.changes.until(() => view.history.length === 1 && other.history.length === 1);
    subscription.cancel();
    await mesh.changes.until(() => server.proxies()[0]?.subscriptions === 1 || poke(mesh));
    mesh.source.put(policyType, "b", policy("unseen"));
    mesh.source.put(policyType, "c", policy("unseen"));
    mesh.source.put(policyType, "a", policy("seen"));
    await mesh.changes.until(() => textOf(view) === "seen");
    assert.equal(mesh.serverMetrics.total(RESENT), 1);
    assert.equal(other.history.length, 1);
  });

  it("resumes after a restart of the control plane without sending anything again", async () => {
    for (let index = 0; index < 20; index++) mesh.source.put(policyType, `p${index}`, policy(`v${index}`));
    const first = await mesh.server();
    const client = await mesh.client("web", first.address);
    const views = Array.from({ length: 20 }, () => new View<Policy>(mesh.changes));
    views.forEach((view, index) => client.watch(policyType, `p${index}`, view));
    await mesh.changes.until(() => views.every((view) => view.current !== undefined));
    assert.equal(mesh.serverMetrics.total(RESENT), 20);
    await first.close();
    mesh.source.put(policyType, "p7", policy("changed meanwhile"));
    await mesh.server({ port: first.port });
    await mesh.changes.until(() => views[7]?.current?.config.toString() === "changed meanwhile");
    assert.equal(mesh.serverMetrics.total(RESUMED), 19);
    assert.equal(mesh.serverMetrics.total(RESENT), 21);
    assert.equal(
      views.reduce((sum, view) => sum + view.history.length, 0),
      21,
    );
  });

  it("serves the last good config from the disk when the control plane is away at a start", async () => {
    mesh.source.put(policyType, "a", policy("kept"));
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const [view, absent] = [new View<Policy>(mesh.changes), new View<Policy>(mesh.changes)];
    const subscriptions = [client.watch(policyType, "a", view), client.watch(policyType, "nobody", absent)];
    await mesh.changes.until(() => view.current !== undefined && absent.history.length === 1);
    // As a proxy ends: it gives everything up, and that is no news about the config.
    await client.seal();
    for (const subscription of subscriptions) subscription.cancel();
    await new Promise((resolve) => setImmediate(resolve));
    await client.close();
    await server.close();

    const restarted = await mesh.client("web", server.address);
    assert.equal(restarted.hasCache, true);
    const [again, stillAbsent] = [new View<Policy>(mesh.changes), new View<Policy>(mesh.changes)];
    restarted.watch(policyType, "a", again);
    restarted.watch(policyType, "nobody", stillAbsent);
    assert.equal(textOf(again), "kept");
    assert.deepEqual(stillAbsent.history, [undefined]);

    await mesh.server({ port: server.port });
    await mesh.changes.until(() => mesh.serverMetrics.total(RESUMED) === 1);
    assert.equal(mesh.serverMetrics.total(RESENT), 1);
  });

  it("connects when it is told to where the disk holds config, and at once where it holds none", async () => {
    mesh.source.put(policyType, "a", policy("kept"));
    const server = await mesh.server();
    const first = await mesh.client("web", server.address, { servesFirst: true });
    const view = new View<Policy>(mesh.changes);
    first.watch(policyType, "a", view);
    await mesh.changes.until(() => view.current !== undefined);
    await first.close();

    mesh.source.put(policyType, "a", policy("new"));
    const again = new View<Policy>(mesh.changes);
    const restarted = await mesh.client("web", server.address, { servesFirst: true });
    restarted.watch(policyType, "a", again);
    // Another one that began later is served by now.
    const other = new View<Policy>(mesh.changes);
    (await mesh.client("api", server.address)).watch(policyType, "a", other);
    await mesh.changes.until(() => textOf(other) === "new");
    assert.equal(restarted.connected, false);
    assert.equal(textOf(again), "kept");
    restarted.connect();
    restarted.connect();
    await mesh.changes.until(() => textOf(again) === "new");
  });

  it("leaves a damaged cache aside with a warning", async () => {
    await writeFile(
      join(mesh.directory, "web.cache.bin"),
      "RSC1 not a cache at all, but long enough to hold a checksum",
    );
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    assert.equal(client.hasCache, false);
    assert.match(mesh.logger.problems.join(), /RS5305/);
  });

  it("keeps the last good version when a watcher refuses a new one, and lets other resources through", async () => {
    mesh.source.put(policyType, "a", policy("good"));
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const [view, other] = [new View<Policy>(mesh.changes), new View<Policy>(mesh.changes)];
    client.watch(policyType, "a", view);
    client.watch(policyType, "b", other);
    await mesh.changes.until(() => textOf(view) === "good" && other.history.length === 1);
    view.refuse = (resource) => (resource.config.toString() === "bad" ? "cannot use it" : undefined);
    const bad = mesh.source.put(policyType, "a", policy("bad"));
    const status = await server.waitLive(bad, 10_000);
    assert.equal(status.rejected[0]?.proxyId, "web");
    assert.match(status.rejected[0]?.reason ?? "", /a: cannot use it/);
    assert.equal(textOf(view), "good");
    assert.match(server.proxies()[0]?.rejected[0]?.reason ?? "", /cannot use it/);
    mesh.source.put(policyType, "b", policy("other"));
    await mesh.changes.until(() => textOf(other) === "other");
    const mended = mesh.source.put(policyType, "a", policy("mended"));
    assert.equal((await server.waitLive(mended, 10_000)).live, 1);
    assert.equal(textOf(view), "mended");
    assert.deepEqual(server.proxies()[0]?.rejected, []);
  });

  it("reports a revision live when every proxy that it concerns has acknowledged it", async () => {
    mesh.source.put(serviceType, "shop/web", undefined);
    const server = await mesh.server();
    const views: View<Policy>[] = [];
    for (const proxyId of ["one", "two", "three"]) {
      const client = await mesh.client(proxyId, server.address);
      const view = new View<Policy>(mesh.changes);
      client.watch(policyType, proxyId === "three" ? "b" : "a", view);
      views.push(view);
    }
    await mesh.changes.until(() => views.every((view) => view.history.length === 1));
    const revision = mesh.source.put(policyType, "a", policy("x"));
    assert.deepEqual([...server.live(revision).pending].toSorted(), ["one", "two"]);
    const status = await server.waitLive(revision, 10_000);
    assert.deepEqual([status.total, status.live, status.pending.length, status.rejected.length], [2, 2, 0, 0]);
    assert.equal((await server.waitLive(revision, 10_000)).elapsedMs, status.elapsedMs);
  });

  it("refuses a proxy that claims another proxy's id", async () => {
    mesh.registered.set("web", idOf("web"));
    mesh.source.put(policyType, "a", policy("secret"));
    const server = await mesh.server();
    const thief = await mesh.client("web", server.address, { account: "thief" });
    const view = new View<Policy>(mesh.changes);
    thief.watch(policyType, "a", view);
    await mesh.changes.until(() => /RS5301/.test(mesh.logger.problems.join()));
    assert.equal(view.history.length, 0);
    assert.equal(server.isConnected("web"), false);
    assert.equal(mesh.serverMetrics.total(RESENT), 0);
  });

  it("refuses a client whose certificate another authority issued", async () => {
    const server = await mesh.server();
    const thief = await mesh.client("web", server.address, { authority: await TestAuthority.create("test.mesh") });
    const view = new View<Policy>(mesh.changes);
    thief.watch(policyType, "a", view);
    await mesh.changes.until(() => mesh.logger.problems.length > 0);
    assert.equal(view.history.length, 0);
    assert.equal(server.proxies().length, 0);
  });

  it("refuses a server that is not the control plane, though its certificate is of this mesh", async () => {
    const server = await mesh.server({ tls: await mesh.tls(idOf("thief")) });
    const client = await mesh.client("web", server.address);
    await mesh.changes.until(() => /RS5303.*sa\/thief/.test(mesh.logger.problems.join()));
    assert.equal(client.connected, false);
    assert.equal(server.proxies().length, 0);
  });

  it("refuses a server whose certificate another authority issued", async () => {
    const foreign = await TestAuthority.create("test.mesh");
    const server = await mesh.server({ tls: { ...(await mesh.tls(undefined, foreign)) } });
    const client = await mesh.client("web", server.address);
    await mesh.changes.until(() => mesh.logger.problems.length > 0);
    assert.equal(client.connected, false);
    assert.equal(server.proxies().length, 0);
  });

  it("carries telemetry reports and commands", async () => {
    const reports: string[] = [];
    const server = await mesh.server({
      onReport: (proxyId, report) => {
        reports.push(`${proxyId} ${report.proxy?.version}`);
        mesh.changes.notify();
      },
      onTelemetryOpen: (proxyId) => server.send(proxyId, telemetry.ProxyCommand.decode(new Uint8Array())),
    });
    const client = await mesh.client("web", server.address);
    const commands: telemetry.ProxyCommand[] = [];
    client.telemetry.onCommand = (command) => {
      commands.push(command);
      mesh.changes.notify();
    };
    const proxy = { residentBytes: 1, openConnections: 2, uptimeMs: 3, version: "v1", pid: 4 };
    client.telemetry.send({ edges: [], taps: [], tapsDropped: 0, proxy });
    await mesh.changes.until(() => reports.length === 1 && commands.length === 1);
    assert.deepEqual(reports, ["web v1"]);
    assert.equal(server.send("web", { taps: [] }), true);
    await mesh.changes.until(() => commands.length === 2);
    assert.equal(server.send("nobody", { taps: [] }), false);
  });

  it("shows new connections a new certificate and keeps open streams", async () => {
    const server = await mesh.server();
    const before = await mesh.client("one", server.address);
    const view = new View<Policy>(mesh.changes);
    before.watch(policyType, "a", view);
    await mesh.changes.until(() => view.history.length === 1);
    server.setTls(await mesh.tls(idOf("thief")));
    await mesh.client("two", server.address);
    await mesh.changes.until(() => /RS5303/.test(mesh.logger.problems.join()));
    mesh.source.put(policyType, "a", policy("still here"));
    await mesh.changes.until(() => textOf(view) === "still here");
  });

  it("connects at once when its identity files are replaced while it waits to try again", async () => {
    const server = await mesh.server();
    const clock = new StoppedClock();
    // With the foreign certificate every attempt fails; on the stopped clock none follows the first.
    const client = await mesh.client("web", server.address, {
      authority: await TestAuthority.create("test.mesh"),
      clock,
    });
    await mesh.changes.until(() => mesh.logger.problems.length > 0);
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    const { chainPem, keyPem } = await mesh.tls(idOf("web"));
    await writeFile(join(mesh.directory, "web.svid.pem"), chainPem);
    await writeFile(join(mesh.directory, "web.key.pem"), keyPem);
    client.reloadIdentity();
    await mesh.changes.until(() => view.history.length === 1);
  });

  it("ends a stream when its certificate expires, and the proxy comes back with the renewed one and loses nothing", async () => {
    mesh.source.put(policyType, "a", policy("one"));
    const clock = new StoppedClock(new PatientClock().nowMs());
    const server = await mesh.server({ clock });
    const client = await mesh.client("web", server.address);
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    await mesh.changes.until(() => server.isConnected("web") || poke(mesh));
    await mesh.changes.until(() => {
      if (textOf(view) === "one") return true;
      clock.advance(1);
      return poke(mesh);
    });
    const renewed = await mesh.authority.issue(idOf("web"), { notAfterMs: new PatientClock().nowMs() + 7_200_000 });
    await writeFile(join(mesh.directory, "web.svid.pem"), renewed.chainPem);
    await writeFile(join(mesh.directory, "web.key.pem"), renewed.keyPem);
    // An hour from when it was issued, which is later than the clock began by what the machine took until then.
    clock.advance(3_600_000 + 600_000);
    await mesh.changes.until(() => {
      if (mesh.serverMetrics.total(RESUMED) === 1) return true;
      // The server serves the new stream when its clock goes on.
      clock.advance(1);
      return poke(mesh);
    });
    assert.match(mesh.logger.problems.join(), /has expired/);
    assert.equal(mesh.serverMetrics.total(RESENT), 1);
    assert.equal(server.isConnected("web"), true);
  });

  it("tries the next address when one does not answer", async () => {
    const [gone, server] = [await mesh.server(), await mesh.server()];
    await gone.close();
    const client = await mesh.client("web", server.address, { controlAddresses: [gone.address, server.address] });
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    await mesh.changes.until(() => view.history.length === 1);
  });

  it("moves to another control plane when it is asked to, learns of a new one, and is sent nothing again", async () => {
    mesh.source.put(policyType, "a", policy("kept"));
    const [left, right] = [await mesh.server(), await mesh.server()];
    const client = await mesh.client("web", left.address);
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    await mesh.changes.until(() => view.current !== undefined);
    assert.ok(left.isConnected("web"));
    client.setControlAddresses([right.address, left.address]);
    left.move("web");
    await mesh.changes.until(() => mesh.serverMetrics.total(RESUMED) === 1);
    assert.ok(right.isConnected("web"));
    client.setControlAddresses([right.address]);
    await right.close();
    client.setControlAddresses([left.address]);
    await mesh.changes.until(() => mesh.serverMetrics.total(RESUMED) === 2);
    assert.ok(left.isConnected("web"));
    assert.equal(view.history.length, 1);
  });

  it("spreads proxies over the control planes, each in an order of its own", async () => {
    const servers = [await mesh.server(), await mesh.server(), await mesh.server()];
    const controlAddresses = servers.map(({ address }) => address);
    // A fixed sequence that is even enough.
    let draw = 0;
    const random = (): number => (draw++ * 0.618034) % 1;
    for (let index = 0; index < 18; index++) {
      const client = await mesh.client(`web-${index}`, "", { account: "web", controlAddresses, random });
      const view = new View<Policy>(mesh.changes);
      client.watch(policyType, "a", view);
      await mesh.changes.until(() => view.history.length === 1);
    }
    for (const server of servers) assert.ok(server.proxies().length >= 3, `only ${server.proxies().length}`);
  });

  it("gives the last good version back to a watcher that took one which another watcher refused", async () => {
    mesh.source.put(policyType, "a", policy("good"));
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const [first, second] = [new View<Policy>(mesh.changes), new View<Policy>(mesh.changes)];
    client.watch(policyType, "a", first);
    client.watch(policyType, "a", second);
    second.refuse = (resource) => (resource.config.toString() === "bad" ? "no" : undefined);
    await mesh.changes.until(() => textOf(first) === "good" && textOf(second) === "good");
    mesh.source.put(policyType, "a", policy("bad"));
    await mesh.changes.until(() => first.history.length === 3);
    assert.deepEqual(
      first.history.map((resource) => resource?.config.toString()),
      ["good", "bad", "good"],
    );
    assert.equal(textOf(second), "good");
  });

  it("delivers what is known to a later watcher before its call returns", async () => {
    mesh.source.put(policyType, "a", policy("here"));
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const [first, second] = [new View<Policy>(mesh.changes), new View<Policy>(mesh.changes)];
    client.watch(policyType, "a", first);
    await mesh.changes.until(() => textOf(first) === "here");
    client.watch(policyType, "a", second);
    assert.equal(textOf(second), "here");
    assert.equal(mesh.serverMetrics.total(RESENT), 1);
  });

  it("delivers several types on one stream", async () => {
    mesh.source.put(endpointsType, "shop/web", { service: "shop/web", endpoints: [] });
    mesh.source.put(telemetryType, "default", { reportIntervalMs: 7 });
    const server = await mesh.server();
    const client = await mesh.client("web", server.address);
    const [endpoints, settings] = [new View(mesh.changes), new View(mesh.changes)];
    client.watch(endpointsType, "shop/web", endpoints);
    client.watch(telemetryType, "default", settings);
    await mesh.changes.until(() => endpoints.current !== undefined && settings.current !== undefined);
    assert.deepEqual(settings.current, { reportIntervalMs: 7 });
    assert.equal(server.proxies().length, 1);
  });
});

/** Nothing tells the test that an unsubscription arrived: look again when the next event comes. */
function poke(mesh: TestMesh): boolean {
  setImmediate(() => mesh.changes.notify());
  return false;
}
