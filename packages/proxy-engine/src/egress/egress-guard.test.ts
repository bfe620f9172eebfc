// Calls of hosts outside the mesh, in real proxies: allowed and listed, or refused and listed.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { describe, it } from "node:test";

import { EgressMode, workloadType, type telemetry } from "@ripstop/model";

import { TestMesh, type TestProxy } from "../testing/test-mesh.suite.ts";
import { eventually, fetchVia, httpApp, TcpClient } from "../testing/test-peers.suite.ts";

interface Outside {
  readonly web: TestProxy;
  /** Port of an application that the mesh does not know. */
  readonly port: number;
  readonly asked: () => number;
  setMode(mode: EgressMode): void;
}

async function withOutside(run: (outside: Outside) => Promise<void>): Promise<void> {
  const mesh = await TestMesh.create();
  let asked = 0;
  const app = await httpApp((_request, response) => {
    asked++;
    response.end("outside");
  });
  try {
    const upstreams = [{ host: "127.0.0.1", port: app.port }];
    const web = await mesh.start({ id: "shop/web-1", service: "shop/web", upstreams });
    const { workload } = web.proxy.workloads.get("shop/web-1")?.view ?? {};
    assert.ok(workload);
    const setMode = (egress: EgressMode): void => mesh.config.set(workloadType, "shop/web-1", { ...workload, egress });
    await run({ web, port: app.port, asked: () => asked, setMode });
  } finally {
    await mesh.close();
    await app.close();
  }
}

/** CONNECT to the outside: the status of the answer. */
async function connectVia(proxyPort: number, authority: string): Promise<number> {
  const asking = httpRequest({
    host: "127.0.0.1",
    port: proxyPort,
    method: "CONNECT",
    path: authority,
    headers: { host: authority },
    agent: false,
  });
  asking.end();
  const [response, socket] = (await Promise.race([once(asking, "connect"), once(asking, "response")])) as [
    IncomingMessage,
    Socket | undefined,
  ];
  socket?.destroy();
  response.destroy();
  return response.statusCode ?? 0;
}

const seenBy = ({ reports }: TestProxy): telemetry.EgressSeen[] => reports.flatMap(({ egress }) => egress?.seen ?? []);

describe("calls of hosts that the mesh does not know", () => {
  it("pass by default, and are reported with how often", () =>
    withOutside(async ({ web, port, asked }) => {
      const address = `127.0.0.1:${port}`;
      assert.equal((await fetchVia(web.ports.httpProxy, `http://${address}/`)).body, "outside");
      assert.equal((await fetchVia(web.ports.httpProxy, `http://${address}/`)).body, "outside");
      assert.equal(await connectVia(web.ports.httpProxy, address), 200);
      assert.equal(asked(), 2);
      // The reports of a second each may hold them together or apart.
      const counted = (protocol: string): number =>
        seenBy(web).reduce((sum, seen) => sum + (seen.protocol === protocol ? seen.count : 0), 0);
      await eventually(() => counted("tcp") >= 1 && counted("http") >= 2);
      assert.deepEqual([counted("tcp"), counted("http")], [1, 2]);
      assert.ok(seenBy(web).every(({ denied, host }) => denied === 0 && host === "127.0.0.1"));
    }));

  it("are refused in mode deny, with the cause, and reported as refused", () =>
    withOutside(async ({ web, port, asked, setMode }) => {
      setMode(EgressMode.DENY);
      const address = `127.0.0.1:${port}`;
      const answer = await fetchVia(web.ports.httpProxy, `http://${address}/`);
      assert.equal(answer.status, 403);
      assert.equal(answer.headers["x-ripstop-error"], "RS1085");
      assert.match(answer.body, /is outside the mesh, no ExternalService that shop\/web-1 may use declares it/);
      assert.equal(await connectVia(web.ports.httpProxy, address), 403);
      assert.equal(asked(), 0);
      await eventually(() => seenBy(web).reduce((sum, { denied }) => sum + denied, 0) === 2);
      assert.ok(seenBy(web).every(({ count, denied }) => count === denied));
    }));

  it("are refused for raw connections too, and explained to clients that speak HTTP", () =>
    withOutside(async ({ web, asked, setMode }) => {
      setMode(EgressMode.DENY);
      await web.becameReady;
      const raw = new TcpClient(web.ports.upstreams[0] ?? 0);
      raw.write("\u0000\u0001 not HTTP\r\n\r\n");
      await raw.untilEnd();
      raw.socket.destroy();
      assert.equal(raw.received, "");
      const http = new TcpClient(web.ports.upstreams[0] ?? 0);
      http.write("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
      await http.untilEnd();
      http.socket.destroy();
      assert.match(http.received, /^HTTP\/1\.1 403 [^]*RS1085/);
      assert.equal(asked(), 0);
    }));

  it("are let out again as soon as the mode says so", () =>
    withOutside(async ({ web, port, setMode }) => {
      setMode(EgressMode.DENY);
      assert.equal((await fetchVia(web.ports.httpProxy, `http://127.0.0.1:${port}/`)).status, 403);
      setMode(EgressMode.ALLOW);
      assert.equal((await fetchVia(web.ports.httpProxy, `http://127.0.0.1:${port}/`)).status, 200);
    }));
});
