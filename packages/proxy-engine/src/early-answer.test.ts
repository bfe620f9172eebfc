// Clients whose request is answered in full before they have sent all of it, seen from raw sockets.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Protocol } from "@ripstop/model";
import { meshEndpoint, TestMesh } from "./testing/test-mesh.suite.ts";
import { http2App, httpApp, TcpClient, type Started } from "./testing/test-peers.suite.ts";

const KB = 1024;

/** An application that answers "early" at the head of a POST, and anything else with "later". */
const applications: readonly (readonly [string, Protocol, () => Promise<Started>])[] = [
  [
    "HTTP/1.1",
    Protocol.UNSPECIFIED,
    () =>
      httpApp((request, response) => {
        request.resume().on("error", () => undefined);
        response.setHeader("content-length", 5);
        response.end(request.method === "POST" ? "early" : "later");
      }),
  ],
  [
    "HTTP/2",
    Protocol.HTTP2,
    () =>
      http2App((server) => {
        server.on("stream", (stream, headers) => {
          stream.on("error", () => undefined);
          stream.resume();
          stream.respond({ ":status": 200, "content-length": 5 });
          // As long as it does not end its half, only the length tells that the answer is complete.
          if (headers[":path"] === "/open") stream.write("early", () => stream.on("end", () => stream.end()));
          else stream.end(headers[":method"] === "POST" ? "early" : "later");
        });
      }),
  ],
];

async function withClient(
  [, protocol, start]: (typeof applications)[number],
  run: (client: TcpClient, upload: (text: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const mesh = await TestMesh.create();
  const app = await start();
  let client: TcpClient | undefined;
  try {
    const started = await mesh.start({
      id: "shop/catalog-1",
      service: "shop/catalog",
      ports: [{ port: 8080, applicationPort: app.port, protocol }],
    });
    mesh.service("shop/catalog", {
      ports: [{ port: 80, protocol }],
      endpoints: [meshEndpoint("shop/catalog-1", started, { 80: 8080 })],
    });
    const web = await mesh.start({ id: "shop/web-1", upstreams: [{ host: "catalog", port: 80 }] });
    const opened = new TcpClient(web.ports.upstreams[0] ?? 0);
    client = opened;
    const upload = (text: string): Promise<void> =>
      new Promise((resolve, reject) => {
        const closed = (): void => reject(new Error("closed in the middle of the upload"));
        opened.socket.once("close", closed);
        opened.socket.write(text, "latin1", () => {
          opened.socket.off("close", closed);
          resolve();
        });
      });
    await run(opened, upload);
  } finally {
    client?.socket.destroy();
    await mesh.close();
    await app.close();
  }
}

for (const application of applications) {
  describe(`a client that is answered in full before its upload ends, ${application[0]} behind`, () => {
    for (const path of ["/", "/open"]) {
      it(`sends all of it, and its connection serves the next request (${path})`, () =>
        withClient(application, async (client, upload) => {
          client.write(`POST ${path} HTTP/1.1\r\nHost: catalog\r\nContent-Length: ${900 * KB}\r\n\r\n`);
          await upload("x".repeat(100 * KB));
          await client.until("early");
          for (let sent = 100; sent < 900; sent += 100) await upload("x".repeat(100 * KB));
          client.write("GET / HTTP/1.1\r\nHost: catalog\r\n\r\n");
          await client.until("later");
          assert.equal(client.received.match(/HTTP\/1\.1 /g)?.length, 2);
          assert.ok(!client.ended);
        }));
    }

    it("is told by the end of the connection, behind the whole answer, when too much is still to come", () =>
      withClient(application, async (client, upload) => {
        client.write(`POST / HTTP/1.1\r\nHost: catalog\r\nContent-Length: ${64 * KB * KB}\r\n\r\n`);
        await client.until("early");
        await client.untilEnd();
        // What it has sent by the time it reads that does not cost it the answer.
        for (let sent = 0; sent < 20; sent++) await upload("x".repeat(100 * KB));
        assert.match(client.received, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nearly$/);
        assert.ok(!client.closed);
      }));
  });
}
