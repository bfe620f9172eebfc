// Faults and limits of connections at a Gateway, and limits of connections to TCP services of the mesh: what clients get, what
// backends see, what taps show.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterEach, beforeEach, describe, it } from "node:test";

import { GatewayListener_Kind, PathMatch_Type, policyType, Protocol, type Policy } from "@ripstop/model";
import { filterFactories } from "@ripstop/policies/proxy";
import { freePort } from "@ripstop/testkit";

import {
  handshake,
  httpRule,
  listener,
  OutsideAuthority,
  streamRule,
  TestGateway,
} from "./testing/test-gateway.suite.ts";
import { meshEndpoint, plainEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { policyOf } from "./testing/test-policies.suite.ts";
import {
  eventually,
  fetchAt,
  greetingAt,
  httpApp,
  TcpClient,
  tcpApp,
  type Answer,
  type Started,
} from "./testing/test-peers.suite.ts";

const { TCP, TLS_PASSTHROUGH } = GatewayListener_Kind;
const BODY = "0123456789".repeat(10);

const tap = { id: "t", sourceService: "", destinationService: "", pathPrefix: "", minStatus: 0, maxPerSecond: 0 };

const fault = (rule: object, targetRefs: readonly object[] = [{ kind: "Gateway", name: "edge" }]): Policy =>
  policyOf("FaultInjection", "fault", { expires: "2999-01-01T00:00:00Z", targetRefs, rules: [rule] });
const connections = (rule: object = {}, targetRefs: readonly object[] = [{ kind: "Gateway", name: "edge" }]): Policy =>
  policyOf("RateLimitPolicy", "limit", {
    targetRefs,
    rules: [{ name: "r", limit: { connections: 2, period: "1h" }, ...rule }],
  });

describe("policies at a gateway", () => {
  let mesh: TestMesh;
  let edge: TestGateway;
  let port: number;
  let started: Started[];
  let seen: string[];
  /** Connections that the backend for bytes took. */
  let accepted: number;

  /** The Gateway "shop/edge" with these policies, and a backend for HTTP and one for bytes. */
  async function start(...policies: readonly Policy[]): Promise<void> {
    for (const policy of policies) mesh.config.set(policyType, policy.name, policy);
    edge = await TestGateway.start(mesh, "shop/edge", {
      policies: policies.map(({ name }) => ({ name })),
      factories: filterFactories,
    });
    const app = await httpApp((request, response) => {
      seen.push(request.url ?? "");
      response.end(BODY);
    });
    const raw = await tcpApp((socket) => {
      accepted++;
      socket.end("hello");
    });
    started.push(app, raw);
    mesh.service("shop/web", { ports: [{ port: 80 }], endpoints: [plainEndpoint(app.port, { 80: app.port })] });
    mesh.service("shop/raw", {
      ports: [{ port: 80, protocol: Protocol.TCP }],
      endpoints: [plainEndpoint(raw.port, { 80: raw.port })],
    });
  }

  /** An HTTP listener, with the routes shop/a for /a and shop/b for everything else. */
  async function serveHttp(): Promise<void> {
    const path = { type: PathMatch_Type.PREFIX, value: "/a" };
    const rule = (name: string): { source: string } => ({ source: `HTTPRoute shop/${name} rule 0 match 0` });
    edge.route({
      name: "shop/a",
      listeners: { web: [] },
      http: [httpRule("shop/web", { port: 80, path, ...rule("a") })],
    });
    edge.route({ name: "shop/b", listeners: { web: [] }, http: [httpRule("shop/web", { port: 80, ...rule("b") })] });
    await edge.listen([listener("web", port)]);
  }

  async function serveTcp(name: string = "tcp"): Promise<void> {
    edge.route({
      name: "shop/t",
      kind: "TCPRoute",
      listeners: { [name]: [] },
      streams: [streamRule(["shop/raw", 80, 1])],
    });
    await edge.listen([listener(name, port, { kind: TCP })]);
  }

  const ask = (path: string): Promise<Answer> => fetchAt(port, path, { headers: { host: "a.com" } });

  async function metric(pattern: RegExp): Promise<void> {
    const { metrics } = edge.started.proxy.engine;
    await eventually(() => pattern.test(metrics.render()));
  }

  beforeEach(async () => {
    mesh = await TestMesh.create();
    port = await freePort();
    started = [];
    seen = [];
    accepted = 0;
  });

  afterEach(() => edge.end(started));

  it("abort requests of the route that the fault names, tell outsiders no name, and end with the policy", async () => {
    await start(fault({ abort: { httpStatus: 418 } }, [{ kind: "HTTPRoute", name: "a" }]));
    await serveHttp();
    const aborted = await ask("/a/1");
    assert.equal(aborted.status, 418);
    assert.equal(aborted.headers["x-ripstop-error"], "RS1270");
    assert.doesNotMatch(aborted.body, /shop/);
    assert.equal((await ask("/b")).status, 200);
    assert.deepEqual(seen, ["/b"]);
    await metric(/ripstop_faults_total\{[^}]*fault="abort"[^}]*\} 1\n/);
    const none = fault({ percentage: 0, abort: { httpStatus: 418 } }, [{ kind: "HTTPRoute", name: "a" }]);
    mesh.config.set(policyType, none.name, none);
    assert.equal((await ask("/a/2")).status, 200);
  });

  it("meet the listener that the fault names, and no other", async () => {
    await start(fault({ abort: { httpStatus: 418 } }, [{ kind: "Gateway", name: "edge", sectionName: "b" }]));
    const rule = httpRule("shop/web", { port: 80 });
    edge.route({ name: "shop/a", listeners: { a: [], b: [] }, http: [rule] });
    await edge.listen([listener("a", port, { hostname: "a.com" }), listener("b", port, { hostname: "b.com" })]);
    assert.equal((await ask("/")).status, 200);
    assert.equal((await fetchAt(port, "/", { headers: { host: "b.com" } })).status, 418);
  });

  it("hold a request up, which then goes on", async () => {
    await start(fault({ delay: "50ms" }));
    await serveHttp();
    assert.equal((await ask("/a")).body, BODY);
    assert.deepEqual(seen, ["/a"]);
  });

  it("forget a request that is held up when its client goes", async () => {
    await start(fault({ delay: "10m" }));
    await serveHttp();
    const asking = httpRequest({ host: "127.0.0.1", port, path: "/a", agent: false });
    asking.on("error", () => undefined);
    asking.end();
    await eventually(() => edge.started.proxy.live.exchanges === 1);
    asking.destroy();
    await eventually(() => edge.started.proxy.live.exchanges === 0);
    assert.deepEqual(seen, []);
  });

  it("reset a connection before any answer", async () => {
    await start(fault({ reset: true }));
    await serveHttp();
    await assert.rejects(ask("/a"));
    assert.deepEqual(seen, []);
  });

  it("break an answer off in its middle, and slow it", async () => {
    const slow = policyOf("FaultInjection", "slow", {
      expires: "2999-01-01T00:00:00Z",
      targetRefs: [{ kind: "Gateway", name: "edge" }],
      rules: [{ to: [{ paths: ["/slow"] }], response: { bytesPerSecond: 1_000 } }],
    });
    await start(fault({ to: [{ paths: ["/a"] }], response: { cutAfterBytes: 42 } }), slow);
    await serveHttp();
    const asking = httpRequest({ host: "127.0.0.1", port, path: "/a", agent: false });
    asking.end();
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    let body = "";
    response.setEncoding("latin1").on("data", (chunk: string) => (body += chunk));
    response.on("error", () => undefined);
    await new Promise((resolve) => response.on("close", resolve));
    assert.equal(body, BODY.slice(0, 42));
    assert.equal(response.complete, false);
    assert.equal((await ask("/slow")).body, BODY);
    await metric(/ripstop_faults_total\{[^}]*fault="bandwidth"[^}]*\} 1\n/);
  });

  it("reset connections that are too many, count them, and say the rule to taps", async () => {
    await start(connections());
    await serveTcp();
    edge.started.proxy.onCommand({ taps: [tap] });
    assert.deepEqual([await greetingAt(port), await greetingAt(port), await greetingAt(port)], ["hello", "hello", ""]);
    await metric(/ripstop_rate_limited_total\{[^}]*mode="enforce"[^}]*\} 1\n/);
    await eventually(() =>
      edge.started.reports.some(({ taps }) =>
        taps.some(({ errorCode, errorCause }) => errorCode === "RS1260" && errorCause.includes("lets 2 connections")),
      ),
    );
  });

  it("let connections pass in shadow mode, and count them", async () => {
    await start(connections({ mode: "Shadow" }));
    await serveTcp();
    for (let at = 0; at < 3; at++) assert.equal(await greetingAt(port), "hello");
    await metric(/ripstop_rate_limited_total\{[^}]*mode="shadow"[^}]*\} 1\n/);
  });

  it("limit the listener that they name, TLS that passes through too", async () => {
    await start(connections({}, [{ kind: "Gateway", name: "edge", sectionName: "pass" }]));
    const ca = await OutsideAuthority.create();
    edge.route({
      name: "shop/p",
      kind: "TLSRoute",
      listeners: { pass: ["a.com"], other: ["b.com"] },
      streams: [streamRule(["shop/raw", 80, 1])],
    });
    const kind = TLS_PASSTHROUGH;
    await edge.listen([
      listener("pass", port, { kind, hostname: "a.com" }),
      listener("other", port, { kind, hostname: "b.com" }),
    ]);
    // The backend speaks no TLS: each handshake fails, with or without it.
    const refused = (servername: string): Promise<void> =>
      assert.rejects(handshake(port, { servername, ca: ca.rootsPem }));
    for (const name of ["a.com", "a.com", "a.com", "b.com"]) await refused(name);
    assert.equal(accepted, 3);
    await metric(/ripstop_rate_limited_total\{[^}]*mode="enforce"[^}]*\} 1\n/);
  });
});

describe("a limit of connections to a TCP service", () => {
  it("resets what is too much at the caller, once, and leaves live connections and other callers alone", async () => {
    const mesh = await TestMesh.create();
    const app = await tcpApp((socket) => socket.write("hello"));
    try {
      const policy = connections({ key: [{ type: "Identity" }] }, [{ kind: "Service", name: "db" }]);
      mesh.config.set(policyType, policy.name, policy);
      const db = await mesh.start({
        id: "shop/db-1",
        service: "shop/db",
        ports: [{ port: 80, applicationPort: app.port, protocol: Protocol.TCP }],
        policies: [{ name: policy.name }],
        factories: filterFactories,
      });
      mesh.service("shop/db", {
        ports: [{ port: 80, protocol: Protocol.TCP }],
        endpoints: [meshEndpoint("shop/db-1", db, { 80: 80 })],
      });
      const upstreams = [{ host: "db", port: 80 }];
      const [web, cart] = [
        await mesh.start({ id: "shop/web-1", service: "shop/web", upstreams }),
        await mesh.start({ id: "shop/cart-1", service: "shop/cart", upstreams }),
      ];
      const dial = (proxy: typeof web): TcpClient => new TcpClient(proxy.ports.upstreams[0] ?? 0);
      const live = [dial(web), dial(web)];
      for (const client of live) await client.until("hello");
      db.proxy.onCommand({ taps: [tap] });
      const third = dial(web);
      await third.untilClosed();
      assert.equal(third.received, "");
      const other = dial(cart);
      await other.until("hello");
      await eventually(() =>
        db.reports.some(({ taps }) => taps.some(({ errorCause }) => errorCause.includes("lets 2 connections"))),
      );
      assert.match(db.proxy.engine.metrics.render(), /ripstop_rate_limited_total\{[^}]*\} 1\n/);
      assert.equal(db.proxy.live.tunnels, 3);
      for (const client of [...live, other]) client.socket.destroy();
    } finally {
      await mesh.close();
      await app.close();
    }
  });
});
