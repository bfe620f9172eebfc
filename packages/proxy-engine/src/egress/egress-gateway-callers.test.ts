// What an egress gateway refuses callers that are not its mesh's own well-behaved proxies: other trust domains, other
// workloads, ports and hosts than the connection is for, raw bytes to a port that speaks HTTP.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from "node:http2";
import { afterEach, beforeEach, describe, it } from "node:test";
import { connect as connectTls } from "node:tls";

import {
  egressBindingName,
  endpointsType,
  GatewayListener_Kind,
  hostBindingType,
  Protocol,
  routesName,
  routesType,
  serviceType,
  trustBundleType,
} from "@ripstop/model";
import { meshServerName, withCaller } from "@ripstop/net";
import { freePort, TestAuthority } from "@ripstop/testkit";

import { listener, TestGateway } from "../testing/test-gateway.suite.ts";
import { plainEndpoint, TestMesh, TRUST_DOMAIN } from "../testing/test-mesh.suite.ts";
import { httpApp, type Started } from "../testing/test-peers.suite.ts";

const HOST = "api.example.com";
const GATEWAY = "infra/egress";
const SERVICE = `shop/api.external.${HOST}`;
const OTHER_DOMAIN = "other.local";
const [HTTP, TCP] = [80, 7000];

interface Refused {
  readonly status: number;
  readonly code: string;
}

describe("callers of an egress gateway", () => {
  let mesh: TestMesh;
  let port: number;
  let app: Started;
  let sessions: ClientHttp2Session[];
  let asked: number;

  /** A connection under an identity, for a port of the workload. */
  async function connected(
    { authority, spiffeId }: { readonly authority: TestAuthority; readonly spiffeId: string },
    serverName: string,
  ): Promise<ClientHttp2Session> {
    const { chainPem, keyPem } = await authority.issue(spiffeId);
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      servername: serverName,
      cert: chainPem,
      key: keyPem,
      ca: mesh.authority.bundlePem,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.3",
      checkServerIdentity: () => undefined,
    });
    const session = connect("https://gateway", { createConnection: () => socket });
    session.on("error", () => undefined);
    sessions.push(session);
    return session;
  }

  const own = () => ({ authority: mesh.authority, spiffeId: `spiffe://${TRUST_DOMAIN}/ns/shop/sa/web` });
  const nameFor = (wanted: number): string => meshServerName(`${GATEWAY}-1`, wanted) ?? "";

  /** The answer's status and code; status 0 when the connection ends without one. */
  function answerTo(session: ClientHttp2Session, headers: Record<string, string>): Promise<Refused> {
    return new Promise((resolve) => {
      const stream = session.request(headers);
      stream.on("error", () => undefined);
      stream.on("response", (response: IncomingHttpHeaders & { readonly ":status"?: number }) => {
        stream.resume();
        resolve({ status: response[":status"] ?? 0, code: String(response["x-ripstop-error"] ?? "") });
        stream.close();
      });
      stream.on("close", () => resolve({ status: 0, code: "" }));
    });
  }

  const get = { ":method": "GET", ":path": "/", ":scheme": "http", ":authority": HOST };

  beforeEach(async () => {
    mesh = await TestMesh.create();
    sessions = [];
    asked = 0;
    app = await httpApp((_request, response) => {
      asked++;
      response.end("outside");
    });
    port = await freePort();
    const gateway = await TestGateway.start(mesh, GATEWAY);
    const { config } = mesh;
    config.set(serviceType, SERVICE, {
      namespace: "shop",
      name: `api.external.${HOST}`,
      hostnames: [HOST],
      addresses: [],
      ports: [
        { port: HTTP, name: "", protocol: Protocol.HTTP1 },
        { port: TCP, name: "", protocol: Protocol.TCP },
      ],
      resilience: undefined,
      external: { host: HOST },
    });
    config.set(endpointsType, SERVICE, {
      service: SERVICE,
      endpoints: [plainEndpoint(app.port, { [HTTP]: app.port, [TCP]: app.port })],
    });
    config.set(routesType, routesName(SERVICE, "shop"), { service: SERVICE, ports: [] });
    const name = egressBindingName("shop", HOST, GATEWAY);
    config.set(hostBindingType, name, { name, service: SERVICE });
    await gateway.listen([listener("out", port, { kind: GatewayListener_Kind.EGRESS })]);
  });

  afterEach(async () => {
    for (const session of sessions) session.destroy();
    await mesh.close();
    await app.close();
  });

  it("are led out to the host that they name, by the port that the connection is for", async () => {
    const session = await connected(own(), nameFor(HTTP));
    assert.deepEqual(await answerTo(session, get), { status: 200, code: "" });
    assert.equal(asked, 1);
  });

  it("are led to no other host, port or namespace's host", async () => {
    const http = await connected(own(), nameFor(HTTP));
    assert.deepEqual(await answerTo(http, { ...get, ":authority": "127.0.0.1" }), { status: 403, code: "RS1087" });
    const elsewhere = await connected(own(), nameFor(app.port));
    assert.deepEqual(await answerTo(elsewhere, get), { status: 502, code: "RS1009" });
    const tcp = await connected(own(), nameFor(TCP));
    const other = { ":method": "CONNECT", ":authority": `${HOST}:${HTTP}` };
    assert.deepEqual(await answerTo(tcp, other), { status: 421, code: "RS1023" });
    const bank = { authority: mesh.authority, spiffeId: `spiffe://${TRUST_DOMAIN}/ns/bank/sa/web` };
    assert.deepEqual(await answerTo(await connected(bank, nameFor(HTTP)), get), { status: 403, code: "RS1087" });
    assert.equal(asked, 0);
  });

  it("bring no raw bytes past the policies of requests", async () => {
    const session = await connected(own(), nameFor(HTTP));
    const tunnel = { ":method": "CONNECT", ":authority": `${HOST}:${HTTP}` };
    assert.deepEqual(await answerTo(session, tunnel), { status: 403, code: "RS1017" });
  });

  it("of another trust domain are refused, though their namespace has the name of one that is led out", async () => {
    const authority = await TestAuthority.create(OTHER_DOMAIN);
    const rootOf = (pem: string): Buffer => Buffer.from(new X509Certificate(pem).raw);
    const bundle = { sequence: 2, revocations: [], federatesWith: [] };
    mesh.config.set(trustBundleType, OTHER_DOMAIN, {
      ...bundle,
      trustDomain: OTHER_DOMAIN,
      x509Authorities: [rootOf(authority.bundlePem)],
    });
    mesh.config.set(trustBundleType, TRUST_DOMAIN, {
      ...bundle,
      trustDomain: TRUST_DOMAIN,
      x509Authorities: [rootOf(mesh.authority.bundlePem)],
      federatesWith: [OTHER_DOMAIN],
    });
    const theirs = { authority, spiffeId: `spiffe://${OTHER_DOMAIN}/ns/shop/sa/web` };
    const session = await connected(theirs, withCaller(nameFor(HTTP), OTHER_DOMAIN));
    assert.deepEqual(await answerTo(session, get), { status: 403, code: "RS1087" });
    assert.equal(asked, 0);
  });

  it("that mean another workload are not served", async () => {
    const session = await connected(own(), meshServerName("infra/other-1", HTTP) ?? "");
    assert.deepEqual(await answerTo(session, get), { status: 0, code: "" });
  });
});
