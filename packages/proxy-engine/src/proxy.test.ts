// Two proxies in one process, joined by real TLS on loopback.

import assert from "node:assert/strict";
import { createServer, request as httpRequest, type IncomingMessage, type Server } from "node:http";
import { connect, createServer as createTcpServer, type AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { Protocol } from "@ripstop/model";
import { meshEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A request through an HTTP proxy. */
function fetchVia(proxyPort: number, url: string, options: { method?: string; body?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  const { host } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: "127.0.0.1", port: proxyPort, method: options.method ?? "GET", path: url, headers: { host, ...options.headers } },
      (response) => {
        let body = "";
        response.setEncoding("latin1");
        response.on("data", (chunk: string) => (body += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end(options.body);
  });
}

describe("a mesh of two proxies", () => {
  it("carries an HTTP/1.1 request of the HTTP proxy to the other workload's application over mutual TLS", async () => {
    const mesh = await TestMesh.create();
    const app = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => {
        response.setHeader("x-seen", JSON.stringify(request.headers));
        response.end(`${request.method} ${request.url} ${body}`);
      });
    });
    const applicationPort = await listening(app);
    try {
      const catalog = await mesh.start({ id: "shop/catalog-1", service: "shop/catalog", ports: [{ port: 8080, applicationPort }] });
      const web = await mesh.start({ id: "shop/web-1", service: "shop/web" });
      mesh.service("shop/catalog", { ports: [{ port: 80 }], endpoints: [meshEndpoint("shop/catalog-1", catalog, { 80: 8080 })] });
      const answer = await fetchVia(web.ports.httpProxy, "http://catalog/books?x=1", { method: "POST", body: "hello" });
      assert.equal(answer.status, 200);
      assert.equal(answer.body, "POST /books?x=1 hello");
      const seen = JSON.parse(String(answer.headers["x-seen"])) as Record<string, string>;
      assert.equal(seen["x-ripstop-source-identity"], web.spiffeId);
      assert.match(seen["traceparent"] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      assert.equal(seen["host"], "catalog");
    } finally {
      await mesh.close();
      app.closeAllConnections();
      app.close();
    }
  });

  it("carries TCP to a declared upstream, whether the server or the client speaks first", async () => {
    const mesh = await TestMesh.create();
    const serverFirst = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.write("220 ready\n");
      socket.on("data", (data) => socket.write(`echo ${String(data)}`));
      socket.on("end", () => socket.end());
    });
    const applicationPort = await listening(serverFirst);
    try {
      const stock = await mesh.start({ id: "shop/stock-1", service: "shop/stock", ports: [{ port: 7000, applicationPort }] });
      for (const protocol of [Protocol.TCP, Protocol.UNSPECIFIED]) {
        mesh.service("shop/stock", { ports: [{ port: 7000, protocol }], endpoints: [meshEndpoint("shop/stock-1", stock, { 7000: 7000 })] });
        const web = await mesh.start({ id: `shop/web-${protocol + 1}`, upstreams: [{ host: "stock", port: 7000 }] });
        await web.becameReady;
        const socket = connect(web.ports.upstreams[0] ?? 0, "127.0.0.1");
        const lines: string[] = [];
        let wake = (): void => undefined;
        socket.on("data", (data) => {
          lines.push(String(data));
          wake();
        });
        const until = async (text: string): Promise<void> => {
          while (!lines.join("").includes(text)) await new Promise<void>((resolve) => (wake = resolve));
        };
        await until("220 ready\n");
        socket.write("apples\n");
        await until("echo apples\n");
        const ended = new Promise<void>((resolve) => socket.on("end", resolve));
        socket.end();
        await ended;
        assert.equal(lines.join(""), "220 ready\necho apples\n");
      }
    } finally {
      await mesh.close();
      serverFirst.close();
    }
  });
});
