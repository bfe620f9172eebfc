// Hostile clients at the stream endpoint: refused or bounded, and the others do not notice.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { afterEach, beforeEach, describe, it } from "node:test";

import { discovery, policyType, type Policy } from "@ripstop/model";
import { PatientClock, StoppedClock } from "@ripstop/testkit";

import type { ControlSession } from "../client/control-session.ts";
import { quietSession } from "../client/control-session.suite.ts";
import { GrpcStream } from "../client/grpc-stream.ts";
import { idOf, TestMesh, verifyPeer, View } from "../stream-fixture.suite.ts";
import { startDiscoveryServer, type DiscoveryServer } from "./discovery-server.ts";
import { RequestBudget } from "./request-budget.ts";

const ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const TELEMETRY = "/ripstop.telemetry.v1.TelemetryService/Report";

describe("the stream endpoint", () => {
  let mesh: TestMesh;
  let server: DiscoveryServer;
  const sessions: ControlSession[] = [];
  beforeEach(async () => {
    mesh = await TestMesh.open();
    server = await mesh.server();
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await mesh.close();
  });

  /** A client that speaks HTTP/2 and does as the test likes, under a good SVID. */
  async function session(account: string): Promise<ControlSession> {
    const { chainPem, keyPem } = await mesh.tls(idOf(account));
    const [host = "", port] = server.address.split(":");
    const socket = connectTls({
      host,
      port: Number(port),
      cert: chainPem,
      key: keyPem,
      ca: mesh.authority.bundlePem,
      ALPNProtocols: ["h2"],
      checkServerIdentity: () => undefined,
    });
    await once(socket, "secureConnect");
    const session = quietSession(socket);
    sessions.push(session);
    return session;
  }

  /** Sends messages on a new stream; the status it ends with. */
  function ends(
    on: ControlSession,
    messages: readonly Uint8Array[],
    headers: Record<string, string> = {},
  ): Promise<string> {
    return new Promise((resolve) => {
      const path = "ripstop-proxy-id" in headers ? TELEMETRY : ADS;
      const stream = new GrpcStream(on, path, headers, {
        onMessage: () => undefined,
        onDrain: () => undefined,
        onEnd: (status, message) => resolve(`${status} ${message}`),
      });
      for (const message of messages) stream.send(message);
    });
  }

  /** What becomes of a TLS client: one that is let in receives the server's HTTP/2 settings unasked. */
  function fate(options: ConnectionOptions): Promise<"let in" | "refused"> {
    const [host, port] = server.address.split(":");
    const ca = mesh.authority.bundlePem;
    return new Promise((resolve) => {
      const socket = connectTls({ host, port: Number(port), ca, checkServerIdentity: () => undefined, ...options });
      socket.on("data", () => {
        resolve("let in");
        socket.destroy();
      });
      socket.on("error", () => undefined);
      socket.on("close", () => resolve("refused"));
    });
  }

  function subscription(nodeId: string, names: readonly string[]): Uint8Array {
    return discovery.DeltaDiscoveryRequest.encode({
      node: { id: nodeId, cluster: "" },
      typeUrl: policyType.typeUrl,
      resourceNamesSubscribe: [...names],
      resourceNamesUnsubscribe: [],
      initialResourceVersions: {},
      responseNonce: "",
      errorDetail: undefined,
      stateChecksum: undefined,
      seenRevision: 0,
    }).finish();
  }

  it("lets in no client without a certificate, and none below TLS 1.3", async () => {
    const { chainPem, keyPem } = await mesh.tls(idOf("web"));
    const good = { ALPNProtocols: ["h2"], cert: chainPem, key: keyPem };
    assert.equal(await fate(good), "let in");
    assert.equal(await fate({ ALPNProtocols: ["h2"] }), "refused");
    assert.equal(await fate({ ...good, maxVersion: "TLSv1.2" }), "refused");
  });

  it("refuses an id that is not registered, none, and one of another", async () => {
    mesh.registered.set("web", idOf("web"));
    const on = await session("thief");
    assert.match(await ends(on, [subscription("thief", ["a"])]), /^7 RS5301/);
    assert.match(await ends(on, [subscription("", ["a"])]), /^7 RS5301/);
    assert.match(await ends(on, [subscription("web", ["a"])]), /^7 RS5301/);
    assert.match(await ends(on, [], { "ripstop-proxy-id": "web" }), /^7 RS5301/);
    assert.equal(mesh.serverMetrics.total("ripstop_config_streams_refused_total"), 4);
    assert.equal(mesh.serverMetrics.total("ripstop_config_resources_sent_total"), 0);
  });

  it("ends a stream that asks for too much, with the reason, and no other", async () => {
    mesh.source.put(policyType, "a", { name: "a", kind: "authorization", config: Buffer.from("x") });
    mesh.registered.set("greedy", idOf("greedy"));
    const client = await mesh.client("web", server.address);
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    await mesh.changes.until(() => view.current !== undefined);
    const on = await session("greedy");
    const names = Array.from({ length: 5001 }, (_, index) => `n${index}`);
    assert.match(await ends(on, [subscription("greedy", names)]), /^8 RS5302.*5000 names/);
    assert.match(await ends(on, [subscription("greedy", ["x".repeat(600)])]), /^8 RS5302.*512 characters/);
    assert.match(await ends(on, [Buffer.alloc(5 * 1024 * 1024)]), /^8 /);
    mesh.source.put(policyType, "a", { name: "a", kind: "authorization", config: Buffer.from("y") });
    await mesh.changes.until(() => view.current?.config.toString() === "y");
    assert.deepEqual(
      server.proxies().map(({ proxyId }) => proxyId),
      ["web"],
    );
  });

  it("ends a stream of malformed messages", async () => {
    mesh.registered.set("web", idOf("web"));
    assert.match(await ends(await session("web"), [Buffer.from("not a protobuf message at all")]), /^13 /);
    assert.equal(server.proxies().length, 0);
  });

  it("cuts off a proxy that left", async () => {
    const client = await mesh.client("web", server.address);
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    await mesh.changes.until(() => view.history.length === 1);
    mesh.registered.delete("web");
    server.disconnect("web", "it left");
    await mesh.changes.until(() => /it left/.test(mesh.logger.problems.join()));
    await mesh.changes.until(() => /RS5301/.test(mesh.logger.problems.join()));
    assert.equal(server.isConnected("web"), false);
  });

  it("lets a fault of the telemetry collector harm nothing", async () => {
    await server.close();
    server = await mesh.server({
      onReport: () => {
        mesh.changes.notify();
        throw new Error("collector");
      },
      logger: mesh.logger,
    });
    const client = await mesh.client("web", server.address);
    client.telemetry.send({ edges: [], taps: [], tapsDropped: 0, proxy: undefined });
    await mesh.changes.until(() => /collector/.test(mesh.logger.problems.join()));
    const view = new View<Policy>(mesh.changes);
    client.watch(policyType, "a", view);
    await mesh.changes.until(() => view.history.length === 1);
  });

  it("makes one handshake after the other when it may make only one, past clients that say nothing or nonsense", async () => {
    await server.close();
    server = await mesh.server({ handshakes: { underWay: 1 } });
    const [host = "", port] = server.address.split(":");
    const open = async (): Promise<Socket> => {
      const socket = connect(Number(port), host);
      socket.on("error", () => undefined);
      await once(socket, "connect");
      return socket;
    };
    const silent = await open();
    const nonsense = await open();
    nonsense.write("GET / HTTP/1.1\r\n\r\n");
    mesh.source.put(policyType, "a", { name: "a", kind: "authorization", config: Buffer.from("x") });
    const views = await Promise.all(
      ["one", "two", "three", "four"].map(async (proxyId) => {
        const client = await mesh.client(proxyId, server.address);
        const view = new View<Policy>(mesh.changes);
        client.watch(policyType, "a", view);
        return view;
      }),
    );
    await mesh.changes.until(() => views.every(({ current }) => current !== undefined));
    assert.equal(silent.destroyed, false);
    silent.destroy();
    nonsense.destroy();
  });

  it("shows new certificates to who connects after they were exchanged", async () => {
    const seen = async (): Promise<string> => {
      const { chainPem, keyPem } = await mesh.tls(idOf("web"));
      const [host, port] = server.address.split(":");
      const ca = mesh.authority.bundlePem;
      const good = { ALPNProtocols: ["h2"], cert: chainPem, key: keyPem, ca, checkServerIdentity: () => undefined };
      const socket = connectTls({ host, port: Number(port), ...good });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await seen();
    assert.equal(await seen(), before);
    server.setTls(await mesh.tls());
    assert.notEqual(await seen(), before);
  });

  it("says which address it cannot have", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    assert.ok(address !== null && typeof address === "object");
    const started = await startDiscoveryServer({
      source: mesh.source,
      tls: await mesh.tls(),
      verifyPeer,
      authorize: () => true,
      clock: new PatientClock(),
      port: address.port,
    });
    assert.ok(!started.ok);
    assert.match(started.error, /EADDRINUSE/);
    await new Promise((resolve) => taken.close(resolve));
  });
});

describe("a request budget", () => {
  it("allows a burst, then a rate, and recovers", () => {
    const clock = new StoppedClock();
    const budget = new RequestBudget(clock);
    for (let index = 0; index < 19; index++) assert.equal(budget.spend(5000), true);
    assert.equal(budget.spend(5000), false);
    clock.advance(1000);
    assert.equal(budget.spend(5000), true);
  });
});
