// An egress gateway in real proxies: HTTP, gRPC's HTTP/2, TCP and TLS of callers go through it and never past it, judged there
// by who calls.

import assert from "node:assert/strict";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { request as httpRequest } from "node:http";
import { connect as connectTls, type TLSSocket } from "node:tls";

import {
  egressBindingName,
  endpointsType,
  GatewayListener_Kind,
  hostBindingName,
  hostBindingType,
  policyType,
  Protocol,
  routesName,
  routesType,
  serviceType,
  throughGateway,
  workloadType,
  type Endpoint,
  type ExternalHost,
  type Policy,
  type telemetry,
} from "@ripstop/model";
import { policyKinds } from "@ripstop/policies/control";
import { filterFactories } from "@ripstop/policies/proxy";
import { freePort } from "@ripstop/testkit";

import { listener, OutsideAuthority, TestGateway } from "../testing/test-gateway.suite.ts";
import { plainEndpoint, TestMesh, TRUST_DOMAIN, type TestProxy } from "../testing/test-mesh.suite.ts";
import { eventually, fetchVia, http2App, http2Client, tcpApp, type Started } from "../testing/test-peers.suite.ts";

const HOST = "api.example.com";
const GATEWAY = "infra/egress";
const DIRECT = `shop/api.external.${HOST}`;
const THROUGH = throughGateway(DIRECT, GATEWAY);
const PORTS = { http: 80, tls: 443, tcp: 7000, grpc: 9000 };

/** An AuthorizationPolicy of namespace infra, compiled. */
function authorization(spec: object): Policy {
  const kind = policyKinds.find((candidate) => candidate.name === "authorization");
  assert.ok(kind);
  const metadata = {
    name: "out",
    namespace: "infra",
    labels: {},
    annotations: {},
    uid: "",
    generation: 1,
    resourceVersion: "",
    creationTimestamp: "",
  };
  const resource = { apiVersion: "", kind: "AuthorizationPolicy", metadata, spec };
  const config = Buffer.from(kind.compile(resource, { trustDomain: TRUST_DOMAIN }));
  return { name: "AuthorizationPolicy/infra/out", kind: kind.name, config };
}

describe("an egress gateway", () => {
  let mesh: TestMesh;
  let gateway: TestGateway;
  let web: TestProxy;
  let port: number;
  let ca: OutsideAuthority;
  let secure: Server;
  let raw: Started;
  let h2: Started;
  /** Server names and hosts that the server outside was asked for. */
  let asked: string[];

  /** The config of a host as callers have it, with these proxies of the Gateway, and as the Gateway has it. */
  function declare(instances: readonly Endpoint[], noGateway = ""): void {
    const service = (external: ExternalHost) => ({
      namespace: "shop",
      name: `api.external.${HOST}`,
      hostnames: [HOST],
      addresses: [],
      ports: [
        {
          port: PORTS.http,
          name: "",
          protocol: Protocol.HTTP1,
          ...(external.gateway === undefined
            ? {
                backendTls: {
                  hostname: HOST,
                  rootsPem: ca.rootsPem,
                  subjectAltNames: [],
                  invalid: "",
                  source: "ExternalService shop/api",
                },
              }
            : {}),
        },
        { port: PORTS.tls, name: "", protocol: Protocol.TLS },
        { port: PORTS.tcp, name: "", protocol: Protocol.TCP },
        { port: PORTS.grpc, name: "", protocol: Protocol.GRPC },
      ],
      resilience: undefined,
      external,
    });
    const { config } = mesh;
    const { port: https } = secure.address() as AddressInfo;
    config.set(serviceType, DIRECT, service({ host: HOST }));
    config.set(endpointsType, DIRECT, {
      service: DIRECT,
      endpoints: [
        plainEndpoint(https, {
          [PORTS.http]: https,
          [PORTS.tls]: https,
          [PORTS.tcp]: raw.port,
          [PORTS.grpc]: h2.port,
        }),
      ],
    });
    config.set(serviceType, THROUGH, service({ host: HOST, gateway: GATEWAY, noGateway }));
    config.set(endpointsType, THROUGH, { service: THROUGH, endpoints: [...instances] });
    for (const name of [DIRECT, THROUGH])
      config.set(routesType, routesName(name, "shop"), { service: name, ports: [] });
    const callers = hostBindingName("shop", HOST);
    config.set(hostBindingType, callers, { name: callers, service: THROUGH });
    const led = egressBindingName("shop", HOST, GATEWAY);
    config.set(hostBindingType, led, { name: led, service: DIRECT });
  }

  function instance(): Endpoint {
    const targetPorts = Object.fromEntries(Object.values(PORTS).map((one) => [one, one]));
    const { spiffeId } = gateway.started;
    return {
      ...plainEndpoint(port, targetPorts),
      id: `${GATEWAY}-1`,
      reach: 0,
      spiffeId,
    };
  }

  /** Puts a policy over the Gateway in force, in the place of the one before. */
  async function guard(spec: object): Promise<void> {
    const policy = authorization(spec);
    mesh.config.set(policyType, policy.name, policy);
    const view = gateway.started.proxy.workloads.get(`${GATEWAY}-1`)?.view;
    assert.ok(view?.workload);
    mesh.config.set(workloadType, `${GATEWAY}-1`, { ...view.workload, policies: [{ name: policy.name }] });
    await eventually(() => view.workload?.policies.length === 1);
  }

  /** CONNECT to HOST at a port, through the proxy of web. */
  function connectVia(wanted: number, host = HOST): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const path = `${host}:${wanted}`;
      const asking = httpRequest({
        host: "127.0.0.1",
        port: web.ports.httpProxy,
        method: "CONNECT",
        path,
        headers: { host: path },
        agent: false,
      });
      asking.on("error", reject);
      asking.on("connect", ({ statusCode }, socket, head) => {
        if (statusCode !== 200) {
          socket.destroy();
          reject(new Error(`CONNECT: ${String(statusCode)}`));
          return;
        }
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      asking.end();
    });
  }

  /** Whether TLS with a server name comes about through the proxy of web. */
  async function tlsVia(servername: string): Promise<boolean> {
    const socket = await connectVia(PORTS.tls);
    return new Promise((resolve) => {
      const tls = connectTls({ socket, servername, ca: ca.rootsPem, checkServerIdentity: () => undefined });
      const end = (made: boolean): void => {
        tls.destroy();
        socket.destroy();
        resolve(made);
      };
      tls.on("error", () => end(false));
      tls.on("close", () => end(false));
      tls.on("secureConnect", () => end(true));
    });
  }

  /** What is said on a raw connection until it ends. */
  function saidBy(socket: Socket): Promise<string> {
    return new Promise((resolve) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(text));
    });
  }

  /** That a raw connection is closed without a byte, or never comes about. */
  async function assertClosed(wanted: number): Promise<void> {
    const said = connectVia(wanted).then(saidBy, () => "");
    assert.equal(await said, "");
  }

  function reported<T>({ reports }: TestProxy, pick: (report: telemetry.ProxyReport) => readonly T[]): T[] {
    return reports.flatMap(pick);
  }

  beforeEach(async () => {
    mesh = await TestMesh.create();
    ca = await OutsideAuthority.create();
    asked = [];
    const { chainPem, keyPem } = await ca.certificate(HOST);
    secure = createServer({ cert: chainPem, key: keyPem }, (request, response) => {
      const { servername } = request.socket as TLSSocket & { servername: string };
      asked.push(`${servername} ${String(request.headers.host)}`);
      response.end(JSON.stringify(request.headers));
    });
    await new Promise<void>((resolve) => secure.listen(0, "127.0.0.1", resolve));
    raw = await tcpApp((socket) => {
      socket.write("hello ");
      socket.on("data", (chunk) => socket.end(`got ${chunk.toString("latin1")}`));
    });
    h2 = await http2App((server) =>
      server.on("stream", (stream) => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end("answer");
      }),
    );
    port = await freePort();
    gateway = await TestGateway.start(mesh, GATEWAY, { factories: filterFactories });
    await gateway.listen([listener("out", port, { kind: GatewayListener_Kind.EGRESS })]);
    web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
    declare([instance()]);
  });

  afterEach(async () => {
    assert.deepEqual(mesh.config.refused, []);
    await mesh.close();
    for (const one of [raw, h2]) await one.close();
    secure.closeAllConnections();
    await new Promise((resolve) => secure.close(resolve));
  });

  it("leads HTTP out, over TLS that it begins itself, without a word about the mesh", async () => {
    const answer = await fetchVia(web.ports.httpProxy, `http://${HOST}/`, {
      headers: { "x-ripstop-source-identity": "spiffe://forged" },
    });
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(asked, [`${HOST} ${HOST}`]);
    const names = Object.keys(JSON.parse(answer.body) as object);
    assert.deepEqual(
      names.filter((name) => name.startsWith("x-ripstop") || name.startsWith("x-forwarded")),
      [],
    );
  });

  it("leads HTTP/2 with trailers out, as gRPC has them", async () => {
    const socket = await connectVia(PORTS.grpc);
    const bridge = await tcpBridge(socket);
    const session = http2Client(bridge.port);
    try {
      const call = session.request({
        ":method": "POST",
        ":path": "/Greeter/Hello",
        ":authority": HOST,
        "content-type": "application/grpc",
      });
      call.end("question");
      let body = "";
      call.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      const trailers = await new Promise<unknown>((resolve, reject) => {
        call.on("error", reject);
        call.on("trailers", (headers) => resolve(headers["grpc-status"]));
      });
      assert.equal(trailers, "0");
      assert.equal(body, "answer");
    } finally {
      session.destroy();
      await bridge.close();
    }
  });

  it("leads TCP out, of servers that speak first too", async () => {
    const socket = await connectVia(PORTS.tcp);
    const said = saidBy(socket);
    socket.write("me");
    assert.equal(await said, "hello got me");
  });

  it("leads TLS of callers out that names the host, and no other", async () => {
    assert.equal(await tlsVia(HOST), true);
    assert.equal(await tlsVia("evil.example.com"), false);
    assert.equal(await tlsVia(""), false);
  });

  it("judges by who calls, and by host, requests and connections alike; and ends what is refused later", async () => {
    const identity = web.spiffeId;
    await guard({ action: "ALLOW", rules: [{ from: [{ principals: [identity] }], to: [{ hosts: [HOST] }] }] });
    assert.equal((await fetchVia(web.ports.httpProxy, `http://${HOST}/`)).status, 200);
    const live = await connectVia(PORTS.tcp);
    const ended = saidBy(live);
    await new Promise((resolve) => live.once("data", resolve));
    await guard({ action: "ALLOW", rules: [{ to: [{ hosts: ["other.example.com"] }] }] });
    await ended;
    const refused = await fetchVia(web.ports.httpProxy, `http://${HOST}/`);
    assert.equal(refused.status, 403);
    assert.equal((JSON.parse(refused.body) as { error: { policy: string } }).error.policy, "infra/out");
    await assertClosed(PORTS.tcp);
    assert.deepEqual(asked, [`${HOST} ${HOST}`]);
  });

  it("leads nobody out to what the caller's namespace does not reach through it", async () => {
    mesh.config.remove(hostBindingType, egressBindingName("shop", HOST, GATEWAY));
    const refused = await fetchVia(web.ports.httpProxy, `http://${HOST}/`);
    assert.equal(refused.status, 403);
    assert.match(refused.body, /RS1087.*namespace shop/s);
    await assertClosed(PORTS.tcp);
    assert.deepEqual(asked, []);
  });

  it("is not gone past when none of its proxies is there", async () => {
    declare([], "no proxy of Gateway infra/egress is ready");
    const refused = await fetchVia(web.ports.httpProxy, `http://${HOST}/`);
    assert.equal(refused.status, 503);
    assert.match(refused.body, /RS1086.*no proxy of Gateway infra\/egress is ready/s);
    await assert.rejects(connectVia(PORTS.tcp), /CONNECT: 503/);
    assert.deepEqual(asked, []);
  });

  it("counts both hops, and lists who called what through it", async () => {
    assert.equal((await fetchVia(web.ports.httpProxy, `http://${HOST}/`)).status, 200);
    const socket = await connectVia(PORTS.tcp);
    const said = saidBy(socket);
    socket.write("me");
    await said;
    const seen = (protocol: string) =>
      reported(gateway.started, ({ egress }) => egress?.seen ?? []).find((one) => one.protocol === protocol);
    const hop = (proxy: TestProxy, from: string, to: string) =>
      ["http", "tcp"].every((protocol) =>
        reported(proxy, ({ edges }) => edges).some(
          ({ sourceService, destinationService, ...edge }) =>
            edge.protocol === protocol && sourceService === from && destinationService === to,
        ),
      );
    await eventually(
      () =>
        seen("http") !== undefined &&
        seen("tcp") !== undefined &&
        hop(web, "shop/web", DIRECT) &&
        hop(gateway.started, "shop/web", "infra/egress-gateway") &&
        hop(gateway.started, "infra/egress-gateway", DIRECT),
    );
    const { host, port: called, count, denied, gateway: through, source } = seen("http") ?? {};
    assert.deepEqual([host, called, count, denied, through, source], [HOST, 80, 1, 0, GATEWAY, "shop/web"]);
  });
});

/** A port whose one connection is joined to `other`. */
function tcpBridge(other: Socket): Promise<Started> {
  return tcpApp((socket) => {
    socket.pipe(other);
    other.pipe(socket);
    other.on("error", () => socket.destroy());
    socket.on("close", () => other.destroy());
  });
}
