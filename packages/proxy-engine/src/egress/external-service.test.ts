// Declared hosts outside the mesh, in real proxies: TLS that the proxy begins, and TLS of callers that must name the host.

import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { request as httpRequest } from "node:http";

import {
  EgressMode,
  endpointsType,
  hostBindingName,
  hostBindingType,
  Protocol,
  routesName,
  routesType,
  serviceType,
  workloadType,
} from "@ripstop/model";

import { OutsideAuthority } from "../testing/test-gateway.suite.ts";
import { plainEndpoint, TestMesh, type TestProxy } from "../testing/test-mesh.suite.ts";
import { fetchVia } from "../testing/test-peers.suite.ts";

const HOST = "api.example.com";
const SERVICE = `shop/api.external.${HOST}`;

interface Outside {
  readonly web: TestProxy;
  readonly ca: OutsideAuthority;
  /** Server names and hosts that the server outside was asked for. */
  readonly asked: string[];
}

/** An HTTPS server for HOST, declared: port 80 with TLS by the proxy, port 443 with TLS by the caller. In mode deny. */
async function withOutside(certificateFor: string, run: (outside: Outside) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  const ca = await OutsideAuthority.create();
  const { chainPem, keyPem } = await ca.certificate(certificateFor);
  const asked: string[] = [];
  const server = createServer({ cert: chainPem, key: keyPem }, (request, response) => {
    const { servername } = request.socket as TLSSocket & { servername: string };
    asked.push(`${servername} ${String(request.headers.host)}`);
    response.end("outside");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const backendTls = {
      hostname: HOST,
      rootsPem: ca.rootsPem,
      subjectAltNames: [],
      invalid: "",
      source: "ExternalService shop/api",
    };
    mesh.config.set(serviceType, SERVICE, {
      namespace: "shop",
      name: `api.external.${HOST}`,
      hostnames: [HOST],
      addresses: [],
      ports: [
        { port: 80, name: "", protocol: Protocol.HTTP1, backendTls },
        { port: 443, name: "", protocol: Protocol.TLS },
      ],
      resilience: undefined,
      external: { host: HOST },
    });
    mesh.config.set(endpointsType, SERVICE, {
      service: SERVICE,
      endpoints: [plainEndpoint(port, { 80: port, 443: port })],
    });
    mesh.config.set(routesType, routesName(SERVICE, "shop"), { service: SERVICE, ports: [] });
    const name = hostBindingName("shop", HOST);
    mesh.config.set(hostBindingType, name, { name, service: SERVICE });
    const web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
    const { workload } = web.proxy.workloads.get("shop/web-1")?.view ?? {};
    assert.ok(workload);
    mesh.config.set(workloadType, "shop/web-1", { ...workload, egress: EgressMode.DENY });
    await run({ web, ca, asked });
  } finally {
    await mesh.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** TLS through CONNECT to HOST:443, with any server name: whether the handshake came about. */
function tlsVia({ web, ca }: Outside, servername: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest({
      host: "127.0.0.1",
      port: web.ports.httpProxy,
      method: "CONNECT",
      path: `${HOST}:443`,
      headers: { host: `${HOST}:443` },
      agent: false,
    });
    asking.on("error", reject);
    asking.on("response", ({ statusCode }) => reject(new Error(`CONNECT: ${String(statusCode)}`)));
    asking.on("connect", (_response, socket) => {
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
    asking.end();
  });
}

describe("a declared host outside the mesh", () => {
  it("gets TLS from the proxy, by its name, while the caller speaks plain HTTP", () =>
    withOutside(HOST, async ({ web, asked }) => {
      assert.equal((await fetchVia(web.ports.httpProxy, `http://${HOST}/`)).body, "outside");
      assert.deepEqual(asked, [`${HOST} ${HOST}`]);
    }));

  it("is not believed with a certificate of another name, and never asked in plain text", () =>
    withOutside("other.example.com", async ({ web, asked }) => {
      const answer = await fetchVia(web.ports.httpProxy, `http://${HOST}/`);
      assert.equal(answer.status, 503);
      assert.match(answer.body, /certificate is for another name/);
      assert.deepEqual(asked, []);
    }));

  it("takes TLS of callers that names it, and no other: what was declared is no way to somewhere else", () =>
    withOutside(HOST, async (outside) => {
      assert.equal(await tlsVia(outside, HOST), true);
      assert.equal(await tlsVia(outside, "evil.example.com"), false);
      assert.equal(await tlsVia(outside, ""), false);
    }));
});
